//! A network as a classifier of pictures: the input that samples enter by, and the scores that come out.

use super::TrainError;
use cnnc_ir::{DType, TensorType};
use cnnc_models::data::Samples;
use cnnc_models::loss::Loss;
use cnnc_models::network::Network;
use cnnc_models::step::{SAMPLE_WEIGHTS, TARGETS};
use cnnc_runtime::{RunError, Session};

/// A network with one input, of samples, and one output, scores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classifier {
    /// Name of the input.
    pub input: String,
    /// Of one sample, as the input takes it.
    pub shape: Vec<usize>,
    /// Scores a sample; of a single one, the probability of class 1 of two.
    pub columns: usize,
}

impl Classifier {
    /// # Errors
    /// If the network has not one input f32\[N, ..\] of fixed extents and one output f32\[N, classes\].
    pub fn of(network: &Network) -> Result<Classifier, TrainError> {
        let graph = &network.graph;
        let wrong = |found: String, expected| TrainError::NoClassifier { found, expected };
        let &[input] = graph.inputs() else {
            let found = format!("has {} inputs", graph.inputs().len());
            return Err(wrong(found, "it must have one input"));
        };
        let [(name, output)] = graph.outputs() else {
            let found = format!("has {} outputs", graph.outputs().len());
            return Err(wrong(found, "it must have one output"));
        };
        let (ty, scores) = (graph.ty(input.into()), graph.ty(*output));
        let input = graph.value_name(input.into()).to_string();
        let shape = sample(ty).ok_or_else(|| {
            let found = format!("has the input '{input}', {ty}");
            wrong(found, "it must take f32[N, ..] with known extents")
        })?;
        let columns = match sample(scores).as_deref() {
            Some([]) => Some(1),
            Some(&[columns]) => Some(columns),
            _ => None,
        };
        let columns = columns.ok_or_else(|| {
            let found = format!("has the output '{name}', {scores}");
            wrong(found, "it must give scores, f32[N, classes]")
        })?;
        Ok(Classifier {
            input,
            shape,
            columns,
        })
    }

    /// Classes that the scores tell apart.
    pub fn classes(&self) -> usize {
        self.columns.max(2)
    }

    /// Channels, height and width, where a sample is a picture.
    pub fn picture(&self) -> Option<[usize; 3]> {
        match self.shape[..] {
            [channels, height, width] => Some([channels, height, width]),
            [height, width] => Some([1, height, width]),
            _ => None,
        }
    }

    /// Holds samples against the input and the scores. Extents of 1 do not matter, and an input of one extent takes pictures row by row.
    ///
    /// # Errors
    /// If the shape or a label does not fit.
    pub fn check(&self, samples: &Samples, part: &'static str) -> Result<(), TrainError> {
        let found = samples.shape().to_vec();
        let real =
            |shape: &[usize]| -> Vec<usize> { shape.iter().copied().filter(|&d| d != 1).collect() };
        let (wanted, given) = (real(&self.shape), real(&found));
        let is_flat =
            self.shape.len() <= 1 && self.shape.iter().product::<usize>() == samples.image_len();
        if wanted != given && !is_flat {
            return Err(TrainError::Samples {
                input: self.input.clone(),
                expected: self.shape.clone(),
                found,
            });
        }
        let classes = self.classes();
        match samples.labels().iter().position(|&l| l as usize >= classes) {
            None => Ok(()),
            Some(index) => Err(TrainError::Label {
                part,
                index,
                label: samples.labels()[index],
                classes,
            }),
        }
    }
}

/// The extents behind the first of an f32 type, where they are known.
fn sample(ty: &TensorType) -> Option<Vec<usize>> {
    let known = ty
        .shape
        .get(1..)?
        .iter()
        .map(|d| d.fixed().map(|n| n as usize));
    known
        .collect::<Option<Vec<usize>>>()
        .filter(|_| ty.dtype == DType::F32)
}

/// Feeds batches to a session: a training step's or a judge's.
pub(super) struct Ports {
    input: String,
    /// `None` for labels; else the columns of one-hot rows, or 1 for the label itself.
    columns: Option<usize>,
    rows: Vec<f32>,
    weighted: bool,
}

impl Ports {
    pub fn new(classifier: &Classifier, loss: Loss, weighted: bool) -> Ports {
        Ports {
            input: classifier.input.clone(),
            columns: (!loss.takes_labels()).then_some(classifier.columns),
            rows: Vec::new(),
            weighted,
        }
    }

    /// Feeds a batch; `weights` where the step is weighted.
    pub fn feed(
        &mut self,
        session: &mut Session,
        images: &[f32],
        labels: &[i64],
        weights: &[f32],
    ) -> Result<(), RunError> {
        session.input_mut::<f32>(&self.input)?.copy_from(images)?;
        match self.columns {
            None => session.input_mut::<i64>(TARGETS)?.copy_from(labels)?,
            Some(columns) => {
                self.rows.clear();
                for &label in labels {
                    match columns {
                        1 => self.rows.push(label as f32),
                        n => self
                            .rows
                            .extend((0..n as i64).map(|c| f32::from(u8::from(c == label)))),
                    }
                }
                session.input_mut::<f32>(TARGETS)?.copy_from(&self.rows)?;
            }
        }
        if self.weighted {
            session
                .input_mut::<f32>(SAMPLE_WEIGHTS)?
                .copy_from(weights)?;
        }
        Ok(())
    }
}
