//! A small network, a small data set, and what tests ask of them.

use cnnc::compile::CompileOptions;
use cnnc::train::fit::{Data, Fit, Options, fit};
use cnnc::train::observer::Observer;
use cnnc_models::checkpoint::Checkpoint;
use cnnc_models::data::{Pixels, Samples};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::network::{Network, Training};
use cnnc_models::random::Random;
use cnnc_runtime::CpuLevel;

/// Convolution, normalisation, pooling, dropout: all that training does differently.
pub const NET: &str = "network small
input image: f32[1, 8, 8]
x = batch_norm(conv(image, 8, 3x3, bias=false), relu)
x = dropout(flatten(max_pool(x, 2x2)), 0.2)
output label = softmax(dense(x, 3))
";

pub fn network(text: &str) -> Network {
    let no_imports = |_: &str| Err("no imports".to_string());
    expand(text, &Arguments::default(), Some(1), &no_imports).unwrap_or_else(|e| panic!("{e}"))
}

/// Pictures of 8x8 in three classes: a bright stroke that lies, stands or is not there, on noise.
pub fn strokes(count: usize, seed: u64) -> Samples {
    let mut random = Random::of(&[seed]);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in 0..count {
        let (label, at) = (index % 3, random.index(8));
        for place in 0..64 {
            let is_stroke = match label {
                0 => place / 8 == at,
                1 => place % 8 == at,
                _ => false,
            };
            let noise = random.below(90) as u8;
            pixels.push(if is_stroke { 255 - noise } else { noise });
        }
        labels.push(label as u32);
    }
    Samples::new([1, 8, 8], Pixels::U8(pixels), labels).unwrap()
}

pub fn options(epochs: u64) -> Options {
    let training = Training {
        optimizer: "adam:lr=0.01".parse().unwrap(),
        batch: 16,
        epochs,
        metrics: vec!["accuracy".into(), "auc".into()],
        augment: "shift:1".parse().unwrap(),
        schedule: "cosine:epochs=4,warmup=3".parse().unwrap(),
        ..Training::default()
    };
    let cpu = CpuLevel::host().unwrap_or(CpuLevel::Baseline);
    Options {
        seed: 7,
        threads: 1,
        ..Options::new(training, CompileOptions::new(cpu))
    }
}

/// Trains on 120 strokes and judges by 50 others.
pub fn trained(options: &Options, from: Option<&Checkpoint>, observer: &mut dyn Observer) -> Fit {
    let (train, validation) = (strokes(120, 1), strokes(50, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    fit(&network(NET), data, options, from, observer).unwrap_or_else(|e| panic!("{e}"))
}

/// Weights by name, rows of figures; as bits.
pub type Left = (Vec<(String, Vec<u8>)>, Vec<Vec<u64>>);

/// All that a run leaves but for the time it took: the bits of the weights, the history without its last column.
pub fn left(fit: &Fit) -> Left {
    let weights = fit
        .weights
        .iter()
        .map(|(n, t)| (n.clone(), t.bytes().to_vec()));
    let row = |row: &Vec<f64>| row[..row.len() - 1].iter().map(|v| v.to_bits()).collect();
    (
        weights.collect(),
        fit.history.rows().iter().map(row).collect(),
    )
}

/// A message without `(N of M elements)`, which rounding may change.
pub fn without_counts(message: &str) -> String {
    let (before, rest) = message.split_once(" (").unwrap_or((message, ""));
    let (_, after) = rest.split_once(" elements)").unwrap_or(("", ""));
    format!("{before}{after}")
}
