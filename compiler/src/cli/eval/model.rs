//! An ONNX model or an artefact as a classifier; its loss is the cross-entropy of its first output.

use crate::cli::args::Common;
use crate::cli::failure::Failure;
use crate::cli::load;
use crate::compile::compile;
use crate::frontend::native;
use crate::frontend::onnx::ImportOptions;
use crate::train::TrainError;
use crate::train::classifier::{Classifier, SCORES};
use crate::train::judge::Judged;
use cnnc_ir::{Dim, Graph};
use cnnc_models::data::{Samples, in_order};
use cnnc_runtime::{DType, Model, Session, TensorView};
use std::path::Path;

/// A session of a model with one input of samples.
pub struct Scorer {
    session: Session,
    classifier: Classifier,
    output: String,
    /// Extents of the input, the batch first.
    dims: Vec<usize>,
}

impl Scorer {
    /// Opens an artefact, or compiles a model for `batch` samples at once; one that is fixed to another number is refused.
    pub fn open(path: &Path, batch: Option<usize>, common: &Common) -> Result<Scorer, Failure> {
        let model = match load::is_artefact(path) {
            true => load::model(path, &ImportOptions::default(), common)?,
            false => compiled(path, batch, common)?,
        };
        let wrong = |what: &str| Failure::input(format!("{}: {what}", path.display()));
        let program = model.program();
        let [input] = &program.inputs[..] else {
            return Err(wrong(
                "has not one input; a model that is judged takes samples and nothing else",
            ));
        };
        let dims: Vec<usize> = program
            .upper_dims(&input.operand)
            .iter()
            .map(|&d| d as usize)
            .collect();
        let (DType::F32, Some((&size, shape))) = (input.operand.dtype, dims.split_first()) else {
            return Err(wrong("its input is not f32[N, ..]"));
        };
        if batch.is_some_and(|n| n != size) {
            return Err(wrong(&format!(
                "takes batches of {size}, not of {}",
                batch.unwrap_or(0)
            )));
        }
        let output = program
            .outputs
            .first()
            .ok_or_else(|| wrong("has no output"))?;
        let scores = program.upper_dims(&output.operand);
        let extents: Vec<usize> = scores.iter().map(|&d| d as usize).collect();
        let classifier = match extents.split_first() {
            Some((&batch, extents)) if batch == size && output.operand.dtype == DType::F32 => {
                Classifier::given(input.name.clone(), shape.to_vec(), extents)
            }
            _ => None,
        };
        let classifier = classifier.filter(|_| size > 0).ok_or_else(|| {
            let (name, dtype) = (&output.name, output.operand.dtype);
            wrong(&format!(
                "has the output '{name}', {dtype}{scores:?}; {SCORES}"
            ))
        })?;
        Ok(Scorer {
            classifier,
            output: output.name.clone(),
            session: model.session(common.threads())?,
            dims,
        })
    }

    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    pub fn run(
        mut self,
        samples: &Samples,
        mut each: impl FnMut(Judged) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let (batch, size) = (self.dims[0], samples.image_len());
        let mut images = vec![0.0; batch * size];
        for range in in_order(samples.len(), batch) {
            let labels = samples.labels_of(range.clone());
            for (place, index) in range.enumerate() {
                samples.read(index, &mut images[place * size..][..size]);
            }
            let view = TensorView::new(&self.dims, &images).ok_or_else(|| TrainError::State {
                name: self.classifier.input.clone(),
            })?;
            self.session.set_input(&self.classifier.input, view)?;
            self.session.run()?;
            let scores = self.session.output::<f32>(&self.output)?.to_vec();
            let scores = self.classifier.rows(scores);
            let scores = &scores[..labels.len() * self.classifier.columns];
            let losses: Vec<f32> = scores
                .chunks_exact(self.classifier.columns * samples.labels_each())
                .zip(labels.chunks_exact(samples.labels_each()))
                .map(|(rows, labels)| mean_loss(rows, labels))
                .collect();
            each(Judged {
                scores,
                losses: &losses,
                labels,
            })?;
        }
        Ok(())
    }
}

/// A source compiled for batches of that size, where it leaves the size open.
fn compiled(path: &Path, batch: Option<usize>, common: &Common) -> Result<Model, Failure> {
    let graph = load::free(path, &ImportOptions::default(), common)?;
    let shapes = match open_batch(&graph) {
        Some((name, rest)) => {
            let mut shape = vec![batch.unwrap_or(super::BATCH)];
            shape.extend(rest);
            [(name, shape)].into()
        }
        None => Default::default(),
    };
    let graph = native::with_shapes(graph, path, &shapes)?;
    let compiled = compile(graph, &load::compile_options(common)?);
    Ok(compiled.map_err(|e| load::in_file(path, e))?.model()?)
}

/// The only input and its extents behind the first, where that is free and they are not.
fn open_batch(graph: &Graph) -> Option<(String, Vec<usize>)> {
    let &[input] = graph.inputs() else {
        return None;
    };
    let (first, rest) = graph.ty(input.into()).shape.split_first()?;
    let rest = rest.iter().map(|d| d.fixed().map(|n| n as usize));
    let rest = rest.collect::<Option<Vec<usize>>>()?;
    matches!(first, Dim::Sym { .. }).then(|| (graph.value_name(input.into()).to_string(), rest))
}

/// The mean cross-entropy of a sample's labels, a row of scores each.
fn mean_loss(rows: &[f32], labels: &[u32]) -> f32 {
    let rows = rows.chunks_exact(rows.len() / labels.len());
    let losses = rows
        .zip(labels)
        .map(|(row, &label)| cross_entropy(row, label as usize));
    (losses.map(f64::from).sum::<f64>() / labels.len() as f64) as f32
}

/// `-log p` of the label: of probabilities, where a row is such, else of the softmax of scores. A single score is the probability of class 1.
fn cross_entropy(row: &[f32], label: usize) -> f32 {
    let values = row.iter().map(|&v| f64::from(v));
    if let [p] = *row {
        return -(if label == 1 {
            f64::from(p)
        } else {
            1.0 - f64::from(p)
        })
        .ln() as f32;
    }
    let total: f64 = values.clone().sum();
    let is_distribution = row.iter().all(|v| (0.0..=1.0).contains(v)) && (total - 1.0).abs() < 1e-3;
    let score = row.get(label).map_or(f64::NAN, |&v| f64::from(v));
    if is_distribution {
        // As frameworks do, lest one sample make the mean infinite.
        return -score.max(1e-7).ln() as f32;
    }
    let most = values.clone().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = values.map(|v| (v - most).exp()).sum();
    (most + total.ln() - score) as f32
}

#[cfg(test)]
mod tests {
    use super::cross_entropy;

    #[test]
    fn probabilities_are_told_from_scores() {
        assert_eq!(cross_entropy(&[0.5, 0.5], 0), 2f32.ln());
        assert_eq!(cross_entropy(&[3.0, 3.0], 0), 2f32.ln());
        assert_eq!(cross_entropy(&[0.25], 1), 4f32.ln());
        assert!(cross_entropy(&[1.0, 0.0], 1) > 16.0);
        assert_eq!(cross_entropy(&[1000.0, 0.0], 1), 1000.0);
    }
}
