//! Upsampling by repetition becomes a transposed convolution.

use super::{Same, check};

#[test]
fn repeated_rows_and_columns_become_one_transposed_convolution() {
    let after = check(
        "spread_upsamples",
        Same,
        r#"
        (%x: f32[1,2,2,3]) {
          %w = seeded f32[2,2,1,1]
          %rows = const i64[4] [0, 0, 1, 1]
          %columns = const i64[9] [0, 0, 0, 1, 1, 1, 2, 2, 2]
          %a = Conv(%x, %w)
          %b = Relu(%a)
          %c = Gather(%b, %rows) {axis=2}
          %d = Gather(%c, %columns) {axis=3}
          return "y" = %d
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[1,2,2,3]) {
      %w = const f32[2,2,1,1] [-0.6875, -0.375, 0.75, -0.3125]
      %a = Conv(%x, %w) : f32[1,2,2,3]
      %b = Relu(%a) : f32[1,2,2,3]
      %ones = const f32[2,1,2,3] [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
      %v9 = ConvTranspose(%b, %ones) {group=2, kernel_shape=[2, 3], strides=[2, 3]} : f32[1,2,4,9]
      return "y" = %v9
    }
    "#);
}

#[test]
fn repeated_rows_with_a_second_user_are_spread_on_their_own() {
    let after = check(
        "spread_upsamples",
        Same,
        r#"
        (%x: f32[1,2,2,2]) {
          %w = seeded f32[2,2,1,1]
          %twice = const i64[4] [0, 0, 1, 1]
          %a = Conv(%x, %w)
          %b = Gather(%a, %twice) {axis=2}
          %c = Gather(%b, %twice) {axis=3}
          return "b" = %b, "c" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[1,2,2,2]) {
      %w = const f32[2,2,1,1] [-0.6875, -0.375, 0.75, -0.3125]
      %a = Conv(%x, %w) : f32[1,2,2,2]
      %ones.8 = const f32[2,1,2,1] [1.0, 1.0, 1.0, 1.0]
      %v9 = ConvTranspose(%a, %ones.8) {group=2, kernel_shape=[2, 1], strides=[2, 1]} : f32[1,2,4,2]
      %ones = const f32[2,1,2,2] [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
      %v7 = ConvTranspose(%a, %ones) {group=2, kernel_shape=[2, 2], strides=[2, 2]} : f32[1,2,4,4]
      return "b" = %v9, "c" = %v7
    }
    "#);
}

#[test]
fn other_indices_and_what_no_convolution_made_stay() {
    let after = check(
        "spread_upsamples",
        Same,
        r#"
        (%x: f32[1,2,2,2]) {
          %w = seeded f32[2,2,1,1]
          %twice = const i64[4] [0, 0, 1, 1]
          %swapped = const i64[4] [0, 1, 0, 1]
          %a = Gather(%x, %twice) {axis=2}
          %b = Conv(%a, %w)
          %c = Gather(%b, %swapped) {axis=3}
          return "c" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,2,2]) {
      %twice = const i64[4] [0, 0, 1, 1]
      %a = Gather(%x, %twice) {axis=2} : f32[1,2,4,2]
      %w = const f32[2,2,1,1] [-0.6875, -0.375, 0.75, -0.3125]
      %b = Conv(%a, %w) : f32[1,2,4,2]
      %swapped = const i64[4] [0, 1, 0, 1]
      %c = Gather(%b, %swapped) {axis=3} : f32[1,2,4,4]
      return "c" = %c
    }
    "#);
}
