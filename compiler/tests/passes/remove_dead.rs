//! What no output needs is dropped.

use super::{Same, check};

#[test]
fn operators_and_constants_without_a_use_go() {
    let after = check(
        "remove_dead",
        Same,
        r#"
        (%x: f32[2]) {
          %c = const f32[2] [1.0, 2.0]
          %a = Add(%x, %c)
          %b = Exp(%a)
          %y = Relu(%x)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    3
    graph "t" (%x: f32[2]) {
      %y = Relu(%x) : f32[2]
      return "y" = %y
    }
    "#);
}

#[test]
fn inputs_stay_without_a_use() {
    let after = check(
        "remove_dead",
        Same,
        r#"
        (%x: f32[2], %unused: f32[3]) {
          %y = Relu(%x)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2], %unused: f32[3]) {
      %y = Relu(%x) : f32[2]
      return "y" = %y
    }
    "#);
}

#[test]
fn an_operator_stays_for_one_of_its_outputs() {
    let after = check(
        "remove_dead",
        Same,
        r#"
        (%x: f32[1,1,4,4]) {
          %y, %i = MaxPool(%x) {kernel_shape=[2, 2]}
          %z = Relu(%y)
          return "i" = %i
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[1,1,4,4]) {
      %y, %i = MaxPool(%x) {kernel_shape=[2, 2]} : f32[1,1,3,3], i64[1,1,3,3]
      return "i" = %i
    }
    "#);
}
