//! A network judged on samples, with the parameters that a training session has at the moment.
//!
//! The inference form is compiled once, its parameters states; they are handed over by copying memory.

use super::classifier::{Classifier, Ports};
use super::{TrainError, compiled, session};
use crate::compile::CompileOptions;
use cnnc_ir::Tensor;
use cnnc_models::data::{Samples, in_order};
use cnnc_models::loss::Loss;
use cnnc_models::network::Network;
use cnnc_models::step::{self, LOSSES, SCORES, State};
use cnnc_runtime::{RunError, Session};

/// A session that judges.
pub struct Judge {
    session: Session,
    states: Vec<State>,
    classifier: Classifier,
    ports: Ports,
    batch: usize,
}

/// What a network says of some samples.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Scores in rows, a row for each label: probabilities, or whatever the network gives.
    pub scores: &'a [f32],
    /// One a sample: of a map the mean over its pixels.
    pub losses: &'a [f32],
    /// One a sample, or its pixels.
    pub labels: &'a [u32],
}

impl Judge {
    /// Compiles the form for judging `batch` samples at once; parameters are those of the network.
    ///
    /// # Errors
    /// If the network is no classifier, cannot be compiled, or the system has no memory.
    pub fn new(
        network: &Network,
        loss: Loss,
        batch: usize,
        options: &CompileOptions,
        threads: usize,
    ) -> Result<Judge, TrainError> {
        let classifier = Classifier::of(network)?;
        let (compiled, states) = compiled(step::judgement(network, loss, batch)?, options)?;
        Ok(Judge {
            session: session(compiled, &states, threads)?,
            states,
            ports: Ports::new(&classifier, loss, false),
            classifier,
            batch,
        })
    }

    /// Takes over the parameters of a training session.
    ///
    /// # Errors
    /// If the session is not of the same network.
    pub fn follow(&mut self, trainer: &Session) -> Result<(), RunError> {
        for state in &self.states {
            let now = trainer.state::<f32>(&state.name)?;
            let mut here = self.session.state_mut::<f32>(&state.name)?;
            match now.as_slice() {
                Some(values) => here.copy_from(values)?,
                None => here.copy_from(&now.to_vec())?,
            }
        }
        Ok(())
    }

    /// Gives a parameter another value.
    ///
    /// # Errors
    /// If there is no such parameter, or the value is of another type.
    pub fn set(&mut self, name: &str, value: &Tensor) -> Result<(), TrainError> {
        super::set_state(&mut self.session, name, value)
    }

    /// Judges samples batch by batch, in order, until `each` answers false; whether all were judged.
    ///
    /// # Errors
    /// As of [`Session::run`].
    pub fn run(
        &mut self,
        samples: &Samples,
        mut each: impl FnMut(Judged) -> Result<bool, TrainError>,
    ) -> Result<bool, TrainError> {
        let size = samples.image_len();
        let mut images = vec![0.0; self.batch * size];
        let mut targets = vec![0; self.batch * samples.labels_each()];
        for range in in_order(samples.len(), self.batch) {
            let count = range.len();
            let labels = samples.labels_of(range.clone());
            // What fills the last batch up is judged as well, and not looked at.
            for (place, index) in range.enumerate() {
                samples.read(index, &mut images[place * size..][..size]);
            }
            for (to, &from) in targets.iter_mut().zip(labels) {
                *to = i64::from(from);
            }
            self.ports.feed(&mut self.session, &images, &targets, &[])?;
            self.session.run()?;
            let scores = self.session.output::<f32>(SCORES)?.to_vec();
            let scores = self.classifier.rows(scores);
            let losses = self.session.output::<f32>(LOSSES)?.to_vec();
            let judged = Judged {
                scores: &scores[..scores.len() / self.batch * count],
                losses: &losses[..count],
                labels,
            };
            if !each(judged)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
