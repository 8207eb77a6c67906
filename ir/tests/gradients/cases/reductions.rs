//! Sums, products and extremes.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    let mut positive = Vec::new();
    for op in [
        "ReduceSum",
        "ReduceMean",
        "ReduceMax",
        "ReduceMin",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
    ] {
        for keep in [0, 1] {
            positive.push(format!(
                "(%x: f64[{{a}},{{b}},{{d}}]) {{\n  %axes = const i64[2] [0, 2]\n  %y = {op}(%x, %axes) {{keepdims={keep}}}"
            ));
        }
    }
    let axes = ["i64[1] [1]", "i64[2] [0, 2]", "i64[3] [0, 1, 2]"];
    let products = axes.map(|axes| {
        format!(
            "(%x: f64[{{a}},{{b}},{{c}}]) {{\n  %axes = const {axes}\n  %y = ReduceProd(%x, %axes)"
        )
    });
    let pooled = ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"];
    let pooled = pooled.map(|op| format!("(%x: f64[{{a}},{{b}},{{d}},{{e}}]) {{\n  %y = {op}(%x)"));
    [
        drawn([0.3, 2.0], positive),
        drawn([-1.5, 1.5], products),
        drawn([-1.0, 1.0], pooled),
    ]
    .concat()
}
