//! What the program says of an artefact, and that two processes make the same one.

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "../../tests/common/seeded.rs"]
mod seeded;

/// Runs `cnnc` with these arguments; what it printed.
fn cnnc(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_cnnc"))
        .args(arguments)
        .output()
        .expect("the program starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {complaint}");
    String::from_utf8(output.stdout).expect("text")
}

/// Compiles the small network to a file of that name.
fn compile(folder: &Path, name: &str) -> String {
    let graph = seeded::network(include_str!("../../tests/common/small.cnn"));
    let text = cnnc_ir::text::print(&graph, cnnc_ir::text::Style::Whole);
    let (source, target) = (folder.join("small.cnn"), folder.join(name));
    fs::write(&source, text).expect("a file");
    let [source, target] = [&source, &target].map(|p| p.to_str().expect("a plain path"));
    cnnc(&[
        "compile",
        source,
        "-o",
        target,
        "--cpu",
        "x86-64-v3",
        "--quiet",
    ]);
    target.to_string()
}

#[test]
fn an_artefact_tells_what_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let target = compile(folder.path(), "small.bin");
    // Sizes and places of sections move with every change of the code generator; their names stay.
    let names = |line: &str| match line.strip_prefix("section") {
        Some(rest) => format!("section {}", rest.split_whitespace().next().unwrap_or("")),
        None => line.to_string(),
    };
    let text: Vec<String> = cnnc(&["inspect", &target]).lines().map(names).collect();
    insta::assert_snapshot!(text.join("\n"));
}

#[test]
fn two_processes_make_the_same_artefact() {
    let folder = tempfile::tempdir().expect("a folder");
    let [one, two] = ["one.bin", "two.bin"].map(|name| compile(folder.path(), name));
    let read = |path: &str| fs::read(path).expect("an artefact");
    assert!(read(&one) == read(&two));
}
