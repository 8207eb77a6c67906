//! `cnnc bench`: latency of one run, after a warm-up, on random inputs.

mod peak;
mod profile;
mod trace;
mod yardstick;

use super::args::{Bench, Common};
use super::failure::Failure;
use super::run::ir_dtype;
use super::train::with_file;
use super::{line, load, output, step, tensors};
use crate::emit;
use crate::statistics::Work;
use crate::train::Trainer;
use cnnc_models::step::{RATE, STEP};
use cnnc_runtime::{Model, Session, TensorView};
use std::time::{Duration, Instant};
use yardstick::Yardstick;

pub fn run(a: &Bench, common: &Common) -> Result<(), Failure> {
    a.trace.as_deref().map_or(Ok(()), output::check)?;
    let start = Instant::now();
    let (mut session, work) = match a.step.train {
        true => training(a, common)?,
        false => {
            let (model, work) = model(a, common)?;
            (model.session(common.threads())?, work)
        }
    };
    let load_ms = start.elapsed().as_secs_f64() * 1e3;
    let model = session.model().clone();
    let learns = a.step.train || !model.program().states.is_empty();
    for (seed, port) in model.program().inputs.iter().enumerate() {
        if learns && [RATE, STEP].contains(&port.name.as_str()) {
            session
                .input_mut::<f32>(&port.name)?
                .copy_from(&[if port.name == STEP { 1.0 } else { 1e-4 }])?;
            continue;
        }
        let shape: Vec<usize> = model
            .program()
            .upper_dims(&port.operand)
            .into_iter()
            .map(|d| d as usize)
            .collect();
        let t = tensors::random(ir_dtype(port.operand.dtype), &shape, seed as u64);
        let view = TensorView::from_bytes(emit::dtype(t.dtype()), t.shape(), t.bytes());
        session.set_input(
            &port.name,
            view.ok_or_else(|| Failure::input("a random input does not fit its shape"))?,
        )?;
    }
    // Caches, page tables and the thread team settle within a fifth of the time.
    let budget = Duration::from_secs_f64(a.seconds.min(3600.0));
    let warm_up = Instant::now();
    loop {
        session.run()?;
        if warm_up.elapsed() >= budget / 5 {
            break;
        }
    }
    let mut times = Vec::new();
    let begin = Instant::now();
    while match a.runs {
        Some(runs) => times.len() < runs as usize,
        None => times.len() < 3 || begin.elapsed() < budget,
    } {
        let t = Instant::now();
        session.run()?;
        times.push(t.elapsed().as_secs_f64() * 1e3);
    }
    if a.profile {
        let yardstick = Yardstick::measure(&work, session.threads(), common)?;
        let runs = times.len().clamp(3, 100);
        profile::print(&mut session, &yardstick, runs, common)?;
        if let Some(path) = &a.trace {
            trace::write(&mut session, &yardstick, runs, path)?;
        }
    }
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[((times.len() - 1) as f64 * q).round() as usize];
    let (threads, rss) = (session.threads(), peak_rss_mb());
    if common.json {
        return line(&serde_json::json!({
            "model": a.model.model.display().to_string(), "threads": threads, "runs": times.len(), "min_ms": times[0],
            "median_ms": at(0.5), "p90_ms": at(0.9), "p99_ms": at(0.99), "load_ms": load_ms, "peak_rss_mb": rss,
        }).to_string());
    }
    line(&format!(
        "{}  {threads} threads  {} runs  min {:.3} ms  median {:.3} ms  p90 {:.3} ms  p99 {:.3} ms  load {load_ms:.1} ms  peak {rss:.0} MB",
        a.model.model.display(),
        times.len(),
        times[0],
        at(0.5),
        at(0.9),
        at(0.99),
    ))
}

/// A session that trains a described network, and the work of its nodes.
fn training(a: &Bench, common: &Common) -> Result<(Session, Vec<Work>), Failure> {
    let path = &a.model.model;
    let step = step::compiled(&a.step, path, common)?;
    let work = step.compiled.work();
    let trainer = Trainer::new(step, common.threads()).map_err(|e| with_file(path, e))?;
    Ok((trainer.into_session(), work))
}

/// The model and, as far as it is known, the work of its nodes.
fn model(a: &Bench, common: &Common) -> Result<(Model, Vec<Work>), Failure> {
    let (path, options) = (&a.model.model, load::shapes(&a.model.inputs)?);
    if load::is_artefact(path) {
        let model = load::open_for(path, &options, common)?;
        let work = load::meta(&model, "work").lines();
        let work = work.filter_map(|l| l.parse().ok()).collect();
        return Ok((model, work));
    }
    let compiled = load::compiled(path, &options, common)?;
    let work = compiled.work();
    Ok((compiled.model()?, work))
}

/// The process's largest resident set so far, from `/proc/self/status`.
fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kb = status.lines().find_map(|l| {
        l.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse::<f64>()
            .ok()
    });
    kb.unwrap_or(0.0) / 1024.0
}
