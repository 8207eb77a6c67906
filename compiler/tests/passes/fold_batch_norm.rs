//! Per-channel scales and shifts go into the weights before them.

use super::{Rounded, Same, check};

#[test]
fn a_batch_normalisation_goes_into_the_weights() {
    let after = check(
        "fold_batch_norm",
        Rounded,
        r#"
        (%x: f32[1,3,4,4]) {
          %w = seeded f32[2,3,1,1]
          %b = seeded f32[2]
          %scale = seeded f32[2]
          %shift = seeded f32[2]
          %mean = seeded f32[2]
          %variance = seeded positive f32[2]
          %a = Conv(%x, %w, %b)
          %y = BatchNormalization(%a, %scale, %shift, %mean, %variance) {epsilon=0.01}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,3,4,4]) {
      %a.weight = const f32[2,3,1,1] [-0.07472826, -0.04076087, 0.08152174, 0.45239532, 0.36191627, -2.714372]
      %a.bias = const f32[2] [-1.3355979, 4.579911]
      %a.11 = Conv(%x, %a.weight, %a.bias) : f32[1,2,4,4]
      return "y" = %a.11
    }
    "#);
}

#[test]
fn scales_and_shifts_by_constants_go_into_weights_without_a_bias() {
    let after = check(
        "fold_batch_norm",
        Rounded,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,2,2,2]
          %s = const f32[2,1,1] [2.0, -0.5]
          %t = const f32[] [3.0]
          %a = Conv(%x, %w)
          %b = Mul(%s, %a)
          %c = Sub(%b, %t)
          %y = Div(%c, %s)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    3
    graph "t" (%x: f32[1,2,3,3]) {
      %a.10.13.weight = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a.10.13.bias = const f32[2] [-1.5, 6.0]
      %a.10.13.16 = Conv(%x, %a.10.13.weight, %a.10.13.bias) : f32[1,2,2,2]
      return "y" = %a.10.13.16
    }
    "#);
}

#[test]
fn a_transposed_convolution_scales_along_its_second_axis() {
    let after = check(
        "fold_batch_norm",
        Rounded,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,3,2,2]
          %s = const f32[1,3,1,1] [2.0, -0.5, 4.0]
          %a = ConvTranspose(%x, %w) {strides=[2, 2]}
          %y = Mul(%a, %s)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,2,3,3]) {
      %a.weight = const f32[2,3,2,2] <...>
      %a.bias = const f32[3] [0.0, 0.0, 0.0]
      %a.7 = ConvTranspose(%x, %a.weight, %a.bias) {strides=[2, 2]} : f32[1,3,6,6]
      return "y" = %a.7
    }
    "#);
}

#[test]
fn a_convolution_with_a_second_user_stays() {
    let after = check(
        "fold_batch_norm",
        Same,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,2,2,2]
          %s = const f32[] [2.0]
          %a = Conv(%x, %w)
          %y = Mul(%a, %s)
          return "y" = %y, "a" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,3,3]) {
      %w = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a = Conv(%x, %w) : f32[1,2,2,2]
      %s = const f32[] [2.0]
      %y = Mul(%a, %s) : f32[1,2,2,2]
      return "y" = %y, "a" = %a
    }
    "#);
}

#[test]
fn a_constant_along_another_axis_stays() {
    let after = check(
        "fold_batch_norm",
        Same,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,2,2,2]
          %s = const f32[2] [2.0, 3.0]
          %a = Conv(%x, %w)
          %y = Mul(%a, %s)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,3,3]) {
      %w = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a = Conv(%x, %w) : f32[1,2,2,2]
      %s = const f32[2] [2.0, 3.0]
      %y = Mul(%a, %s) : f32[1,2,2,2]
      return "y" = %y
    }
    "#);
}

#[test]
fn a_scale_that_is_not_finite_stays() {
    let after = check(
        "fold_batch_norm",
        Same,
        r#"
        (%x: f32[1,2,3,3]) {
          %w = seeded f32[2,2,2,2]
          %s = const f32[2,1,1] [inf, 3.0]
          %a = Conv(%x, %w)
          %y = Mul(%a, %s)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,3,3]) {
      %w = const f32[2,2,2,2] [-0.6875, -0.375, 0.75, -0.3125, -0.25, 1.875, -1.375, -1.6875, -1.9375, -1.875, -0.0625, 0.3125, 0.8125, 1.625, 0.875, -1.5]
      %a = Conv(%x, %w) : f32[1,2,2,2]
      %s = const f32[2,1,1] [inf, 3.0]
      %y = Mul(%a, %s) : f32[1,2,2,2]
      return "y" = %y
    }
    "#);
}
