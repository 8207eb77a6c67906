//! Arbitrary small graphs: every step adds an operator to values chosen among those there are; what does not type-check is left out.

use cnnc_ir::attrs::{AttrValue, Attrs};
use cnnc_ir::expr::UnaryOp;
use cnnc_ir::graph::{Epilogue, Op};
use cnnc_ir::schema::check::Candidate;
use cnnc_ir::types::{DType, Dim, Layout, TensorType};
use cnnc_ir::{Ex, Graph, OpKind, Tensor, Value};
use proptest::prelude::*;

/// One step: what to add, which values to use, and a number for its parameters.
type Step = (u8, usize, usize, i64);

/// An operator about to be added: kind, operands, attributes, number of outputs.
type Addition = (
    OpKind,
    Vec<Option<Value>>,
    Vec<(&'static str, AttrValue)>,
    usize,
);

/// Graphs of up to 24 operators over one image and one symbolic vector.
pub fn graphs() -> impl Strategy<Value = Graph> {
    let steps = prop::collection::vec((0u8..12, any::<usize>(), any::<usize>(), -3i64..20), 0..24);
    (steps, "[ -~\u{e9}\n]{0,6}").prop_map(|(steps, name)| build(&steps, &name))
}

fn build(steps: &[Step], name: &str) -> Graph {
    let mut g = Graph::new(name);
    let image = g.add_input(
        &format!("x{name}"),
        TensorType::new(DType::F32, [1usize, 4, 6, 6]),
    );
    let dims = [Dim::sym("N", None), Dim::sym(&format!("n {name}"), Some(9))];
    let free = g.add_input("free", TensorType::new(DType::BF16, dims));
    let mut values = vec![image, free];
    for step in steps {
        if let Some(new) = add(&mut g, &values, step, name) {
            values.extend(new);
        }
    }
    for (i, v) in values.iter().rev().take(2).enumerate() {
        g.add_output(&format!("out{i}{name}"), *v);
    }
    g
}

fn add(
    g: &mut Graph,
    values: &[Value],
    &(choice, a, b, n): &Step,
    name: &str,
) -> Option<Vec<Value>> {
    let (x, y) = (values[a % values.len()], values[b % values.len()]);
    let ints = |v: &[i64]| AttrValue::Ints(v.to_vec());
    let (kind, inputs, attrs, outputs): Addition = match choice {
        0 => return Some(vec![constant(g, a, n, name)]),
        1 => (OpKind::Add, vec![Some(x), Some(y)], vec![], 1),
        2 => (OpKind::Relu, vec![Some(x)], vec![], 1),
        3 => {
            let w = g.add_constant(
                "w",
                Tensor::from_f64(DType::F32, &[2, 4, 3, 3], &[n as f64 / 7.0; 72]),
            );
            (
                OpKind::Conv,
                vec![Some(x), Some(w), None],
                vec![("pads", ints(&[1, 1, 1, 1]))],
                1,
            )
        }
        4 => (
            OpKind::MaxPool,
            vec![Some(x)],
            vec![("kernel_shape", ints(&[2, 2]))],
            1 + a % 2,
        ),
        5 => (
            OpKind::Concat,
            vec![Some(x), Some(y)],
            vec![("axis", AttrValue::Int(n))],
            1,
        ),
        6 => (
            OpKind::Transpose,
            vec![Some(x)],
            vec![("perm", ints(&[0, 2, 3, 1]))],
            1,
        ),
        7 => (OpKind::NonZero, vec![Some(x)], vec![], 1),
        8 => (
            OpKind::Cast,
            vec![Some(x)],
            vec![("to", AttrValue::DType(DType::ALL[a % 13]))],
            1,
        ),
        9 => {
            let k = g.add_constant("", Tensor::ints(&[n]));
            (
                OpKind::TopK,
                vec![Some(x), Some(k)],
                vec![("axis", AttrValue::Int(n % 4))],
                2,
            )
        }
        10 => (
            OpKind::LpPool,
            vec![Some(x)],
            vec![
                ("kernel_shape", ints(&[1, 2])),
                ("auto_pad", AttrValue::Str(name.into())),
            ],
            1,
        ),
        _ => (
            OpKind::Reorder,
            vec![Some(x)],
            vec![("block", AttrValue::Int(8)), ("halo", ints(&[1, 0, n, 2]))],
            1,
        ),
    };
    let attrs: Attrs = attrs.into_iter().map(|(k, v)| (k.to_string(), v)).collect();
    if !fits(g, kind, &attrs, &inputs, outputs) {
        return None;
    }
    let mut op = Op {
        kind,
        attrs,
        bodies: Vec::new(),
        epilogue: None,
    };
    let mut inputs = inputs;
    let float = g.ty(x).dtype == DType::F32 && g.ty(y).dtype == DType::F32;
    let shape = g
        .infer(&op, &inputs, outputs, "")
        .ok()?
        .swap_remove(0)
        .shape;
    if outputs == 1 && float && g.ty(y).shape == shape && b % 3 != 0 {
        let r = Ex::arg(0, DType::F32).unary(UnaryOp::ALL[a % 21]) * (n as f64 / 3.0);
        let expr = (r + Ex::arg(1, DType::F32)).finish();
        inputs.push(Some(y));
        op.epilogue = Some(Epilogue { expr, operands: 1 });
    }
    let label = if a % 2 == 0 { name } else { "" };
    let id = g.add(op, inputs, &vec!["y"; outputs], label).ok()?;
    let new: Vec<Value> = (0..outputs as u32)
        .map(|slot| Value { node: id, slot })
        .collect();
    if g.ty(new[0]).rank() == 4 && b % 5 == 0 && kind != OpKind::Reorder {
        g.set_layout(
            new[0],
            Layout::Blocked {
                block: 16,
                halo: [0; 4],
            },
        );
    }
    Some(new)
}

fn fits(g: &Graph, kind: OpKind, attrs: &Attrs, inputs: &[Option<Value>], outputs: usize) -> bool {
    let types: Vec<Option<&TensorType>> = inputs.iter().map(|v| v.map(|v| g.ty(v))).collect();
    let candidate = Candidate {
        def: kind.def(),
        opset: None,
        attrs,
        inputs: &types,
        outputs,
        bodies: 0,
    };
    candidate.check().is_empty()
}

/// Constants of every type, short and long, with the values that are easily lost.
fn constant(g: &mut Graph, a: usize, n: i64, name: &str) -> Value {
    let dtype = DType::ALL[a % 13];
    let odd = [
        0.1,
        -0.0,
        f64::INFINITY,
        f64::NEG_INFINITY,
        1e-40,
        3.4e38,
        -7.5,
        n as f64,
    ];
    let count = if n < 0 { 20 } else { n as usize };
    let floats: Vec<f64> = odd.into_iter().cycle().take(count).collect();
    let ints: Vec<i64> = [n, -n, i64::MAX, i64::MIN]
        .into_iter()
        .cycle()
        .take(count)
        .collect();
    let tensor = match dtype.is_float() {
        true => Tensor::from_f64(dtype, &[count], &floats),
        false => Tensor::from_i64(dtype, &[count], &ints),
    };
    g.add_constant(&format!("c.{name}"), tensor)
}
