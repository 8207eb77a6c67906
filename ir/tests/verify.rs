//! Graphs that keep the invariants pass; each kind of damage is found and numbered.

#[path = "common/graphs.rs"]
mod graphs;

use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::expr::{BinaryOp, ExprOp, Inst, Literal};
use cnnc_ir::graph::{Epilogue, Op};
use cnnc_ir::text::parse;
use cnnc_ir::types::{DType, Layout, TensorType};
use cnnc_ir::verify::verify;
use cnnc_ir::{Ex, Graph, OpKind, ScalarExpr, Value};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_graphs_keep_the_invariants(graph in graphs::graphs()) {
        prop_assert_eq!(verify(&graph), Ok(()));
    }
}

fn image() -> Graph {
    parse("graph \"t\" (%x: f32[1,2,4,4], %n: i64[2], %s: f32[3]) {\n%y = Relu(%x)\n%z = Relu(%y)\nreturn \"z\" = %z\n}")
        .expect("a legal text")
}

/// The value of that name.
fn value(g: &Graph, name: &str) -> Value {
    g.nodes()
        .map(|n| n.id.into())
        .find(|&v| g.value_name(v) == name)
        .expect("a value of the text")
}

fn verdict(g: &Graph) -> String {
    match verify(g) {
        Ok(()) => "sound".into(),
        Err(violations) => violations
            .iter()
            .map(|v| v.to_string())
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

fn relu(epilogue: Option<Epilogue>, attrs: Attrs) -> Op {
    Op {
        kind: OpKind::Relu,
        attrs,
        bodies: Vec::new(),
        epilogue,
    }
}

#[test]
fn cycles_and_stale_types_are_found() {
    let mut g = image();
    let (y, z) = (value(&g, "y"), value(&g, "z"));
    g.set_operand(y.node, 0, z);
    insta::assert_snapshot!(verdict(&g), @"V2 at 'y': uses %z before it is computed");
    let mut g = image();
    let (y, s) = (value(&g, "y"), value(&g, "s"));
    g.set_operand(y.node, 0, s);
    insta::assert_snapshot!(verdict(&g), @"V5 at 'y': %y is stated as f32[1,2,4,4], inferred as f32[3]");
    let mut g = image();
    let (y, n) = (value(&g, "y"), value(&g, "n"));
    g.set_operand(y.node, 0, n);
    g.add_output("z", n);
    insta::assert_snapshot!(verdict(&g), @"V10 at 't': two outputs are called 'z'");
}

#[test]
fn attributes_and_layouts_are_checked() {
    let mut g = image();
    let x = value(&g, "x");
    let attrs = Attrs::from([("slope".to_string(), AttrValue::Int(1))]);
    g.add(relu(None, attrs), vec![Some(x)], &["w"], "")
        .expect("typed");
    let n = value(&g, "n");
    g.set_layout(
        n,
        Layout::Blocked {
            block: 8,
            halo: [0; 4],
        },
    );
    insta::assert_snapshot!(verdict(&g), @r#"
        V6 at 'n': i64[2]:nchw8c cannot have a blocked layout
        V4 at 'w': Relu: has no attribute 'slope'
        "#);
}

#[test]
fn epilogues_and_their_expressions_are_checked() {
    let mut g = image();
    let (x, s) = (value(&g, "x"), value(&g, "s"));
    let expr = (Ex::arg(0, DType::F32) + Ex::arg(2, DType::F32)).finish();
    g.add(
        relu(Some(Epilogue { expr, operands: 1 }), Attrs::new()),
        vec![Some(x), Some(s)],
        &["w"],
        "",
    )
    .expect("typed");
    let odd = |op, dtype| Inst { op, dtype };
    let expr = ScalarExpr {
        insts: vec![
            odd(ExprOp::Arg(0), DType::F32),
            odd(ExprOp::Lit(Literal::Int(1)), DType::I64),
            odd(ExprOp::Binary(BinaryOp::Add, 0, 1), DType::F32),
        ],
    };
    g.add(
        relu(Some(Epilogue { expr, operands: 0 }), Attrs::new()),
        vec![Some(x)],
        &["v"],
        "",
    )
    .expect("typed");
    insta::assert_snapshot!(verdict(&g), @r#"
        V7 at 'w': the epilogue reads 3 arguments, it has 2
        V7 at 'w': f32[3] does not broadcast to the result f32[1,2,4,4]
        V11 at 'v': %2 of the expression cannot be f32
        "#);
}

#[test]
fn bodies_must_take_what_is_captured() {
    let mut g = Graph::new("t");
    let c = g.add_input("c", TensorType::scalar(DType::Bool));
    let x = g.add_input("x", TensorType::new(DType::F32, [2usize]));
    let body = parse("graph \"b\" (%x: f32[2]) {\nreturn \"y\" = %x\n}").expect("a legal text");
    let mut narrow = Graph::new("narrow");
    let k = narrow.add_constant(
        "k",
        cnnc_ir::Tensor::from_f64(DType::F32, &[2], &[0.0, 1.0]),
    );
    narrow.add_output("y", k);
    let op = |bodies| Op {
        kind: OpKind::If,
        attrs: Attrs::new(),
        bodies,
        epilogue: None,
    };
    let whole = op(vec![body.clone(), body.clone()]);
    let id = g
        .add(whole, vec![Some(c), Some(x)], &["y"], "branch")
        .expect("typed");
    g.add_output("y", id.into());
    assert_eq!(verdict(&g), "sound");
    g.take_body(id, 1);
    g.put_body(id, 1, narrow);
    insta::assert_snapshot!(verdict(&g), @r#"
        V5 at 'branch': If: else_branch has 0 inputs, 1 values are captured
        V8 at 'branch': the body 'narrow' has 0 inputs, 1 are handed to it
        "#);
}
