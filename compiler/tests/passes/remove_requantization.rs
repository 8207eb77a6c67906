//! A value on a quantisation grid is not rounded to it again.

use super::{Same, check};

#[test]
fn a_pair_on_the_same_grid_goes() {
    let after = check(
        "remove_requantization",
        Same,
        r#"
        (%q: u8[4]) {
          %s = const f32[] [0.1]
          %z = const u8[] [3]
          %a = DequantizeLinear(%q, %s, %z)
          %b = QuantizeLinear(%a, %s, %z)
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%q: u8[4]) {
      return "y" = %q
    }
    "#);
}

#[test]
fn parameters_may_be_equal_constants() {
    let after = check(
        "remove_requantization",
        Same,
        r#"
        (%q: i8[2,3]) {
          %s = const f32[3] [0.1, 0.2, 0.3]
          %t = const f32[3] [0.1, 0.2, 0.3]
          %zero = const i8[3] [0, 0, 0]
          %a = DequantizeLinear(%q, %s, %zero) {axis=1}
          %b = QuantizeLinear(%a, %t, %zero) {axis=1}
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%q: i8[2,3]) {
      return "y" = %q
    }
    "#);
}

#[test]
fn another_grid_stays() {
    let after = check(
        "remove_requantization",
        Same,
        r#"
        (%q: u8[4]) {
          %s = const f32[] [0.1]
          %t = const f32[] [0.2]
          %z = const u8[] [3]
          %a = DequantizeLinear(%q, %s, %z)
          %b = QuantizeLinear(%a, %t, %z)
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%q: u8[4]) {
      %s = const f32[] [0.1]
      %z = const u8[] [3]
      %a = DequantizeLinear(%q, %s, %z) : f32[4]
      %t = const f32[] [0.2]
      %b = QuantizeLinear(%a, %t, %z) : u8[4]
      return "y" = %b
    }
    "#);
}

#[test]
fn another_user_keeps_the_dequantised_value() {
    let after = check(
        "remove_requantization",
        Same,
        r#"
        (%q: u8[4]) {
          %s = const f32[] [0.1]
          %z = const u8[] [3]
          %a = DequantizeLinear(%q, %s, %z)
          %b = QuantizeLinear(%a, %s, %z)
          %c = Relu(%a)
          return "y" = %b, "c" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%q: u8[4]) {
      %s = const f32[] [0.1]
      %z = const u8[] [3]
      %a = DequantizeLinear(%q, %s, %z) : f32[4]
      %c = Relu(%a) : f32[4]
      return "y" = %q, "c" = %c
    }
    "#);
}
