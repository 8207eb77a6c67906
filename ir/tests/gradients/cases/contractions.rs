//! Products of matrices and convolutions: strided, dilated, grouped, depthwise, transposed, of one and of three axes, and the gradients of
//! their filters.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    drawn(
        [-1.0, 1.0],
        [
            "(%a: f64[{a},{d}], %b: f64[{d},{c}]) {\n  %y = MatMul(%a, %b)",
            "(%a: f64[{b},{a},{d}], %b: f64[{d},{c}]) {\n  %y = MatMul(%a, %b)",
            "(%a: f64[1,{b},{a},{d}], %b: f64[{c},1,{d},{c}]) {\n  %y = MatMul(%a, %b)",
            "(%a: f64[{d}], %b: f64[{b},{d},{c}]) {\n  %y = MatMul(%a, %b)",
            "(%a: f64[{d},{a}], %b: f64[{c},{d}], %c: f64[{c}]) {\n  %y = Gemm(%a, %b, %c) {transA=1, transB=1, alpha=0.5, beta=2.0}",
            "(%a: f64[{a},{d}], %b: f64[{c},{d}]) {\n  %y = Gemm(%a, %b) {transB=1}",
            "(%a: f64[{a},{b},{d}], %b: f64[{b},{c}]) {\n  %y = Einsum(%a, %b) {equation=\"ijk,jl->kil\"}",
            "(%x: f64[{a},{b},{d},{e}], %w: f64[{c},{b},3,2], %b: f64[{c}]) {\n  %y = Conv(%x, %w, %b) {pads=[1, 0, 1, 1]}",
            "(%x: f64[{a},{b},{d},{e}], %w: f64[{c},{b},3,3]) {\n  %y = Conv(%x, %w) {strides=[2, 3], pads=[1, 1, 1, 1]}",
            "(%x: f64[{a},4,{d},{e}], %w: f64[6,2,2,2]) {\n  %y = Conv(%x, %w) {group=2, dilations=[2, 1], strides=[1, 2]}",
            "(%x: f64[{a},3,{d}], %w: f64[3,1,3]) {\n  %y = Conv(%x, %w) {group=3, pads=[2, 2]}",
            "(%x: f64[1,{b},3,4,{c}], %w: f64[2,{b},2,2,1]) {\n  %y = Conv(%x, %w) {pads=[1, 0, 0, 0, 1, 1], strides=[1, 2, 1]}",
            "(%x: f64[{a},{b},{c},{c}], %w: f64[{b},{c},3,2], %b: f64[{c}]) {\n  %y = ConvTranspose(%x, %w, %b) {strides=[2, 2], pads=[1, 0, 1, 1], output_padding=[1, 0]}",
            "(%x: f64[{a},4,{d}], %w: f64[4,3,2]) {\n  %y = ConvTranspose(%x, %w) {group=2, dilations=[2]}",
            "(%x: f64[{a},{b},{d},{e}], %g: f64[{a},{c},{d},{e}]) {\n  %y = cnnc.ConvFilterGradient(%x, %g) {kernel_shape=[3, 3], pads=[1, 1, 1, 1]}",
            "(%x: f64[2,4,5], %g: f64[2,6,2]) {\n  %y = cnnc.ConvFilterGradient(%x, %g) {kernel_shape=[2], strides=[2], group=2, dilations=[2]}",
            "(%x: f64[1,2,4,4], %w: f64[3,2,2,2], %o: f64[1,8,3,3]) {\n  %h = const f64[] [0.3]\n  %s = Mul(%o, %h)\n  %y = DeformConv(%x, %w, %s)",
            "(%x: f64[{a},2,{d}], %w: f64[2,1,3], %b: f64[2]) {\n  %y, %s = CausalConvWithState(%x, %w, %b) {activation=\"silu\"}",
        ],
    )
}
