//! What consists of other operators: normalisations, softmax, losses, attention, interpolation, optimisers.

use super::drawn;
use crate::harness::Case;

const MOMENTS: &str = "%m = const f64[3] [0, 0, 0]\n  %v = const f64[3] [1, 1, 1]\n  %y, %rm, %rv = BatchNormalization(%x, %s, %b, %m, %v) {training_mode=1}";

pub fn cases() -> Vec<Case> {
    [normalisations(), heads(), pictures(), updates()].concat()
}

fn normalisations() -> Vec<Case> {
    let mut cases = drawn(
        [-1.0, 1.0],
        [
            "(%x: f64[{a},{d}]) {\n  %y = Softmax(%x)",
            "(%x: f64[{a},{b},{c}]) {\n  %y = Softmax(%x) {axis=1, flatten=1}",
            "(%x: f64[{a},{d}]) {\n  %y = LogSoftmax(%x)",
            "(%x: f64[{a},{d}]) {\n  %y = Hardmax(%x)",
            "(%x: f64[{a},4,{d}]) {\n  %y = LpNormalization(%x) {axis=1}",
            "(%x: f64[2,3,{d}], %s: f64[3], %b: f64[3]) {\n  %y = InstanceNormalization(%x, %s, %b)",
            "(%x: f64[2,4,{d}], %s: f64[4], %b: f64[4]) {\n  %y = GroupNormalization(%x, %s, %b) {num_groups=2}",
            "(%x: f64[2,3,{d}], %s: f64[3], %b: f64[3]) {\n  %m = const f64[3] [0, 1, 0]\n  %v = const f64[3] [1, 1, 2]\n  %y = BatchNormalization(%x, %s, %b, %m, %v)",
            "(%x: f64[{a},{d}], %s: f64[{d}], %b: f64[{d}]) {\n  %y = LayerNormalization(%x, %s, %b) {axis=-1}",
            "(%x: f64[{a},{d}], %s: f64[{d}]) {\n  %y = RMSNormalization(%x, %s)",
            "(%x: f64[2,3,{b},{c}]) {\n  %y = MeanVarianceNormalization(%x)",
        ],
    );
    cases.extend(drawn(
        [-1.0, 1.0],
        [format!(
            "(%x: f64[2,3,{{d}}], %s: f64[3], %b: f64[3]) {{\n  {MOMENTS}"
        )],
    ));
    cases
}

fn heads() -> Vec<Case> {
    drawn(
        [-1.0, 1.0],
        [
            "(%x: f64[{a},4], %l: i64[{a}]) {\n  %y = SoftmaxCrossEntropyLoss(%x, %l)",
            "(%x: f64[{a},4,{b}], %l: i64[{a},{b}], %w: f64[4]) {\n  %v = Abs(%w)\n  %y = SoftmaxCrossEntropyLoss(%x, %l, %v) {reduction=\"sum\"}",
            "(%x: f64[{a},4,{b}], %l: i64[{a},{b}]) {\n  %y = NegativeLogLikelihoodLoss(%x, %l) {reduction=\"none\"}",
            "(%q: f64[1,2,{a},4], %k: f64[1,2,{b},4], %v: f64[1,2,{b},{c}]) {\n  %y = Attention(%q, %k, %v)",
            "(%q: f64[1,{a},4], %k: f64[1,{a},4], %v: f64[1,{a},4]) {\n  %y = Attention(%q, %k, %v) {is_causal=1, q_num_heads=2, kv_num_heads=2, softcap=2.0}",
            "(%q: f64[1,2,{a},4], %k: f64[1,2,{a},4], %v: f64[1,2,{a},4]) {\n  %y = ai.onnx.preview.FlexAttention(%q, %k, %v) do graph \"s\" (%s: f64[1,2,{a},{a}]) {\n  %t = Tanh(%s)\n  return \"t\" = %t\n} do graph \"p\" (%p: f64[1,2,{a},{a}]) {\n  %n = Mul(%p, %p)\n  return \"n\" = %n\n}",
            "(%q: f64[1,{a},4], %k: f64[1,{a},4], %v: f64[1,{a},4]) {\n  %y, %s = LinearAttention(%q, %k, %v) {q_num_heads=2, kv_num_heads=2, update_rule=\"linear\"}",
            "(%x: f64[1,2,3,4], %c: f64[1,3,2], %s: f64[1,3,2]) {\n  %y = RotaryEmbedding(%x, %c, %s)",
            "(%h: f64[2], %x: f64[{a},2]) {\n  %q, %y = Scan(%h, %x) {num_scan_inputs=1} do graph \"b\" (%h: f64[2], %x: f64[2]) {\n  %s = Mul(%h, %x)\n  %t = Add(%s, %h)\n  return \"t\" = %t, \"s\" = %s\n}",
            "(%x: f64[{a},{d}], %z: f64[{a},{d}]) {\n  %y = SwiGLU(%x, %z)",
        ],
    )
}

fn pictures() -> Vec<Case> {
    drawn(
        [-0.9, 0.9],
        [
            "(%x: f64[2,2,3,3]) {\n  %s = const f32[4] [1, 1, 2, 2]\n  %y = Resize(%x, _, %s) {mode=\"linear\"}",
            "(%x: f64[1,2,3,4]) {\n  %s = const f32[4] [1, 1, 2, 1.5]\n  %y = Resize(%x, _, %s) {mode=\"nearest\"}",
            "(%x: f64[1,1,4,4]) {\n  %s = const f32[4] [1, 1, 1.5, 0.5]\n  %y = Resize(%x, _, %s) {mode=\"cubic\"}",
            "(%x: f64[1,2,4,5], %g: f64[1,2,3,2]) {\n  %y = GridSample(%x, %g)",
            "(%t: f64[{a},2,3]) {\n  %s = const i64[4] [{a}, 1, 3, 4]\n  %y = AffineGrid(%t, %s)",
            "(%x: f64[{a},{d},2]) {\n  %y = DFT(%x)",
            "(%x: f64[1,8], %w: f64[4]) {\n  %s = const i64[] [2]\n  %y = STFT(%x, %s, %w)",
        ],
    )
}

/// Optimisers, seen as functions of the parameter, the gradient and the state.
fn updates() -> Vec<Case> {
    drawn(
        [0.2, 1.0],
        [
            "(%p: f64[{a}], %g: f64[{a}], %s: f64[{a}]) {\n  %r = const f64[] [0.1]\n  %t = const i64[] [1]\n  %y, %n = ai.onnx.preview.training.Adagrad(%r, %t, %p, %g, %s)",
            "(%p: f64[{a}], %g: f64[{a}], %s: f64[{a}]) {\n  %r = const f64[] [0.1]\n  %t = const i64[] [1]\n  %y, %n = ai.onnx.preview.training.Momentum(%r, %t, %p, %g, %s) {alpha=0.9, beta=0.9, mode=\"standard\", norm_coefficient=0.01}",
            "(%p: f64[{a}], %g: f64[{a}], %s: f64[{a}], %h: f64[{a}]) {\n  %r = const f64[] [0.1]\n  %t = const i64[] [1]\n  %y, %n, %m = ai.onnx.preview.training.Adam(%r, %t, %p, %g, %s, %h)",
        ],
    )
}
