//! `cnnc check`: every problem of a model at once; nothing is compiled.

use super::args::{Common, Model};
use super::failure::{Failure, Status, printable};
use super::{line, load};
use crate::frontend::onnx::import;

pub fn run(a: &Model, common: &Common) -> Result<(), Failure> {
    let path = &a.model;
    if load::is_artefact(path) {
        load::open(path)?;
        return done(common, path);
    }
    if path.extension().is_some_and(|e| e == "cnn") {
        load::graph(path, &load::shapes(&a.inputs)?, common)?;
        return done(common, path);
    }
    match import(path, &load::shapes(&a.inputs)?) {
        Ok(_) => done(common, path),
        Err(e) => {
            for p in &e.problems {
                if common.json {
                    line(&serde_json::json!({"place": p.place, "message": p.message, "remedy": p.remedy, "unsupported": p.unsupported}).to_string())?;
                } else {
                    line(&printable(&p.to_string()))?;
                }
            }
            let count = e.problems.len();
            Err(Failure {
                status: Status::Input,
                message: format!(
                    "{}: {count} problem{}",
                    path.display(),
                    if count == 1 { "" } else { "s" }
                ),
            })
        }
    }
}

fn done(common: &Common, path: &std::path::Path) -> Result<(), Failure> {
    if common.json || common.quiet {
        Ok(())
    } else {
        line(&format!("{}: no problems", path.display()))
    }
}
