//! `cnnc explain`: the kernel chosen for every node, those refused and why.

use super::args::{Common, Model};
use super::failure::Failure;
use super::{line, load};

pub fn run(a: &Model, common: &Common) -> Result<(), Failure> {
    let text = if load::is_artefact(&a.model) {
        let model = load::open(&a.model)?;
        model
            .meta()
            .iter()
            .find(|(k, _)| k == "kernels")
            .map(|(_, v)| v.clone())
            .unwrap_or_default()
    } else {
        load::compiled(&a.model, &load::shapes(&a.inputs)?, common)?.explanation
    };
    if common.json {
        return text
            .lines()
            .filter(|l| !l.starts_with(' '))
            .try_for_each(|l| {
                let (node, kernel) = l.rsplit_once(": ").unwrap_or((l, ""));
                line(&serde_json::json!({"node": node, "kernel": kernel}).to_string())
            });
    }
    line(text.trim_end())
}
