//! The interpreter against cases small enough to work out by hand.

use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::{Epilogue, Op};
use cnnc_ir::interp::{EvalError, Fault, Interpreter, Limits, Precision};
use cnnc_ir::types::{DType, Dim, TensorType};
use cnnc_ir::{Ex, Graph, OpKind, Tensor, Value};

fn attrs<const N: usize>(list: [(&str, AttrValue); N]) -> Attrs {
    list.into_iter().map(|(k, v)| (k.to_string(), v)).collect()
}

fn op(kind: OpKind, attrs: Attrs) -> Op {
    Op {
        kind,
        attrs,
        bodies: Vec::new(),
        epilogue: None,
    }
}

/// The results of one operator on f32 and i64 tensors.
fn eval<const N: usize>(
    kind: OpKind,
    list: [(&str, AttrValue); N],
    operands: &[Tensor],
    outputs: usize,
) -> Vec<Tensor> {
    let operands: Vec<Option<Tensor>> = operands.iter().cloned().map(Some).collect();
    Interpreter::default()
        .eval_op(&op(kind, attrs(list)), &operands, outputs)
        .expect("a legal operator")
}

fn f32s(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::from_f64(DType::F32, shape, values)
}

fn iota(shape: &[usize]) -> Tensor {
    let n: usize = shape.iter().product();
    f32s(shape, &(0..n).map(|v| v as f64).collect::<Vec<_>>())
}

#[test]
fn results_are_rounded_to_their_types_unless_asked_otherwise() {
    let mut g = Graph::new("t");
    let x = g.add_input("x", TensorType::new(DType::F32, [1usize]));
    let y = g.op(OpKind::Add, &[x, x], Attrs::new()).expect("typed");
    let y = g.op(OpKind::Add, &[y, x], Attrs::new()).expect("typed");
    g.add_output("y", y);
    let third = f64::from(0.1f32);
    let run = |precision| {
        let out = Interpreter::new(precision)
            .run(&g, &[("x", f32s(&[1], &[0.1]))])
            .expect("runs");
        (out[0].1.dtype(), out[0].1.to_f64()[0])
    };
    assert_eq!(
        run(Precision::F32),
        (DType::F32, f64::from(0.1f32 + 0.1f32 + 0.1f32))
    );
    assert_eq!(run(Precision::F64), (DType::F64, third * 2.0 + third));
}

#[test]
fn integers_wrap() {
    let a = Tensor::from_i64(DType::U8, &[2], &[250, 3]);
    let sum = &eval(OpKind::Add, [], &[a.clone(), a], 1)[0];
    assert_eq!(sum.to_i64(), [244, 6]);
}

#[test]
fn operands_broadcast() {
    let sum = &eval(
        OpKind::Add,
        [],
        &[iota(&[2, 1, 2]), f32s(&[3, 1], &[10.0, 20.0, 30.0])],
        1,
    )[0];
    assert_eq!(sum.shape(), [2, 3, 2]);
    assert_eq!(
        sum.to_f64(),
        [10., 11., 20., 21., 30., 31., 12., 13., 22., 23., 32., 33.]
    );
}

#[test]
fn convolution_pads_strides_and_groups() {
    let ones = f32s(&[1, 1, 3, 3], &[1.0; 9]);
    let list = [
        ("pads", AttrValue::Ints(vec![1; 4])),
        ("strides", AttrValue::Ints(vec![2, 2])),
    ];
    let y = &eval(
        OpKind::Conv,
        list,
        &[iota(&[1, 1, 3, 3]), ones, f32s(&[1], &[100.0])],
        1,
    )[0];
    assert_eq!(y.to_f64(), [108.0, 112.0, 120.0, 124.0]);
    let depthwise = [("group", AttrValue::Int(2))];
    let w = f32s(&[2, 1, 1, 1], &[2.0, 3.0]);
    let y = &eval(OpKind::Conv, depthwise, &[iota(&[1, 2, 1, 2]), w], 1)[0];
    assert_eq!(y.to_f64(), [0.0, 2.0, 6.0, 9.0]);
}

#[test]
fn transposed_convolution_spreads_its_input() {
    let list = [("strides", AttrValue::Ints(vec![2]))];
    let y = &eval(
        OpKind::ConvTranspose,
        list,
        &[
            f32s(&[1, 1, 2], &[1.0, 2.0]),
            f32s(&[1, 1, 3], &[1.0, 10.0, 100.0]),
        ],
        1,
    )[0];
    assert_eq!(y.to_f64(), [1.0, 10.0, 102.0, 20.0, 200.0]);
}

#[test]
fn matrices_multiply_by_batch() {
    let y = &eval(OpKind::MatMul, [], &[iota(&[2, 1, 2]), iota(&[2, 2])], 1)[0];
    assert_eq!(y.shape(), [2, 1, 2]);
    assert_eq!(y.to_f64(), [2.0, 3.0, 6.0, 11.0]);
}

#[test]
fn pooling_ignores_padding_and_finds_positions() {
    let list = [
        ("kernel_shape", AttrValue::Ints(vec![2, 2])),
        ("pads", AttrValue::Ints(vec![1; 4])),
        ("strides", AttrValue::Ints(vec![2, 2])),
    ];
    let x = f32s(&[1, 1, 2, 2], &[-1.0, -2.0, -3.0, -4.0]);
    let y = eval(OpKind::MaxPool, list.clone(), std::slice::from_ref(&x), 1);
    assert_eq!(y[0].to_f64(), [-1.0, -2.0, -3.0, -4.0]);
    let y = eval(OpKind::AveragePool, list, &[x], 1);
    assert_eq!(y[0].to_f64(), [-1.0, -2.0, -3.0, -4.0]);
}

#[test]
fn sorting_keeps_the_order_of_equals() {
    let y = eval(
        OpKind::TopK,
        [],
        &[f32s(&[4], &[1.0, 3.0, 3.0, 2.0]), Tensor::ints(&[3])],
        2,
    );
    assert_eq!(y[0].to_f64(), [3.0, 3.0, 2.0]);
    assert_eq!(y[1].to_i64(), [1, 2, 3]);
    let y = eval(
        OpKind::Unique,
        [("sorted", AttrValue::Int(0))],
        &[f32s(&[5], &[2.0, 1.0, 2.0, 3.0, 1.0])],
        4,
    );
    assert_eq!(y[0].to_f64(), [2.0, 1.0, 3.0]);
    assert_eq!(y[1].to_i64(), [0, 1, 3]);
    assert_eq!(y[2].to_i64(), [0, 1, 0, 2, 1]);
    assert_eq!(y[3].to_i64(), [2, 2, 1]);
}

#[test]
fn an_epilogue_follows_its_root() {
    let x = Ex::arg(0, DType::F32);
    let root = op(OpKind::MatMul, Attrs::new());
    let fused = Op {
        epilogue: Some(Epilogue {
            expr: (x * Ex::arg(1, DType::F32)).finish(),
            operands: 1,
        }),
        ..root
    };
    let operands = [iota(&[2, 2]), iota(&[2, 2]), f32s(&[1, 2], &[1.0, -1.0])].map(Some);
    let y = Interpreter::default()
        .eval_op(&fused, &operands, 1)
        .expect("runs");
    assert_eq!(y[0].to_f64(), [2.0, -3.0, 6.0, -11.0]);
}

#[test]
fn extents_that_depend_on_data_take_their_true_value() {
    let mut g = Graph::new("t");
    let x = g.add_input("x", TensorType::new(DType::F32, [Dim::sym("N", None)]));
    let y = g.op(OpKind::NonZero, &[x], Attrs::new()).expect("typed");
    let y = g.op(OpKind::Transpose, &[y], Attrs::new()).expect("typed");
    g.add_output("y", y);
    let y = Interpreter::default()
        .run(&g, &[("x", f32s(&[4], &[0.0, 5.0, 0.0, 7.0]))])
        .expect("runs");
    assert_eq!((y[0].1.shape(), y[0].1.to_i64()), (&[2, 1][..], vec![1, 3]));
}

#[test]
fn errors_name_node_and_value() {
    let many: Vec<i64> = (0..5000).collect();
    let gather = op(OpKind::Gather, Attrs::new());
    let operands = [iota(&[4000]), Tensor::ints(&many)].map(Some);
    let e = Interpreter::default()
        .eval_op(&gather, &operands, 1)
        .expect_err("out of range");
    insta::assert_snapshot!(e, @"node 'Gather': Gather: index 4000 is outside of [-4000, 4000)");

    let operands = [iota(&[3]), Tensor::ints(&[3])].map(Some);
    let e = Interpreter::default()
        .eval_op(&gather, &operands, 1)
        .expect_err("out of range");
    insta::assert_snapshot!(e, @"node 'Gather': Gather: index 3 is out of range for axis 0 of extent 3");
    let mut g = Graph::new("t");
    g.add_input(
        "x",
        TensorType::new(DType::F32, [Dim::sym("N", Some(4)), Dim::sym("N", Some(4))]),
    );
    let e = Interpreter::default()
        .run(&g, &[("x", iota(&[2, 3]))])
        .expect_err("symbols disagree");
    insta::assert_snapshot!(e, @"input 'x' must be f32[N<=4,N<=4], is f32[2,3]");
}

#[test]
fn limits_hold() {
    let limits = Limits {
        elements: 10,
        ..Limits::default()
    };
    let small = Interpreter {
        precision: Precision::F32,
        limits,
    };
    let expand = op(OpKind::Expand, Attrs::new());
    let operands = [iota(&[1]), Tensor::ints(&[11])].map(Some);
    let e = small.eval_op(&expand, &operands, 1).expect_err("too large");
    let EvalError::Node { fault, .. } = e else {
        panic!("an error of the node, got {e}")
    };
    assert_eq!(
        fault,
        Fault::TooLarge {
            shape: vec![11],
            limit: 10
        }
    );
}

#[test]
fn values_are_found_by_slot() {
    let mut g = Graph::new("t");
    let x = g.add_input("x", TensorType::new(DType::F32, [4usize]));
    let k = g.add_constant("k", Tensor::ints(&[1]));
    let top = g
        .add(
            op(OpKind::TopK, Attrs::new()),
            vec![Some(x), Some(k)],
            &["v", "i"],
            "",
        )
        .expect("typed");
    g.add_output("i", Value { node: top, slot: 1 });
    let y = Interpreter::default()
        .run(&g, &[("x", iota(&[4]))])
        .expect("runs");
    assert_eq!(y[0].1.to_i64(), [3]);
}
