//! What import itself decides: how sequences, loops and old broadcasting become nodes, and what is said where they cannot.

use super::{ImportOptions, model, proto};
use cnnc_ir::Tensor;
use proto::{TypeValue, attribute_type as kind};

const TRAINING: &str = "ai.onnx.preview.training";

/// A tensor of 32-bit floats (1) or 64-bit integers (7), or a bool (9), of that shape.
fn value(name: &str, elem_type: i32, shape: &[i64]) -> proto::ValueInfo {
    let dim = shape.iter().map(|&d| proto::Dimension {
        dim_value: Some(d),
        ..Default::default()
    });
    proto::ValueInfo {
        name: name.to_string(),
        r#type: Some(proto::Type {
            value: Some(TypeValue::Tensor(proto::TensorType {
                elem_type,
                shape: Some(proto::Shape { dim: dim.collect() }),
            })),
        }),
    }
}

fn int(name: &str, i: i64) -> proto::Attribute {
    proto::Attribute {
        name: name.to_string(),
        i: Some(i),
        kind: kind::INT,
        ..Default::default()
    }
}

/// A node from `results = Operator(operands)`, names separated by blanks, `_` for an operand that is left out.
fn node(text: &str, attribute: Vec<proto::Attribute>) -> proto::Node {
    let (results, call) = text.split_once(" = ").unwrap();
    let (operator, operands) = call.trim_end_matches(')').split_once('(').unwrap();
    let names = |s: &str| s.split_whitespace().map(|n| n.replace('_', "")).collect();
    proto::Node {
        input: names(operands),
        output: names(results),
        op_type: operator.to_string(),
        attribute,
        ..Default::default()
    }
}

fn graph(input: Vec<proto::ValueInfo>, node: Vec<proto::Node>, output: &[&str]) -> proto::Graph {
    proto::Graph {
        name: "test".to_string(),
        node,
        input,
        output: output.iter().map(|n| value(n, 1, &[])).collect(),
        ..Default::default()
    }
}

fn ints(name: &str, values: &[i64], shape: &[i64]) -> proto::Tensor {
    proto::Tensor {
        name: name.to_string(),
        dims: shape.to_vec(),
        data_type: 7,
        int64_data: values.to_vec(),
        ..Default::default()
    }
}

/// The graph as text, or the problems.
fn import(graph: proto::Graph, opset: i64, values: &[(&str, Tensor)]) -> String {
    let model = proto::Model {
        graph: Some(graph),
        opset_import: vec![
            proto::OperatorSetId {
                version: opset,
                ..Default::default()
            },
            proto::OperatorSetId {
                domain: TRAINING.to_string(),
                version: 1,
            },
        ],
        ..Default::default()
    };
    let values = values.iter().map(|(n, t)| (n.to_string(), t.clone()));
    let options = ImportOptions {
        values: values.collect(),
        ..Default::default()
    };
    match model::import(&model, None, &options) {
        Ok(imported) => imported.graph.to_string(),
        Err(problems) => problems
            .iter()
            .map(|p| format!("{p} needs {:?}", p.needs_values))
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[test]
fn sequences_leave_slices_and_a_concatenation() {
    let x = || vec![value("x", 1, &[5, 2])];
    let rearranged = vec![
        node("s = SplitToSequence(x two)", vec![]),
        node("t = SequenceErase(s first)", vec![]),
        node("e = SequenceAt(t first)", vec![]),
        node("u = SequenceInsert(t e)", vec![]),
        node("y = ConcatFromSequence(u)", vec![int("axis", 0)]),
    ];
    let mut g = graph(x(), rearranged, &["y"]);
    g.initializer = vec![ints("two", &[2], &[]), ints("first", &[0], &[])];
    insta::assert_snapshot!(import(g, 13, &[]), @r#"
        graph "test" (%x: f32[5,2]) {
          %v7 = const i64[1] [2]
          %v8 = const i64[1] [4]
          %v9 = const i64[1] [0]
          %v10 = Slice(%x, %v7, %v8, %v9) : f32[2,2]
          %v11 = const i64[1] [4]
          %v12 = const i64[1] [5]
          %v13 = const i64[1] [0]
          %v14 = Slice(%x, %v11, %v12, %v13) : f32[1,2]
          %v15 = Concat(%v10, %v14, %v10) {axis=0} : f32[5,2]
          return "y" = %v15
        }
        "#);
    let mut g = graph(
        x(),
        vec![
            node("s = SequenceConstruct(x)", vec![]),
            node("y = SequenceAt(s four)", vec![]),
            node("z = Relu(s)", vec![]),
        ],
        &["y", "s"],
    );
    g.initializer = vec![ints("four", &[4], &[])];
    insta::assert_snapshot!(import(g, 13, &[]), @r#"
        node 'y' (SequenceAt): position 4 is out of range: there are 1 needs []
        node 'z' (Relu): input 's' is a sequence, which this operator does not take needs []
        output 's': sequences as results are not supported needs []
        "#);
}

/// `x[i..i + 1]` for every iteration `i`, gathered.
fn slices() -> proto::Graph {
    let body = graph(
        vec![value("i", 7, &[]), value("go", 9, &[])],
        vec![
            node("at = Unsqueeze(i axis)", vec![]),
            node("end = Add(at one)", vec![]),
            node("part = Slice(x at end)", vec![]),
            node("on = Identity(go)", vec![]),
        ],
        &["on", "part"],
    );
    let body = proto::Attribute {
        name: "body".to_string(),
        g: Some(body),
        kind: kind::GRAPH,
        ..Default::default()
    };
    let inputs = vec![value("x", 1, &[5]), value("m", 7, &[])];
    let mut g = graph(inputs, vec![node("y = Loop(m _)", vec![body])], &["y"]);
    g.initializer = vec![ints("axis", &[0], &[1]), ints("one", &[1], &[1])];
    g
}

#[test]
fn loops_with_shapes_that_depend_on_the_iteration_are_written_out() {
    let rounds = |n: i64| [("m", Tensor::scalar_i64(cnnc_ir::DType::I64, n))];
    insta::assert_snapshot!(import(slices(), 13, &rounds(2)), @r#"
        graph "test" (%x: f32[5]) {
          %at.10 = const i64[1] [0]
          %end.12 = const i64[1] [1]
          %part = Slice(%x, %at.10, %end.12) : f32[1]
          %v16 = const i64[1] [0]
          %v17 = Unsqueeze(%part, %v16) : f32[1,1]
          %at.10.13 = const i64[1] [1]
          %end.12.14 = const i64[1] [2]
          %part.15 = Slice(%x, %at.10.13, %end.12.14) : f32[1]
          %v18 = const i64[1] [0]
          %v19 = Unsqueeze(%part.15, %v18) : f32[1,1]
          %v20 = Concat(%v17, %v19) {axis=0} : f32[2,1]
          return "y" = %v20
        }
        "#);
    insta::assert_snapshot!(import(slices(), 13, &[]), @r#"node 'y' (Loop): shapes in the body depend on the iteration, so trip count and condition must be known at compile time (give the value of m with --input NAME=FILE) needs ["m"]"#);
}

#[test]
fn old_operands_broadcast_along_their_axis() {
    let add = |attributes: Vec<proto::Attribute>, b: &[i64]| {
        let inputs = vec![value("a", 1, &[2, 3, 4]), value("b", 1, b)];
        let nodes = vec![node("y = Add(a b)", attributes)];
        import(graph(inputs, nodes, &["y"]), 6, &[])
    };
    insta::assert_snapshot!(add(vec![int("broadcast", 1), int("axis", 1)], &[3]), @r#"
        graph "test" (%a: f32[2,3,4], %b: f32[3]) {
          %v2 = const i64[1] [1]
          %v3 = Unsqueeze(%b, %v2) : f32[3,1]
          %y = Add(%a, %v3) : f32[2,3,4]
          return "y" = %y
        }
        "#);
    insta::assert_snapshot!(add(vec![int("broadcast", 1)], &[4]), @r#"
        graph "test" (%a: f32[2,3,4], %b: f32[4]) {
          %y = Add(%a, %b) : f32[2,3,4]
          return "y" = %y
        }
        "#);
    insta::assert_snapshot!(add(vec![int("broadcast", 1), int("axis", 3)], &[3]), @"node 'y' (Add): Add: attribute axis is 3, which does not fit operands f32[2,3,4] and f32[3] needs []");
    let inputs = vec![value("x", 1, &[2, 3, 4]), value("slope", 1, &[3])];
    let prelu = graph(inputs, vec![node("y = PRelu(x slope)", vec![])], &["y"]);
    insta::assert_snapshot!(import(prelu.clone(), 6, &[]), @r#"
        graph "test" (%x: f32[2,3,4], %slope: f32[3]) {
          %v2 = const i64[1] [1]
          %v3 = Unsqueeze(%slope, %v2) : f32[3,1]
          %y = PRelu(%x, %v3) : f32[2,3,4]
          return "y" = %y
        }
        "#);
    insta::assert_snapshot!(import(prelu, 7, &[]), @"node 'y' (PRelu): PRelu: shapes do not broadcast: f32[2,3,4], f32[3] needs []");
}

/// The gradient of `y` by `xs`, with `zs` as they are.
fn gradient(text: &str, xs: &[&str], zs: &[&str]) -> proto::Node {
    let strings = |name: &str, values: &[&str]| proto::Attribute {
        name: name.to_string(),
        strings: values.iter().map(|v| v.to_string().into()).collect(),
        kind: kind::STRINGS,
        ..Default::default()
    };
    let y = proto::Attribute {
        name: "y".to_string(),
        s: Some("y".into()),
        kind: kind::STRING,
        ..Default::default()
    };
    proto::Node {
        domain: TRAINING.to_string(),
        ..node(text, vec![strings("xs", xs), strings("zs", zs), y])
    }
}

/// `y = sum(relu(x * w) * k)`, `k = x + x`, and its gradient.
fn loss(gradient: proto::Node) -> String {
    let inputs = vec![value("x", 1, &[3]), value("v", 1, &[3])];
    let nodes = vec![
        node("k = Add(x x)", vec![]),
        node("n = Neg(w)", vec![]),
        node("p = Mul(x n)", vec![]),
        node("r = Relu(p)", vec![]),
        node("m = Mul(r k)", vec![]),
        node("y = ReduceSum(m)", vec![int("keepdims", 0)]),
        gradient,
    ];
    let mut g = graph(inputs, nodes, &["dx"]);
    g.initializer = vec![proto::Tensor {
        name: "w".to_string(),
        dims: vec![3],
        data_type: 1,
        float_data: vec![1.0, 2.0, 3.0],
        ..Default::default()
    }];
    import(g, 13, &[])
}

#[test]
fn gradients_are_written_out() {
    // By an initialiser: what depends on it is not computed ahead.
    insta::assert_snapshot!(loss(gradient("dx = Gradient(w)", &["w"], &[])));
    // At another value of x, and not through k.
    insta::assert_snapshot!(loss(gradient("dx = Gradient(v k)", &["x"], &["k"])));
}

#[test]
fn gradients_that_make_no_sense_say_so() {
    let said = [
        loss(gradient("dx = Gradient(x)", &["x"], &["k"])),
        loss(gradient("dx = Gradient(x)", &["q"], &[])),
        loss(gradient("dx dk = Gradient(x)", &["x"], &[])),
        loss(gradient("dx = Gradient(x x)", &["x", "x"], &[])),
    ];
    insta::assert_snapshot!(said.join("\n"));
}
