//! Style transfer: the terms of the loss as a pencil has them, its gradient against differences, networks typed anew, layers chosen.

use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, Graph, Tensor, text};
use cnnc_models::random::Random;
use cnnc_models::step::{RATE, STEP, Step};
use cnnc_models::style::{
    IMAGE, Layers, Normalization, Settings, Targets, content_graph, default_layers, step,
    style_graph,
};
use cnnc_models::{description, zoo};

/// A network whose layer is the picture itself, where that is not negative.
const PLAIN: &str = "graph \"plain\" (%x: f32[1,3,9,9]) {
  %y = Relu(%x)
  %z = ReduceSum(%y)
  return \"z\" = %z
}
";

/// Two convolutions with a pool between them, and a classifier that another size would not fit.
const SMALL: &str = "network small
input x: f32[3, 16, 16]
a = conv(x, 4, 3x3, relu)
b = conv(max_pool(a, 2x2), 5, 3x3, relu)
output label = softmax(dense(flatten(b), 2))
";

fn plain() -> Graph {
    text::parse(PLAIN).unwrap()
}

fn described(text: &str) -> Graph {
    let no_imports = |_: &str| Err("no imports".to_string());
    let network = description::expand(
        text,
        &description::Arguments::default(),
        Some(1),
        &no_imports,
    );
    network.unwrap_or_else(|e| panic!("{e}")).graph
}

fn settings(content: &[&str], style: &[&str]) -> Settings {
    let names = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
    let layers = Layers {
        content: names(content),
        style: names(style),
    };
    Settings::new(layers, Normalization::None)
}

/// Values of ten binary digits, so that an f32 has room for a little more.
fn picture(seed: u64, [h, w]: [usize; 2]) -> Tensor {
    let mut random = Random::of(&[seed]);
    let mut value = || (random.between(0.1, 0.9) * 1024.0).round() / 1024.0;
    let values: Vec<f64> = (0..3 * h * w).map(|_| value()).collect();
    Tensor::from_f64(DType::F32, &[1, 3, h, w], &values)
}

fn run(graph: &Graph, feeds: &[(&str, Tensor)], precision: Precision) -> Vec<(String, Tensor)> {
    let results = Interpreter::new(precision).run(graph, feeds);
    results.unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

fn targets(network: &Graph, settings: &Settings, pictures: [&Tensor; 2]) -> Targets {
    let [content, style] = pictures.map(|p| [p.shape()[2], p.shape()[3]]);
    let tensors = |graph: Graph, picture: &Tensor| {
        let feeds = [(IMAGE, picture.clone())];
        let results = run(&graph, &feeds, Precision::F32);
        results.into_iter().map(|(_, t)| t).collect()
    };
    let content = content_graph(network, settings, content).unwrap_or_else(|e| panic!("{e}"));
    let style = style_graph(network, settings, style).unwrap_or_else(|e| panic!("{e}"));
    Targets {
        content: tensors(content, pictures[0]),
        style: tensors(style, pictures[1]),
    }
}

/// All outputs of a step at a picture, by name.
fn outputs(step: &Step, picture: &Tensor, rate: f64) -> impl Fn(&str) -> Vec<f64> + use<> {
    let mut feeds = vec![
        (RATE, Tensor::scalar_f64(DType::F32, rate)),
        (STEP, Tensor::scalar_f64(DType::F32, 1.0)),
    ];
    feeds.extend(step.states.iter().map(|s| {
        let is_picture = s.name == IMAGE;
        let value = if is_picture { picture } else { &s.initial };
        (s.name.as_str(), value.clone())
    }));
    feeds.retain(|(name, _)| {
        let mut inputs = step.graph.inputs().iter();
        inputs.any(|&id| step.graph.value_name(id.into()) == *name)
    });
    let results = run(&step.graph, &feeds, Precision::F64);
    move |name| {
        let mut results = results.iter();
        results.find(|(n, _)| n == name).unwrap().1.to_f64()
    }
}

fn close(found: f64, expected: f64) {
    let distance = (found - expected).abs();
    assert!(
        distance <= 1e-6 * expected.abs(),
        "{found}, expected {expected}"
    );
}

/// The value of a mirrored picture at row `y` and column `x`, which may lie outside.
fn mirrored(values: &[f64], [h, w]: [usize; 2], c: usize, y: i64, x: i64) -> f64 {
    let fold = |i: i64, n: usize| {
        let last = n as i64 - 1;
        (last - (i.abs() - last).abs()) as usize
    };
    values[(c * h + fold(y, h)) * w + fold(x, w)]
}

#[test]
fn grams_matrix_is_the_mean_of_products() {
    let size = [5, 4];
    let photo = picture(1, size);
    let graph = style_graph(&plain(), &settings(&["y"], &["y"]), size).unwrap();
    let found = run(&graph, &[(IMAGE, photo.clone())], Precision::F64);
    let values = photo.to_f64();
    // As far as a picture of 5 x 4 can be mirrored, once.
    let (rows, columns) = (-4..9, -3..7);
    let at = |c, y, x| mirrored(&values, size, c, y, x);
    let mut expected = Vec::new();
    for (i, k) in (0..3).flat_map(|i| (0..3).map(move |k| (i, k))) {
        let places = rows
            .clone()
            .flat_map(|y| columns.clone().map(move |x| (y, x)));
        let products = places.map(|(y, x)| at(i, y, x) * at(k, y, x));
        expected.push(products.sum::<f64>() / (13.0 * 10.0));
    }
    assert_eq!(found[0].1.shape(), [3, 3]);
    for (found, expected) in found[0].1.to_f64().into_iter().zip(expected) {
        close(found, expected);
    }
}

#[test]
fn the_terms_are_what_the_formulas_say() {
    let size = [4, 6];
    let (content, style, now) = (picture(1, size), picture(2, [7, 5]), picture(3, size));
    let settings = settings(&["y"], &["y"]);
    let network = plain();
    let held = targets(&network, &settings, [&content, &style]);
    let step = step(&network, &settings, &held, &content).unwrap();
    let outputs = outputs(&step, &now, 0.02);
    let own = targets(&network, &settings, [&now, &now]);
    let relative = |own: &Tensor, held: &Tensor| {
        let (own, held) = (own.to_f64(), held.to_f64());
        let squares: f64 = own.iter().zip(&held).map(|(a, b)| (a - b) * (a - b)).sum();
        squares / held.iter().map(|b| b * b).sum::<f64>()
    };
    let pixels = 3.0 * 4.0 * 6.0;
    let content = pixels * settings.content_weight * relative(&own.content[0], &held.content[0]);
    let style = pixels * settings.style_weight * relative(&own.style[0], &held.style[0]);
    let values = now.to_f64();
    let mut variation = 0.0;
    for place in 0..values.len() {
        let (y, x) = (place / 6 % 4, place % 6);
        if x > 0 {
            variation += (255.0 * (values[place] - values[place - 1])).powi(2);
        }
        if y > 0 {
            variation += (255.0 * (values[place] - values[place - 6])).powi(2);
        }
    }
    let terms = [content, style, 1e-6 * variation];
    for (name, expected) in ["content", "style", "variation"].into_iter().zip(terms) {
        close(outputs(name)[0], expected);
    }
    close(outputs("loss")[0], terms.iter().sum());
}

#[test]
fn the_gradient_follows_central_differences() {
    let size = [13, 11];
    let network = described(SMALL);
    for normalization in [
        Normalization::None,
        Normalization::ImageNet,
        Normalization::Caffe,
    ] {
        // A variation that counts, and a step so small that nothing is cut off: what it changes is the gradient.
        let settings = Settings {
            variation_weight: 1e-5,
            optimizer: "sgd".parse().unwrap(),
            normalization,
            layers: default_layers(&network).unwrap(),
            ..settings(&[], &[])
        };
        let (content, style, now) = (picture(1, size), picture(2, [12, 17]), picture(3, size));
        let held = targets(&network, &settings, [&content, &style]);
        let step = step(&network, &settings, &held, &content).unwrap();
        let (rate, nudge) = (1e-6, 1.0 / 65536.0);
        let next = outputs(&step, &now, rate)("image.next");
        let values = now.to_f64();
        let gradient = |i: usize| (values[i] - next[i]) / rate;
        let largest = (0..values.len()).fold(0.0, |most: f64, i| most.max(gradient(i).abs()));
        assert!(largest > 0.05, "{largest}");
        let mut random = Random::of(&[9]);
        for _ in 0..24 {
            let i = random.index(values.len());
            let loss = |by: f64| {
                let mut moved = values.clone();
                moved[i] += by;
                let moved = Tensor::from_f64(DType::F32, now.shape(), &moved);
                outputs(&step, &moved, rate)("loss")[0]
            };
            let slope = (loss(nudge) - loss(-nudge)) / (2.0 * nudge);
            let distance = (slope - gradient(i)).abs();
            assert!(
                distance <= 1e-3 * slope.abs() + 1e-5 * largest,
                "{normalization:?} {i}: {slope}, expected {}",
                gradient(i)
            );
        }
    }
}

#[test]
fn the_loss_falls_and_the_picture_stays_within_bounds() {
    let size = [16, 12];
    let network = described(SMALL);
    let settings = Settings {
        layers: default_layers(&network).unwrap(),
        ..settings(&[], &[])
    };
    let (content, style) = (picture(1, size), picture(2, [20, 14]));
    let held = targets(&network, &settings, [&content, &style]);
    let mut step = step(&network, &settings, &held, &content).unwrap();
    let mut losses = Vec::new();
    for _ in 0..12 {
        let now = step.states[0].initial.clone();
        let outputs = outputs(&step, &now, settings.optimizer.rate());
        losses.push(outputs("loss")[0]);
        for state in &mut step.states {
            let value = outputs(&state.next);
            state.initial = Tensor::from_f64(DType::F32, now.shape(), &value);
        }
        let now = step.states[0].initial.to_f64();
        assert!(now.iter().all(|v| (0.0..=1.0).contains(v)));
    }
    assert!(losses[11] < 0.9 * losses[0], "{losses:?}");
}

/// Of VGG-16 the layers of the literature, whatever they are called here.
#[test]
fn layers_are_chosen_by_resolution() {
    let vgg = description::expand(
        zoo::find("vgg16").unwrap().text,
        &description::Arguments::default(),
        None,
        &|_| Err(String::new()),
    );
    let layers = default_layers(&vgg.unwrap().graph).unwrap();
    insta::assert_debug_snapshot!((&layers.content, &layers.style));
    let none = default_layers(&plain()).unwrap_err();
    insta::assert_snapshot!(none, @"the network has no convolution wider than 1x1: name the layers to look at");
}

#[test]
fn what_does_not_fit_is_told() {
    let network = described(SMALL);
    let layers = default_layers(&network).unwrap();
    let refused = |content: &str, size| {
        let settings = settings(
            &[content],
            &layers.style[..1]
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>(),
        );
        content_graph(&network, &settings, size)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(refused("conv3.conv", [16, 16]));
    insta::assert_snapshot!(refused(&layers.content[0], [1, 1]));
    insta::assert_snapshot!(refused("flatten1.flatten", [16, 16]));
    insta::assert_snapshot!(refused("dense1.gemm", [20, 16]));
}
