//! `cnnc verify`: recorded inputs in, recorded outputs expected, folder by folder.

use super::args::{Common, Verify};
use super::failure::{Failure, printable};
use super::load::{self, Specialise};
use super::{line, run};
use crate::frontend::onnx::{input_names, tensor_from_file};
use cnnc_ir::{DType, Tensor};
use cnnc_runtime::Model;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What became of a folder.
struct Outcome {
    status: &'static str,
    message: String,
    max_abs_diff: f64,
    max_ulp: f64,
}

impl Outcome {
    fn new(status: &'static str, message: impl ToString) -> Outcome {
        Outcome {
            status,
            message: printable(&message.to_string()),
            max_abs_diff: 0.0,
            max_ulp: 0.0,
        }
    }
}

pub fn run(a: &Verify, common: &Common) -> Result<(), Failure> {
    let mut dirs = a.dirs.clone();
    if let Some(list) = &a.list {
        let text = std::fs::read_to_string(list).map_err(|e| Failure::file(list, &e))?;
        dirs.extend(
            text.lines()
                .filter(|l| !l.trim().is_empty())
                .map(PathBuf::from),
        );
    }
    if dirs.is_empty() {
        return Err(Failure::input("no folder is given"));
    }
    load::check_given(&dirs[0].join("model.onnx"), common)?;
    let mut failed = 0;
    for dir in &dirs {
        let outcome = folder(dir, a, common);
        failed += usize::from(outcome.status != "pass");
        report(dir, &outcome, common)?;
    }
    if !common.json && !common.quiet {
        line(&format!("{} passed, {failed} failed", dirs.len() - failed))?;
    }
    if failed > 0 {
        return Err(Failure::no(format!(
            "{failed} of {} do not pass",
            dirs.len()
        )));
    }
    Ok(())
}

fn report(dir: &Path, o: &Outcome, common: &Common) -> Result<(), Failure> {
    if common.json {
        let finite = |v: f64| {
            if v.is_finite() {
                serde_json::json!(v)
            } else {
                serde_json::json!(v.to_string())
            }
        };
        return line(
            &serde_json::json!({
                "dir": dir.display().to_string(), "status": o.status, "message": o.message,
                "max_abs_diff": finite(o.max_abs_diff), "max_ulp": finite(o.max_ulp),
            })
            .to_string(),
        );
    }
    if o.status != "pass" || !common.quiet {
        line(&format!("{:12}{}  {}", o.status, dir.display(), o.message))?;
    }
    Ok(())
}

/// Compiled models by the shapes, and the fixed values, they were compiled for.
type Compiled = HashMap<String, (Model, Vec<String>)>;

fn folder(dir: &Path, a: &Verify, common: &Common) -> Outcome {
    let model = dir.join("model.onnx");
    let names = match input_names(&model) {
        Ok(names) => names,
        Err(e) => {
            return Outcome::new(
                if e.is_unsupported() {
                    "unsupported"
                } else {
                    "error"
                },
                e,
            );
        }
    };
    let sets = match sets(dir) {
        Ok(sets) => sets,
        Err(e) => return Outcome::new("error", e),
    };
    let mut compiled = Compiled::new();
    let mut worst = Outcome::new("pass", "");
    if sets.is_empty() {
        worst.message = "no test data: compiled only".to_string();
        return match load::specialised(&model, &[], common) {
            Ok(_) => worst,
            Err(e) => refused(e),
        };
    }
    for set in sets {
        let outcome = match one_set(&set, &model, &names, &mut compiled, a, common) {
            Ok(o) | Err(o) => o,
        };
        worst.max_abs_diff = worst.max_abs_diff.max(outcome.max_abs_diff);
        worst.max_ulp = worst.max_ulp.max(outcome.max_ulp);
        if outcome.status != "pass" {
            worst.status = outcome.status;
            worst.message = outcome.message;
            return worst;
        }
    }
    worst
}

fn sets(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let entries = std::fs::read_dir(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut sets: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|e| e.path())
        .filter(|p| {
            p.is_dir()
                && p.file_name()
                    .is_some_and(|n| n.to_string_lossy().starts_with("test_data_set_"))
        })
        .collect();
    sets.sort();
    Ok(sets)
}

fn refused(e: Specialise) -> Outcome {
    match e {
        Specialise::Import(e) => Outcome::new(
            if e.is_unsupported() {
                "unsupported"
            } else {
                "error"
            },
            e,
        ),
        e => Outcome::new("error", Failure::from(e).message),
    }
}

fn one_set(
    set: &Path,
    model: &Path,
    names: &[String],
    compiled: &mut Compiled,
    a: &Verify,
    common: &Common,
) -> Result<Outcome, Outcome> {
    let read = |kind: &str, count: Option<usize>| -> Result<Vec<Tensor>, Outcome> {
        let mut tensors = Vec::new();
        while count.is_none_or(|n| tensors.len() < n) {
            let file = set.join(format!("{kind}_{}.pb", tensors.len()));
            if !file.exists() {
                break;
            }
            tensors
                .push(tensor_from_file(&file).map_err(|e| {
                    Outcome::new("unsupported", format!("{}: {e}", file.display()))
                })?);
        }
        Ok(tensors)
    };
    let inputs: Vec<(String, Tensor)> = names
        .iter()
        .cloned()
        .zip(read("input", Some(names.len()))?)
        .collect();
    let expected = read("output", None)?;
    let key = |fixed: &[String]| -> String {
        inputs
            .iter()
            .map(|(n, t)| {
                if fixed.contains(n) {
                    format!("{n}={:?};", t.bytes())
                } else {
                    format!("{n}:{};", t.ty())
                }
            })
            .collect()
    };
    let known = compiled
        .values()
        .map(|(_, fixed)| key(fixed))
        .find(|k| compiled.contains_key(k));
    let key_found = match known {
        Some(k) => k,
        None => {
            let (made, fixed) = load::specialised(model, &inputs, common).map_err(refused)?;
            let made = made.model().map_err(|e| Outcome::new("error", e))?;
            let k = key(&fixed);
            compiled.insert(k.clone(), (made, fixed));
            k
        }
    };
    let (ready, fixed) = &compiled[&key_found];
    let fed: Vec<(String, Tensor)> = inputs
        .into_iter()
        .filter(|(n, _)| !fixed.contains(n))
        .collect();
    let outputs = run::execute(ready, &fed, common.threads())
        .map_err(|e| Outcome::new("error", e.message))?;
    Ok(compare(&outputs, &expected, a))
}

fn compare(outputs: &[(String, Tensor)], expected: &[Tensor], a: &Verify) -> Outcome {
    let mut worst = Outcome::new("pass", "");
    if expected.len() > outputs.len() {
        return Outcome::new(
            "fail",
            format!(
                "{} outputs are expected, there are {}",
                expected.len(),
                outputs.len()
            ),
        );
    }
    for ((name, got), want) in outputs.iter().zip(expected) {
        if got.shape() != want.shape() || got.dtype() != want.dtype() {
            return Outcome::new(
                "fail",
                format!("output '{name}' is {}, expected {}", got.ty(), want.ty()),
            );
        }
        let (g, w) = (got.to_f64(), want.to_f64());
        for (x, y) in g.iter().zip(&w).filter(|(x, y)| !same(**x, **y)) {
            worst.max_abs_diff = worst.max_abs_diff.max(if (x - y).is_nan() {
                f64::INFINITY
            } else {
                (x - y).abs()
            });
            worst.max_ulp = worst.max_ulp.max(ulps(*x, *y, got.dtype()));
        }
        if let Some(message) = judge(&g, &w, got, want, a) {
            worst.status = "fail";
            worst.message = format!("output '{name}': {message}");
            return worst;
        }
    }
    worst
}

fn same(x: f64, y: f64) -> bool {
    x == y || (x.is_nan() && y.is_nan())
}

/// What is wrong, if anything.
fn judge(g: &[f64], w: &[f64], got: &Tensor, want: &Tensor, a: &Verify) -> Option<String> {
    if let Some(least) = a.cosine.filter(|_| got.dtype().is_float()) {
        return cosine(g, w, least);
    }
    if !got.dtype().is_float() {
        let (g, w) = (got.to_i64(), want.to_i64());
        let at = (0..g.len()).find(|&i| {
            ((g[i] - w[i]).unsigned_abs() as f64) > a.atol + a.rtol * (w[i].unsigned_abs() as f64)
        })?;
        return Some(format!("element {at} is {}, expected {}", g[at], w[at]));
    }
    let off = |i: &usize| {
        !same(g[*i], w[*i])
            && ((g[*i] - w[*i]).abs() > a.atol + a.rtol * w[*i].abs()
                || !(g[*i] - w[*i]).is_finite())
    };
    let bad: Vec<usize> = (0..g.len()).filter(off).collect();
    let worst = bad
        .iter()
        .copied()
        .max_by(|&i, &j| (g[i] - w[i]).abs().total_cmp(&(g[j] - w[j]).abs()))?;
    Some(format!(
        "{} of {} elements differ, worst {worst}: {} expected {}",
        bad.len(),
        g.len(),
        g[worst],
        w[worst]
    ))
}

fn cosine(g: &[f64], w: &[f64], least: f64) -> Option<String> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norm = (dot(g, g) * dot(w, w)).sqrt();
    let similarity = if norm == 0.0 {
        if g == w { 1.0 } else { 0.0 }
    } else {
        dot(g, w) / norm
    };
    let argmax = |v: &[f64]| {
        v.iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1).then(b.0.cmp(&a.0)))
            .map(|m| m.0)
    };
    if similarity < least || similarity.is_nan() {
        return Some(format!(
            "cosine similarity {similarity:.6} is below {least}"
        ));
    }
    (argmax(g) != argmax(w)).then(|| format!("argmax is {:?}, expected {:?}", argmax(g), argmax(w)))
}

/// The difference in units of the last place of the larger value.
fn ulps(x: f64, y: f64, dtype: DType) -> f64 {
    let epsilon = match dtype {
        DType::F64 => f64::EPSILON,
        DType::F16 => 2f64.powi(-10),
        DType::BF16 => 2f64.powi(-7),
        d if d.is_float() => f64::from(f32::EPSILON),
        _ => return (x - y).abs(),
    };
    let scale = x
        .abs()
        .max(y.abs())
        .max(f64::MIN_POSITIVE)
        .log2()
        .floor()
        .exp2()
        * epsilon;
    let distance = (x - y).abs() / scale;
    if distance.is_nan() {
        f64::INFINITY
    } else {
        distance
    }
}
