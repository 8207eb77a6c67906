//! `--profile`: what each node takes, how fast that is, and what share of this machine's measured peak.

use super::peak::Peak;
use crate::cli::args::Common;
use crate::cli::failure::{Failure, printable};
use crate::cli::line;
use crate::statistics::Work;
use cnnc_runtime::{Session, StepKind};
use std::collections::HashMap;

/// The steps of one node.
struct Row {
    label: String,
    kind: &'static str,
    us: f64,
}

/// Prints a row for each node, in the order of execution; times are medians over `runs` (at least one).
pub fn print(
    session: &mut Session,
    work: &[Work],
    runs: usize,
    common: &Common,
) -> Result<(), Failure> {
    let rows = measure(session, runs)?;
    let peak = Peak::measure(session.threads(), common)?;
    let work: HashMap<&str, &Work> = work.iter().map(|w| (w.label.as_str(), w)).collect();
    let total: f64 = rows.iter().map(|r| r.us).sum();
    for row in &rows {
        let (operations, bytes) = work
            .get(row.label.as_str())
            .map_or((0.0, 0.0), |w| (w.operations as f64, w.bytes as f64));
        let (gflops, gbs) = (operations / row.us / 1e3, bytes / row.us / 1e3);
        let of_peak = (gflops / peak.gflops).max(gbs / peak.gbs);
        let share = row.us / total;
        if common.json {
            line(
                &serde_json::json!({
                    "step": row.label, "kind": row.kind, "us": row.us, "share": share,
                    "gflops": gflops, "gbs": gbs, "peak_share": of_peak,
                })
                .to_string(),
            )?;
        } else {
            line(&format!(
                "{:>10.1} us {:>5.1} % {gflops:>7.1} GFLOP/s {gbs:>6.1} GB/s {:>4.0} % of peak  {:9} {}",
                row.us,
                100.0 * share,
                100.0 * of_peak,
                row.kind,
                printable(&row.label)
            ))?;
        }
    }
    if common.json {
        let peak = serde_json::json!({"peak_gflops": peak.gflops, "peak_gbs": peak.gbs});
        return line(&peak.to_string());
    }
    line(&format!(
        "peak: {:.1} GFLOP/s (a matrix product), {:.1} GB/s (a copy)",
        peak.gflops, peak.gbs
    ))
}

fn measure(session: &mut Session, runs: usize) -> Result<Vec<Row>, Failure> {
    let mut samples: Vec<Vec<f64>> = Vec::new();
    for _ in 0..runs {
        let times = session.run_profiled()?;
        samples.resize(times.len(), Vec::new());
        let us = times.iter().map(|t| t.as_secs_f64() * 1e6);
        samples.iter_mut().zip(us).for_each(|(s, t)| s.push(t));
    }
    let medians = samples.into_iter().map(|mut s| {
        s.sort_by(f64::total_cmp);
        s[s.len() / 2]
    });
    let mut rows: Vec<Row> = Vec::new();
    for (step, us) in session.model().program().steps.iter().zip(medians) {
        match rows.last_mut() {
            Some(row) if row.label == step.label => row.us += us,
            _ => rows.push(Row {
                label: step.label.clone(),
                kind: match &step.kind {
                    StepKind::Native { .. } => "generated",
                    StepKind::Portable { .. } => "portable",
                    _ => "control",
                },
                us,
            }),
        }
    }
    Ok(rows)
}
