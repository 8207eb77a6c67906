//! The loop: batches, steps, validation once an epoch, early stopping, checkpoints.

use super::classifier::{Classifier, Ports};
use super::fault::Watch;
use super::feed::{Feed, Filled};
use super::fit::{Checkpoints, ClassWeights, Data, End, Fit, Options};
use super::judge::Judge;
use super::observer::{EpochDone, Observer, StepDone};
use super::scores::Squash;
use super::{TrainError, Trainer, compiled_step};
use cnnc_ir::Tensor;
use cnnc_models::data::{Batches, Position, Sampling, class_weights};
use cnnc_models::history::History;
use cnnc_models::metrics::{Mean, Metrics};
use cnnc_models::network::Network;
use cnnc_models::schedule::Horizon;
use cnnc_models::step::{SCORES, StateKind};
use cnnc_models::stopping::{Best, Goal, Verdict};
use cnnc_runtime::Session;
use std::collections::BTreeMap;
use std::time::Instant;

/// A run at work. What a checkpoint keeps of it, `resume` says.
pub struct Run<'a> {
    pub network: &'a Network,
    pub data: Data<'a>,
    pub options: &'a Options,
    pub batch: usize,
    pub sequence: Batches,
    pub trainer: Trainer,
    pub ports: Ports,
    judge: Option<Judge>,
    squash: Squash,
    classifier: Classifier,
    /// Of each class, where they have such.
    class_weights: Vec<f32>,
    pub step: u64,
    pub position: Position,
    pub loss: Mean,
    pub metrics: Metrics,
    pub history: History,
    pub best: Best,
    /// The weights of the best epoch.
    pub best_weights: Vec<(String, Tensor)>,
    /// Of the running epoch, spent before it was resumed, and since when it runs.
    pub seconds: f64,
    since: Instant,
    /// What makes the run the one it is, where checkpoints are kept or gone on from.
    pub identity: Option<BTreeMap<String, String>>,
    watch: Watch,
}

impl<'a> Run<'a> {
    pub fn new(
        network: &'a Network,
        data: Data<'a>,
        options: &'a Options,
    ) -> Result<Self, TrainError> {
        let classifier = Classifier::of(network)?;
        classifier.check(data.train, "training")?;
        classifier.check(data.validation, "validation")?;
        let training = &options.training;
        let (batch, loss) = (training.batch as usize, training.loss);
        check(&classifier, options)?;
        let groups = data.train.groups();
        let sequence = Batches::new(&groups, batch, options.seed, options.sampling);
        let sequence = sequence.map_err(|source| TrainError::Batch {
            part: "training",
            source,
        })?;
        let metrics = Metrics::parse(&training.metrics.join(","), classifier.columns)?;
        let compile = options.compile();
        let step = options.settings();
        let judge = match data.validation.is_empty() {
            true => None,
            false => Some(Judge::new(network, loss, batch, &compile, options.threads)?),
        };
        let step_ports = Ports::new(&classifier, loss, step.weighted);
        let step = compiled_step(network, &step, &compile)?;
        Ok(Run {
            network,
            data,
            options,
            batch,
            sequence,
            trainer: Trainer::new(step, options.threads)?,
            ports: step_ports,
            judge,
            squash: Squash::of(network, loss),
            class_weights: match &options.class_weights {
                ClassWeights::Equal => Vec::new(),
                ClassWeights::Balanced => class_weights(data.train.labels(), classifier.classes()),
                ClassWeights::Given(weights) => weights.clone(),
            },
            classifier,
            step: 0,
            position: Position::default(),
            loss: Mean::default(),
            history: History::new(
                columns(&training.metrics, !data.validation.is_empty())
                    .iter()
                    .map(String::as_str),
            ),
            metrics,
            best: Best::default(),
            best_weights: Vec::new(),
            seconds: 0.0,
            since: Instant::now(),
            identity: None,
            watch: Watch::default(),
        })
    }

    pub fn epochs(&mut self, feed: &Feed, observer: &mut dyn Observer) -> Result<End, TrainError> {
        self.since = Instant::now();
        if self.is_out_of_patience() {
            return Ok(End::Early);
        }
        while self.position.epoch < self.options.training.epochs {
            if !self.learn(feed, observer)? || !self.conclude(observer)? {
                self.save(observer)?;
                return Ok(End::Stopped);
            }
            self.save(observer)?;
            if self.is_out_of_patience() {
                return Ok(End::Early);
            }
        }
        Ok(End::Done)
    }

    /// The steps of an epoch that are left; whether all were done.
    fn learn(&mut self, feed: &Feed, observer: &mut dyn Observer) -> Result<bool, TrainError> {
        let batches = self.sequence.per_epoch() as u64;
        while self.position.batch < batches {
            // The thread that makes batches ends by panicking only, which `fit` hands on.
            let Some(batch) = feed.next() else {
                return Ok(false);
            };
            self.take(&batch)?;
            feed.reuse(batch);
            let (loss, metrics) = (&self.loss, &self.metrics);
            observer.step(StepDone {
                step: self.step,
                epoch: self.position.epoch + 1,
                epochs: self.options.training.epochs,
                batch: self.position.batch,
                batches,
                samples: self.batch,
                figures: &|| figures(loss, metrics),
            });
            if observer.stops() {
                return Ok(false);
            }
            let every = self.options.checkpoints.as_ref().and_then(|c| c.every);
            let is_due = every.is_some_and(|n| self.step.is_multiple_of(n));
            if is_due && self.position.batch < batches {
                self.save(observer)?;
            }
        }
        Ok(true)
    }

    /// One step.
    fn take(&mut self, batch: &Filled) -> Result<(), TrainError> {
        if self.watch.is_due(self.step) {
            self.watch
                .keep(self.step, self.position, self.trainer.values()?);
        }
        self.feed(batch)?;
        let loss = self.trainer.step(self.rate(self.step), self.step + 1)?;
        self.step += 1;
        self.position = batch.next;
        if !loss.is_finite() {
            return Err(self.diverged(loss));
        }
        let scores = self.trainer.session().output::<f32>(SCORES)?.to_vec();
        let mut scores = self.classifier.rows(scores);
        self.squash.apply(&mut scores, self.classifier.columns);
        let labels: Vec<u32> = batch.labels.iter().map(|&l| l as u32).collect();
        self.loss.update(loss.into(), self.batch);
        self.metrics.update(&scores, &labels)?;
        Ok(())
    }

    /// Feeds a batch to the trainer.
    pub fn feed(&mut self, batch: &Filled) -> Result<(), TrainError> {
        let weights = self.weights(&batch.labels);
        let session = self.trainer.session();
        Ok(self
            .ports
            .feed(session, &batch.images, &batch.labels, &weights)?)
    }

    /// Feeds a batch to another session of the same inputs.
    pub fn feed_to(&mut self, session: &mut Session, batch: &Filled) -> Result<(), TrainError> {
        let weights = self.weights(&batch.labels);
        Ok(self
            .ports
            .feed(session, &batch.images, &batch.labels, &weights)?)
    }

    /// A weight for every label, where classes have such.
    fn weights(&self, labels: &[i64]) -> Vec<f32> {
        if self.class_weights.is_empty() {
            return Vec::new();
        }
        let weight = |&label: &i64| self.class_weights.get(label as usize).copied();
        labels.iter().map(|l| weight(l).unwrap_or(0.0)).collect()
    }

    /// The learning rate of a step, the first being 0.
    pub fn rate(&self, step: u64) -> f64 {
        let training = &self.options.training;
        let horizon = Horizon {
            steps_per_epoch: self.sequence.per_epoch() as u64,
            epochs: training.epochs,
        };
        training.optimizer.rate() * training.schedule.factor(step, horizon)
    }

    /// Validates an epoch and adds its row to the history; false where the observer stopped it before.
    fn conclude(&mut self, observer: &mut dyn Observer) -> Result<bool, TrainError> {
        let mut row = vec![(self.position.epoch + 1) as f64];
        row.extend(
            figures(&self.loss, &self.metrics)
                .into_iter()
                .map(|(_, v)| v),
        );
        if let Some(judge) = &mut self.judge {
            judge.follow(self.trainer.session())?;
            let names = self.options.training.metrics.join(",");
            let mut metrics = Metrics::parse(&names, self.classifier.columns)?;
            let mut loss = Mean::default();
            let is_whole = judge.run(self.data.validation, |judged| {
                judged.losses.iter().for_each(|&l| loss.update(l.into(), 1));
                metrics.update(judged.scores, judged.labels)?;
                Ok(!observer.stops())
            })?;
            if !is_whole {
                return Ok(false);
            }
            row.extend(figures(&loss, &metrics).into_iter().map(|(_, v)| v));
        }
        let last = self.step.saturating_sub(1);
        row.extend([self.rate(last), self.spent()]);
        self.history.push(&row);
        let is_best = self.weigh()?;
        self.position = Position {
            epoch: self.position.epoch + 1,
            batch: 0,
        };
        self.loss = Mean::default();
        self.metrics.reset();
        (self.seconds, self.since) = (0.0, Instant::now());
        observer.epoch(EpochDone {
            history: &self.history,
            step: self.step,
            is_best,
        });
        Ok(true)
    }

    /// Judges the epoch's loss, of validation where there is such; whether it is the best, whose weights are kept.
    fn weigh(&mut self) -> Result<bool, TrainError> {
        let Some(rule) = self.options.training.early_stopping else {
            return Ok(false);
        };
        let figure = if self.judge.is_some() {
            "val_loss"
        } else {
            "loss"
        };
        let values = self.history.column(figure).unwrap_or_default();
        let value = values.last().copied().unwrap_or(f64::NAN);
        let is_best = rule.judge(&mut self.best, value, Goal::Least) == Verdict::Better;
        if is_best {
            self.best_weights = self.learnt()?;
        }
        Ok(is_best)
    }

    fn is_out_of_patience(&self) -> bool {
        let rule = self.options.training.early_stopping;
        rule.is_some_and(|rule| self.best.waited >= rule.patience)
    }

    /// Parameters and running statistics as they are now.
    fn learnt(&self) -> Result<Vec<(String, Tensor)>, TrainError> {
        let kinds = self.trainer.states().iter().map(|s| s.kind);
        let values = self.trainer.values()?.into_iter().zip(kinds);
        let is_learnt = values.filter(|(_, kind)| *kind != StateKind::Slot);
        Ok(is_learnt.map(|(value, _)| value).collect())
    }

    /// Seconds spent in the running epoch.
    pub fn spent(&self) -> f64 {
        self.seconds + self.since.elapsed().as_secs_f64()
    }

    fn save(&mut self, observer: &mut dyn Observer) -> Result<(), TrainError> {
        let Some(Checkpoints { folder, .. }) = &self.options.checkpoints else {
            return Ok(());
        };
        let checkpoint = self.checkpoint()?;
        let is_good = |t: &Tensor| t.to_f32().iter().all(|v| v.is_finite());
        let states = self.trainer.states().len();
        if !checkpoint.tensors[..states].iter().all(|(_, t)| is_good(t)) {
            return Err(self.diverged(self.loss.value() as f32));
        }
        observer.saved(&folder.save(&checkpoint)?);
        Ok(())
    }

    /// The error that names the first value that is no number.
    fn diverged(&mut self, loss: f32) -> TrainError {
        let step = self.step;
        let watch = std::mem::take(&mut self.watch);
        let first = watch.first(self).unwrap_or_else(|e| e.to_string());
        TrainError::Diverged { step, loss, first }
    }

    pub fn finish(self, end: End) -> Result<Fit, TrainError> {
        let is_best = end != End::Stopped && !self.best_weights.is_empty();
        Ok(Fit {
            weights: match is_best {
                true => self.best_weights,
                false => self.learnt()?,
            },
            history: self.history,
            end,
            steps: self.step,
        })
    }
}

/// Refuses what makes no sense where every pixel has a label.
fn check(classifier: &Classifier, options: &Options) -> Result<(), TrainError> {
    let mut metrics = options.training.metrics.iter();
    match (classifier.map, metrics.find(|name| *name == "auc")) {
        (None, _) => Ok(()),
        (Some(_), Some(name)) => Err(TrainError::KeptScores { name: name.clone() }),
        (Some(_), None) if options.sampling == Sampling::Balanced => Err(TrainError::BalancedMaps),
        (Some(_), None) => Ok(()),
    }
}

/// Means so far: the loss, then the metrics.
fn figures(loss: &Mean, metrics: &Metrics) -> Vec<(String, f64)> {
    let loss = ("loss".to_string(), loss.value());
    let metrics = metrics
        .values()
        .map(|(name, value)| (name.to_string(), value));
    [loss].into_iter().chain(metrics).collect()
}

/// Names of a history's columns.
fn columns(metrics: &[String], validates: bool) -> Vec<String> {
    let figures = || {
        ["loss"]
            .into_iter()
            .chain(metrics.iter().map(String::as_str))
    };
    let mut columns = vec!["epoch".to_string()];
    columns.extend(figures().map(str::to_string));
    if validates {
        columns.extend(figures().map(|name| format!("val_{name}")));
    }
    columns.extend(["lr".to_string(), "seconds".to_string()]);
    columns
}
