//! What depends on constants only is computed.

use super::{Same, check};

#[test]
fn arithmetic_on_constants_is_done() {
    let after = check(
        "fold_constants",
        Same,
        r#"
        (%x: f32[3]) {
          %a = const f32[3] [1.0, 2.0, 4.0]
          %b = const f32[] [0.5]
          %c = Mul(%a, %b)
          %d = Add(%c, %b)
          %y = Add(%x, %d)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[3]) {
      %d.7 = const f32[3] [1.0, 1.5, 2.5]
      %y = Add(%x, %d.7) : f32[3]
      return "y" = %y
    }
    "#);
}

#[test]
fn shapes_of_fixed_extent_are_known() {
    let after = check(
        "fold_constants",
        Same,
        r#"
        (%x: f32[3,2]) {
          %s = Shape(%x)
          %t = Cast(%s) {to=f32}
          %y = Add(%x, %t)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[3,2]) {
      %s = Shape(%x) : i64[2]
      %t = Cast(%s) {to=f32} : f32[2]
      %y = Add(%x, %t) : f32[3,2]
      return "y" = %y
    }
    "#);
}

#[test]
fn a_constant_with_two_users_is_computed_once() {
    let after = check(
        "fold_constants",
        Same,
        r#"
        (%x: f32[2]) {
          %a = const f32[2] [1.0, 4.0]
          %b = Sqrt(%a)
          %y = Add(%x, %b)
          %z = Mul(%x, %b)
          return "y" = %y, "z" = %z
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2]) {
      %b.5 = const f32[2] [1.0, 2.0]
      %y = Add(%x, %b.5) : f32[2]
      %z = Mul(%x, %b.5) : f32[2]
      return "y" = %y, "z" = %z
    }
    "#);
}

#[test]
fn a_fill_that_is_large_stays_an_operator() {
    let after = check(
        "fold_constants",
        Same,
        r#"
        (%x: f32[1]) {
          %s = const i64[1] [100000]
          %a = ConstantOfShape(%s)
          %y = Add(%x, %a)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1]) {
      %s = const i64[1] [100000]
      %a = ConstantOfShape(%s) : f32[100000]
      %y = Add(%x, %a) : f32[100000]
      return "y" = %y
    }
    "#);
}

#[test]
fn what_depends_on_an_input_stays() {
    let after = check(
        "fold_constants",
        Same,
        r#"
        (%x: f32[2]) {
          %a = const f32[2] [1.0, 4.0]
          %b = Add(%x, %a)
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2]) {
      %a = const f32[2] [1.0, 4.0]
      %b = Add(%x, %a) : f32[2]
      return "y" = %b
    }
    "#);
}
