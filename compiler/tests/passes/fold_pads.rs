//! A pad in front of a convolution becomes its own padding.

use super::{Same, check};

#[test]
fn a_pad_of_zeros_joins_the_convolution() {
    let after = check(
        "fold_pads",
        Same,
        r#"
        (%x: f32[1,2,5,5]) {
          %p = const i64[8] [0, 0, 1, 2, 0, 0, 1, 0]
          %w = seeded f32[2,2,2,2]
          %a = Pad(%x, %p)
          %y = Conv(%a, %w) {pads=[1, 0, 0, 0], strides=[2, 1]}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,2,5,5]) {
      %w = const f32[2,2,2,2] [-0.625, -1.5625, -0.8125, 1.0625, 1.3125, -1.125, 1.4375, 1.875, -1.6875, -0.9375, -2.0, -1.5, 1.875, -1.1875, 1.0, -0.9375]
      %v5 = Conv(%x, %w) {pads=[2, 2, 1, 0], strides=[2, 1]} : f32[1,2,4,6]
      return "y" = %v5
    }
    "#);
}

#[test]
fn a_pad_of_channels_or_of_another_value_stays() {
    let after = check(
        "fold_pads",
        Same,
        r#"
        (%x: f32[1,1,5,5]) {
          %p = const i64[8] [0, 1, 0, 0, 0, 0, 0, 0]
          %q = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
          %one = const f32[] [1.0]
          %w = seeded f32[2,2,2,2]
          %a = Pad(%x, %p)
          %b = Pad(%a, %q, %one)
          %y = Conv(%b, %w)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,1,5,5]) {
      %p = const i64[8] [0, 1, 0, 0, 0, 0, 0, 0]
      %a = Pad(%x, %p) : f32[1,2,5,5]
      %q = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
      %one = const f32[] [1.0]
      %b = Pad(%a, %q, %one) : f32[1,2,7,7]
      %w = const f32[2,2,2,2] [-1.4375, -0.125, -1.0625, -0.6875, -1.4375, -0.375, 0.8125, 1.8125, -1.4375, -1.875, -0.125, -1.0625, -1.25, -1.625, 1.8125, -1.4375]
      %y = Conv(%b, %w) : f32[1,2,6,6]
      return "y" = %y
    }
    "#);
}

#[test]
fn a_pad_by_reflection_stays() {
    let after = check(
        "fold_pads",
        Same,
        r#"
        (%x: f32[1,1,5,5]) {
          %p = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
          %w = seeded f32[1,1,3,3]
          %a = Pad(%x, %p) {mode="reflect"}
          %y = Conv(%a, %w)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,1,5,5]) {
      %p = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
      %a = Pad(%x, %p) {mode="reflect"} : f32[1,1,7,7]
      %w = const f32[1,1,3,3] [-0.625, -1.5625, -0.8125, 1.0625, 1.3125, -1.125, 1.4375, 1.875, -1.6875]
      %y = Conv(%a, %w) : f32[1,1,5,5]
      return "y" = %y
    }
    "#);
}

#[test]
fn a_pad_that_something_else_reads_stays_for_it() {
    let after = check(
        "fold_pads",
        Same,
        r#"
        (%x: f32[1,1,5,5]) {
          %p = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
          %w = seeded f32[1,1,3,3]
          %a = Pad(%x, %p)
          %y = Conv(%a, %w)
          %z = Relu(%a)
          return "y" = %y, "z" = %z
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,1,5,5]) {
      %w = const f32[1,1,3,3] [-0.625, -1.5625, -0.8125, 1.0625, 1.3125, -1.125, 1.4375, 1.875, -1.6875]
      %v6 = Conv(%x, %w) {pads=[1, 1, 1, 1]} : f32[1,1,5,5]
      %p = const i64[8] [0, 0, 1, 1, 0, 0, 1, 1]
      %a = Pad(%x, %p) : f32[1,1,7,7]
      %z = Relu(%a) : f32[1,1,7,7]
      return "y" = %v6, "z" = %z
    }
    "#);
}
