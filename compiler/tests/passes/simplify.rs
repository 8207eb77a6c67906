//! Algebra that holds bit for bit.

use super::{Same, check};

#[test]
fn ones_and_zeros_that_change_nothing_go() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2]) {
          %one = const f32[] [1.0]
          %zero = const f32[] [0.0]
          %a = Mul(%x, %one)
          %b = Mul(%one, %a)
          %c = Div(%b, %one)
          %d = Sub(%c, %zero)
          %e = Pow(%d, %one)
          %y = Relu(%e)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    5
    graph "t" (%x: f32[2]) {
      %y = Relu(%x) : f32[2]
      return "y" = %y
    }
    "#);
}

#[test]
fn squares_become_products() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2]) {
          %two = const f32[2] [2.0, 2.0]
          %a = Pow(%x, %two)
          return "y" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2]) {
      %v3 = Mul(%x, %x) : f32[2]
      return "y" = %v3
    }
    "#);
}

#[test]
fn what_differs_for_odd_values_stays() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2]) {
          %zero = const f32[] [0.0]
          %negative = const f32[] [-0.0]
          %a = Add(%x, %zero)
          %b = Mul(%a, %zero)
          %c = Sub(%b, %negative)
          %y = Sub(%c, %x)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2]) {
      %zero = const f32[] [0.0]
      %a = Add(%x, %zero) : f32[2]
      %b = Mul(%a, %zero) : f32[2]
      %negative = const f32[] [-0.0]
      %c = Sub(%b, %negative) : f32[2]
      %y = Sub(%c, %x) : f32[2]
      return "y" = %y
    }
    "#);
}

#[test]
fn a_one_that_broadcasts_stays() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2]) {
          %one = const f32[3,1] [1.0, 1.0, 1.0]
          %a = Mul(%x, %one)
          return "y" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2]) {
      %one = const f32[3,1] [1.0, 1.0, 1.0]
      %a = Mul(%x, %one) : f32[3,2]
      return "y" = %a
    }
    "#);
}

#[test]
fn every_user_reads_the_operand() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2]) {
          %one = const f32[] [1.0]
          %a = Mul(%x, %one)
          %y = Relu(%a)
          %z = Exp(%a)
          return "y" = %y, "z" = %z, "a" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2]) {
      %y = Relu(%x) : f32[2]
      %z = Exp(%x) : f32[2]
      return "y" = %y, "z" = %z, "a" = %x
    }
    "#);
}

#[test]
fn what_is_expanded_for_an_elementwise_operator_is_broadcast_by_it() {
    let after = check(
        "simplify",
        Same,
        r#"
        (%x: f32[2,3,4,4], %v: f32[1,3,1,1]) {
          %shape = const i64[4] [2, 3, 4, 4]
          %e = Expand(%v, %shape)
          %a = Mul(%x, %e)
          %b = Relu(%e)
          return "a" = %a, "b" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,3,4,4], %v: f32[1,3,1,1]) {
      %a = Mul(%x, %v) : f32[2,3,4,4]
      %shape = const i64[4] [2, 3, 4, 4]
      %e = Expand(%v, %shape) : f32[2,3,4,4]
      %b = Relu(%e) : f32[2,3,4,4]
      return "a" = %a, "b" = %b
    }
    "#);
}
