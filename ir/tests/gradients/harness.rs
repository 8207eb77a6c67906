//! Gradients held against central differences.

use cnnc_ir::autodiff::gradients;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::text::{Style, parse, print};
use cnnc_ir::{DType, Graph, NodeId, Tensor, Value};

/// Step of a difference, and what an analytic gradient may be off by.
const STEP: f64 = 1e-6;
const RELATIVE: f64 = 1e-3;
const ABSOLUTE: f64 = 1e-5;

const SHAPES: u64 = 20;

/// Random numbers: xorshift64*.
pub struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    /// Between `low` and `high`.
    fn uniform(&mut self, [low, high]: [f64; 2]) -> f64 {
        low + (high - low) * self.next() as f64 / (1u64 << 53) as f64
    }
}

/// Graphs as text. `{a}`, `{b}`, `{c}` stand for extents of 1 to 4, `{d}` and `{e}` for 5 to 8.
pub fn graph(body: &str, random: &mut Random) -> Graph {
    let mut text = body.to_string();
    for name in ["{a}", "{b}", "{c}"] {
        text = text.replace(name, &(1 + random.below(4)).to_string());
    }
    for name in ["{d}", "{e}"] {
        text = text.replace(name, &(5 + random.below(4)).to_string());
    }
    parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"))
}

pub fn inputs(graph: &Graph) -> Vec<Value> {
    graph
        .inputs()
        .iter()
        .map(|&id: &NodeId| id.into())
        .collect()
}

fn tensor(graph: &Graph, v: Value, random: &mut Random, range: [f64; 2]) -> Tensor {
    let ty = graph.ty(v);
    let shape = ty.fixed_shape().expect("extents are given");
    let count = shape.iter().product();
    match ty.dtype.is_float() {
        true => {
            let values: Vec<f64> = (0..count).map(|_| random.uniform(range)).collect();
            Tensor::from_f64(DType::F64, &shape, &values)
        }
        false => {
            let values: Vec<i64> = (0..count).map(|_| random.below(2) as i64).collect();
            Tensor::from_i64(ty.dtype, &shape, &values)
        }
    }
}

pub fn run(graph: &Graph, feeds: &[(String, Tensor)]) -> Vec<Tensor> {
    let feeds: Vec<(&str, Tensor)> = feeds.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
    let outputs = Interpreter::new(Precision::F64).run(graph, &feeds);
    let outputs = outputs.unwrap_or_else(|e| panic!("{e}\n{graph}"));
    outputs.into_iter().map(|(_, t)| t).collect()
}

fn dot(a: &Tensor, b: &Tensor) -> f64 {
    a.to_f64().iter().zip(b.to_f64()).map(|(x, y)| x * y).sum()
}

/// Random feeds for all inputs, and a random seed for the first output.
fn feeds(graph: &Graph, random: &mut Random, range: [f64; 2]) -> (Vec<(String, Tensor)>, Tensor) {
    let named = |v: Value| (graph.value_name(v).to_string(), v);
    let feeds = inputs(graph)
        .into_iter()
        .map(named)
        .map(|(name, v)| (name, tensor(graph, v, random, range)))
        .collect();
    let seed = tensor(graph, graph.outputs()[0].1, random, [-1.0, 1.0]);
    (feeds, seed)
}

/// The gradients of `<seed, y>` with respect to all float inputs, by name, and the graph that computes them.
fn pullback(
    plain: &Graph,
    feeds: &[(String, Tensor)],
    seed: &Tensor,
) -> (Vec<(String, Tensor)>, Graph) {
    let y = plain.outputs()[0].1;
    let mut derived = plain.clone();
    let float = |v: &Value| plain.ty(*v).dtype.is_float();
    let wrt: Vec<Value> = inputs(plain).into_iter().filter(float).collect();
    let given = derived.add_input("seed", plain.ty(y).clone());
    let found =
        gradients(&mut derived, y, Some(given), &wrt).unwrap_or_else(|e| panic!("{e}\n{plain}"));
    for (k, v) in found.iter().enumerate() {
        derived.add_output(&format!("d{k}"), *v);
    }
    let mut all = feeds.to_vec();
    all.push(("seed".to_string(), seed.clone()));
    let results = run(&derived, &all).split_off(plain.outputs().len());
    let names = wrt.iter().map(|v| plain.value_name(*v).to_string());
    (names.zip(results).collect(), derived)
}

/// The feeds, each moved `by` times along its direction.
fn moved(
    feeds: &[(String, Tensor)],
    along: &[(String, Vec<f64>)],
    by: f64,
) -> Vec<(String, Tensor)> {
    let mut feeds = feeds.to_vec();
    for (name, direction) in along {
        let (_, tensor) = feeds.iter_mut().find(|(n, _)| n == name).expect("fed");
        let values = tensor.to_f64();
        let values: Vec<f64> = values
            .iter()
            .zip(direction)
            .map(|(x, v)| x + by * v)
            .collect();
        *tensor = Tensor::from_f64(DType::F64, tensor.shape(), &values);
    }
    feeds
}

/// `<seed, J v>` by a central difference.
fn difference(
    plain: &Graph,
    feeds: &[(String, Tensor)],
    along: &[(String, Vec<f64>)],
    seed: &Tensor,
) -> f64 {
    let at = |by: f64| dot(&run(plain, &moved(feeds, along, by))[0], seed);
    (at(STEP) - at(-STEP)) / (2.0 * STEP)
}

fn is_near(analytic: f64, numeric: f64) -> bool {
    (analytic - numeric).abs() <= ABSOLUTE + RELATIVE * numeric.abs()
}

/// What a case is: how inputs are drawn, and `(inputs) { operators that yield %y`.
pub type Case = ([f64; 2], String);

/// The text of a case's graph.
pub fn text(body: &str) -> String {
    format!("graph \"g\" {body}\n  return \"y\" = %y\n}}")
}

/// Holds the gradients of `<seed, y>` with respect to all float inputs against differences.
pub fn check(body: &str, range: [f64; 2]) {
    for case in 0..SHAPES {
        let random = &mut Random(0x9E37_79B9_7F4A_7C15 ^ (case + 1));
        let plain = graph(body, random);
        let (feeds, seed) = feeds(&plain, random, range);
        let (found, derived) = pullback(&plain, &feeds, &seed);
        for (name, analytic) in found {
            let analytic = analytic.to_f64();
            for index in 0..analytic.len() {
                let mut unit = vec![0.0; analytic.len()];
                unit[index] = 1.0;
                let numeric = difference(&plain, &feeds, &[(name.clone(), unit)], &seed);
                assert!(
                    is_near(analytic[index], numeric),
                    "d{name}[{index}] is {}, differences say {numeric}\n{plain}\n{}",
                    analytic[index],
                    print(&derived, Style::Brief)
                );
            }
        }
    }
}

/// `<J v, u> = <v, J' u>` along random directions `v` of all inputs together, for random `u`.
pub fn check_network(body: &str) {
    for case in 0..SHAPES {
        let random = &mut Random(0xD1B5_4A32_D192_ED03 ^ (case + 1));
        let plain = graph(body, random);
        let (feeds, seed) = feeds(&plain, random, [-1.0, 1.0]);
        let (found, _) = pullback(&plain, &feeds, &seed);
        let mut along = Vec::new();
        let mut analytic = 0.0;
        for (name, gradient) in &found {
            let values = gradient.to_f64();
            let direction: Vec<f64> = values.iter().map(|_| random.uniform([-1.0, 1.0])).collect();
            analytic += values
                .iter()
                .zip(&direction)
                .map(|(g, v)| g * v)
                .sum::<f64>();
            along.push((name.clone(), direction));
        }
        let numeric = difference(&plain, &feeds, &along, &seed);
        assert!(
            is_near(analytic, numeric),
            "<v, J'u> is {analytic}, differences say {numeric}\n{plain}"
        );
        assert!(
            analytic.abs() > ABSOLUTE,
            "nothing is proved: {analytic}\n{plain}"
        );
    }
}
