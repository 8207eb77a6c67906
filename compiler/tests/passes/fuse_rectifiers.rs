//! Gradients of a ReLU and of the pool behind it.

use super::{Rounded, Same, check};

#[test]
fn the_mask_joins_the_gradient_of_the_pool() {
    let after = check(
        "fuse_rectifiers",
        Rounded,
        r#"
        (%x: f32[1,2,4,4], %dy: f32[1,2,2,2]) {
          %r = Relu(%x)
          %g = cnnc.MaxPoolGradient(%r, %dy) {kernel_shape=[2, 2], strides=[2, 2]}
          %d = cnnc.Map(%r, %g) {dtype=f32, expr={ lit 0.0:f32; arg 0:f32; lt %0 %1:bool; lit 1.0:f32; select %2 %3 %0:f32; arg 1:f32; mul %4 %5:f32 }}
          return "d" = %d
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,2,4,4], %dy: f32[1,2,2,2]) {
      %r = Relu(%x) : f32[1,2,4,4]
      %v5 = cnnc.MaxPoolGradient(%r, %dy) {kernel_shape=[2, 2], rectified=1, strides=[2, 2]} : f32[1,2,4,4]
      return "d" = %v5
    }
    "#);
}

#[test]
fn a_mask_by_another_value_stays() {
    let after = check(
        "fuse_rectifiers",
        Same,
        r#"
        (%x: f32[1,2,4,4], %dy: f32[1,2,2,2]) {
          %r = Relu(%x)
          %g = cnnc.MaxPoolGradient(%r, %dy) {kernel_shape=[2, 2], strides=[2, 2]}
          %d = cnnc.Map(%x, %g) {dtype=f32, expr={ lit 0.0:f32; arg 0:f32; lt %0 %1:bool; lit 1.0:f32; select %2 %3 %0:f32; arg 1:f32; mul %4 %5:f32 }}
          return "d" = %d
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,2,4,4], %dy: f32[1,2,2,2]) {
      %r = Relu(%x) : f32[1,2,4,4]
      %g = cnnc.MaxPoolGradient(%r, %dy) {kernel_shape=[2, 2], strides=[2, 2]} : f32[1,2,4,4]
      %d = cnnc.Map(%x, %g) {dtype=f32, expr={ lit 0.0:f32; arg 0:f32; lt %0 %1:bool; lit 1.0:f32; select %2 %3 %0:f32; arg 1:f32; mul %4 %5:f32 }} : f32[1,2,4,4]
      return "d" = %d
    }
    "#);
}
