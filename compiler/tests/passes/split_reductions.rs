//! Statistics of channels in two steps.

use super::{Rounded, Same, check};

#[test]
fn means_over_images_and_planes_are_means_of_the_planes() {
    let after = check(
        "split_reductions",
        Rounded,
        r#"
        (%x: f32[4,3,5,6]) {
          %axes = const i64[3] [0, 2, 3]
          %m = ReduceMean(%x, %axes) {keepdims=1}
          %s = ReduceSum(%x, %axes) {keepdims=0}
          return "m" = %m, "s" = %s
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[4,3,5,6]) {
      %v4 = const i64[2] [2, 3]
      %v5 = ReduceMean(%x, %v4) {keepdims=1} : f32[4,3,1,1]
      %axes = const i64[3] [0, 2, 3]
      %m = ReduceMean(%v5, %axes) {keepdims=1} : f32[1,3,1,1]
      %v6 = const i64[2] [2, 3]
      %v7 = ReduceSum(%x, %v6) {keepdims=1} : f32[4,3,1,1]
      %s = ReduceSum(%v7, %axes) {keepdims=0} : f32[3]
      return "m" = %m, "s" = %s
    }
    "#);
}

#[test]
fn other_axes_and_single_pixels_stay() {
    let after = check(
        "split_reductions",
        Same,
        r#"
        (%x: f32[4,3,5,6], %p: f32[4,3,1,1]) {
          %axes = const i64[3] [0, 2, 3]
          %planes = const i64[2] [2, 3]
          %a = ReduceSum(%x, %planes) {keepdims=1}
          %b = ReduceSum(%p, %axes) {keepdims=1}
          return "a" = %a, "b" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[4,3,5,6], %p: f32[4,3,1,1]) {
      %planes = const i64[2] [2, 3]
      %a = ReduceSum(%x, %planes) {keepdims=1} : f32[4,3,1,1]
      %axes = const i64[3] [0, 2, 3]
      %b = ReduceSum(%p, %axes) {keepdims=1} : f32[1,3,1,1]
      return "a" = %a, "b" = %b
    }
    "#);
}
