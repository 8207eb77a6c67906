//! `cnnc tune`: what it tries, tells and refuses.

use super::place::Place;
use serde_json::Value;
use std::fs;

const GRID: &str =
    "tune small.cnn --data data --epochs 2 --space lr=0.0001,0.01 --space batch=8,16 --folds 3";

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect()
}

#[test]
fn a_grid_is_judged_by_folds_however_many_run_at_once() {
    let place = Place::new();
    let out = place.done(&format!("{GRID} --json --jobs 1"));
    assert_eq!(out, place.done(&format!("{GRID} --json --jobs 3")));
    let rows = lines(&out);
    let tried: Vec<String> = rows[..4]
        .iter()
        .map(|r| r["settings"].to_string())
        .collect();
    let expected = [
        r#"{"lr":0.0001,"batch":8.0}"#,
        r#"{"lr":0.0001,"batch":16.0}"#,
        r#"{"lr":0.01,"batch":8.0}"#,
        r#"{"lr":0.01,"batch":16.0}"#,
    ];
    assert_eq!(tried, expected);
    for row in &rows[..4] {
        let folds: Vec<f64> = row["folds"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f.as_f64().unwrap())
            .collect();
        let mean = folds.iter().sum::<f64>() / 3.0;
        assert_eq!(folds.len(), 3);
        assert!((mean - row["val_accuracy"].as_f64().unwrap()).abs() < 1e-12);
        assert!(row["val_loss"].is_f64() && row["deviation"].is_f64());
    }
    // The larger rate learns more in two epochs.
    let best = &rows[4];
    assert_eq!(best["settings"]["lr"], 0.01);
    let index = best["best"].as_u64().unwrap() as usize - 1;
    assert_eq!(best["val_accuracy"], rows[index]["val_accuracy"]);
    let accuracy = |i: usize| rows[i]["val_accuracy"].as_f64().unwrap();
    assert!((0..4).all(|i| accuracy(i) <= accuracy(index)));
    // The section is one that a description may have.
    let net = fs::read_to_string(place.file("small.cnn")).unwrap();
    let section = best["train"].as_str().unwrap();
    assert!(section.contains("lr=0.01"));
    fs::write(place.file("best.cnn"), format!("{net}\n{section}")).unwrap();
    place.done("train best.cnn --data data --epochs 1 --quiet");
}

#[test]
fn people_see_a_table_and_a_section() {
    let place = Place::new();
    let out = place.done("tune small.cnn --data data --space lr=1e-3..1e-1:log --random 2 --seed 4 --epochs 1 --by loss --quiet");
    assert!(out.starts_with("\nbest: lr="), "{out}");
    let table = place.done("tune small.cnn --data data --space lr=1e-3..1e-1:log --random 2 --seed 4 --epochs 1 --by loss");
    assert!(
        table.starts_with("trial        val_loss  deviation  settings\n    1  "),
        "{table}"
    );
    assert!(
        table.ends_with(&out) && out.contains("train {\n    loss cross_entropy\n"),
        "{table}"
    );
}

#[test]
fn a_record_spares_what_was_done() {
    let place = Place::new();
    let line = format!("{GRID} --json --record r.json");
    let out = place.done(&line);
    let record = place.bytes("r.json");
    // What stands in the record is believed, so nothing was trained again.
    let other = String::from_utf8(record).unwrap().replacen(
        "\"val_accuracy\":",
        "\"val_accuracy\":1e3,\"was\":",
        1,
    );
    fs::write(place.file("r.json"), other).unwrap();
    assert_ne!(out, place.done(&line));
    assert!(
        place
            .failed(&format!("{line} --seed 9"))
            .contains("r.json: is the record of another search")
    );
    fs::write(place.file("r.json"), "[").unwrap();
    assert!(
        place
            .failed(&line)
            .contains("r.json: is no record of a search")
    );
}

#[test]
fn a_training_that_diverges_is_not_the_best() {
    let place = Place::new();
    let wild = "network wild\ninput image: f32[1, 8, 8]\noutput label = dense(flatten(image), 3)\n";
    fs::write(place.file("wild.cnn"), wild).unwrap();
    let tune = "tune wild.cnn --data data --loss mse --epochs 3 --batch 16 --space optimizer=sgd";
    let rows = lines(&place.done(&format!("{tune} --space lr=1e5,0.01 --json")));
    assert_eq!(rows[0]["diverged"], true);
    assert_eq!(rows[2]["best"], 2);
    let failed = place.failed(&format!("{tune} --space lr=1e5 --quiet"));
    insta::assert_snapshot!(failed, @"4: cnnc: every training diverged");
}

#[test]
fn what_is_no_search_is_told() {
    let place = Place::new();
    let refused = |more: &str| place.failed(&format!("tune small.cnn --data data {more}"));
    insta::assert_snapshot!(refused("--space lrr=1"));
    insta::assert_snapshot!(refused("--space lr=2..1"));
    insta::assert_snapshot!(refused("--space rho=0.5"));
    insta::assert_snapshot!(refused("--space lr=0.1 --by accurcy"));
    insta::assert_snapshot!(refused("--space lr=0.1 --folds 1000"));
    insta::assert_snapshot!(refused("--space lr=0..1:1000 --space l1=0..1:1000"));
}
