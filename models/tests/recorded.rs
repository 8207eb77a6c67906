//! A hundred steps of SGD against what PyTorch recorded (`recorded/sgd_pytorch.py`): losses and parameters, within 1e-4.

use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, Tensor};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::optimizer::Optimizer;
use cnnc_models::step::{LOSS, RATE, STEP, Settings, StateKind, Step, TARGETS, step};

const RECORD: &str = include_str!("recorded/sgd_pytorch.txt");
const TOLERANCE: f64 = 1e-4;

const NETWORK: &str = "network recorded
input image: f32[1, 8, 8]
x = max_pool(conv(image, 4, 3x3, relu), 2x2)
x = dense(flatten(x), 8, tanh)
output label = softmax(dense(x, 3))
";

/// Of the initial values of the parameters, in their order.
const AMPLITUDES: [f64; 6] = [0.4, 0.1, 0.25, 0.1, 0.5, 0.1];
const BATCH: usize = 6;

/// Images and labels of step `t`, by the formula of the record.
fn batch(t: usize) -> (Tensor, Tensor) {
    let labels: Vec<i64> = (0..BATCH).map(|n| ((n + t) % 3) as i64).collect();
    let pixel = |n: usize, i: usize| {
        (0.3 * i as f64 * (labels[n] + 1) as f64 + 0.5 * n as f64 + 0.1 * t as f64).sin()
    };
    let pixels: Vec<f64> = (0..BATCH * 64).map(|k| pixel(k / 64, k % 64)).collect();
    let images = Tensor::from_f64(DType::F32, &[BATCH, 1, 8, 8], &pixels);
    (images, Tensor::ints(&labels))
}

fn initial(step: &Step) -> Vec<Tensor> {
    let mut drawn = 0;
    let states = step.states.iter().map(|state| match state.kind {
        StateKind::Parameter => {
            let k = drawn;
            drawn += 1;
            let value = |i: usize| (1.0 + 0.7 * i as f64 + 2.0 * k as f64).sin() * AMPLITUDES[k];
            let values: Vec<f64> = (0..state.initial.len()).map(value).collect();
            Tensor::from_f64(DType::F32, state.initial.shape(), &values)
        }
        _ => state.initial.clone(),
    });
    states.collect()
}

/// Losses of the steps, and the parameters afterwards.
fn run(optimizer: Optimizer, steps: usize) -> Vec<Vec<f64>> {
    let network = expand(NETWORK, &Arguments::default(), None, &|_| {
        Err("no imports".into())
    })
    .unwrap();
    let made = step(
        &network,
        &Settings {
            loss: "cross_entropy:smoothing=0.1".parse().unwrap(),
            optimizer,
            l1: 0.0,
            l2: 0.0,
            clip: None,
            weighted: false,
            batch: BATCH,
            seed: 0,
        },
    )
    .unwrap();
    let has_input = |name: &str| {
        let mut inputs = made.graph.inputs().iter();
        inputs.any(|&id| made.graph.value_name(id.into()) == name)
    };
    let mut values = initial(&made);
    let mut losses = Vec::new();
    for t in 0..steps {
        let (image, labels) = batch(t);
        let mut feeds = vec![
            ("image", image),
            (TARGETS, labels),
            (RATE, Tensor::scalar_f64(DType::F32, optimizer.rate())),
            (STEP, Tensor::scalar_f64(DType::F32, (t + 1) as f64)),
        ];
        let states = made.states.iter().zip(&values);
        feeds.extend(states.map(|(s, v)| (s.name.as_str(), v.clone())));
        feeds.retain(|(name, _)| has_input(name));
        let outputs = Interpreter::new(Precision::F32).run(&made.graph, &feeds);
        let outputs = outputs.unwrap_or_else(|e| panic!("{e}"));
        let output = |name: &str| &outputs.iter().find(|(n, _)| n == name).unwrap().1;
        losses.extend(output(LOSS).to_f64());
        values = made
            .states
            .iter()
            .map(|s| output(&s.next).clone())
            .collect();
    }
    let states = made.states.iter().zip(values);
    let parameters = states.filter(|(s, _)| s.kind == StateKind::Parameter);
    let parameters = parameters.map(|(_, v)| v.to_f64());
    [losses].into_iter().chain(parameters).collect()
}

#[test]
fn sgd_follows_pytorch() {
    let lines: Vec<&str> = RECORD.lines().filter(|l| !l.starts_with('#')).collect();
    let records = lines.chunks_exact(2 + AMPLITUDES.len());
    assert_eq!(records.len(), 3);
    for record in records {
        let expected: Vec<Vec<f64>> = record[1..]
            .iter()
            .map(|line| line.split(' ').map(|v| v.parse().unwrap()).collect())
            .collect();
        let found = run(record[0].parse().unwrap(), expected[0].len());
        assert_eq!(found.len(), expected.len());
        for (row, (a, b)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(a.len(), b.len());
            let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs());
            let worst = differences.fold(0.0, f64::max);
            assert!(
                worst < TOLERANCE,
                "{}, row {row}: off by {worst}",
                record[0]
            );
        }
    }
}
