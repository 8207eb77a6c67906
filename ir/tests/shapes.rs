//! Shapes that operators infer and refuse: limits of memory, ranges of constants, extents that depend on data.

use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::{Graph, Op, Value};
use cnnc_ir::{DType, Dim, OpKind, Tensor, TensorType};

/// A graph with one f32 input of that shape.
fn with_input(shape: &[u64]) -> (Graph, Value) {
    let mut g = Graph::new("shapes");
    let dims = shape.iter().copied().map(Dim::Fixed);
    let x = g.add_input("x", TensorType::new(DType::F32, dims));
    (g, x)
}

/// Type of the first result of an operator on an f32 input and lists of constants, or why it is refused.
fn infer<const N: usize>(
    kind: OpKind,
    shape: &[u64],
    lists: &[&[i64]],
    attrs: [(&str, AttrValue); N],
) -> String {
    let (mut g, x) = with_input(shape);
    let mut inputs = vec![x];
    inputs.extend(lists.iter().map(|l| g.add_constant("", Tensor::ints(l))));
    let attrs: Attrs = attrs.map(|(k, v)| (k.to_string(), v)).into();
    match g.op(kind, &inputs, attrs) {
        Ok(y) => g.ty(y).to_string(),
        Err(refusal) => refusal.to_string(),
    }
}

/// As [`infer`], of an operator whose operands are all constants.
fn infer_source(kind: OpKind, operands: &[Tensor]) -> String {
    let mut g = Graph::new("shapes");
    let inputs: Vec<Value> = operands
        .iter()
        .map(|t| g.add_constant("", t.clone()))
        .collect();
    match g.op(kind, &inputs, Attrs::new()) {
        Ok(y) => g.ty(y).to_string(),
        Err(refusal) => refusal.to_string(),
    }
}

#[test]
fn results_beyond_memory_are_refused() {
    let huge = 1 << 40;
    insta::assert_snapshot!(infer(OpKind::Expand, &[], &[&[huge]], []), @"Expand: result of shape f32[1099511627776] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(infer(OpKind::Expand, &[1, 1], &[&[i64::MAX, i64::MAX]], []), @"Expand: result of shape f32[9223372036854775807,9223372036854775807] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(infer(OpKind::Tile, &[1 << 20], &[&[huge]], []), @"Tile: result of shape f32[1152921504606846976] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(infer(OpKind::Tile, &[1 << 20], &[&[i64::MAX]], []), @"Tile: size overflows: 1048576 repeated 9223372036854775807 times");
    insta::assert_snapshot!(infer_source(OpKind::ConstantOfShape, &[Tensor::ints(&[huge, huge])]), @"ConstantOfShape: result of shape f32[1099511627776,1099511627776] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(infer(OpKind::Pad, &[4], &[&[0, huge]], []), @"Pad: result of shape f32[1099511627780] is too large for memory: its size overflows the limit of 1099511627776 bytes");
    insta::assert_snapshot!(infer(OpKind::Pad, &[4], &[&[i64::MIN, i64::MAX]], []), @"Pad: pads (-9223372036854775808, 9223372036854775807) of axis 0 of size 4 leave a negative size or one too large");
    let [zero, one, far] = [0, 1, i64::MAX].map(|v| Tensor::scalar_i64(DType::I64, v));
    insta::assert_snapshot!(infer_source(OpKind::Range, &[zero, far, one]), @"Range: result of shape i64[9223372036854775807] is too large for memory: its size overflows the limit of 1099511627776 bytes");
}

#[test]
fn ranges_need_an_end() {
    let int = |v| Tensor::scalar_i64(DType::I64, v);
    let float = |v| Tensor::scalar_f64(DType::F32, v);
    insta::assert_snapshot!(infer_source(OpKind::Range, &[int(0), int(9), int(0)]), @"Range: range from 0 to 9 has delta zero");
    insta::assert_snapshot!(infer_source(OpKind::Range, &[float(0.0), float(9.0), float(0.0)]), @"Range: range from 0 to 9 by delta 0 has no end");
    insta::assert_snapshot!(infer_source(OpKind::Range, &[float(0.0), float(f64::NAN), float(1.0)]), @"Range: range from 0 to NaN by delta 1 has no end");
    let reversed = [int(i64::MAX), int(i64::MIN), int(i64::MIN)];
    assert_eq!(infer_source(OpKind::Range, &reversed), "i64[2]");
    assert_eq!(
        infer_source(OpKind::Range, &[int(5), int(0), int(1)]),
        "i64[0]"
    );
}

#[test]
fn constants_are_held_against_the_shape() {
    insta::assert_snapshot!(infer(OpKind::Slice, &[4], &[&[0], &[4], &[0], &[0]], []), @"Slice: step of axis 0 is zero");
    insta::assert_snapshot!(infer(OpKind::Slice, &[4], &[&[0], &[4], &[1]], []), @"Slice: axis 1 is outside of [-1, 1) for rank 1");
    insta::assert_snapshot!(infer(OpKind::Split, &[6], &[&[6]], [("axis", AttrValue::Int(1))]), @"Split: attribute axis is 1, outside of [-1, 1)");
    insta::assert_snapshot!(infer(OpKind::Split, &[6], &[&[5]], []), @"Split: split sizes [5] do not sum to the extent 6 of the axis");
    insta::assert_snapshot!(infer(OpKind::Split, &[6], &[&[-6]], []), @"Split: split size -6 is negative");
    insta::assert_snapshot!(infer(OpKind::Squeeze, &[2, 1], &[&[0]], []), @"Squeeze: axis 0 of f32[2,1] has not extent 1");
    insta::assert_snapshot!(infer(OpKind::Unsqueeze, &[2], &[&[0, -3]], []), @"Unsqueeze: axes [0, -3] name a dimension twice");
    insta::assert_snapshot!(infer(OpKind::Gather, &[3], &[&[0, -4]], []), @"Gather: index -4 is out of range for axis 0 of extent 3");
    insta::assert_snapshot!(infer(OpKind::GatherND, &[3, 2], &[&[0, 2]], []), @"GatherND: index 2 is out of range for axis 1 of extent 2");
    insta::assert_snapshot!(infer(OpKind::TopK, &[3], &[&[4]], []), @"TopK: k is 4, axis 0 has extent 3");
    insta::assert_snapshot!(infer(OpKind::Expand, &[3], &[&[2]], []), @"Expand: f32[3] does not broadcast with shape [2]");
}

#[test]
fn one_hot_depth_is_bounded() {
    let depth = |d| Tensor::scalar_i64(DType::I64, d);
    let one_hot = |d| {
        infer_source(
            OpKind::OneHot,
            &[Tensor::ints(&[0, 1]), depth(d), Tensor::ints(&[0, 1])],
        )
    };
    assert_eq!(one_hot(5), "i64[2,5]");
    insta::assert_snapshot!(one_hot(-1), @"OneHot: depth -1 is negative");
    insta::assert_snapshot!(one_hot(1 << 60), @"OneHot: result of shape i64[2,1152921504606846976] is too large for memory: its size overflows the limit of 1099511627776 bytes");
}

#[test]
fn padding_may_crop_but_not_repeat_nothing() {
    let mode = |m: &str| [("mode", AttrValue::Str(m.to_string()))];
    assert_eq!(infer(OpKind::Pad, &[5], &[&[-2, 1]], []), "f32[4]");
    assert_eq!(
        infer(OpKind::Pad, &[5], &[&[7, 7]], mode("reflect")),
        "f32[19]"
    );
    insta::assert_snapshot!(infer(OpKind::Pad, &[5], &[&[-3, -3]], []), @"Pad: pads (-3, -3) of axis 0 of size 5 leave a negative size or one too large");
    insta::assert_snapshot!(infer(OpKind::Pad, &[5], &[&[-5, 2]], mode("edge")), @"Pad: pads (-5, 2) of axis 0 of size 5 leave nothing to repeat, or too large a size");
    insta::assert_snapshot!(infer(OpKind::Pad, &[5, 5], &[&[1, 1]], []), @"Pad: 2 pads for 2 axes: one before and one after each is needed");
    insta::assert_snapshot!(infer(OpKind::Pad, &[5], &[&[1, 1]], mode("mirror")), @"Pad: attribute mode must be constant, reflect, edge or wrap, is mirror");
}

/// Scores through a given graph, which must keep their type.
#[test]
fn attention_inlines_its_modifications() {
    let modified = |body_op: Option<OpKind>, query_heads: usize| {
        let mut g = Graph::new("attention");
        let mut operand = |heads: usize, size: usize| {
            g.add_input("", TensorType::new(DType::F32, [2, heads, 7, size]))
        };
        let operands = [operand(query_heads, 8), operand(2, 8), operand(2, 5)];
        let mut body = Graph::new("score_mod");
        let scores = TensorType::new(DType::F32, [2, query_heads, 7, 7]);
        let x = body.add_input("scores", scores);
        let y = body_op.map_or(x, |kind| body.op(kind, &[x], Attrs::new()).expect("fits"));
        body.add_output("out", y);
        let op = Op {
            kind: OpKind::FlexAttention,
            attrs: Attrs::new(),
            bodies: vec![body],
            epilogue: None,
        };
        match g.add(op, operands.map(Some).to_vec(), &["y"], "") {
            Ok(y) => g.ty(y.into()).to_string(),
            Err(refusal) => refusal.to_string(),
        }
    };
    assert_eq!(modified(Some(OpKind::Relu), 4), "f32[2,4,7,5]");
    insta::assert_snapshot!(modified(Some(OpKind::Shape), 4), @"FlexAttention: body score_mod must yield f32[2,4,7,7], as it was given");
    insta::assert_snapshot!(modified(None, 3), @"FlexAttention: 3 query heads are no multiple of 2 key heads");
}

#[test]
fn concatenated_shapes_agree() {
    let concat = |a: &[u64], b: &[u64], axis: i64| {
        let (mut g, x) = with_input(a);
        let ty = TensorType::new(DType::F32, b.iter().copied().map(Dim::Fixed));
        let y = g.add_input("y", ty);
        let attrs = Attrs::from([("axis".to_string(), AttrValue::Int(axis))]);
        match g.op(OpKind::Concat, &[x, y], attrs) {
            Ok(z) => g.ty(z).to_string(),
            Err(refusal) => refusal.to_string(),
        }
    };
    assert_eq!(concat(&[2, 3], &[2, 4], -1), "f32[2,7]");
    insta::assert_snapshot!(concat(&[2, 3], &[3, 3], 1), @"Concat: dimension 0 of input 1 mismatches: f32[3,3] beside f32[2,3]");
    insta::assert_snapshot!(concat(&[2, 3], &[2, 3, 1], 1), @"Concat: input 1 has rank 3, input 0 has rank 2");
    insta::assert_snapshot!(concat(&[2, 3], &[2, 3], 2), @"Concat: attribute axis is 2, outside of [-2, 2)");
}

/// The tail of a detector: the boxes that suppression selects, picked from all boxes.
#[test]
fn extents_that_depend_on_data_pass_through() {
    let mut g = Graph::new("detector");
    let boxes = g.add_input("boxes", TensorType::new(DType::F32, [1, 50, 4]));
    let scores = g.add_input("scores", TensorType::new(DType::F32, [1, 3, 50]));
    let kept = g.add_constant("kept", Tensor::ints(&[10]));
    let [two, three, one, flat] =
        [&[2][..], &[3], &[1], &[-1]].map(|v| g.add_constant("", Tensor::ints(v)));
    let mut op = |kind, inputs: &[Value], axis: Option<i64>| {
        let attrs = axis.map(|a| ("axis".to_string(), AttrValue::Int(a)));
        g.op(kind, inputs, attrs.into_iter().collect())
            .expect("the operators fit")
    };
    let rows = op(OpKind::NonMaxSuppression, &[boxes, scores, kept], None);
    let column = op(OpKind::Slice, &[rows, two, three, one], None);
    let index = op(OpKind::Squeeze, &[column, one], None);
    let again = op(OpKind::Reshape, &[column, flat], None);
    let picked = op(OpKind::Gather, &[boxes, index], Some(1));
    insta::assert_snapshot!(g.ty(rows), @"i64[v7.n<=30,3]");
    insta::assert_snapshot!(g.ty(column), @"i64[v7.n<=30,1]");
    insta::assert_snapshot!(g.ty(index), @"i64[v7.n<=30]");
    insta::assert_snapshot!(g.ty(picked), @"f32[1,v7.n<=30,4]");
    assert_eq!(g.ty(index), g.ty(again));
}
