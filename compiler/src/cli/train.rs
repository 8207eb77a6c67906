//! `cnnc train`: a described network learns a data set.

mod report;
mod result;

use super::args::{ClassWeighting, Common, Learn, Sampled, Train};
use super::failure::{Failure, Status};
use super::interrupt::Interrupt;
use super::{dataset, load, note};
use crate::frontend::native;
use crate::train::TrainError;
use crate::train::classifier::Classifier;
use crate::train::fit::{Checkpoints, ClassWeights, Data, End, Fit, Options, fit};
use cnnc_models::checkpoint::{Checkpoint, Folder};
use cnnc_models::data::{Dataset, Sampling};
use cnnc_models::network::{Network, Training};
use report::Report;
use std::path::Path;
use std::str::FromStr;

impl From<TrainError> for Failure {
    fn from(e: TrainError) -> Failure {
        match e {
            TrainError::Diverged { .. } => Failure::new(Status::Diverged, e),
            TrainError::Run(e) => e.into(),
            TrainError::Checkpoint(e) => e.into(),
            e => Failure::input(e),
        }
    }
}

pub fn run(a: &Train, common: &Common) -> Result<(), Failure> {
    let outputs = result::Outputs::check(a)?;
    let (checkpoints, from) = checkpoints(a, common)?;
    let seed = seed(&a.learn, from.as_ref())?;
    let network = network(&a.network, seed, common)?;
    let in_file = |e: TrainError| with_file(&a.network, e);
    let classifier = Classifier::of(&network).map_err(in_file)?;
    let data = dataset::open(
        &a.data,
        &classifier,
        a.learn.test_share,
        seed,
        a.learn.resize,
    )?;
    let training = training(&network, &a.learn)?;
    let options = Options {
        checkpoints,
        ..options(training, &a.learn, seed, common)?
    };
    tell(&network, &data, &options, common);
    let interrupt = Interrupt::listen().map_err(|e| Failure::system(format!("signals: {e}")))?;
    let mut report = Report::new(a, common, &interrupt)?;
    let parts = Data {
        train: &data.train,
        validation: &data.test,
    };
    let fitted = fit(&network, parts, &options, from.as_ref(), &mut report);
    report.finish(fitted.as_ref().ok().map(|f| &f.history))?;
    let fitted = fitted.map_err(in_file)?;
    if fitted.end == End::Stopped && a.checkpoint.is_some() {
        return Err(stopped(&fitted, a, &interrupt));
    }
    outputs.write(network, &classifier, &fitted, &data, common)?;
    match fitted.end {
        End::Stopped => Err(stopped(&fitted, a, &interrupt)),
        End::Early => {
            let epochs = fitted.history.rows().len();
            note(
                common,
                &format!(
                    "ended early, after epoch {epochs}; the weights are those of the best epoch"
                ),
            );
            Ok(())
        }
        End::Done => Ok(()),
    }
}

/// The description's network, its parameters drawn from the seed or read.
pub fn network(path: &Path, seed: u64, common: &Common) -> Result<Network, Failure> {
    if !load::is_native(path) {
        let what = "only a network description (.cnn) can be trained";
        return Err(Failure::input(format!("{}: {what}", path.display())));
    }
    Ok(native::network(path, seed, &common.given())?)
}

/// An error with the description's name, unless another file is to blame.
pub fn with_file(path: &Path, e: TrainError) -> Failure {
    match e {
        TrainError::Checkpoint(_) => e.into(),
        e => {
            let failure = Failure::from(e);
            Failure {
                message: format!("{}: {}", path.display(), failure.message),
                ..failure
            }
        }
    }
}

/// The seed that is asked for; a run that goes on has its own.
fn seed(learn: &Learn, from: Option<&Checkpoint>) -> Result<u64, Failure> {
    let known = from.map(|checkpoint| checkpoint.progress.seed);
    Ok(learn.seed.or(known).unwrap_or(0))
}

/// The folder of checkpoints, and the one to go on from.
fn checkpoints(
    a: &Train,
    common: &Common,
) -> Result<(Option<Checkpoints>, Option<Checkpoint>), Failure> {
    let Some(path) = &a.checkpoint else {
        return Ok((None, None));
    };
    let folder = Folder::open(path, a.keep.into())?;
    let from = folder.newest()?;
    if from.is_some() && !a.resume {
        return Err(Failure::input(format!(
            "{}: holds checkpoints of an earlier run: go on with --resume, or take another folder",
            path.display()
        )));
    }
    match &from {
        None if a.resume => {
            note(
                common,
                &format!(
                    "{}: holds no checkpoint, training begins anew",
                    path.display()
                ),
            );
        }
        None => {}
        Some(checkpoint) => {
            let step = checkpoint.progress.step;
            note(
                common,
                &format!("{}: going on after step {step}", path.display()),
            );
        }
    }
    let every = a.checkpoint_every;
    Ok((Some(Checkpoints { folder, every }), from))
}

/// What the description asks for, overruled by the command line.
pub fn training(network: &Network, learn: &Learn) -> Result<Training, Failure> {
    let said = network.training.clone().unwrap_or_default();
    let early_stopping = match &learn.early_stop {
        Some(rule) => Some(read("--early-stop", rule)?),
        None => said.early_stopping,
    };
    let clip = match &learn.clip {
        Some(bound) => Some(read("--clip", bound)?),
        None => said.clip,
    };
    let metrics = learn.metrics.as_ref().map(|list| {
        let names = list
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty());
        names.map(str::to_string).collect()
    });
    Ok(Training {
        loss: said_or("--loss", &learn.loss, said.loss)?,
        optimizer: said_or("--optimizer", &learn.optimizer, said.optimizer)?,
        schedule: said_or("--schedule", &learn.schedule, said.schedule)?,
        l1: learn.l1.unwrap_or(said.l1),
        l2: learn.l2.unwrap_or(said.l2),
        clip,
        batch: learn.batch.unwrap_or(said.batch),
        epochs: learn.epochs.unwrap_or(said.epochs),
        metrics: metrics.unwrap_or(said.metrics),
        augment: said_or("--augment", &learn.augment, said.augment)?,
        early_stopping,
    })
}

/// How to fit, but for checkpoints.
pub fn options(
    training: Training,
    learn: &Learn,
    seed: u64,
    common: &Common,
) -> Result<Options, Failure> {
    Ok(Options {
        seed,
        sampling: match learn.sampling {
            Sampled::Shuffled => Sampling::Shuffled,
            Sampled::Balanced => Sampling::Balanced,
        },
        class_weights: match learn.class_weights {
            ClassWeighting::Equal => ClassWeights::Equal,
            ClassWeighting::Balanced => ClassWeights::Balanced,
        },
        threads: common.threads(),
        ..Options::new(training, load::compile_options(common)?)
    })
}

fn said_or<T: FromStr<Err: std::fmt::Display>>(
    option: &str,
    text: &Option<String>,
    otherwise: T,
) -> Result<T, Failure> {
    match text {
        Some(text) => read(option, text),
        None => Ok(otherwise),
    }
}

fn read<T: FromStr<Err: std::fmt::Display>>(option: &str, text: &str) -> Result<T, Failure> {
    let value = text.parse();
    value.map_err(|e| Failure::input(format!("{option} {text}: {e}")))
}

/// What is about to happen.
fn tell(network: &Network, data: &Dataset, options: &Options, common: &Common) {
    let Training {
        optimizer,
        batch,
        epochs,
        ..
    } = &options.training;
    note(
        common,
        &format!(
            "{}: {} parameters; {} images to learn from, {} to judge by, {} classes; {epochs} epochs in batches of {batch}, {optimizer}",
            network.graph.name,
            network.trainable_count(),
            data.train.len(),
            data.test.len(),
            data.classes.len(),
        ),
    );
}

/// How a run ends that a signal ended.
fn stopped(fitted: &Fit, a: &Train, interrupt: &Interrupt) -> Failure {
    let kept = match &a.checkpoint {
        Some(folder) => format!("go on with --checkpoint {} --resume", folder.display()),
        None => "the weights are those of this step".to_string(),
    };
    let message = format!("interrupted after step {}; {kept}", fitted.steps);
    Failure::new(interrupt.status(), message)
}
