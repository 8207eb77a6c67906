//! Networks as text with weights that nobody has to spell out.
//!
//! `%w = seeded f32[8,3,3,3]` stands for a constant whose elements follow from its place in the text; `seeded positive` for one
//! above zero (scales, variances). Everything else is the text form of `cnnc_ir::text`.

use cnnc_ir::text::{Style, parse, print};
use cnnc_ir::{DType, Dim, Graph, Tensor, TensorType};

/// Parses a text, seeded constants written out.
pub fn network(text: &str) -> Graph {
    let whole: String = text
        .lines()
        .enumerate()
        .map(|(number, line)| match line.split_once("= seeded ") {
            Some((name, what)) => format!("{name}= {}\n", constant(number as u64, what)),
            None => format!("{line}\n"),
        })
        .collect();
    parse(&whole).unwrap_or_else(|e| panic!("{e}"))
}

/// A seeded constant in the text form.
fn constant(seed: u64, what: &str) -> String {
    let (ty, is_positive) = match what.strip_prefix("positive ") {
        Some(ty) => (ty, true),
        None => (what, false),
    };
    let header = parse(&format!(
        "graph \"t\" (%x: {ty}) {{\n  return \"x\" = %x\n}}"
    ))
    .unwrap_or_else(|e| panic!("{e}"));
    let ty = &header.node(header.inputs()[0]).outputs[0].ty;
    let mut made = tensor(ty, seed);
    if is_positive {
        let above: Vec<f64> = made.to_f64().iter().map(|v| v.abs() + 0.25).collect();
        made = Tensor::from_f64(made.dtype(), made.shape(), &above);
    }
    let mut graph = Graph::new("t");
    let v = graph.add_constant("c", made);
    graph.add_output("c", v);
    let text = print(&graph, Style::Whole);
    let line = text.lines().find_map(|l| l.trim().strip_prefix("%c = "));
    line.expect("a constant prints on a line of its own")
        .to_string()
}

/// Sixteenths from -2 to 2, small integers, truth values.
pub fn tensor(ty: &TensorType, seed: u64) -> Tensor {
    let extent = |d: &Dim| match *d {
        Dim::Fixed(n) => n as usize,
        Dim::Sym { upper, .. } => upper.unwrap_or(3).min(3) as usize,
    };
    let shape: Vec<usize> = ty.shape.iter().map(extent).collect();
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = |n: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 20) % n
    };
    let count = shape.iter().product();
    if ty.dtype.is_float() {
        let values: Vec<f64> = (0..count).map(|_| next(65) as f64 / 16.0 - 2.0).collect();
        return Tensor::from_f64(ty.dtype, &shape, &values);
    }
    let most = if ty.dtype == DType::Bool { 2 } else { 4 };
    let values: Vec<i64> = (0..count).map(|_| next(most) as i64).collect();
    Tensor::from_i64(ty.dtype, &shape, &values)
}
