//! Contractions whose weights are computed: packed while the program runs, as they are in training.

use crate::execute::compiled;
use crate::random::check;
use crate::seeded;
use cnnc_runtime::CpuLevel;

/// Networks whose weights are inputs or depend on them.
const NETWORKS: &[&str] = &[
    r#"graph "convolutions" (%x: f32[2,3,11,13], %w: f32[40,3,3,3], %b: f32[40], %v: f32[24,40,3,3]) {
         %c = Conv(%x, %w, %b) {pads=[1, 1, 1, 1]}
         %r = Relu(%c)
         %d = Conv(%r, %v) {strides=[2, 2], dilations=[1, 2]}
         return "y" = %d
       }"#,
    r#"graph "transposed" (%x: f32[2,20,6,7], %w: f32[20,36,3,3], %v: f32[36,18,2,2], %b: f32[36]) {
         %k = seeded f32[20,20,1,1]
         %a = Conv(%x, %k)
         %c = ConvTranspose(%a, %w) {strides=[2, 2], pads=[1, 1, 1, 1]}
         %d = ConvTranspose(%c, %v, %b) {group=2}
         return "y" = %d
       }"#,
    r#"graph "depthwise" (%x: f32[1,24,9,9], %w: f32[24,1,3,3]) {
         %k = seeded f32[24,24,1,1]
         %a = Conv(%x, %k)
         %y = Conv(%a, %w) {group=24, pads=[1, 1, 1, 1]}
         return "y" = %y
       }"#,
    r#"graph "products" (%x: f32[19,33], %w: f32[45,33], %v: f32[45,7]) {
         %a = Gemm(%x, %w) {transB=1}
         %b = MatMul(%a, %v)
         %c = Gemm(%b, %v) {transB=1}
         %d = Gemm(%b, %c) {transA=1}
         return "y" = %d
       }"#,
];

#[test]
fn computed_weights_equal_the_interpreter() {
    for text in NETWORKS {
        let graph = seeded::network(text);
        check(&graph, "fuse_epilogues", 1).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    }
}

#[test]
fn computed_weights_run_on_tiles() {
    let mut chosen = String::new();
    for text in NETWORKS {
        let compiled = compiled(&seeded::network(text), CpuLevel::V3, &[]);
        let text = compiled.unwrap_or_else(|e| panic!("{e}")).explanation;
        let lines = text.lines().filter(|line| !line.starts_with(' '));
        chosen.extend(lines.map(|line| format!("{line}\n")));
    }
    insta::assert_snapshot!(chosen);
}
