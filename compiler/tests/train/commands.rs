//! `cnnc train` and `cnnc eval`: what they print, write and refuse.

use super::common::{strokes, without_counts};
use super::place::{Place, write_idx};
use serde_json::Value;
use std::fs;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn a_run_leaves_all_that_was_asked_for() {
    let place = Place::new();
    let out = place.done(
        "train small.cnn --data data --epochs 3 --batch 16 --optimizer adam:lr=0.01 --metrics accuracy,auc --json --threads 1 \
         --plot p.svg --plot p.png --csv c.csv --tensorboard events --predictions n.png -o w.safetensors -o net.onnx -o net.bin",
    );
    let rows = lines(&out);
    let keys: Vec<&String> = rows[2].as_object().unwrap().keys().collect();
    let expected = [
        "epoch",
        "loss",
        "accuracy",
        "auc",
        "val_loss",
        "val_accuracy",
        "val_auc",
        "lr",
        "seconds",
    ];
    assert_eq!(keys, expected);
    assert_eq!((rows.len(), &rows[2]["epoch"]), (3, &Value::from(3)));
    for (file, begin) in [
        ("p.png", "\u{89}PNG"),
        ("n.png", "\u{89}PNG"),
        ("p.svg", "<svg"),
        ("c.csv", "epoch,loss,accuracy"),
    ] {
        let bytes = place.bytes(file);
        assert!(
            bytes[1..].starts_with(&begin.as_bytes()[begin.chars().next().unwrap().len_utf8()..]),
            "{file}"
        );
    }
    assert_eq!(fs::read_dir(place.file("events")).unwrap().count(), 1);
    assert_eq!(
        place.bytes("c.csv").iter().filter(|b| **b == b'\n').count(),
        4
    );
    // What was judged is what was written, as weights and as an artefact.
    let described =
        lines(&place.done("eval small.cnn --weights w.safetensors --data data --batch 16 --json"))
            .remove(0);
    let artefact = lines(&place.done("eval net.bin --data data --json")).remove(0);
    let model = lines(&place.done("eval net.onnx --data data --batch 7 --json")).remove(0);
    for figure in ["loss", "accuracy", "auc"] {
        let number = |object: &Value, name: &str| object[name].as_f64().unwrap();
        let is = number(&described, figure);
        assert_eq!(number(&rows[2], &format!("val_{figure}")), is, "{figure}");
        for other in [&artefact, &model] {
            let other = number(other, figure);
            assert!((is - other).abs() < 1e-4, "{figure}: {is} {other}");
        }
    }
    assert_eq!(described["confusion"].as_array().unwrap().len(), 3);
    let digest = |line: &str| place.done(line);
    assert_eq!(
        digest("run small.cnn --weights w.safetensors --input image=random:1"),
        digest("run net.bin --input image=random:1")
    );
}

#[test]
fn people_see_a_table() {
    let place = Place::new();
    let (status, out, err) = place.run("train small.cnn --data data --epochs 2 --batch 16");
    assert_eq!(status, 0, "{err}");
    let digits = |c: char| if c.is_ascii_digit() { '0' } else { c };
    insta::assert_snapshot!(out.chars().map(digits).collect::<String>());
    insta::assert_snapshot!(err);
    // Where nothing is said, the weights stand in the working folder under the description's name.
    assert!(place.file("small.safetensors").is_file());
    let shown = place.done("eval small.cnn --weights small.safetensors --data data");
    let shown: Vec<&str> = shown
        .lines()
        .skip(2)
        .map(|l| l.split_whitespace().next().unwrap_or(""))
        .collect();
    insta::assert_snapshot!(shown.join(" "), @"loss accuracy top5 precision recall f1 iou auc  class 0 1 2  rows: 0 0 1 2");
}

#[test]
fn a_figure_that_is_missed_is_status_1() {
    let place = Place::new();
    place.done("train small.cnn --data data --epochs 1 --batch 16 --quiet");
    let eval = "eval small.cnn --weights small.safetensors --data data --json";
    place.done(&format!("{eval} --min accuracy=0 --max loss=100"));
    let missed = place.failed(&format!("{eval} --min accuracy=1.5"));
    assert!(
        missed.starts_with("1: cnnc: accuracy is 0.")
            && missed.ends_with(", expected at least 1.5"),
        "{missed}"
    );
    let unknown = place.failed(&format!("{eval} --min acuracy=0.5"));
    insta::assert_snapshot!(unknown, @"2: cnnc: --min acuracy=0.5: there is no figure 'acuracy'; did you mean 'accuracy'? (known: loss, accuracy, top5, precision, recall, f1, iou, auc)");
}

#[test]
fn folders_of_pictures_and_arrays_train_too() {
    let place = Place::new();
    let samples = strokes(30, 5);
    let mut image = vec![0.0; 64];
    for index in 0..30 {
        samples.read(index, &mut image);
        let folder = place.file(&format!(
            "pictures/{}",
            ["across", "none", "upright"][samples.labels()[index] as usize]
        ));
        fs::create_dir_all(&folder).unwrap();
        let pixels: Vec<u8> = image.iter().map(|v| (v * 255.0) as u8).collect();
        image::save_buffer(
            folder.join(format!("{index}.png")),
            &pixels,
            8,
            8,
            image::ExtendedColorType::L8,
        )
        .unwrap();
    }
    let out = place.done("train small.cnn --data pictures --epochs 2 --batch 8 --json");
    assert_eq!(lines(&out).len(), 2);
    let shown = place.done("eval small.cnn --weights small.safetensors --data pictures");
    assert!(
        shown.contains("across") && shown.starts_with("6 samples"),
        "{shown}"
    );
}

#[test]
fn the_command_line_overrules_the_description() {
    let place = Place::new();
    let text = fs::read_to_string(place.file("small.cnn")).unwrap();
    fs::write(
        place.file("small.cnn"),
        text + "\ntrain { epochs 9  batch 40  schedule cosine  optimizer sgd(lr=0.5) }\n",
    )
    .unwrap();
    let run = |options: &str| {
        lines(&place.done(&format!("train small.cnn --data data --json {options}")))
    };
    assert_eq!(run("").len(), 9);
    let rows = run("--epochs 2 --batch 60 --optimizer adam:lr=0.25");
    // The cosine ends with the training: of four steps the last has a factor of (1 + cos(3/4 pi)) / 2.
    let rate = 0.25 * 0.5 * (1.0 + (0.75 * std::f64::consts::PI).cos());
    assert!((rows[1]["lr"].as_f64().unwrap() - rate).abs() < 1e-9);
    for options in [
        "--early-stop patience=1",
        "--class-weights balanced",
        "--sampling balanced",
        "--clip norm=1",
        "--augment flip",
    ] {
        assert!(
            !run(&format!("--epochs 2 --l2 1e-4 {options}")).is_empty(),
            "{options}"
        );
    }
}

#[test]
fn mistakes_are_told_in_a_line() {
    let place = Place::new();
    let damage = |part: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let folder = place.file("bad");
        write_idx(&folder, "train", &strokes(120, 1));
        write_idx(&folder, "t10k", &strokes(50, 2));
        let file = format!("bad/{part}");
        let mut bytes = place.bytes(&file);
        change(&mut bytes);
        fs::write(place.file(&file), bytes).unwrap();
        let told = place.failed("train small.cnn --data bad --json");
        assert!(!place.file("small.safetensors").exists());
        told
    };
    let mut told = vec![
        damage("train-labels-idx1-ubyte", &|b| b[8 + 17] = 3),
        damage("t10k-labels-idx1-ubyte", &|b| b[8 + 2] = 200),
        damage("train-labels-idx1-ubyte", &|b| b.truncate(100)),
        damage("train-images-idx3-ubyte", &|b| b[7] = 119),
        damage("train-images-idx3-ubyte", &|b| b[2] = 7),
        damage("train-images-idx3-ubyte", &|b| b[4..8].fill(255)),
        damage("train-images-idx3-ubyte", &|b| b.truncate(0)),
        damage("train-images-idx3-ubyte", &|b| {
            b[4..8].fill(0);
            b.truncate(16);
        }),
    ];
    fs::create_dir(place.file("empty")).unwrap();
    fs::write(place.file("plain.onnx"), "").unwrap();
    fs::create_dir(place.file("no_batch")).unwrap();
    write_idx(&place.file("no_batch"), "train", &strokes(10, 1));
    write_idx(&place.file("no_batch"), "t10k", &strokes(10, 1));
    for line in [
        "train small.cnn --data empty",
        "train small.cnn --data nowhere",
        "train small.cnn --data no_batch",
        "train nothing.cnn --data data",
        "train plain.onnx --data data",
        "train small.cnn --data data --optimizer adm",
        "train small.cnn --data data --loss mse:delta=1",
        "train small.cnn --data data --metrics acuracy",
        "train small.cnn --data data --schedule step",
        "train small.cnn --data data --augment twist",
        "train small.cnn --data data --clip 1",
        "train small.cnn --data data --early-stop patience=0",
        "train small.cnn --data data -o net.txt",
        "train small.cnn --data data --plot curves.pdf",
        "train small.cnn --data data --resume",
        "eval small.cnn --weights nowhere.safetensors --data data",
        "eval small.cnn --weights small.cnn --data data",
        "eval plain.onnx --weights w.safetensors --data data",
    ] {
        told.push(place.failed(line));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn divergence_is_status_4_and_leaves_the_last_good_checkpoint() {
    let place = Place::new();
    let wild = "network wild\ninput image: f32[1, 8, 8]\noutput label = dense(flatten(image), 3)\n";
    fs::write(place.file("wild.cnn"), wild).unwrap();
    let told = place.failed(
        "train wild.cnn --data data --batch 16 --loss mse --optimizer sgd:lr=1e5 --checkpoint kept --checkpoint-every 1 --threads 1",
    );
    insta::assert_snapshot!(without_counts(&told));
    assert!(!place.file("wild.safetensors").exists());
    let folder = cnnc_models::checkpoint::Folder::open(&place.file("kept"), 3).unwrap();
    let good = folder.newest().unwrap().unwrap();
    let weights = good.tensor("dense1.weight").unwrap().to_f32();
    assert!(good.progress.step > 0 && weights.iter().all(|w| w.is_finite()));
}
