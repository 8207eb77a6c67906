//! A chain of elementwise operators is one pass over memory.

use super::{Same, check};

#[test]
fn a_chain_becomes_one_operator() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f32[2,3], %z: f32[3]) {
          %half = const f32[] [0.5]
          %a = Add(%x, %z)
          %b = Mul(%a, %half)
          %c = Tanh(%b)
          return "y" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2,3], %z: f32[3]) {
      %v7 = cnnc.Map(%x, %z) {dtype=f32, expr={ arg 0:f32; arg 1:f32; add %0 %1:f32; lit 0.5:f32; mul %2 %3:f32; tanh %4:f32 }} : f32[2,3]
      return "y" = %v7
    }
    "#);
}

#[test]
fn a_diamond_reads_its_operand_once() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f32[4]) {
          %a = Sigmoid(%x)
          %y = Mul(%x, %a)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[4]) {
      %v3 = cnnc.Map(%x) {dtype=f32, expr={ arg 0:f32; lit 1.0:f32; neg %0:f32; exp %2:f32; add %3 %1:f32; div %1 %4:f32; mul %0 %5:f32 }} : f32[4]
      return "y" = %v3
    }
    "#);
}

#[test]
fn a_value_with_two_users_is_stored() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f32[4]) {
          %a = Exp(%x)
          %b = Neg(%a)
          %c = Sqrt(%a)
          return "b" = %b, "c" = %c
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[4]) {
      %a = Exp(%x) : f32[4]
      %b = Neg(%a) : f32[4]
      %c = Sqrt(%a) : f32[4]
      return "b" = %b, "c" = %c
    }
    "#);
}

#[test]
fn a_value_that_broadcasts_is_computed_before() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f32[3], %z: f32[2,3]) {
          %a = Exp(%x)
          %y = Add(%a, %z)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[3], %z: f32[2,3]) {
      %a = Exp(%x) : f32[3]
      %y = Add(%a, %z) : f32[2,3]
      return "y" = %y
    }
    "#);
}

#[test]
fn rounding_to_a_half_type_stays() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f16[4], %z: f16[4]) {
          %a = Mul(%x, %z)
          %y = Add(%a, %x)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f16[4], %z: f16[4]) {
      %v4 = cnnc.Map(%x, %z) {dtype=f16, expr={ arg 0:f32; arg 1:f32; mul %0 %1:f32; cast %2:f16; add %3 %0:f32 }} : f16[4]
      return "y" = %v4
    }
    "#);
}

#[test]
fn other_classes_stay() {
    let after = check(
        "fuse_elementwise",
        Same,
        r#"
        (%x: f32[2,3]) {
          %a = ReduceMax(%x) {keepdims=1}
          %y = Transpose(%x) {perm=[1, 0]}
          return "y" = %y, "a" = %a
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2,3]) {
      %y = Transpose(%x) {perm=[1, 0]} : f32[3,2]
      %a = ReduceMax(%x) {keepdims=1} : f32[1,1]
      return "y" = %y, "a" = %a
    }
    "#);
}
