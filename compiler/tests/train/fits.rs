//! What a run leaves.

use super::common::{NET, left, network, options, strokes, trained};
use cnnc::train::fit::{ClassWeights, Data, End, fit};
use cnnc::train::observer::{Blind, EpochDone, Observer, StepDone};
use cnnc_models::data::Sampling;

#[test]
fn a_network_learns_to_tell_strokes() {
    let mut options = options(25);
    options.training.schedule = Default::default();
    let fit = trained(&options, None, &mut Blind);
    assert_eq!((fit.end, fit.steps), (End::Done, 25 * 7));
    let columns = fit.history.columns().join(" ");
    insta::assert_snapshot!(columns, @"epoch loss accuracy auc val_loss val_accuracy val_auc lr seconds");
    let last = |name: &str| *fit.history.column(name).unwrap().last().unwrap();
    assert!(
        last("val_accuracy") > 0.9 && last("val_auc") > 0.95,
        "{}",
        fit.history
    );
    assert!(last("loss") < fit.history.column("loss").unwrap()[0]);
}

#[test]
fn the_same_seed_gives_the_same_bits_with_any_number_of_threads() {
    let mut options = options(2);
    let first = left(&trained(&options, None, &mut Blind));
    assert_eq!(left(&trained(&options, None, &mut Blind)), first);
    options.threads = 2;
    assert_eq!(left(&trained(&options, None, &mut Blind)), first);
    options.seed += 1;
    assert_ne!(left(&trained(&options, None, &mut Blind)), first);
}

/// What validation says of an epoch is what the weights that the epoch leaves say in a run that judges only.
#[test]
fn weights_are_those_that_were_judged() {
    let fit = trained(&options(2), None, &mut Blind);
    let mut network = network(NET);
    let weights = fit.weights.iter().map(|(name, t)| (name.as_str(), t));
    network.set_weights(weights).unwrap();
    assert_eq!(network.weights().len(), fit.weights.len());
    let options = options(1);
    let loss = options.training.loss;
    let mut judge =
        cnnc::train::judge::Judge::new(&network, loss, 16, &options.compile, 1).unwrap();
    let mut mean = cnnc_models::metrics::Mean::default();
    let judged = judge.run(&strokes(50, 2), |judged| {
        judged.losses.iter().for_each(|&l| mean.update(l.into(), 1));
        Ok(true)
    });
    assert!(judged.unwrap());
    assert_eq!(fit.history.column("val_loss").unwrap()[1], mean.value());
}

#[test]
fn early_stopping_keeps_the_best_weights() {
    let mut options = options(40);
    options.training.early_stopping = Some("patience=2".parse().unwrap());
    options.training.optimizer = "adam:lr=0.1".parse().unwrap();
    struct Best(Option<u64>);
    impl Observer for Best {
        fn epoch(&mut self, done: EpochDone) {
            if done.is_best {
                self.0 = Some(done.history.rows().len() as u64);
            }
        }
    }
    let mut best = Best(None);
    let fit = trained(&options, None, &mut best);
    assert_eq!(fit.end, End::Early);
    let best = best.0.unwrap();
    assert_eq!(fit.history.rows().len() as u64, best + 2);
    options.training.early_stopping = None;
    options.training.epochs = best;
    assert_eq!(left(&trained(&options, None, &mut Blind)).0, left(&fit).0);
}

#[test]
fn every_loss_and_both_kinds_of_balance_train() {
    for loss in ["focal", "binary_cross_entropy", "mse", "mae", "huber", "kl"] {
        for class_weights in [ClassWeights::Equal, ClassWeights::Balanced] {
            let mut options = options(3);
            options.training.loss = loss.parse().unwrap();
            options.class_weights = class_weights;
            options.sampling = Sampling::Balanced;
            let fit = trained(&options, None, &mut Blind);
            let losses = fit.history.column("loss").unwrap();
            assert!(losses[2] < losses[0], "{loss}: {losses:?}");
        }
    }
}

/// Weights of one are as none, but for rounding.
#[test]
fn class_weights_are_factors_of_losses() {
    let mut options = options(1);
    let plain = trained(&options, None, &mut Blind);
    options.class_weights = ClassWeights::Given(vec![1.0; 3]);
    let ones = trained(&options, None, &mut Blind);
    options.class_weights = ClassWeights::Given(vec![2.0; 3]);
    options.training.optimizer = "sgd:lr=0".parse().unwrap();
    let twos = trained(&options, None, &mut Blind);
    options.class_weights = ClassWeights::Equal;
    let still = trained(&options, None, &mut Blind);
    let loss = |fit: &cnnc::train::fit::Fit| fit.history.column("loss").unwrap()[0];
    assert!((loss(&ones) / loss(&plain) - 1.0).abs() < 1e-4);
    assert!((loss(&twos) / loss(&still) - 2.0).abs() < 1e-6);
}

#[test]
fn an_observer_sees_every_step_and_may_end_the_run() {
    struct Counting(Vec<(u64, u64, u64)>);
    impl Observer for Counting {
        fn step(&mut self, done: StepDone) {
            assert_eq!((done.epochs, done.batches, done.samples), (2, 7, 16));
            assert_eq!((done.figures)()[0].0, "loss");
            self.0.push((done.step, done.epoch, done.batch));
        }
        fn stops(&mut self) -> bool {
            self.0.len() == 9
        }
    }
    let mut counting = Counting(Vec::new());
    let fit = trained(&options(2), None, &mut counting);
    assert_eq!((fit.end, fit.steps), (End::Stopped, 9));
    assert_eq!(counting.0[6..], [(7, 1, 7), (8, 2, 1), (9, 2, 2)]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let (train, validation) = (strokes(12, 1), strokes(6, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let refused = |text: &str| {
        let error = fit(&network(text), data, &options(1), None, &mut Blind);
        error.map(|_| ()).unwrap_err().to_string()
    };
    insta::assert_snapshot!(refused(NET));
    insta::assert_snapshot!(refused(&NET.replace("8, 8]", "9, 8]")));
    insta::assert_snapshot!(refused(&NET.replace(", 3))", ", 2))")));
    insta::assert_snapshot!(refused(
        &NET.replace("softmax(dense(x, 3))", "max_pool(image, 2x2)")
    ));
    insta::assert_snapshot!(refused(&NET.replace("softmax(dense(x, 3))", "conv(image, 3, 1x1)")), @"the network gives a class for every pixel, the training data have a class for every image");
}

#[test]
fn a_single_score_is_a_probability() {
    let text = "network one
input image: f32[8, 8]
x = dense(flatten(image), 32, relu)
output label = sigmoid(dense(x, 1))
";
    let of_two = |samples: cnnc_models::data::Samples| {
        let is_binary = |i: &usize| samples.labels()[*i] < 2;
        samples.select(&(0..samples.len()).filter(is_binary).collect::<Vec<_>>())
    };
    let (train, validation) = (of_two(strokes(240, 1)), of_two(strokes(60, 2)));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let mut options = options(20);
    options.training.loss = "binary_cross_entropy".parse().unwrap();
    options.training.augment = Default::default();
    options.training.schedule = Default::default();
    let fit = fit(&network(text), data, &options, None, &mut Blind).unwrap();
    let last = |name: &str| *fit.history.column(name).unwrap().last().unwrap();
    assert!(
        last("accuracy") > 0.8 && last("auc") > 0.9,
        "{}",
        fit.history
    );
    assert!(last("val_auc") > 0.8, "{}", fit.history);
}
