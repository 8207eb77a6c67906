//! Training: a step's graph compiled with its states bound to the session's memory, and driven step by step.

use crate::compile::{CompileError, CompileOptions, Compiled, StateNames, compile};
use crate::emit;
use cnnc_models::network::{Network, Training};
use cnnc_models::step::{self, LOSS, RATE, STEP, Settings, State, StepError};
use cnnc_runtime::{RunError, Session, TensorView};
use thiserror::Error;

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    #[error(transparent)]
    Step(#[from] StepError),
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error("state '{name}': its first value does not fit it")]
    State { name: String },
}

/// What a network's training section asks of a step.
pub fn settings(training: &Training, batch: usize, seed: u32) -> Settings {
    Settings {
        loss: training.loss,
        optimizer: training.optimizer,
        l1: training.l1,
        l2: training.l2,
        clip: training.clip,
        batch,
        seed,
    }
}

/// A training step, compiled.
pub struct CompiledStep {
    pub compiled: Compiled,
    pub states: Vec<State>,
    /// The learning rate before any schedule.
    pub rate: f64,
}

/// Compiles a network's training step.
///
/// # Errors
/// As of [`step::step`] and [`compile`].
pub fn compiled_step(
    network: &Network,
    settings: &Settings,
    options: &CompileOptions,
) -> Result<CompiledStep, TrainError> {
    let step = step::step(network, settings)?;
    let names = step.states.iter().map(|state| StateNames {
        input: state.name.clone(),
        output: state.next.clone(),
    });
    let options = CompileOptions {
        states: names.collect(),
        ..options.clone()
    };
    Ok(CompiledStep {
        compiled: compile(step.graph, &options)?,
        states: step.states,
        rate: settings.optimizer.rate(),
    })
}

/// A session that learns.
pub struct Trainer {
    session: Session,
    states: Vec<State>,
}

impl Trainer {
    /// A session whose states have their first values.
    ///
    /// # Errors
    /// If code cannot be generated, or the system has no memory.
    pub fn new(step: CompiledStep, threads: usize) -> Result<Trainer, TrainError> {
        let session = step.compiled.model()?.session(threads)?;
        let mut trainer = Trainer {
            session,
            states: step.states,
        };
        for state in &trainer.states {
            let t = &state.initial;
            let view = TensorView::from_bytes(emit::dtype(t.dtype()), t.shape(), t.bytes());
            let view = view.ok_or_else(|| TrainError::State {
                name: state.name.clone(),
            })?;
            trainer.session.set_state(&state.name, view)?;
        }
        Ok(trainer)
    }

    /// What a step remembers.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// The session alone.
    pub fn into_session(self) -> Session {
        self.session
    }

    /// Does one step on the inputs as they are set; `number` counts from 1. Returns the loss.
    ///
    /// # Errors
    /// As of [`Session::run`].
    pub fn step(&mut self, rate: f64, number: u64) -> Result<f32, RunError> {
        for (name, value) in [(RATE, rate as f32), (STEP, number as f32)] {
            let used = self
                .session
                .model()
                .program()
                .inputs
                .iter()
                .any(|p| p.name == name);
            if used {
                self.session.input_mut::<f32>(name)?.copy_from(&[value])?;
            }
        }
        self.session.run()?;
        let loss = self.session.output::<f32>(LOSS)?;
        Ok(loss.to_vec().first().copied().unwrap_or(f32::NAN))
    }
}
