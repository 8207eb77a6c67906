//! `cnnc explain`: the kernel chosen for every node, those refused and why.

use super::args::{Common, Look};
use super::failure::Failure;
use super::{line, load, step};
use serde_json::{Value, json};

pub fn run(a: &Look, common: &Common) -> Result<(), Failure> {
    let (path, options) = (&a.model.model, load::shapes(&a.model.inputs)?);
    let text = if a.step.train {
        step::compiled(&a.step, path, common)?.compiled.explanation
    } else if load::is_artefact(path) {
        let model = load::open_for(path, &options, common)?;
        load::meta(&model, "kernels").to_string()
    } else {
        load::compiled(path, &options, common)?.explanation
    };
    if common.json {
        return nodes(&text).iter().try_for_each(|n| line(&n.to_string()));
    }
    line(text.trim_end())
}

/// An object for each node of an explanation: a line `NODE: KERNEL`, then further to the right a line `as CHOICE`, where there was
/// something to choose, and lines `not KERNEL: REASON`.
fn nodes(text: &str) -> Vec<Value> {
    let mut nodes: Vec<Value> = Vec::new();
    for l in text.lines() {
        let (subject, rest) = (l.trim_start(), l.rsplit_once(": "));
        if let (Some(choice), Some(node)) = (l.trim_start().strip_prefix("as "), nodes.last_mut())
            && l.starts_with("    ")
        {
            node["choice"] = choice.into();
            continue;
        }
        match (subject.strip_prefix("not "), nodes.last_mut()) {
            (Some(refusal), Some(node)) if l.starts_with("    ") => {
                let (kernel, reason) = refusal.split_once(": ").unwrap_or((refusal, ""));
                if let Some(refused) = node["refused"].as_array_mut() {
                    refused.push(json!({"kernel": kernel, "reason": reason}));
                }
            }
            _ => {
                let (node, kernel) = rest.unwrap_or((l, ""));
                nodes.push(json!({"node": node.trim_start(), "kernel": kernel, "refused": []}));
            }
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_carry_their_refusals() {
        let text = "a: b (Conv): tile\n    as direct block=14x2 order=groups, as estimated\n    not winograd: stride 2: must be 1\nc (If): control\n  d (Relu): nest\n";
        let nodes: Vec<String> = nodes(text).iter().map(Value::to_string).collect();
        insta::assert_snapshot!(nodes.join("\n"));
    }
}
