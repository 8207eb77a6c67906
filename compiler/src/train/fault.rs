//! Which value was the first that is no number.
//!
//! A step overwrites what it began with. So the states are kept now and then; from there the steps are done again, which gives the same
//! bits, up to the one that made the first NaN or infinity. That one is compiled once more with every value an output.

use super::feed::Filled;
use super::run::Run;
use super::{TrainError, set_input};
use crate::compile::compile;
use cnnc_ir::{Graph, NodeKind, Tensor, Value};
use cnnc_models::data::Position;
use cnnc_models::step::{self, RATE, STEP};
use cnnc_runtime::DType;
use std::collections::{HashSet, VecDeque};

/// Steps from one keeping to the next.
const STEPS: u64 = 64;

/// The states before a step, not long ago.
#[derive(Default)]
pub struct Watch {
    step: u64,
    position: Position,
    states: Vec<(String, Tensor)>,
}

impl Watch {
    /// Whether the states should be kept before this step, the first being 0.
    pub fn is_due(&self, step: u64) -> bool {
        self.states.is_empty() || step >= self.step + STEPS
    }

    pub fn keep(&mut self, step: u64, position: Position, states: Vec<(String, Tensor)>) {
        *self = Watch {
            step,
            position,
            states,
        };
    }

    /// Finds the first value that is no number, and says where; the run's session is used up.
    pub fn first(&self, run: &mut Run) -> Result<String, TrainError> {
        for (name, value) in &self.states {
            run.trainer.set(name, value)?;
        }
        let mut sequence = run.sequence.clone();
        sequence
            .resume(self.position)
            .map_err(|source| TrainError::Batch {
                part: "training",
                source,
            })?;
        let samples = run.data.train;
        let mut batch = Filled {
            images: vec![0.0; run.batch * samples.image_len()],
            labels: vec![0; run.batch * samples.labels_each()],
            next: self.position,
        };
        for step in self.step..run.step {
            let before = run.trainer.values()?;
            let augment = &run.options.training.augment;
            let drawn = sequence.advance();
            drawn.fill(samples, augment, &mut batch.images, &mut batch.labels);
            run.feed(&batch)?;
            let loss = run.trainer.step(run.rate(step), step + 1)?;
            let after = run.trainer.values()?;
            let is_good = loss.is_finite() && after.iter().all(|(_, t)| is_finite(t));
            if !is_good {
                let found = inspect(run, &before, &batch, step)?;
                return Ok(format!(
                    "the first value that is no number is {found}, in step {}",
                    step + 1
                ));
            }
        }
        Ok("done again, all values are numbers".to_string())
    }
}

fn is_finite(tensor: &Tensor) -> bool {
    tensor.to_f32().iter().all(|v| v.is_finite())
}

/// Does a step with every value an output, and names the first that is no number.
fn inspect(
    run: &mut Run,
    before: &[(String, Tensor)],
    batch: &Filled,
    step: u64,
) -> Result<String, TrainError> {
    let mut graph = step::step(run.network, &run.options.settings())?.graph;
    let watched = watched(&mut graph);
    let compiled = compile(graph.clone(), &run.options.compile())?;
    let mut session = compiled.model()?.session(run.options.threads)?;
    let inputs: Vec<String> = session
        .model()
        .program()
        .inputs
        .iter()
        .map(|p| p.name.clone())
        .collect();
    for name in inputs {
        if let Some((_, value)) = before.iter().find(|(n, _)| *n == name) {
            set_input(&mut session, &name, value)?;
        }
        let scalar = match name.as_str() {
            RATE => run.rate(step) as f32,
            STEP => (step + 1) as f32,
            _ => continue,
        };
        session.input_mut::<f32>(&name)?.copy_from(&[scalar])?;
    }
    run.feed_to(&mut session, batch)?;
    session.run()?;
    for (name, value) in watched {
        let port = session
            .model()
            .program()
            .outputs
            .iter()
            .find(|p| p.name == name);
        if port.is_none_or(|p| p.operand.dtype != DType::F32) {
            continue;
        }
        let values = session.output::<f32>(&name)?.to_vec();
        let bad = values.iter().filter(|v| !v.is_finite()).count();
        if bad > 0 {
            let shown = values
                .iter()
                .find(|v| !v.is_finite())
                .copied()
                .unwrap_or(f32::NAN);
            return Ok(format!(
                "{shown} in {} ({bad} of {} elements)",
                described(&graph, value),
                values.len()
            ));
        }
    }
    Ok("the loss".to_string())
}

/// Makes every value that an operator computes an output, in the order they are computed.
fn watched(graph: &mut Graph) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for id in graph.order() {
        let node = graph.node(id);
        if !matches!(node.kind, NodeKind::Op(_)) {
            continue;
        }
        let slots = node
            .outputs
            .iter()
            .enumerate()
            .filter(|(_, o)| !o.name.is_empty());
        let values = slots.map(|(slot, _)| Value {
            node: id,
            slot: slot as u32,
        });
        found.extend(values);
    }
    let named = found
        .into_iter()
        .map(|value| (format!("watched {}.{}", value.node.0, value.slot), value));
    let named: Vec<(String, Value)> = named.collect();
    for (name, value) in &named {
        graph.add_output(name, *value);
    }
    named
}

/// A value as people know it: the next value of a state, else by its node, and where that has no name of its own, by what it is made of.
fn described(graph: &Graph, value: Value) -> String {
    let outputs = graph.outputs().iter();
    let next = outputs
        .filter(|(_, v)| *v == value)
        .find_map(|(name, _)| name.strip_suffix(".next"));
    if let Some(state) = next {
        return format!("the next value of '{state}'");
    }
    let node = graph.node(value.node);
    let kind = node.op_kind().map_or("", |kind| kind.def().name);
    let name = graph.value_name(value);
    match is_named(name) {
        true => format!("'{name}' ({kind})"),
        false => format!("a {kind} of {}", sources(graph, value).join(", ")),
    }
}

/// Whether a name is not a number that the graph gave.
fn is_named(name: &str) -> bool {
    let digits = name.strip_prefix('v').unwrap_or("");
    digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// Names of the nearest values with names that a value is made of, the nearest first.
fn sources(graph: &Graph, value: Value) -> Vec<String> {
    const MOST: usize = 4;
    let (mut found, mut queue) = (Vec::new(), VecDeque::from([value]));
    let mut seen = HashSet::new();
    while let Some(value) = queue.pop_front() {
        for &operand in graph.node(value.node).inputs.iter().flatten() {
            if !seen.insert(operand) || graph.constant(operand).is_some() {
                continue;
            }
            match is_named(graph.value_name(operand)) {
                true => found.push(format!("'{}'", graph.value_name(operand))),
                false => queue.push_back(operand),
            }
        }
        if found.len() >= MOST {
            break;
        }
    }
    found
}
