//! `--profile`: what each node takes, how fast that is, and what share of this machine's measured peak.

use super::yardstick::{Rates, Yardstick};
use crate::cli::args::Common;
use crate::cli::failure::{Failure, printable};
use crate::cli::line;
use cnnc_runtime::{Session, Step, StepKind};

/// The steps of one node.
struct Row {
    label: String,
    kind: &'static str,
    us: f64,
}

/// Prints a row for each node, in the order of execution; times are medians over `runs` (at least one).
pub fn print(
    session: &mut Session,
    yardstick: &Yardstick,
    runs: usize,
    common: &Common,
) -> Result<(), Failure> {
    let rows = measure(session, runs)?;
    let total: f64 = rows.iter().map(|r| r.us).sum();
    for row in &rows {
        let Rates {
            gflops,
            gbs,
            of_peak,
        } = yardstick.rates(&row.label, row.us);
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
    let peak = &yardstick.peak;
    let operations = rows.iter().map(|row| yardstick.operations(&row.label));
    let gflops = operations.sum::<f64>() / total / 1e3;
    let of_peak = gflops / peak.gflops;
    if common.json {
        return line(
            &serde_json::json!({
                "peak_gflops": peak.gflops, "peak_gbs": peak.gbs, "us": total, "gflops": gflops, "peak_share": of_peak,
            })
            .to_string(),
        );
    }
    line(&format!(
        "{total:>10.1} us in all, {gflops:.1} GFLOP/s, {:.0} % of peak: {:.1} GFLOP/s (a matrix product), {:.1} GB/s (a copy)",
        100.0 * of_peak,
        peak.gflops,
        peak.gbs
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
                kind: kind(step),
                us,
            }),
        }
    }
    Ok(rows)
}

/// What runs a step.
pub fn kind(step: &Step) -> &'static str {
    match &step.kind {
        StepKind::Native { .. } => "generated",
        StepKind::Portable { .. } => "portable",
        _ => "control",
    }
}
