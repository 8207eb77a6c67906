//! Pools and what undoes them.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    let pools = [
        "MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2]}",
        "MaxPool(%x) {kernel_shape=[3, 2], pads=[1, 0, 1, 1]}",
        "MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1}",
        "AveragePool(%x) {kernel_shape=[2, 2], strides=[2, 2]}",
        "AveragePool(%x) {kernel_shape=[3, 2], pads=[1, 1, 1, 0], count_include_pad=1}",
        "AveragePool(%x) {kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[2, 1]}",
        "LpPool(%x) {kernel_shape=[2, 3], strides=[2, 1]}",
        "LpPool(%x) {kernel_shape=[2, 2], p=3, strides=[2, 2], pads=[1, 0, 0, 1], ceil_mode=1}",
        "LRN(%x) {size=3, alpha=0.5}",
    ];
    let pools = pools.map(|pool| format!("(%x: f64[{{a}},{{b}},{{d}},{{e}}]) {{\n  %y = {pool}"));
    [
        drawn([-1.0, 1.0], pools),
        drawn(
            [-1.0, 1.0],
            [
                "(%x: f64[{a},{b},{d}]) {\n  %y = AveragePool(%x) {kernel_shape=[3]}",
                "(%x: f64[{a},{b},{d}]) {\n  %y = MaxPool(%x) {kernel_shape=[3], strides=[2]}",
                "(%x: f64[1,2,3,4,{d}]) {\n  %y = AveragePool(%x) {kernel_shape=[2, 2, 2], strides=[1, 2, 2]}",
                "(%x: f64[1,2,3,4,{d}]) {\n  %y = MaxPool(%x) {kernel_shape=[2, 2, 2], strides=[1, 2, 2]}",
                "(%x: f64[{a},{b},4,6], %g: f64[{a},{b},2,3]) {\n  %y = cnnc.AveragePoolGradient(%x, %g) {kernel_shape=[2, 2], strides=[2, 2]}",
                "(%x: f64[1,2,4,6]) {\n  %p, %i = MaxPool(%x) {kernel_shape=[2, 2], strides=[2, 2]}\n  %q = Sin(%p)\n  %y = MaxUnpool(%q, %i) {kernel_shape=[2, 2], strides=[2, 2]}",
            ],
        ),
    ]
    .concat()
}
