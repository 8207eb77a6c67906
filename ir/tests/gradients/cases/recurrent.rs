//! LSTM, GRU and RNN: directions, layouts, lengths, initial states, peepholes, other activations.

use super::drawn;
use crate::harness::Case;

pub fn cases() -> Vec<Case> {
    drawn(
        [-0.8, 0.8],
        [
            "(%x: f64[{a},{b},{c}], %w: f64[1,2,{c}], %r: f64[1,2,2], %b: f64[1,4]) {\n  %y, %h = RNN(%x, %w, %r, %b)",
            "(%x: f64[3,2,{c}], %w: f64[1,2,{c}], %r: f64[1,2,2], %b: f64[1,4], %h: f64[1,2,2]) {\n  %n = const i32[2] [3, 1]\n  %y, %l = RNN(%x, %w, %r, %b, %n, %h) {direction=\"reverse\", activations=[\"Softsign\"]}",
            "(%x: f64[{a},{b},{c}], %w: f64[1,6,{c}], %r: f64[1,6,2], %b: f64[1,12]) {\n  %y = GRU(%x, %w, %r, %b) {linear_before_reset=1}",
            "(%x: f64[2,3,{c}], %w: f64[2,6,{c}], %r: f64[2,6,2], %b: f64[2,12], %h: f64[2,2,2]) {\n  %q, %y = GRU(%x, %w, %r, %b, _, %h) {direction=\"bidirectional\", layout=1}",
            "(%x: f64[{a},{b},{c}], %w: f64[1,8,{c}], %r: f64[1,8,2], %b: f64[1,16]) {\n  %y, %h, %c = LSTM(%x, %w, %r, %b)",
            "(%x: f64[3,2,2], %w: f64[1,8,2], %r: f64[1,8,2], %h: f64[1,2,2], %c: f64[1,2,2], %p: f64[1,6]) {\n  %n = const i32[2] [2, 3]\n  %q, %l, %y = LSTM(%x, %w, %r, _, %n, %h, %c, %p)",
            "(%x: f64[2,2,2], %w: f64[2,8,2], %r: f64[2,8,2], %b: f64[2,16]) {\n  %q, %h, %y = LSTM(%x, %w, %r, %b) {direction=\"bidirectional\", input_forget=1, clip=3.0}",
            "(%x: f64[2,2,2], %w: f64[1,8,2], %r: f64[1,8,2]) {\n  %q, %h, %c = LSTM(%x, %w, %r) {activations=[\"HardSigmoid\", \"ScaledTanh\", \"Elu\"]}\n  %s = Add(%h, %c)\n  %y = Mul(%q, %s)",
            "(%x: f64[2,2,2], %w: f64[2,2,2], %r: f64[2,2,2]) {\n  %y = RNN(%x, %w, %r) {direction=\"bidirectional\", activations=[\"Affine\", \"Softplus\"], activation_alpha=[0.5], activation_beta=[0.1]}",
        ],
    )
}
