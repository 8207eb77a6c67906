//! Addresses that depend on data. Positions repeat only where what is read or added there may.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    let cumulative = ["CumSum", "CumProd"].into_iter().flat_map(|op| {
        [[0, 0], [1, 0], [0, 1], [1, 1]].map(|[exclusive, reverse]| {
            format!(
                "(%x: f64[{{a}},{{b}},{{c}}]) {{\n  %a = const i64[] [1]\n  %y = {op}(%x, %a) {{exclusive={exclusive}, reverse={reverse}}}"
            )
        })
    });
    [
        drawn([-1.5, 1.5], cumulative),
        drawn(
            [-1.0, 1.0],
            [
                "(%x: f64[{a},{d},{e}]) {\n  %i = const i64[2,2] [0, 1, 1, -1]\n  %y = Gather(%x, %i) {axis=1}",
                "(%x: f64[{a},{d},{e}]) {\n  %k = const i64[1] [2]\n  %y, %i = TopK(%x, %k) {axis=1}",
                "(%x: f64[{d},{e},{a}]) {\n  %i = const i64[2,1,2] [0, 1, 0, -4]\n  %y = GatherND(%x, %i)",
                "(%x: f64[2,{d},{a}]) {\n  %i = const i64[2,3,1] [0, 4, 0, 1, 1, -1]\n  %y = GatherND(%x, %i) {batch_dims=1}",
                "(%x: f64[{d},2,3]) {\n  %i = const i64[2,2,2] [0, 1, 1, 1, 0, 0, 2, -1]\n  %y = GatherElements(%x, %i) {axis=2}",
                "(%x: f64[2,{d}], %u: f64[2,3]) {\n  %i = const i64[2,3] [0, 4, 1, 1, 2, -1]\n  %y = ScatterElements(%x, %i, %u) {axis=1}",
                "(%x: f64[2,{d}], %u: f64[2,3]) {\n  %i = const i64[2,3] [0, 0, 1, 1, 2, 2]\n  %y = ScatterElements(%x, %i, %u) {axis=1, reduction=\"add\"}",
                "(%x: f64[{d},{a}], %u: f64[2,{a}]) {\n  %i = const i64[2,1] [1, -1]\n  %y = ScatterND(%x, %i, %u)",
                "(%x: f64[{d},{a}], %u: f64[2,{a}]) {\n  %i = const i64[2,1] [1, 1]\n  %y = ScatterND(%x, %i, %u) {reduction=\"add\"}",
                "(%x: f64[{d},3,{a}]) {\n  %n = const i64[3] [5, 1, 3]\n  %y = ReverseSequence(%x, %n)",
                "(%x: f64[3,{d}]) {\n  %n = const i64[3] [0, 2, 5]\n  %y = ReverseSequence(%x, %n) {batch_axis=0, time_axis=1}",
                "(%v: f64[2]) {\n  %i = const i64[3] [0, 2, 1]\n  %d = const i64[] [4]\n  %y = OneHot(%i, %d, %v)",
                "(%x: f64[2,3,{d},4], %u: f64[2,3,2,4]) {\n  %i = const i64[2] [0, 3]\n  %y = TensorScatter(%x, %u, %i)",
                "(%x: f64[{a},{d}]) {\n  %i = const i64[3] [0, 2, 1]\n  %y = ai.onnx.ml.ArrayFeatureExtractor(%x, %i)",
            ],
        ),
    ]
    .concat()
}
