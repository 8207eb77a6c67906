//! Equal things are computed once.

use super::{Same, check};

#[test]
fn equal_operators_on_equal_operands_are_one() {
    let after = check(
        "eliminate_common",
        Same,
        r#"
        (%x: f32[2,2]) {
          %a = Softplus(%x)
          %b = Softplus(%x)
          %c = Exp(%a)
          %d = Exp(%b)
          %y = Add(%c, %d)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2,2]) {
      %a = Softplus(%x) : f32[2,2]
      %c = Exp(%a) : f32[2,2]
      %y = Add(%c, %c) : f32[2,2]
      return "y" = %y
    }
    "#);
}

#[test]
fn equal_constants_are_one() {
    let after = check(
        "eliminate_common",
        Same,
        r#"
        (%x: f32[2]) {
          %k = const f32[2] [1.0, 2.0]
          %l = const f32[2] [1.0, 2.0]
          %a = Add(%x, %k)
          %b = Add(%x, %l)
          return "a" = %a, "b" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2]) {
      %k = const f32[2] [1.0, 2.0]
      %a = Add(%x, %k) : f32[2]
      return "a" = %a, "b" = %a
    }
    "#);
}

#[test]
fn all_outputs_of_the_second_become_those_of_the_first() {
    let after = check(
        "eliminate_common",
        Same,
        r#"
        (%x: f32[1,1,4,4]) {
          %a, %i = MaxPool(%x) {kernel_shape=[2, 2]}
          %b, %j = MaxPool(%x) {kernel_shape=[2, 2]}
          %y = Add(%a, %b)
          return "y" = %y, "j" = %j
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,1,4,4]) {
      %a, %i = MaxPool(%x) {kernel_shape=[2, 2]} : f32[1,1,3,3], i64[1,1,3,3]
      %y = Add(%a, %a) : f32[1,1,3,3]
      return "y" = %y, "j" = %i
    }
    "#);
}

#[test]
fn another_attribute_type_or_order_is_another_thing() {
    let after = check(
        "eliminate_common",
        Same,
        r#"
        (%x: f32[2,2], %z: f32[2,2]) {
          %k = const f32[] [1.0]
          %l = const f64[] [1.0]
          %a = Softmax(%x) {axis=0}
          %b = Softmax(%x) {axis=1}
          %c = Sub(%x, %z)
          %d = Sub(%z, %x)
          return "a" = %a, "b" = %b, "c" = %c, "d" = %d, "k" = %k, "l" = %l
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2,2], %z: f32[2,2]) {
      %a = Softmax(%x) {axis=0} : f32[2,2]
      %b = Softmax(%x) {axis=1} : f32[2,2]
      %c = Sub(%x, %z) : f32[2,2]
      %d = Sub(%z, %x) : f32[2,2]
      %k = const f32[] [1.0]
      %l = const f64[] [1.0]
      return "a" = %a, "b" = %b, "c" = %c, "d" = %d, "k" = %k, "l" = %l
    }
    "#);
}

#[test]
fn random_numbers_are_drawn_twice() {
    let after = check(
        "eliminate_common",
        Same,
        r#"
        (%x: f32[2]) {
          %a = RandomNormalLike(%x) {seed=1.0}
          %b = RandomNormalLike(%x) {seed=1.0}
          %y = Sub(%a, %b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2]) {
      %a = RandomNormalLike(%x) {seed=1.0} : f32[2]
      %b = RandomNormalLike(%x) {seed=1.0} : f32[2]
      %y = Sub(%a, %b) : f32[2]
      return "y" = %y
    }
    "#);
}
