//! `--trace`: one run as a file for `chrome://tracing` or Perfetto, in the Trace Event Format: a lane for each thread, in it a slice
//! for each step, as long as the thread was busy with it. What lies between slices is waiting for other threads.

use super::profile::kind;
use super::yardstick::{Rates, Yardstick};
use crate::cli::failure::Failure;
use crate::cli::output;
use cnnc_runtime::{Session, Span, Step};
use serde_json::{Value, json};
use std::path::Path;

/// Traces `runs` runs (at least one) and writes the quickest.
pub fn write(
    session: &mut Session,
    yardstick: &Yardstick,
    runs: usize,
    path: &Path,
) -> Result<(), Failure> {
    let mut quickest = session.run_traced()?;
    for _ in 1..runs {
        let lanes = session.run_traced()?;
        if end(&lanes) < end(&quickest) {
            quickest = lanes;
        }
    }
    let steps = &session.model().program().steps;
    let trace = trace(&quickest, steps, yardstick);
    output::write(path, format!("{trace:#}\n").as_bytes())
}

fn end(lanes: &[Vec<Span>]) -> Option<std::time::Duration> {
    lanes.first()?.last().map(|span| span.end)
}

fn trace(lanes: &[Vec<Span>], steps: &[Step], yardstick: &Yardstick) -> Value {
    let names = (0..lanes.len()).map(|thread| {
        json!({
            "name": "thread_name", "ph": "M", "pid": 1, "tid": thread, "args": {"name": format!("thread {thread}")},
        })
    });
    let slices = lanes.iter().enumerate().flat_map(|(thread, spans)| {
        let timed = steps.iter().zip(spans);
        timed.map(move |(step, span)| slice(thread, step, span, yardstick))
    });
    json!({
        "displayTimeUnit": "ms",
        "otherData": {"peak_gflops": yardstick.peak.gflops, "peak_gbs": yardstick.peak.gbs},
        "traceEvents": names.chain(slices).collect::<Vec<Value>>(),
    })
}

/// Rates are those of all threads together.
fn slice(thread: usize, step: &Step, span: &Span, yardstick: &Yardstick) -> Value {
    let us = |duration: std::time::Duration| duration.as_secs_f64() * 1e6;
    let Rates {
        gflops,
        gbs,
        of_peak,
    } = yardstick.rates(&step.label, us(span.end.saturating_sub(span.start)));
    json!({
        "name": step.label, "cat": kind(step), "ph": "X", "pid": 1, "tid": thread,
        "ts": us(span.start), "dur": us(span.done.saturating_sub(span.start)),
        "args": {
            "gflops": gflops, "gbs": gbs, "peak_share": of_peak, "waited_us": us(span.end.saturating_sub(span.done)),
        },
    })
}
