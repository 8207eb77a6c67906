//! The zoo's networks are what the literature says they are.

use cnnc_models::description::{Arguments, expand};
use cnnc_models::network::Network;
use cnnc_models::step::{Settings, StateKind, step};
use cnnc_models::zoo::{ZOO, find};

fn network(name: &str) -> Network {
    let text = find(name).unwrap().text;
    let no_imports = |_: &str| Err("no imports here".to_string());
    expand(text, &Arguments::default(), None, &no_imports)
        .unwrap_or_else(|e| panic!("{name}.cnn:{e}"))
}

#[test]
fn every_network_expands_and_says_how_to_train() {
    for exhibit in ZOO {
        let network = network(exhibit.name);
        assert_eq!(network.graph.name, exhibit.name);
        assert_eq!(network.graph.outputs().len(), 1, "{}", exhibit.name);
        assert!(network.training.is_some(), "{}", exhibit.name);
        assert_eq!(
            cnnc_ir::verify::verify(&network.graph),
            Ok(()),
            "{}",
            exhibit.name
        );
    }
}

#[test]
fn every_file_is_in_the_list() {
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/zoo")).unwrap();
    let files = folder.map(|e| e.unwrap().file_name().into_string().unwrap());
    let mut files: Vec<String> = files
        .filter_map(|f| f.strip_suffix(".cnn").map(str::to_string))
        .collect();
    files.sort();
    let listed: Vec<&str> = ZOO.iter().map(|e| e.name).collect();
    assert_eq!(files, listed);
}

/// Elements of all that is learnt.
#[test]
fn parameters_are_as_many_as_published() {
    let counts = [
        ("mnist_a", 225_034),
        ("mnist_b", 93_322),
        ("mnist_c", 693_962),
        ("mnist_d", 54_410),
        ("lenet5", 61_706),
        ("mlp", 535_818),
        ("elman_rnn", 21_514),
        ("gru", 61_962),
        ("lstm", 82_186),
        ("bn_dropout", 468_138),
        ("alexnet", 61_100_840),
        ("vgg16", 138_357_544),
        ("resnet18_cifar", 11_173_962),
        ("resnet20", 269_722),
        ("resnet50", 25_557_032),
        ("mobilenet_v2", 3_504_872),
        ("unet", 31_030_658),
    ];
    for (name, count) in counts {
        assert_eq!(network(name).trainable_count(), count, "{name}");
    }
}

/// Networks for small pictures and few classes, down to where one element is left of a map.
#[test]
fn networks_take_other_sizes_and_classes() {
    let cases = [
        ("alexnet", "classes=10, size=64", "f32[N,10]"),
        ("vgg16", "classes=10, size=32", "f32[N,10]"),
        ("vgg16", "size=64", "f32[N,1000]"),
        ("resnet50", "classes=10, size=64", "f32[N,10]"),
        ("mobilenet_v2", "classes=10, size=32", "f32[N,10]"),
        ("resnet18_cifar", "classes=100", "f32[N,100]"),
        ("resnet20", "classes=100", "f32[N,100]"),
        ("unet", "classes=3, size=32, width=8", "f32[N,3,32,32]"),
    ];
    for (name, arguments, ty) in cases {
        let text = find(name).unwrap().text;
        let network = expand(text, &arguments.parse().unwrap(), None, &|_| {
            Err(String::new())
        });
        let graph = network.unwrap_or_else(|e| panic!("{name}.cnn:{e}")).graph;
        let output = graph.outputs()[0].1;
        assert_eq!(graph.ty(output).to_string(), ty, "{name}");
    }
    for (name, arguments) in [("alexnet", "size=32"), ("vgg16", "size=16")] {
        let text = find(name).unwrap().text;
        let refused = expand(text, &arguments.parse().unwrap(), None, &|_| {
            Err(String::new())
        });
        assert!(
            refused.unwrap_err().to_string().contains("max_pool"),
            "{name}"
        );
    }
}

/// Beyond so many parameters a step takes long to make; these networks have the operators of smaller ones.
const LARGE: usize = 10_000_000;

/// They can be trained: their steps have gradients, and their losses fit their outputs.
#[test]
fn networks_have_training_steps() {
    for exhibit in ZOO {
        let network = network(exhibit.name);
        if network.trainable_count() > LARGE {
            continue;
        }
        let training = network.training.clone().unwrap_or_default();
        let settings = Settings {
            loss: training.loss,
            optimizer: training.optimizer,
            l1: training.l1,
            l2: training.l2,
            clip: training.clip,
            weighted: false,
            batch: 2,
            seed: 0,
        };
        let step = step(&network, &settings);
        let step = step.unwrap_or_else(|e| panic!("{}: {e}", exhibit.name));
        let learnt = step.states.iter();
        let learnt = learnt.filter(|s| s.kind == StateKind::Parameter).count();
        let trainable = network.parameters.iter().filter(|p| p.trainable).count();
        assert_eq!(learnt, trainable, "{}", exhibit.name);
    }
}
