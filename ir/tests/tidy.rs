//! The folder of operators stays in order: every operator is listed, under its name, and says what it computes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src");

/// File stem and text of everything in `ops/`.
fn modules() -> BTreeMap<String, String> {
    let files = fs::read_dir(Path::new(SOURCE).join("ops")).expect("ops/ is a folder");
    files
        .map(|f| f.expect("a readable entry").path())
        .map(|path| {
            let stem = path.file_stem().and_then(|s| s.to_str());
            let text = fs::read_to_string(&path).expect("an operator's file is text");
            (stem.expect("a plain name").to_string(), text)
        })
        .collect()
}

/// The lines of the list in `ops.rs`: variant and module.
fn list() -> Vec<(String, String)> {
    let ops = fs::read_to_string(Path::new(SOURCE).join("ops.rs")).expect("ops.rs is text");
    let (_, list) = ops.split_once("\noperators! {\n").expect("a list");
    let (list, _) = list.split_once("\n}").expect("an end of the list");
    list.lines()
        .map(|line| {
            let (variant, module) = line.trim().split_once(' ').expect("variant and module");
            let module = module.trim_start_matches("r#");
            (variant.to_string(), module.to_string())
        })
        .collect()
}

fn is_operator(text: &str) -> bool {
    text.contains("pub static DEF: OpDef")
}

#[test]
fn every_operator_is_listed() {
    let list = list();
    for (stem, text) in modules() {
        let listed = list.iter().any(|(_, module)| *module == stem);
        assert_eq!(
            is_operator(&text),
            listed,
            "ops/{stem}.rs: an operator must be in the list of ops.rs, nothing else may"
        );
    }
}

#[test]
fn the_list_is_alphabetical() {
    let list = list();
    assert!(list.len() > 100, "the list was not found whole");
    for pair in list.windows(2) {
        assert!(
            pair[0] < pair[1],
            "{} stands before {}",
            pair[0].0,
            pair[1].0
        );
    }
}

/// `MatMul` is in `mat_mul.rs`; words that Rust keeps for itself get a second word (`If` in `if_else.rs`).
#[test]
fn modules_are_named_after_their_operators() {
    for (variant, module) in list() {
        let name = variant.to_lowercase();
        let joined: String = module.split('_').collect();
        let reserved = ["if", "loop", "where", "mod"].contains(&name.as_str());
        assert!(
            joined == name || reserved && module.starts_with(&name),
            "{variant} in {module}.rs"
        );
    }
}

/// The head of an operator's file gives a formula's source: a link.
#[test]
fn operators_open_with_their_reference() {
    for (stem, text) in modules() {
        let head: String = text.lines().take_while(|l| l.starts_with("//!")).collect();
        assert!(!head.is_empty(), "ops/{stem}.rs has no head");
        assert!(
            !is_operator(&text) || head.contains("https://") || head.contains("`"),
            "ops/{stem}.rs: the head needs a formula or a link"
        );
    }
}
