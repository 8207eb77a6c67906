//! Training steps of small networks, run by the interpreter: they are what the optimiser says, and the loss falls.

use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::text::{Style, print};
use cnnc_ir::{DType, Tensor};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::network::Network;
use cnnc_models::random::Random;
use cnnc_models::step::{self, LOSS, RATE, STEP, Settings, Step, TARGETS};

fn network(text: &str) -> Network {
    let no_imports = |_: &str| Err("no imports".to_string());
    expand(text, &Arguments::default(), Some(1), &no_imports).unwrap_or_else(|e| panic!("{e}"))
}

fn settings(loss: &str, optimizer: &str, batch: usize) -> Settings {
    Settings {
        loss: loss.parse().unwrap(),
        optimizer: optimizer.parse().unwrap(),
        l1: 0.0,
        l2: 0.0,
        clip: None,
        weighted: false,
        batch,
        seed: 3,
    }
}

/// Runs steps on one batch; returns the losses.
fn losses(step: &Step, image: &Tensor, targets: &Tensor, rate: f64, steps: usize) -> Vec<f64> {
    let mut states: Vec<Tensor> = step.states.iter().map(|s| s.initial.clone()).collect();
    let mut losses = Vec::new();
    for t in 1..=steps {
        let mut feeds = vec![
            ("image", image.clone()),
            (TARGETS, targets.clone()),
            (RATE, Tensor::scalar_f64(DType::F32, rate)),
            (STEP, Tensor::scalar_f64(DType::F32, t as f64)),
        ];
        let known: Vec<(&str, Tensor)> = step
            .states
            .iter()
            .zip(&states)
            .map(|(s, value)| (s.name.as_str(), value.clone()))
            .collect();
        feeds.extend(known);
        // What a step does not need is no input of its graph.
        feeds.retain(|(name, _)| {
            let mut inputs = step.graph.inputs().iter();
            inputs.any(|&id| step.graph.value_name(id.into()) == *name)
        });
        let results = Interpreter::new(Precision::F32).run(&step.graph, &feeds);
        let results = results.unwrap_or_else(|e| panic!("{e}\n{}", step.graph));
        let value = |name: &str| {
            let found = results.iter().find(|(n, _)| n == name);
            found
                .unwrap_or_else(|| panic!("no output '{name}'"))
                .1
                .clone()
        };
        losses.push(value(LOSS).to_f64()[0]);
        states = step.states.iter().map(|s| value(&s.next)).collect();
    }
    losses
}

/// Images of two classes, bright on the left or on the right.
fn halves(batch: usize, side: usize) -> (Tensor, Tensor) {
    let mut random = Random::of(&[5]);
    let labels: Vec<i64> = (0..batch as i64).map(|n| n % 2).collect();
    let pixels = labels
        .iter()
        .flat_map(|label| (0..side * side).map(move |i| (i % side >= side / 2) as i64 == *label));
    let pixels: Vec<f64> = pixels
        .map(|bright| f64::from(u8::from(bright)) + random.between(-0.4, 0.4))
        .collect();
    (
        Tensor::from_f64(DType::F32, &[batch, 1, side, side], &pixels),
        Tensor::from_i64(DType::I64, &[batch], &labels),
    )
}

const SMALL: &str = "network small
input image: f32[1, 6, 6]
x = conv(image, 4, 3x3, relu)
x = max_pool(x, 2x2)
output label = softmax(dense(flatten(x), 2))
";

const NORMALISED: &str = "network normalised
input image: f32[1, 6, 6]
x = batch_norm(conv(image, 4, 3x3, bias=false), relu)
x = dropout(flatten(x), 0.25)
output label = softmax(dense(x, 2))
";

#[test]
fn the_loss_falls() {
    let (image, labels) = halves(8, 6);
    for text in [SMALL, NORMALISED] {
        for (optimizer, rate) in [
            ("sgd", 0.1),
            ("momentum", 0.05),
            ("nesterov", 0.05),
            ("adagrad", 0.1),
            ("rmsprop", 0.02),
            ("adam", 0.02),
            ("adamw", 0.02),
        ] {
            let made = step::step(&network(text), &settings("cross_entropy", optimizer, 8));
            let made = made.unwrap_or_else(|e| panic!("{e}"));
            let losses = losses(&made, &image, &labels, rate, 30);
            assert!(
                losses[29] < 0.5 * losses[0],
                "{optimizer}: {losses:?}\n{text}"
            );
        }
    }
}

#[test]
fn every_loss_falls() {
    let (image, labels) = halves(8, 6);
    let targets: Vec<f64> = labels
        .to_i64()
        .iter()
        .flat_map(|l| [1.0 - *l as f64, *l as f64])
        .collect();
    let targets = Tensor::from_f64(DType::F32, &[8, 2], &targets);
    for loss in [
        "cross_entropy:smoothing=0.1",
        "focal",
        "binary_cross_entropy",
        "mse",
        "mae",
        "huber",
        "kl",
    ] {
        let made = step::step(&network(SMALL), &settings(loss, "adam", 8));
        let made = made.unwrap_or_else(|e| panic!("{e}"));
        let wanted = if loss.starts_with("cross") || loss == "focal" {
            &labels
        } else {
            &targets
        };
        let losses = losses(&made, &image, wanted, 0.02, 40);
        assert!(losses[39] < 0.9 * losses[0], "{loss}: {losses:?}");
    }
}

#[test]
fn a_step_as_text() {
    let made = step::step(&network(SMALL), &settings("cross_entropy", "momentum", 2));
    let made = made.unwrap_or_else(|e| panic!("{e}"));
    let states: Vec<String> = made
        .states
        .iter()
        .map(|s| format!("{:?} {} {}", s.kind, s.name, s.initial.ty()))
        .collect();
    insta::assert_snapshot!(format!(
        "{}{}",
        print(&made.graph, Style::Brief),
        states.join("\n")
    ));
}

/// What is frozen is a constant of the step, and a frozen normalisation keeps to its running statistics.
#[test]
fn what_is_frozen_stays() {
    let mut network = network(NORMALISED);
    for parameter in &mut network.parameters {
        parameter.trainable &= parameter.name.starts_with("dense");
    }
    let made = step::step(&network, &settings("cross_entropy", "sgd", 8)).unwrap();
    let names: Vec<&str> = made.states.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(names, ["dense1.weight", "dense1.bias"]);
    let (image, labels) = halves(8, 6);
    let losses = losses(&made, &image, &labels, 0.1, 30);
    assert!(losses[29] < losses[0], "{losses:?}");
}

/// Zero logits are where a rectifier in the loss would have no derivative: `1/2 - target` is right.
#[test]
fn binary_cross_entropy_leaves_zero_towards_the_target() {
    let text = "network zero
input image: f32[2]
output chance = sigmoid(dense(image, 1, init=zeros))
";
    let made = step::step(&network(text), &settings("binary_cross_entropy", "sgd", 2)).unwrap();
    let image = Tensor::from_f64(DType::F32, &[2, 2], &[1.0, 0.0, 0.0, 1.0]);
    let targets = Tensor::from_f64(DType::F32, &[2, 1], &[1.0, 0.0]);
    let losses = losses(&made, &image, &targets, 1.0, 2);
    // A step of 1 along -(1/2 - target) / 2: the logits are 1/4 and -1/4, the bias stays.
    let expected = [2f64.ln(), (1.0 + (-0.25f64).exp()).ln()];
    for (loss, expected) in losses.iter().zip(expected) {
        assert!((loss - expected).abs() < 1e-6, "{losses:?}");
    }
}
