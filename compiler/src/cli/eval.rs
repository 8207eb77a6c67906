//! `cnnc eval`: a model judged by a data set.

mod bounds;
mod figures;
mod model;

use super::args::{Common, Eval, Part};
use super::dataset;
use super::failure::Failure;
use super::train::{network, with_file};
use super::{line, load};
use crate::train::TrainError;
use crate::train::classifier::Classifier;
use crate::train::judge::{Judge, Judged};
use bounds::Bounds;
use cnnc_models::data::{Labelling, Samples};
use figures::Figures;
use model::Scorer;
use std::time::Instant;

/// Samples at once where nothing says otherwise.
const BATCH: usize = 32;

pub fn run(a: &Eval, common: &Common) -> Result<(), Failure> {
    // What no model has is told before any is compiled.
    Bounds::read(&a.min, &a.max, &figures::names(Labelling::Image, a.top))?;
    let (judge, classifier) = judge(a, common)?;
    let labelling = classifier.labelling();
    let bounds = Bounds::read(&a.min, &a.max, &figures::names(labelling, a.top))?;
    let in_file = |e| with_file(&a.model, e);
    let data = dataset::open(&a.data, &classifier, a.test_share, a.seed, a.resize)?;
    let samples = match a.part {
        Part::Train => &data.train,
        Part::Test => &data.test,
    };
    if samples.is_empty() {
        return Err(Failure::input(format!(
            "{}: that part holds no samples",
            a.data.display()
        )));
    }
    classifier.check(samples, "judged").map_err(in_file)?;
    let mut figures = Figures::new(labelling, classifier.columns, a.top).map_err(Failure::input)?;
    let start = Instant::now();
    judge
        .run(samples, |judged| figures.update(judged))
        .map_err(in_file)?;
    let seconds = start.elapsed().as_secs_f64();
    match common.json {
        true => line(
            &figures
                .json(&a.model, samples.len(), seconds, &data.classes)
                .to_string(),
        )?,
        false => line(&figures.text(samples.len(), seconds, &data.classes))?,
    }
    bounds.hold(&figures)
}

/// A model that is ready to judge: a described network by its own loss, any other by cross-entropy.
enum Ready {
    Described(Box<Judge>),
    Given(Box<Scorer>),
}

impl Ready {
    fn run(
        self,
        samples: &Samples,
        mut each: impl FnMut(Judged) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        match self {
            Ready::Described(mut judge) => {
                judge.run(samples, |judged| each(judged).map(|()| true))?;
                Ok(())
            }
            Ready::Given(scorer) => scorer.run(samples, each),
        }
    }
}

fn judge(a: &Eval, common: &Common) -> Result<(Ready, Classifier), Failure> {
    let batch = a.batch.map_or(BATCH, |n| n as usize);
    if !load::is_native(&a.model) || !is_network(a)? {
        let scorer = Scorer::open(&a.model, a.batch.map(|n| n as usize), common)?;
        let classifier = scorer.classifier().clone();
        return Ok((Ready::Given(Box::new(scorer)), classifier));
    }
    let network = network(&a.model, 0, common)?;
    if common.weights().is_none() {
        let what = "untrained: give its weights with --weights FILE.safetensors";
        super::note(common, &format!("{}: {what}", a.model.display()));
    }
    let in_file = |e| with_file(&a.model, e);
    let classifier = Classifier::of(&network).map_err(in_file)?;
    let loss = network.training.clone().unwrap_or_default().loss;
    let options = load::compile_options(common)?;
    let judge = Judge::new(&network, loss, batch, &options, common.threads()).map_err(in_file)?;
    Ok((Ready::Described(Box::new(judge)), classifier))
}

/// Whether a `.cnn` file describes a network, and is not a graph's text.
fn is_network(a: &Eval) -> Result<bool, Failure> {
    let text = std::fs::read_to_string(&a.model).map_err(|e| Failure::file(&a.model, &e))?;
    Ok(cnnc_models::description::is_description(&text))
}
