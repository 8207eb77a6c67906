//! If, Loop and Scan: types of their results, and their values against sums done by hand.

use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::graph::{Graph, Op};
use cnnc_ir::interp::Interpreter;
use cnnc_ir::ops::OpKind::*;
use cnnc_ir::{DType, Dim, Semantics, Tensor, TensorType, Value};

/// A body `(c) -> (v, ..)` for control flow, written by `f`.
fn body(inputs: &[TensorType], f: impl Fn(&mut Graph, &[Value]) -> Vec<Value>) -> Graph {
    let mut graph = Graph::new("body");
    let values: Vec<_> = inputs
        .iter()
        .map(|t| graph.add_input("x", t.clone()))
        .collect();
    for v in f(&mut graph, &values) {
        graph.add_output("y", v);
    }
    graph
}

fn f32s(shape: &[usize]) -> TensorType {
    TensorType::new(DType::F32, shape.iter().copied())
}

#[test]
fn branches_that_differ_leave_an_extent_open() {
    let constant = |n: usize| {
        body(&[], move |g, _| {
            vec![g.add_constant("", Tensor::from_f64(DType::F32, &[n], &vec![0.0; n]))]
        })
    };
    let op = Op {
        kind: If,
        attrs: Attrs::new(),
        bodies: vec![constant(2), constant(3)],
        epilogue: None,
    };
    let mut graph = Graph::new("test");
    let condition = graph.add_input("c", TensorType::scalar(DType::Bool));
    let open = graph
        .infer(&op, &[Some(condition)], 1, "y")
        .expect("both are vectors");
    assert_eq!(open[0].shape, [Dim::sym("y.0.0", Some(3))]);
    let no = graph.add_constant("no", Tensor::scalar_i64(DType::Bool, 0));
    let chosen = graph
        .infer(&op, &[Some(no)], 1, "y")
        .expect("one body is left");
    assert_eq!(chosen[0], f32s(&[3]));
}

/// `(iteration, condition, sum) -> (condition, sum + sum, sum)`: one carried value, one scan output.
fn doubling() -> Op {
    let inputs = [
        TensorType::scalar(DType::I64),
        TensorType::scalar(DType::Bool),
        f32s(&[2]),
    ];
    let body = body(&inputs, |g, v| {
        let sum = g.op(Add, &[v[2], v[2]], Attrs::new()).expect("of one type");
        vec![v[1], sum, sum]
    });
    Op {
        kind: Loop,
        attrs: Attrs::new(),
        bodies: vec![body],
        epilogue: None,
    }
}

#[test]
fn a_loop_with_scan_outputs_is_written_out() {
    let mut graph = Graph::new("test");
    let rounds = graph.add_constant("m", Tensor::scalar_i64(DType::I64, 3));
    let x = graph.add_input("x", f32s(&[2]));
    let inputs = vec![Some(rounds), None, Some(x)];
    let node = graph
        .add(doubling(), inputs, &["sum", "all"], "")
        .expect("a known trip count");
    let types: Vec<String> = graph
        .node(node)
        .outputs
        .iter()
        .map(|o| o.ty.to_string())
        .collect();
    assert_eq!(types, ["f32[2]", "f32[3,2]"]);
    let Ok(Semantics::Compose(composed)) = graph.semantics(node) else {
        panic!("a composition");
    };
    let additions = composed.nodes().filter(|n| n.op_kind() == Some(Add));
    assert_eq!(additions.count(), 3);
}

#[test]
fn a_loop_of_unknown_length_scans_nothing() {
    let mut graph = Graph::new("test");
    let rounds = graph.add_input("m", TensorType::scalar(DType::I64));
    let x = graph.add_input("x", f32s(&[2]));
    let error = graph
        .infer(&doubling(), &[Some(rounds), None, Some(x)], 2, "y")
        .expect_err("the number of slices is unknown");
    insta::assert_snapshot!(error, @"Loop: input 0 ('M') must be known at compile time, because the shape of the result depends on its value");
}

fn vector(values: &[f64]) -> Tensor {
    Tensor::from_f64(DType::F32, &[values.len()], values)
}

/// Results of an operator on tensors, flattened.
fn eval(op: &Op, operands: &[Option<Tensor>], outputs: usize) -> Vec<Vec<f64>> {
    let results = Interpreter::default().eval_op(op, operands, outputs);
    results
        .expect("a result")
        .iter()
        .map(Tensor::to_f64)
        .collect()
}

#[test]
fn written_out_rounds_compute_what_the_loop_says() {
    let operands = [
        Some(Tensor::scalar_i64(DType::I64, 3)),
        None,
        Some(vector(&[1.0, 10.0])),
    ];
    let results = eval(&doubling(), &operands, 2);
    assert_eq!(
        results,
        [vec![8.0, 80.0], vec![2.0, 20.0, 4.0, 40.0, 8.0, 80.0]]
    );
}

#[test]
fn no_rounds_leave_the_state_and_scan_nothing() {
    let operands = [
        Some(Tensor::scalar_i64(DType::I64, 0)),
        None,
        Some(vector(&[1.0, 10.0])),
    ];
    assert_eq!(eval(&doubling(), &operands, 2), [vec![1.0, 10.0], vec![]]);
}

/// `(sum, element) -> (sum + element, sum + element)`, elements of shape [2].
fn running_sum<const N: usize>(attrs: [(&str, AttrValue); N]) -> Op {
    let body = body(&[f32s(&[2]), f32s(&[2])], |g, v| {
        let sum = g.op(Add, &[v[0], v[1]], Attrs::new()).expect("of one type");
        vec![sum, sum]
    });
    let mut op = Op {
        kind: Scan,
        attrs: attrs.into_iter().map(|(k, v)| (k.to_string(), v)).collect(),
        bodies: vec![body],
        epilogue: None,
    };
    op.attrs.insert("num_scan_inputs".into(), AttrValue::Int(1));
    op
}

fn matrix(rows: usize, values: &[f64]) -> Option<Tensor> {
    let shape = [rows, values.len() / rows];
    Some(Tensor::from_f64(DType::F32, &shape, values))
}

#[test]
fn scans_run_along_their_axis_in_their_direction() {
    let sequence = matrix(3, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    let operands = [Some(vector(&[0.0, 0.0])), sequence];
    let forwards = eval(&running_sum([]), &operands, 2);
    assert_eq!(
        forwards,
        [vec![9.0, 12.0], vec![1.0, 2.0, 4.0, 6.0, 9.0, 12.0]]
    );
    let backwards = [("scan_input_directions", AttrValue::Ints(vec![1]))];
    let backwards = eval(&running_sum(backwards), &operands, 2);
    assert_eq!(
        backwards,
        [vec![9.0, 12.0], vec![5.0, 6.0, 8.0, 10.0, 9.0, 12.0]]
    );
    let transposed = [("scan_output_axes", AttrValue::Ints(vec![-1]))];
    let transposed = eval(&running_sum(transposed), &operands, 2);
    assert_eq!(transposed[1], [1.0, 4.0, 9.0, 2.0, 6.0, 12.0]);
}

#[test]
fn the_batched_form_scans_every_element_of_the_batch() {
    let sequence = Tensor::from_f64(
        DType::F32,
        &[2, 2, 2],
        &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
    );
    let operands = [matrix(2, &[0.0, 0.0, 100.0, 100.0]), Some(sequence)];
    let results = eval(&running_sum([("batched", AttrValue::Int(1))]), &operands, 2);
    assert_eq!(results[0], [4.0, 6.0, 112.0, 114.0]);
    assert_eq!(results[1], [1.0, 2.0, 4.0, 6.0, 105.0, 106.0, 112.0, 114.0]);
}
