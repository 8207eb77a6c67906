//! What a run leaves on disk: the trained network, and a picture of what it says.

use super::report::{check_picture, write_picture};
use super::with_file;
use crate::cli::args::{Common, Train};
use crate::cli::failure::Failure;
use crate::cli::{export as onnx, load, note, output};
use crate::compile::compile;
use crate::frontend::native;
use crate::frontend::onnx::export::export;
use crate::train::classifier::Classifier;
use crate::train::fit::Fit;
use crate::train::judge::Judge;
use cnnc_models::checkpoint::Weights;
use cnnc_models::data::{Dataset, Labelling};
use cnnc_models::metrics::predicted;
use cnnc_models::network::Network;
use cnnc_models::plot::{Prediction, maps, predictions};
use std::path::{Path, PathBuf};

/// Images that are shown with predictions.
const SHOWN: usize = 9;

/// Files that are written when a network is trained.
pub struct Outputs<'a> {
    description: &'a Path,
    networks: Vec<PathBuf>,
    predictions: Option<&'a Path>,
}

impl<'a> Outputs<'a> {
    /// Refuses names that cannot be written before anything is learnt.
    pub fn check(a: &'a Train) -> Result<Outputs<'a>, Failure> {
        let stem = a.network.file_stem().unwrap_or_default();
        let networks = match &a.outputs[..] {
            [] => vec![PathBuf::from(stem).with_extension("safetensors")],
            given => given.to_vec(),
        };
        for path in &networks {
            if !matches!(extension(path), "safetensors" | "onnx" | "bin") {
                return Err(Failure::input(format!(
                    "{}: a trained network is written as .safetensors, .onnx or .bin",
                    path.display()
                )));
            }
            output::check(path)?;
        }
        a.plot
            .iter()
            .chain(&a.predictions)
            .try_for_each(|path| check_picture(path))?;
        a.csv.as_deref().map_or(Ok(()), output::check)?;
        Ok(Outputs {
            description: &a.network,
            networks,
            predictions: a.predictions.as_deref(),
        })
    }

    pub fn write(
        &self,
        mut network: Network,
        classifier: &Classifier,
        fitted: &Fit,
        data: &Dataset,
        common: &Common,
    ) -> Result<(), Failure> {
        let weights = fitted.weights.iter().map(|(name, t)| (name.as_str(), t));
        network.set_weights(weights).map_err(Failure::input)?;
        for path in &self.networks {
            match extension(path) {
                "bin" => self.write_artefact(&network, classifier, path, common)?,
                "onnx" => {
                    let model = export(&network.graph, None);
                    onnx::write(&mut model.map_err(Failure::input)?, path)?;
                }
                _ => Weights::of(&network).write(path)?,
            }
            note(common, &format!("{}: the trained network", path.display()));
        }
        match self.predictions {
            Some(path) => self.show(&network, data, path, common),
            None => Ok(()),
        }
    }

    /// The inference form, for one sample.
    fn write_artefact(
        &self,
        network: &Network,
        classifier: &Classifier,
        path: &Path,
        common: &Common,
    ) -> Result<(), Failure> {
        let shape = [1].iter().chain(&classifier.shape).copied().collect();
        let shapes = [(classifier.input.clone(), shape)].into();
        let graph = native::with_shapes(network.graph.clone(), self.description, &shapes)?;
        let compiled = compile(graph, &load::compile_options(common)?);
        let compiled = compiled.map_err(|e| load::in_file(self.description, e))?;
        compiled
            .artefact(None, |w| w.write_file(path))?
            .map_err(Failure::system)
    }

    /// The first test images, with what the network says of them.
    fn show(
        &self,
        network: &Network,
        data: &Dataset,
        path: &Path,
        common: &Common,
    ) -> Result<(), Failure> {
        let shown: Vec<usize> = (0..data.test.len().min(SHOWN)).collect();
        let samples = data.test.select(&shown);
        let loss = network.training.clone().unwrap_or_default().loss;
        let (options, threads) = (load::compile_options(common)?, common.threads());
        let in_file = |e| with_file(self.description, e);
        let mut judge = Judge::new(network, loss, SHOWN, &options, threads).map_err(in_file)?;
        let (mut said, mut map) = (Vec::new(), Vec::new());
        let judged = judge.run(&samples, |judged| {
            let columns = judged.scores.len() / judged.labels.len();
            let rows = judged.scores.chunks_exact(columns);
            match samples.labelling() {
                Labelling::Image => said.extend(rows.map(prediction)),
                Labelling::Pixels => map.extend(rows.map(|row| predicted(row) as u32)),
            }
            Ok(true)
        });
        judged.map_err(in_file)?;
        let picture = match samples.labelling() {
            Labelling::Image => predictions(&samples, &said, &data.classes),
            Labelling::Pixels => maps(&samples, &map, &data.classes),
        };
        write_picture(&picture, path)
    }
}

/// What a row of scores says. A single score is the probability of class 1 of two.
fn prediction(row: &[f32]) -> Prediction {
    let class = predicted(row);
    let probability = match *row {
        [p] if class == 0 => 1.0 - p,
        _ => row.get(class).or(row.first()).copied().unwrap_or(f32::NAN),
    };
    Prediction { class, probability }
}

fn extension(path: &Path) -> &str {
    path.extension().and_then(|e| e.to_str()).unwrap_or("")
}
