//! A search: many trainings of one network, side by side, a processor each.
//!
//! What a training gives depends on its settings, its fold and the seed alone, so neither the number of trainings at once nor their order
//! changes a figure.

use super::TrainError;
use super::fit::{Data, Options, fit};
use super::observer::Observer;
use cnnc_models::data::Samples;
use cnnc_models::history::History;
use cnnc_models::network::{Network, Training};
use cnnc_models::search::Fold;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// One training of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Job {
    /// Which settings.
    pub trial: usize,
    /// Which fold.
    pub fold: usize,
}

/// Figures by name, of the epoch whose weights a training leaves; none where it diverged.
pub type Figures = Option<Vec<(String, f64)>>;

/// What is searched.
#[derive(Clone, Copy)]
pub struct Plan<'a> {
    pub network: &'a Network,
    /// What is learnt from and judged by, in folds.
    pub samples: &'a Samples,
    pub folds: &'a [Fold],
    /// The settings to try.
    pub trainings: &'a [Training],
    /// All else; its training and its threads do not count.
    pub options: &'a Options,
    /// Trainings at once.
    pub jobs: usize,
}

/// Who watches a search.
pub trait Watcher: Sync {
    /// What is known of a training beforehand, which is then not done.
    fn known(&self, _: Job) -> Option<Figures> {
        None
    }
    /// A training is done.
    fn done(&self, job: Job, figures: &Figures);
    /// Whether the search shall end.
    fn stops(&self) -> bool {
        false
    }
}

/// Does every training of a plan.
///
/// # Errors
/// The first error of a training, but for one that diverged.
pub fn search(plan: Plan, watcher: &dyn Watcher) -> Result<(), TrainError> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<TrainError>> = Mutex::new(None);
    let has_failed = AtomicBool::new(false);
    let count = plan.trainings.len() * plan.folds.len();
    let work = || {
        while !watcher.stops() && !has_failed.load(Ordering::Relaxed) {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= count {
                break;
            }
            let job = Job {
                trial: index / plan.folds.len(),
                fold: index % plan.folds.len(),
            };
            if let Some(figures) = watcher.known(job) {
                watcher.done(job, &figures);
                continue;
            }
            match train(plan, job, watcher) {
                Ok(Some(figures)) => watcher.done(job, &figures),
                Ok(None) => break,
                Err(e) => {
                    has_failed.store(true, Ordering::Relaxed);
                    // Nobody panics while holding it.
                    if let Ok(mut failed) = failed.lock() {
                        failed.get_or_insert(e);
                    }
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..plan.jobs.min(count) {
            scope.spawn(work);
        }
        work();
    });
    match failed.into_inner() {
        Ok(Some(e)) => Err(e),
        _ => Ok(()),
    }
}

/// Ends a training where the search ends.
struct Ear<'a>(&'a dyn Watcher);

impl Observer for Ear<'_> {
    fn stops(&mut self) -> bool {
        self.0.stops()
    }
}

/// One training; `None` where it was stopped.
fn train(plan: Plan, job: Job, watcher: &dyn Watcher) -> Result<Option<Figures>, TrainError> {
    let fold = &plan.folds[job.fold];
    let (train, validation) = (
        plan.samples.select(&fold.train),
        plan.samples.select(&fold.validation),
    );
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let options = Options {
        training: plan.trainings[job.trial].clone(),
        threads: 1,
        checkpoints: None,
        ..plan.options.clone()
    };
    match fit(plan.network, data, &options, None, &mut Ear(watcher)) {
        Err(TrainError::Diverged { .. }) => Ok(Some(None)),
        Err(e) => Err(e),
        Ok(_) if watcher.stops() => Ok(None),
        Ok(fit) => {
            let stops_early = options.training.early_stopping.is_some();
            Ok(Some(Some(figures(&fit.history, stops_early))))
        }
    }
}

/// The row of the epoch whose weights stay: with early stopping the one of the least validation loss, else the last.
fn figures(history: &History, stops_early: bool) -> Vec<(String, f64)> {
    let losses = history.column("val_loss").unwrap_or_default();
    let least = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]));
    let row = match stops_early {
        true => least.and_then(|at| history.rows().get(at)),
        false => history.rows().last(),
    };
    let values = row.map_or(&[][..], |row| row);
    let columns = history.columns().iter().cloned();
    columns.zip(values.iter().copied()).collect()
}
