//! Rules about the source that no compiler knows: where `unsafe` may live, which module may import which.

use std::fs;
use std::path::{Path, PathBuf};

/// The files that may say `unsafe`; ARCHITECTURE.md names the same.
const UNSAFE: [&str; 8] = [
    "compiler/src/codegen/jit.rs",
    "runtime/src/arena.rs",
    "runtime/src/call.rs",
    "runtime/src/execute.rs",
    "runtime/src/map.rs",
    "runtime/src/team.rs",
    "runtime/tests/session.rs",
    "tests/tile/exec.rs",
];

/// The compiler's modules, in rows: a module imports from its own row or an earlier one.
const ROWS: [&[&str]; 11] = [
    &["frontend", "order", "passes", "statistics"],
    &["schedule"],
    &["memory"],
    &["kernel"],
    &["select"],
    &["codegen"],
    &["emit"],
    &["compile"],
    &["tune", "train", "style"],
    &["cli"],
    &["main"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file below a folder, as (path from the root, text), sorted.
fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn unsafe_lives_where_it_is_listed() {
    let allowance = ["#![allow(", "unsafe_code)]"].concat();
    let folders = ["benches", "compiler", "ir", "models", "runtime", "tests"];
    let found: Vec<String> = folders
        .iter()
        .flat_map(|folder| sources(folder))
        .filter(|(_, text)| text.contains(&allowance))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(found, UNSAFE);
}

#[test]
fn every_unsafe_file_explains_itself() {
    for name in UNSAFE.iter().filter(|n| n.contains("/src/")) {
        let text = fs::read_to_string(root().join(name)).unwrap();
        assert!(text.contains("// SAFETY:"), "{name}");
    }
}

#[test]
fn modules_of_the_compiler_import_to_their_left() {
    let row = |module: &str| ROWS.iter().position(|row| row.contains(&module));
    for (name, text) in sources("compiler/src") {
        let module = name["compiler/src/".len()..]
            .split(['/', '.'])
            .next()
            .unwrap();
        let Some(own) = row(module) else {
            assert_eq!(module, "lib", "{name}: its module stands in no row");
            continue;
        };
        for import in text.split("crate::").skip(1) {
            let import: String = import
                .chars()
                .take_while(|c| c.is_ascii_lowercase() || *c == '_')
                .collect();
            let fits = row(&import).is_none_or(|other| other <= own);
            assert!(fits, "{name} imports crate::{import}");
        }
    }
}

#[test]
fn the_runtime_depends_on_no_compiler() {
    let manifest = fs::read_to_string(root().join("runtime/Cargo.toml")).unwrap();
    let needed = manifest.split("[dev-dependencies]").next().unwrap();
    for heavy in [
        "cnnc",
        "prost",
        "protobuf",
        "petgraph",
        "cranelift",
        "iced",
        "clap",
        "serde",
    ] {
        let entry = needed.lines().find(|l| l.starts_with(heavy));
        assert_eq!(entry, None);
    }
}
