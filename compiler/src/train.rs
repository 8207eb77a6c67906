//! Training: a step's graph compiled with its states bound to the session's memory, and driven over a data set.
//!
//! | module | has |
//! |---|---|
//! | here | a step compiled, and [`Trainer`], the session that takes it |
//! | [`classifier`] | a network as something that tells classes of pictures or pixels: where samples enter, what comes out |
//! | [`judge`] | a network judged on samples with the parameters of the moment |
//! | [`fit`] | a network fitted to a data set, and all that can be said about how |
//! | `run` | the loop: batches, steps, validation, early stopping |
//! | `feed` | batches made on a thread of their own |
//! | `resume` | from a run to its checkpoint and back |
//! | [`search`] | many trainings side by side: grids, random settings, folds |
//! | `fault` | which value was the first that is no number |
//!
//! The same network, data and settings give the same bits, with any number of threads and any number of interruptions.

pub mod classifier;
mod error;
mod fault;
mod feed;
pub mod fit;
pub mod judge;
pub mod observer;
mod resume;
mod run;
mod scores;
pub mod search;

pub use error::TrainError;

use crate::compile::{CompileOptions, Compiled, StateNames, compile};
use crate::emit;
use cnnc_ir::Tensor;
use cnnc_models::network::{Network, Training};
use cnnc_models::step::{self, LOSS, RATE, STEP, Settings, State, StateKind, Step};
use cnnc_runtime::{RunError, Session, TensorView};

/// What a network's training section asks of a step.
pub fn settings(training: &Training, batch: usize, seed: u32) -> Settings {
    Settings {
        loss: training.loss,
        optimizer: training.optimizer,
        l1: training.l1,
        l2: training.l2,
        clip: training.clip,
        weighted: false,
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
    let (compiled, states) = compiled(step, options)?;
    Ok(CompiledStep {
        compiled,
        states,
        rate: settings.optimizer.rate(),
    })
}

/// The states of a step as the compiler binds them; with their first values, if the artefact is to be run without the compiler.
pub fn bound(step: &Step, with_values: bool) -> Vec<StateNames> {
    let names = step.states.iter().map(|state| StateNames {
        input: state.name.clone(),
        output: state.next.clone(),
        initial: with_values.then(|| state.initial.clone()),
    });
    names.collect()
}

/// What an artefact says of a step: `loss`, `optimizer`, `batch`, `rate` (before any schedule) and `states`, a line each: its kind and name.
pub fn remarks(step: &Step, settings: &Settings) -> Vec<(String, String)> {
    let kind = |state: &State| match state.kind {
        StateKind::Parameter => "parameter",
        StateKind::Slot => "slot",
        StateKind::Statistic => "statistic",
    };
    let states = step.states.iter();
    let states: Vec<String> = states.map(|s| format!("{} {}", kind(s), s.name)).collect();
    let remarks = [
        ("loss", settings.loss.to_string()),
        ("optimizer", settings.optimizer.to_string()),
        ("batch", settings.batch.to_string()),
        ("rate", settings.optimizer.rate().to_string()),
        ("states", states.join("\n")),
    ];
    remarks
        .into_iter()
        .map(|(key, value)| (key.to_string(), value))
        .collect()
}

/// Compiles a graph with its states bound.
pub(crate) fn compiled(
    step: Step,
    options: &CompileOptions,
) -> Result<(Compiled, Vec<State>), TrainError> {
    let options = CompileOptions {
        states: bound(&step, false),
        ..options.clone()
    };
    Ok((compile(step.graph, &options)?, step.states))
}

/// A session whose states have their first values.
fn session(compiled: Compiled, states: &[State], threads: usize) -> Result<Session, TrainError> {
    let mut session = compiled.model()?.session(threads)?;
    for state in states {
        set_state(&mut session, &state.name, &state.initial)?;
    }
    Ok(session)
}

fn set_state(session: &mut Session, name: &str, value: &Tensor) -> Result<(), TrainError> {
    Ok(session.set_state(name, view(name, value)?)?)
}

fn set_input(session: &mut Session, name: &str, value: &Tensor) -> Result<(), TrainError> {
    Ok(session.set_input(name, view(name, value)?)?)
}

fn view<'a>(name: &str, value: &'a Tensor) -> Result<TensorView<'a>, TrainError> {
    let view = TensorView::from_bytes(emit::dtype(value.dtype()), value.shape(), value.bytes());
    view.ok_or_else(|| TrainError::State { name: name.into() })
}

/// A session that learns.
pub struct Trainer {
    session: Session,
    states: Vec<State>,
    /// Whether the step asks for the rate and for its number.
    asks: [bool; 2],
}

impl Trainer {
    /// A session whose states have their first values.
    ///
    /// # Errors
    /// If code cannot be generated, or the system has no memory.
    pub fn new(step: CompiledStep, threads: usize) -> Result<Trainer, TrainError> {
        let session = session(step.compiled, &step.states, threads)?;
        let inputs = &session.model().program().inputs;
        let asks = [RATE, STEP].map(|name| inputs.iter().any(|p| p.name == name));
        Ok(Trainer {
            session,
            states: step.states,
            asks,
        })
    }

    /// What a step remembers.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// What a step remembers, as it is now, in the order of [`states`](Self::states).
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn values(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let value = |state: &State| {
            let fetched = self.session.fetch_state(&state.name)?;
            let bytes = bytes::Bytes::copy_from_slice(fetched.bytes());
            let tensor = Tensor::new(state.initial.dtype(), fetched.dims().to_vec(), bytes);
            let tensor = tensor.ok_or_else(|| TrainError::State {
                name: state.name.clone(),
            })?;
            Ok((state.name.clone(), tensor))
        };
        self.states.iter().map(value).collect()
    }

    /// Gives a state another value.
    ///
    /// # Errors
    /// If there is no such state, or the value is of another type.
    pub fn set(&mut self, name: &str, value: &Tensor) -> Result<(), TrainError> {
        set_state(&mut self.session, name, value)
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
        let scalars = [(RATE, rate as f32), (STEP, number as f32)];
        for ((name, value), asks) in scalars.into_iter().zip(self.asks) {
            if asks {
                self.session.input_mut::<f32>(name)?.copy_from(&[value])?;
            }
        }
        self.session.run()?;
        let loss = self.session.output::<f32>(LOSS)?;
        Ok(loss.to_vec().first().copied().unwrap_or(f32::NAN))
    }
}
