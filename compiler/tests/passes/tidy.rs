//! The list of passes and the folder agree, and every pass has its fixtures.

use cnnc::passes::PIPELINE;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

fn stems(folder: &str) -> BTreeSet<String> {
    let files = fs::read_dir(Path::new(CRATE).join(folder)).expect("a folder of the crate");
    files
        .map(|f| f.expect("a readable entry").path())
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
        .collect()
}

#[test]
fn every_file_is_a_pass_of_the_pipeline_with_fixtures() {
    let files = stems("src/passes");
    let listed: BTreeSet<String> = PIPELINE.iter().map(|p| p.name.to_string()).collect();
    assert_eq!(files, listed);
    let fixtures = stems("tests/passes");
    let missing: Vec<&String> = files.difference(&fixtures).collect();
    assert!(missing.is_empty(), "no fixtures for {missing:?}");
}

#[test]
fn modules_stand_in_alphabetical_order() {
    let text = fs::read_to_string(Path::new(CRATE).join("src/passes.rs")).expect("passes.rs");
    let modules: Vec<&str> = text
        .lines()
        .filter_map(|l| l.strip_prefix("mod "))
        .collect();
    assert_eq!(modules.len(), stems("src/passes").len());
    assert!(modules.is_sorted(), "{modules:?}");
}

#[test]
fn every_pass_says_what_it_is_for() {
    for pass in PIPELINE {
        assert!(!pass.purpose.is_empty(), "{} has no purpose", pass.name);
    }
}
