//! A run that was interrupted goes on as if it had not been.

use super::common::{left, options, trained};
use cnnc::train::fit::{Checkpoints, End, Options};
use cnnc::train::observer::{Blind, Observer};
use cnnc_models::checkpoint::Folder;
use cnnc_models::random::Random;

/// Stops after so many questions.
struct Stops(u64);

impl Observer for Stops {
    fn stops(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

fn kept_in(folder: &std::path::Path, every: Option<u64>) -> Options {
    let mut options = options(3);
    options.training.early_stopping = Some("patience=2".parse().unwrap());
    options.training.optimizer = "adam:lr=0.05".parse().unwrap();
    let folder = Folder::open(folder, 2).unwrap();
    options.checkpoints = Some(Checkpoints { folder, every });
    options
}

/// Questions are asked after each of 7 steps and in validation of 4 batches, so runs stop in both, again and again.
#[test]
fn interruptions_at_random_leave_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let whole = left(&trained(&kept_in(folder.path(), None), None, &mut Blind));
    let mut random = Random::of(&[3]);
    for round in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let mut options = kept_in(folder.path(), Some(2));
        let mut stops = 0;
        let fit = loop {
            options.threads = 1 + random.index(2);
            let from = Folder::open(folder.path(), 2).unwrap().newest().unwrap();
            let mut observer = Stops(1 + random.below(20));
            let fit = trained(&options, from.as_ref(), &mut observer);
            if fit.end != End::Stopped {
                break fit;
            }
            stops += 1;
        };
        assert_eq!(left(&fit), whole, "round {round}, {stops} interruptions");
        let again = Folder::open(folder.path(), 2).unwrap().newest().unwrap();
        let again = trained(&options, again.as_ref(), &mut Blind);
        assert_eq!(left(&again), whole, "what is done stays done");
    }
}

#[test]
fn another_run_is_told_from_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let options = kept_in(folder.path(), None);
    trained(&options, None, &mut Stops(5));
    let checkpoint = Folder::open(folder.path(), 2)
        .unwrap()
        .newest()
        .unwrap()
        .unwrap();
    let refused = |change: fn(&mut Options)| {
        let mut other = options.clone();
        change(&mut other);
        let (train, validation) = (
            super::common::strokes(120, 1),
            super::common::strokes(50, 2),
        );
        let data = cnnc::train::fit::Data {
            train: &train,
            validation: &validation,
        };
        let network = super::common::network(super::common::NET);
        let fit = cnnc::train::fit::fit(&network, data, &other, Some(&checkpoint), &mut Blind);
        fit.map(|_| ()).unwrap_err().to_string()
    };
    let all = [
        refused(|o| o.seed = 8),
        refused(|o| o.training.batch = 8),
        refused(|o| o.training.optimizer = "sgd:lr=1".parse().unwrap()),
        refused(|o| o.training.augment = "flip".parse().unwrap()),
        refused(|o| o.training.metrics.truncate(1)),
    ];
    insta::assert_snapshot!(all.join("\n"));
}
