//! Networks that tell the class of every pixel.

use super::common::{left, network, options};
use super::place::Place;
use cnnc::train::fit::{Checkpoints, ClassWeights, Data, End, Fit, Options, fit};
use cnnc::train::observer::{Blind, Observer};
use cnnc_models::checkpoint::{Checkpoint, Folder};
use cnnc_models::data::{Labelling, Pixels, Samples, Sampling};
use cnnc_models::description::{Arguments, expand};
use cnnc_models::random::Random;
use cnnc_models::zoo::ZOO;
use serde_json::Value;
use std::fs;

/// Down, up again, and what was there before beside it: a U-Net of two levels.
const NET: &str = "network forked
input image: f32[1, 8, 8]
a = conv(image, 8, 3x3, relu, pad=1, init=he_normal)
b = conv(max_pool(a, 2x2), 16, 3x3, relu, pad=1, init=he_normal)
x = concat(a, conv_transpose(b, 8, 2x2, stride=2))
output classes = softmax(conv(x, 3, 3x3, pad=1))
train { batch 8  metrics accuracy, iou  optimizer adam(lr=0.01) }
";

/// Pictures of 8x8 on which a stroke lies (class 1) or stands (class 2) on noise (class 0); one in three has none.
fn strokes(count: usize, seed: u64) -> Samples {
    let mut random = Random::of(&[seed]);
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for index in 0..count {
        let at = random.index(8);
        for place in 0..64 {
            let class = match index % 3 {
                1 if place / 8 == at => 1,
                2 if place % 8 == at => 2,
                _ => 0,
            };
            let noise = random.below(90) as u8;
            pixels.push(if class > 0 { 255 - noise } else { noise });
            labels.push(class);
        }
    }
    Samples::labelled([1, 8, 8], Pixels::U8(pixels), Labelling::Pixels, labels).unwrap()
}

fn settings(epochs: u64) -> Options {
    let mut options = options(epochs);
    options.training.metrics = vec!["accuracy".into(), "iou".into()];
    options.training.batch = 8;
    options.training.augment = "flip shift:1 rotate:10".parse().unwrap();
    options
}

fn told(text: &str, options: &Options) -> Result<Fit, String> {
    let (train, validation) = (strokes(60, 1), strokes(20, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    fit(&network(text), data, options, None, &mut Blind).map_err(|e| e.to_string())
}

fn trained(options: &Options, from: Option<&Checkpoint>, observer: &mut dyn Observer) -> Fit {
    let (train, validation) = (strokes(60, 1), strokes(20, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    fit(&network(NET), data, options, from, observer).unwrap_or_else(|e| panic!("{e}"))
}

fn last(fit: &Fit, name: &str) -> f64 {
    *fit.history.column(name).unwrap().last().unwrap()
}

#[test]
fn a_network_learns_to_find_strokes() {
    let mut options = settings(15);
    options.training.schedule = Default::default();
    options.training.augment = "flip".parse().unwrap();
    let fit = trained(&options, None, &mut Blind);
    let found = ["accuracy", "iou", "val_accuracy", "val_iou"].map(|name| last(&fit, name));
    assert!(
        found.iter().all(|f| *f > 0.9 && *f <= 1.0),
        "{}",
        fit.history
    );
}

#[test]
fn threads_change_no_bit_of_a_map() {
    let mut options = settings(2);
    let first = left(&trained(&options, None, &mut Blind));
    options.threads = 2;
    assert_eq!(left(&trained(&options, None, &mut Blind)), first);
    options.seed += 1;
    assert_ne!(left(&trained(&options, None, &mut Blind)), first);
}

/// The zoo's U-Net, small, on strokes twice as large.
#[test]
fn the_u_net_of_the_zoo_learns_with_any_number_of_threads() {
    let doubled = |samples: Samples| {
        let (mut image, mut pixels, mut labels) = (vec![0.0; 64], Vec::new(), Vec::new());
        for index in 0..samples.len() {
            samples.read(index, &mut image);
            let own = samples.labels_of(index..index + 1);
            let places = (0..256).map(|at| at / 32 * 8 + at % 16 / 2);
            for from in places {
                pixels.push(image[from]);
                labels.push(own[from]);
            }
        }
        Samples::labelled([1, 16, 16], Pixels::F32(pixels), Labelling::Pixels, labels).unwrap()
    };
    let (train, validation) = (doubled(strokes(60, 1)), doubled(strokes(20, 2)));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let text = ZOO.iter().find(|e| e.name == "unet").unwrap().text;
    let arguments: Arguments = "classes=3, size=16, width=8".parse().unwrap();
    let no_imports = |_: &str| Err("no imports".to_string());
    let network = expand(text, &arguments, Some(1), &no_imports).unwrap();
    let mut options = settings(4);
    options.training = network.training.clone().unwrap();
    options.training.optimizer = "adam:lr=0.002".parse().unwrap();
    options.training.epochs = 20;
    let fit = |threads| {
        let options = Options {
            threads,
            ..options.clone()
        };
        fit(&network, data, &options, None, &mut Blind).unwrap()
    };
    let alone = fit(1);
    assert!(last(&alone, "val_iou") > 0.8, "{}", alone.history);
    assert_eq!(left(&fit(2)), left(&alone));
}

/// Stops after so many questions.
struct Stops(u64);

impl Observer for Stops {
    fn stops(&mut self) -> bool {
        self.0 = self.0.saturating_sub(1);
        self.0 == 0
    }
}

#[test]
fn interrupted_runs_over_maps_go_on_to_the_same_bits() {
    let whole = left(&trained(&settings(3), None, &mut Blind));
    let mut random = Random::of(&[8]);
    for round in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let folder = Folder::open(folder.path(), 2).unwrap();
        let mut options = settings(3);
        options.checkpoints = Some(Checkpoints {
            folder: folder.clone(),
            every: Some(2),
        });
        let mut ended = 0;
        let fit = loop {
            options.threads = 1 + random.index(2);
            let from = folder.newest().unwrap();
            let fit = trained(&options, from.as_ref(), &mut Stops(1 + random.below(12)));
            if fit.end != End::Stopped {
                break fit;
            }
            ended += 1;
        };
        assert!(ended > 0, "round {round}");
        assert_eq!(left(&fit), whole, "round {round}");
    }
}

#[test]
fn every_loss_learns_maps_and_classes_may_weigh_alike() {
    let single = NET.replace(
        "softmax(conv(x, 3, 3x3, pad=1))",
        "sigmoid(conv(x, 3, 3x3, pad=1))",
    );
    let cases = [
        ("focal", NET),
        ("kl", NET),
        ("mse", NET),
        ("binary_cross_entropy", &single),
    ];
    for (loss, text) in cases {
        for class_weights in [ClassWeights::Equal, ClassWeights::Balanced] {
            let mut options = settings(3);
            options.training.loss = loss.parse().unwrap();
            options.class_weights = class_weights;
            let fit = told(text, &options).unwrap();
            let losses = fit.history.column("loss").unwrap();
            assert!(losses[2] < losses[0], "{loss}: {losses:?}");
        }
    }
    // A weight of one for every class is none, but for rounding; heavy strokes are found sooner.
    let mut options = settings(2);
    let plain = trained(&options, None, &mut Blind);
    options.class_weights = ClassWeights::Given(vec![1.0; 3]);
    let ones = trained(&options, None, &mut Blind);
    assert!((last(&plain, "loss") - last(&ones, "loss")).abs() < 1e-4);
    options.class_weights = ClassWeights::Given(vec![0.0, 0.0, 1.0]);
    let upright = trained(&options, None, &mut Blind);
    assert!(last(&upright, "accuracy") < 0.5, "{}", upright.history);
}

/// One channel is the probability of class 1.
#[test]
fn a_single_plane_is_a_probability() {
    let text = NET.replace(
        "softmax(conv(x, 3, 3x3, pad=1))",
        "sigmoid(conv(x, 1, 3x3, pad=1))",
    );
    let of_two = |count, seed| {
        let all = strokes(count, seed);
        let is_binary = |i: &usize| !all.labels_of(*i..i + 1).contains(&2);
        all.select(&(0..all.len()).filter(is_binary).collect::<Vec<_>>())
    };
    let (train, validation) = (of_two(90, 1), of_two(30, 2));
    let data = Data {
        train: &train,
        validation: &validation,
    };
    let mut options = settings(10);
    options.training.loss = "binary_cross_entropy".parse().unwrap();
    options.training.augment = Default::default();
    options.training.schedule = Default::default();
    let fit = fit(&network(&text), data, &options, None, &mut Blind).unwrap();
    assert!(last(&fit, "val_iou") > 0.9, "{}", fit.history);
}

#[test]
fn what_maps_cannot_have_is_told() {
    let refused = |change: fn(&mut Options)| {
        let mut options = settings(1);
        change(&mut options);
        told(NET, &options).map(|_| ()).unwrap_err()
    };
    let all = [
        refused(|o| o.training.metrics.push("auc".into())),
        refused(|o| o.sampling = Sampling::Balanced),
        told(&NET.replace("conv(x, 3,", "conv(x, 2,"), &settings(1))
            .map(|_| ())
            .unwrap_err(),
        told(
            &NET.replace("conv(x, 3, 3x3, pad=1)", "dense(flatten(x), 3)"),
            &settings(1),
        )
        .map(|_| ())
        .unwrap_err(),
    ];
    insta::assert_snapshot!(all.join("\n"));
}

/// `forked.cnn`, and `maps` with pictures and masks: 40 to learn from, 10 to judge by.
fn place() -> Place {
    let place = Place::new();
    fs::write(place.file("forked.cnn"), NET).unwrap();
    for (part, samples) in [("train", strokes(40, 1)), ("test", strokes(10, 2))] {
        let mut image = vec![0.0; 64];
        for index in 0..samples.len() {
            samples.read(index, &mut image);
            let pixels: Vec<u8> = image.iter().map(|v| (v * 255.0).round() as u8).collect();
            let mask: Vec<u8> = samples
                .labels_of(index..index + 1)
                .iter()
                .map(|&l| l as u8)
                .collect();
            for (folder, bytes) in [("images", pixels), ("masks", mask)] {
                let folder = place.file(&format!("maps/{part}/{folder}"));
                fs::create_dir_all(&folder).unwrap();
                let file = folder.join(format!("{index}.png"));
                image::save_buffer(file, &bytes, 8, 8, image::ExtendedColorType::L8).unwrap();
            }
        }
    }
    fs::write(place.file("maps/classes.txt"), "nothing\nacross\nupright\n").unwrap();
    place
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn maps_are_trained_judged_and_shown() {
    let place = place();
    let train = "train forked.cnn --data maps --epochs 4 --json --threads 1 --class-weights balanced --predictions p.png \
                 -o w.safetensors -o net.onnx -o net.bin";
    let rows = lines(&place.done(train));
    let figure = |row: &Value, name: &str| row[name].as_f64().unwrap_or_else(|| panic!("{row}"));
    let judged = [
        "forked.cnn --weights w.safetensors",
        "net.onnx --batch 7",
        "net.bin",
    ];
    for model in judged {
        let row = lines(&place.done(&format!("eval {model} --data maps --json"))).remove(0);
        for name in ["loss", "accuracy", "iou"] {
            let (is, was) = (figure(&row, name), figure(&rows[3], &format!("val_{name}")));
            assert!((is - was).abs() < 1e-4, "{model}: {name} {is} {was}");
        }
        assert_eq!(row["auc"], Value::Null);
        let counted: u64 = row["confusion"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|row| row.as_array().unwrap())
            .map(|n| n.as_u64().unwrap())
            .sum();
        assert_eq!(counted, 10 * 64);
    }
    let shown = image::load_from_memory(&place.bytes("p.png")).unwrap();
    assert!(shown.height() > 6 * 300);
    let eval = "eval forked.cnn --weights w.safetensors --data maps";
    let table = place.done(&format!("{eval} --min iou=0.01"));
    let table: Vec<&str> = table
        .lines()
        .skip(2)
        .map(|l| l.split_whitespace().next().unwrap_or(""))
        .collect();
    insta::assert_snapshot!(table.join(" "), @"loss accuracy top5 precision recall f1 iou  class nothing across upright  rows: 0 0 1 2");
    let told = [
        place.failed(&format!("{eval} --min iou=1.5"))[..15].to_string(),
        place.failed(&format!("{eval} --min auc=0.5")),
        place.failed("train forked.cnn --data data"),
        place.failed("train small.cnn --data maps"),
        place.failed("train forked.cnn --data maps --sampling balanced"),
        place.failed("train forked.cnn --data maps --metrics auc"),
        place.failed("tune forked.cnn --data maps --space lr=0.1 --metrics auc"),
    ];
    insta::assert_snapshot!(told.join("\n"));
    fs::remove_file(place.file("maps/train/masks/7.png")).unwrap();
    insta::assert_snapshot!(place.failed("train forked.cnn --data maps"), @"2: cnnc: maps/train/masks/7.png: expected a mask for maps/train/images/7.png, and for it alone");
}

#[test]
fn maps_resume_and_are_searched_from_the_command_line() {
    let place = place();
    let train = "train forked.cnn --data maps --augment flip --json --quiet";
    place.done(&format!(
        "{train} --epochs 3 --threads 1 -o whole.safetensors"
    ));
    place.done(&format!("{train} --epochs 2 --threads 2 --checkpoint kept"));
    place.done(&format!(
        "{train} --epochs 3 --threads 2 --checkpoint kept --resume -o parts.safetensors"
    ));
    assert_eq!(
        place.bytes("parts.safetensors"),
        place.bytes("whole.safetensors")
    );
    let found = place.done("tune forked.cnn --data maps --space lr=0.0001,0.01 --epochs 2 --by iou --folds 2 --json --quiet");
    assert_eq!(lines(&found)[2]["best"], 2);
}

#[test]
fn a_map_that_diverges_names_the_first_value() {
    let mut options = settings(4);
    options.training.loss = "mse".parse().unwrap();
    options.training.optimizer = "sgd:lr=1e6".parse().unwrap();
    options.training.schedule = Default::default();
    let text = NET.replace("softmax(conv(x, 3, 3x3, pad=1))", "conv(x, 3, 3x3, pad=1)");
    let told = told(&text, &options).map(|_| ()).unwrap_err();
    assert!(
        told.contains("the first value that is no number is"),
        "{told}"
    );
}
