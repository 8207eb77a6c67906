//! `cnnc tune`: which settings a described network learns best with. A grid, or settings drawn at random; each judged by cross-validation
//! or on samples held out of the training part. The test part is left alone.

mod ledger;
mod record;

use super::args::{Common, Tune};
use super::failure::{Failure, Status};
use super::interrupt::Interrupt;
use super::{dataset, line, note, train};
use crate::train::classifier::Classifier;
use crate::train::search::{Plan, search};
use cnnc_models::description::section;
use cnnc_models::network::Training;
use cnnc_models::search::settings::apply;
use cnnc_models::search::{Configuration, Space, folds};
use cnnc_models::stopping::Goal;
use ledger::Ledger;
use record::Record;

/// Most combinations of a grid: whoever asks for more did not mean it.
const MOST_TRIALS: usize = 100_000;
/// Without folds, one sample of so many is held out.
const HELD_OUT: usize = 5;

/// Settings to try.
pub struct Trial {
    pub configuration: Configuration,
    pub training: Training,
}

/// The figure that settings are judged by.
pub struct Figure {
    /// A column of a history.
    pub name: String,
    pub goal: Goal,
}

pub fn run(a: &Tune, common: &Common) -> Result<(), Failure> {
    let seed = a.learn.seed.unwrap_or(0);
    let network = train::network(&a.network, seed, common)?;
    let base = train::training(&network, &a.learn)?;
    let trials = trials(a, &base, seed)?;
    let figure = figure(a.by.as_deref(), &base)?;
    let classifier = Classifier::of(&network).map_err(|e| train::with_file(&a.network, e))?;
    let data = dataset::open(
        &a.data,
        &classifier,
        a.learn.test_share,
        seed,
        a.learn.resize,
    )?;
    let samples = &data.train;
    let parts = a.folds.map_or(HELD_OUT, |k| k as usize);
    if samples.len() < parts {
        let count = samples.len();
        let message = format!(
            "{}: {count} samples are too few for {parts} folds",
            a.data.display()
        );
        return Err(Failure::input(message));
    }
    let used = a.folds.map_or(1, |k| k as usize);
    let folds: Vec<_> = folds(&samples.groups(), parts, seed).take(used).collect();
    let options = train::options(base, &a.learn, seed, common)?;
    let record = match &a.record {
        Some(path) => Some(Record::open(
            path,
            &record::key(&network, samples, &a.learn, parts, used),
        )?),
        None => None,
    };
    let interrupt = Interrupt::listen().map_err(|e| Failure::system(format!("signals: {e}")))?;
    let jobs = a.jobs.map_or(common.threads(), usize::from);
    let jobs = if jobs == 0 {
        cnnc_runtime::available_threads()
    } else {
        jobs
    };
    let count = trials.len() * used;
    note(
        common,
        &format!(
            "{}: {} settings, {count} trainings with {} images each time, {} at once",
            network.graph.name,
            trials.len(),
            folds.first().map_or(0, |f| f.train.len()),
            jobs.min(count),
        ),
    );
    let trainings: Vec<Training> = trials.iter().map(|t| t.training.clone()).collect();
    let plan = Plan {
        network: &network,
        samples,
        folds: &folds,
        trainings: &trainings,
        options: &options,
        jobs,
    };
    let ledger = Ledger::new(&trials, used, &figure, record, &interrupt, common)?;
    let searched = search(plan, &ledger);
    let done = ledger.finish()?;
    searched.map_err(|e| train::with_file(&a.network, e))?;
    if interrupt.came() {
        let kept = match &a.record {
            Some(path) => format!("; --record {} goes on", path.display()),
            None => String::new(),
        };
        let message = format!(
            "interrupted: {} of {count} trainings are done{kept}",
            done.trainings
        );
        return Err(Failure::new(interrupt.status(), message));
    }
    conclude(&trials, &figure, done.best, common)
}

/// The combinations, or those drawn.
fn trials(a: &Tune, base: &Training, seed: u64) -> Result<Vec<Trial>, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::input(format!("--space: {e}"));
    let space: Space = a.space.join(" ").parse().map_err(|e| wrong(&e))?;
    let configurations: Vec<Configuration> = match a.random {
        Some(count) => space.random(seed).take(count as usize).collect(),
        None => space.grid().take(MOST_TRIALS + 1).collect(),
    };
    if configurations.len() > MOST_TRIALS {
        let message = format!("more than {MOST_TRIALS} combinations; draw some with --random N");
        return Err(wrong(&message));
    }
    let trial = |configuration: Configuration| {
        let training = apply(base, &configuration).map_err(|e| wrong(&e))?;
        Ok(Trial {
            configuration,
            training,
        })
    };
    configurations.into_iter().map(trial).collect()
}

fn figure(by: Option<&str>, base: &Training) -> Result<Figure, Failure> {
    let has_accuracy = base.metrics.iter().any(|m| m == "accuracy");
    let default = if has_accuracy { "accuracy" } else { "loss" };
    let asked = by.unwrap_or(default);
    let asked = asked.strip_prefix("val_").unwrap_or(asked);
    let known = || {
        ["loss"]
            .into_iter()
            .chain(base.metrics.iter().map(String::as_str))
    };
    if !known().any(|name| name == asked) {
        let hint = cnnc_ir::spelling::hint(asked, known());
        let known: Vec<&str> = known().collect();
        let known = known.join(", ");
        return Err(Failure::input(format!(
            "--by {asked}: there is no such figure{hint} (known: {known})"
        )));
    }
    Ok(Figure {
        name: format!("val_{asked}"),
        goal: match asked {
            "loss" => Goal::Least,
            _ => Goal::Most,
        },
    })
}

/// Tells the best settings.
fn conclude(
    trials: &[Trial],
    figure: &Figure,
    best: Option<(usize, f64)>,
    common: &Common,
) -> Result<(), Failure> {
    let Some((index, score)) = best else {
        return Err(Failure::new(Status::Diverged, "every training diverged"));
    };
    let trial = &trials[index];
    let section = section(&trial.training);
    if common.json {
        return line(
            &serde_json::json!({
                "best": index + 1, "settings": ledger::settings(&trial.configuration), &figure.name: score, "train": section,
            })
            .to_string(),
        );
    }
    line(&format!(
        "\nbest: {}, {} {score:.4}\n\n{}",
        trial.configuration,
        figure.name,
        section.trim_end()
    ))
}
