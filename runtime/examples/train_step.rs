//! Trains a step artefact without the compiler: `cnnc compile NET.cnn --train -o step.bin`, then
//! `cargo run --example train_step -- step.bin [STEPS]`. Nothing but the runtime is linked in.
//!
//! The data are made here: every class has a pattern of its own, and samples are noisy copies of it. Real ones go the same way, a batch at a
//! time.

use cnnc_runtime::{DType, Model, Port, Session, Tensor};
use std::error::Error;
use std::path::Path;

/// The learning rate; schedules are up to the caller.
const RATE: f32 = 1e-3;

/// Takes steps, printing the loss now and then; all losses.
pub fn train(path: &Path, steps: u64) -> Result<Vec<f32>, Box<dyn Error>> {
    let mut session = Model::open(path)?.session(0)?;
    let mut losses = Vec::new();
    for step in 1..=steps {
        feed(&mut session, step)?;
        session.run()?;
        let loss = session.output::<f32>("loss")?.to_vec()[0];
        if step == 1 || step % 20 == 0 {
            println!("step {step}: loss {loss:.4}");
        }
        losses.push(loss);
    }
    for state in &session.model().program().states {
        let value = session.fetch_state(&state.name)?;
        let norm = value
            .as_slice::<f32>()
            .map(|v| v.iter().map(|x| x * x).sum::<f32>());
        println!(
            "{} {:?}: norm {:.3}",
            state.name,
            value.dims(),
            norm.unwrap_or(0.0).sqrt()
        );
    }
    Ok(losses)
}

/// Sets the inputs for a step: labels that go round the classes, pictures that follow from them.
pub fn feed(session: &mut Session, step: u64) -> Result<(), Box<dyn Error>> {
    let program = session.model().program().clone();
    let dims = |port: &Port| -> Vec<usize> {
        let dims = program.upper_dims(&port.operand);
        dims.into_iter().map(|n| n as usize).collect()
    };
    let scores = program.outputs.iter().find(|p| p.name == "scores");
    let classes = dims(scores.ok_or("no classifier: it has no output 'scores'")?)[1];
    for port in &program.inputs {
        let shape = dims(port);
        let batch = shape.first().copied().unwrap_or(1);
        let label = |sample: usize| (sample + step as usize * batch) % classes;
        let value = match (port.name.as_str(), port.operand.dtype) {
            ("rate", DType::F32) => Tensor::new(&shape, &[RATE]),
            ("step", DType::F32) => Tensor::new(&shape, &[step as f32]),
            ("targets", DType::I64) => {
                let labels: Vec<i64> = (0..batch).map(|s| label(s) as i64).collect();
                Tensor::new(&shape, &labels)
            }
            (_, DType::F32) => {
                let elements = shape[1..].iter().product::<usize>();
                let pixels = (0..batch * elements).map(|k| {
                    let (sample, element) = (k / elements, k % elements);
                    let pattern = noise((label(sample) * elements + element) as u64);
                    pattern + 0.3 * noise(step << 32 | k as u64)
                });
                Tensor::new(&shape, &pixels.collect::<Vec<f32>>())
            }
            (name, dtype) => return Err(format!("input '{name}' is {dtype}").into()),
        };
        session.set_input(&port.name, value.ok_or("not enough memory")?.view())?;
    }
    Ok(())
}

/// A number between -1 and 1 that follows from another one (splitmix64).
fn noise(seed: u64) -> f32 {
    let mut x = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ (x >> 31)) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
}

#[allow(dead_code)] // Tests include this file.
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: train_step STEP.bin [STEPS]")?;
    let steps = arguments.next().map_or(Ok(100), |n| n.parse())?;
    train(Path::new(&path), steps)?;
    Ok(())
}
