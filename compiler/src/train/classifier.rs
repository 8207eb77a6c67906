//! A network as a classifier of pictures or of their pixels: the input that samples enter by, and the scores that come out.

use super::TrainError;
use cnnc_ir::{DType, TensorType};
use cnnc_models::data::{Labelling, Samples};
use cnnc_models::loss::Loss;
use cnnc_models::metrics::to_rows;
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
    /// Scores a label; of a single one, the probability of class 1 of two.
    pub columns: usize,
    /// Height and width of the map of scores, one for every pixel of a sample; `None`: a sample has one label.
    pub map: Option<[usize; 2]>,
}

impl Classifier {
    /// # Errors
    /// If the network has not one input f32\[N, ..\] of fixed extents and one output, f32\[N, classes\] or, of the input's height and width,
    /// f32\[N, classes, H, W\].
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
        let found = sample(scores).and_then(|extents| Classifier::given(input, shape, &extents));
        found.ok_or_else(|| {
            let found = format!("has the output '{name}', {scores}");
            wrong(found, SCORES)
        })
    }

    /// The classifier that takes samples of `shape` by `input`, and gives scores of these extents for each; `None` where they are no scores.
    pub fn given(input: String, shape: Vec<usize>, scores: &[usize]) -> Option<Classifier> {
        let (columns, map) = match *scores {
            [] => (1, None),
            [columns] | [columns, 1, 1] => (columns, None),
            [columns, height, width] => (columns, Some([height, width])),
            _ => return None,
        };
        let classifier = Classifier {
            input,
            shape,
            columns,
            map,
        };
        let fits = |[height, width]: [usize; 2]| {
            let picture = classifier.picture();
            picture.is_some_and(|[_, h, w]| [h, w] == [height, width])
        };
        let has_pixels = map.is_none_or(fits);
        (columns > 0 && has_pixels).then_some(classifier)
    }

    /// What samples must be labelled with.
    pub fn labelling(&self) -> Labelling {
        match self.map {
            None => Labelling::Image,
            Some(_) => Labelling::Pixels,
        }
    }

    /// Labels of a sample: 1, or its pixels.
    pub fn labels_each(&self) -> usize {
        self.map.map_or(1, |[height, width]| height * width)
    }

    /// Rows of scores, a row a label, of what the network gives for some samples.
    pub fn rows(&self, scores: Vec<f32>) -> Vec<f32> {
        to_rows(scores, self.columns, self.labels_each())
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
        if samples.labelling() != self.labelling() && !samples.is_empty() {
            return Err(TrainError::Labelling {
                part,
                given: self.labelling(),
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

/// What an output must be.
pub const SCORES: &str =
    "it must give scores, f32[N, classes], or for every pixel of its input f32[N, classes, H, W]";

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
    /// `None` for labels; else the columns of one-hot vectors, or 1 for the label itself.
    columns: Option<usize>,
    /// Labels of a sample.
    each: usize,
    targets: Vec<f32>,
    weighted: bool,
}

impl Ports {
    pub fn new(classifier: &Classifier, loss: Loss, weighted: bool) -> Ports {
        Ports {
            input: classifier.input.clone(),
            columns: (!loss.takes_labels()).then_some(classifier.columns),
            each: classifier.labels_each(),
            targets: Vec::new(),
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
                self.targets.clear();
                for labels in labels.chunks(self.each.max(1)) {
                    match columns {
                        1 => self.targets.extend(labels.iter().map(|&l| l as f32)),
                        n => {
                            let planes = (0..n as i64).flat_map(|class| {
                                labels.iter().map(move |&l| f32::from(u8::from(l == class)))
                            });
                            self.targets.extend(planes);
                        }
                    }
                }
                session
                    .input_mut::<f32>(TARGETS)?
                    .copy_from(&self.targets)?;
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
