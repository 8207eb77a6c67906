//! The networks of the zoo that tell digits learn.

use super::common::{network, options, strokes};
use cnnc::train::fit::{Data, fit};
use cnnc::train::observer::Blind;
use cnnc_models::data::{Pixels, Samples};
use cnnc_models::zoo::ZOO;

/// Strokes as large as digits: each pixel four times in both directions, cut off at 28.
fn digits(count: usize, seed: u64) -> Samples {
    let small = strokes(count, seed);
    let (mut image, mut pixels) = (vec![0.0; 64], Vec::new());
    for index in 0..count {
        small.read(index, &mut image);
        pixels.extend((0..28 * 28).map(|at| image[at / 28 / 4 * 8 + at % 28 / 4]));
    }
    Samples::new([1, 28, 28], Pixels::F32(pixels), small.labels().to_vec()).unwrap()
}

#[test]
fn networks_for_digits_learn() {
    let (train, validation) = (digits(96, 1), digits(30, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let is_for_digits = |text: &str| text.contains("[1, 28, 28]");
    let mut learnt = Vec::new();
    for exhibit in ZOO.iter().filter(|e| is_for_digits(e.text)) {
        let network = network(exhibit.text);
        let mut options = options(4);
        options.training = network.training.clone().unwrap();
        (options.training.epochs, options.training.batch) = (6, 16);
        let fit = fit(&network, data, &options, None, &mut Blind);
        let fit = fit.unwrap_or_else(|e| panic!("{}: {e}", exhibit.name));
        let losses = fit.history.column("loss").unwrap();
        assert!(losses[5] < 0.9 * losses[0], "{}: {losses:?}", exhibit.name);
        learnt.push(exhibit.name);
    }
    assert_eq!(
        learnt.join(" "),
        "bn_dropout elman_rnn gru lenet5 lstm mlp mnist_a mnist_b mnist_c mnist_d"
    );
}
