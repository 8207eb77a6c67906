//! Inputs for a graph whose values nobody has to spell out.

use crate::seeded::tensor;
use cnnc_ir::{Graph, Tensor};

/// Values for all inputs of a graph; free dimensions take 3, or their bound if that is less.
pub fn inputs(graph: &Graph, seed: u64) -> Vec<(String, Tensor)> {
    let mut inputs = Vec::new();
    for (number, &id) in graph.inputs().iter().enumerate() {
        let output = &graph.node(id).outputs[0];
        let seed = seed.wrapping_mul(1000) + number as u64;
        inputs.push((output.name.clone(), tensor(&output.ty, seed)));
    }
    inputs
}

/// What the interpreter wants.
pub fn by_name(inputs: &[(String, Tensor)]) -> Vec<(&str, Tensor)> {
    let named = inputs.iter().map(|(name, t)| (name.as_str(), t.clone()));
    named.collect()
}
