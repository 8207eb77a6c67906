//! `cnnc check`: every problem of a model at once; nothing is compiled.

use super::args::{Common, Model};
use super::failure::{Failure, printable};
use super::{line, load};
use crate::frontend::native::{self, NativeError};
use crate::frontend::onnx::{ImportOptions, Problem, import};
use std::path::Path;

pub fn run(a: &Model, common: &Common) -> Result<(), Failure> {
    let path = &a.model;
    load::check_given(path, common)?;
    if load::is_artefact(path) {
        load::open_for(path, &load::shapes(&a.inputs)?, common)?;
        return done(common, path);
    }
    let options = load::shapes(&a.inputs)?;
    let problems = match load::is_native(path) {
        true => mistakes(path, &options, common)?,
        false => match import(path, &options) {
            Ok(_) => Vec::new(),
            Err(e) => e.problems,
        },
    };
    for p in &problems {
        if common.json {
            line(&serde_json::json!({"place": p.place, "message": p.message, "remedy": p.remedy, "unsupported": p.unsupported}).to_string())?;
        } else {
            line(&printable(&p.to_string()))?;
        }
    }
    match problems.len() {
        0 => done(common, path),
        1 => Err(Failure::input(format!("{}: 1 problem", path.display()))),
        n => Err(Failure::input(format!("{}: {n} problems", path.display()))),
    }
}

/// Those of a native description.
fn mistakes(
    path: &Path,
    options: &ImportOptions,
    common: &Common,
) -> Result<Vec<Problem>, Failure> {
    match native::read(path, &options.shapes, &common.given()) {
        Ok(_) => Ok(Vec::new()),
        Err(NativeError::Parse { errors, .. }) => Ok(errors
            .0
            .iter()
            .map(|e| {
                Problem::new(
                    format!("{}:{}:{}", path.display(), e.line, e.column),
                    &e.message,
                )
            })
            .collect()),
        Err(e) => Err(e.into()),
    }
}

fn done(common: &Common, path: &Path) -> Result<(), Failure> {
    if common.json || common.quiet {
        Ok(())
    } else {
        line(&format!("{}: no problems", path.display()))
    }
}
