//! Elementwise operators join the operator whose result only they use.

use super::{Same, check};

#[test]
fn a_convolution_takes_its_activation_and_residual() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[1,2,3,3], %r: f32[1,2,2,2]) {
          %w = seeded f32[2,2,2,2]
          %a = Conv(%x, %w)
          %b = cnnc.Map(%a, %r) {dtype=f32, expr={ arg 0:f32; arg 1:f32; add %0 %1:f32; lit 0.0:f32; max %2 %3:f32 }}
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,2,3,3], %r: f32[1,2,2,2]) {
      %w = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %v5 = Conv(%x, %w) then [%r] { arg 0:f32; arg 1:f32; add %0 %1:f32; lit 0.0:f32; max %2 %3:f32 } : f32[1,2,2,2]
      return "y" = %v5
    }
    "#);
}

#[test]
fn windows_and_reductions_take_epilogues() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[1,2,4,4]) {
          %a = AveragePool(%x) {kernel_shape=[2, 2]}
          %b = Exp(%a)
          %c = ReduceSum(%b) {keepdims=1}
          %y = Sqrt(%c)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[1,2,4,4]) {
      %v5 = AveragePool(%x) {kernel_shape=[2, 2]} then [] { arg 0:f32; exp %0:f32 } : f32[1,2,3,3]
      %v6 = ReduceSum(%v5) {keepdims=1} then [] { arg 0:f32; sqrt %0:f32 } : f32[1,1,1,1]
      return "y" = %v6
    }
    "#);
}

#[test]
fn of_two_convolutions_the_younger_takes_the_sum() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[1,2,3,3]) {
          %v = seeded f32[2,2,2,2]
          %w = seeded f32[2,2,2,2]
          %a = Conv(%x, %v)
          %b = Conv(%x, %w)
          %y = Add(%a, %b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,2,3,3]) {
      %w = const f32[2,2,2,2] [-0.625, -1.5625, -0.8125, 1.0625, 1.3125, -1.125, 1.4375, 1.875, -1.6875, -0.9375, -2.0, -1.5, 1.875, -1.1875, 1.0, -0.9375]
      %v = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a = Conv(%x, %v) : f32[1,2,2,2]
      %v6 = Conv(%x, %w) then [%a] { arg 1:f32; arg 0:f32; add %0 %1:f32 } : f32[1,2,2,2]
      return "y" = %v6
    }
    "#);
}

#[test]
fn a_result_with_two_users_is_left_alone() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,2,2,2]
          %a = Conv(%x, %w)
          %b = Relu(%a)
          %c = Exp(%a)
          return "b" = %b, "c" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,3,3]) {
      %w = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a = Conv(%x, %w) : f32[1,2,2,2]
      %b = Relu(%a) : f32[1,2,2,2]
      %c = Exp(%a) : f32[1,2,2,2]
      return "b" = %b, "c" = %c
    }
    "#);
}

#[test]
fn a_result_that_broadcasts_is_left_alone() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[2,3], %z: f32[2,3]) {
          %a = ReduceMax(%x) {keepdims=1}
          %y = Sub(%z, %a)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2,3], %z: f32[2,3]) {
      %a = ReduceMax(%x) {keepdims=1} : f32[1,1]
      %y = Sub(%z, %a) : f32[2,3]
      return "y" = %y
    }
    "#);
}

#[test]
fn the_gradient_of_a_filter_takes_none() {
    let after = check(
        "fuse_epilogues",
        Same,
        r#"
        (%x: f32[1,2,3,3], %dy: f32[1,2,2,2], %w: f32[2,2,2,2]) {
          %dw = cnnc.ConvFilterGradient(%x, %dy) {kernel_shape=[2, 2]}
          %y = Add(%dw, %w)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,3,3], %dy: f32[1,2,2,2], %w: f32[2,2,2,2]) {
      %dw = cnnc.ConvFilterGradient(%x, %dy) {kernel_shape=[2, 2]} : f32[2,2,2,2]
      %y = Add(%dw, %w) : f32[2,2,2,2]
      return "y" = %y
    }
    "#);
}
