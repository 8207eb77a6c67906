//! Operators that change nothing, and pairs that are one.

use super::{Same, check};

#[test]
fn identities_and_casts_to_the_own_type_go() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3]) {
          %a = Identity(%x)
          %b = Cast(%a) {to=f32}
          %y = Relu(%b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2,3]) {
      %y = Relu(%x) : f32[2,3]
      return "y" = %y
    }
    "#);
}

#[test]
fn full_slices_and_empty_pads_go() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3]) {
          %starts = const i64[2] [0, 0]
          %ends = const i64[2] [2, 3]
          %none = const i64[4] [0, 0, 0, 0]
          %a = Slice(%x, %starts, %ends)
          %b = Pad(%a, %none)
          %y = Relu(%b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2,3]) {
      %y = Relu(%x) : f32[2,3]
      return "y" = %y
    }
    "#);
}

#[test]
fn transposes_that_follow_each_other_become_one() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3,4]) {
          %a = Transpose(%x) {perm=[1, 2, 0]}
          %b = Transpose(%a) {perm=[0, 2, 1]}
          return "y" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,3,4]) {
      %v3 = Transpose(%x) {perm=[1, 0, 2]} : f32[3,2,4]
      return "y" = %v3
    }
    "#);
}

#[test]
fn a_transpose_undone_leaves_nothing() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3,4]) {
          %a = Transpose(%x) {perm=[1, 2, 0]}
          %b = Transpose(%a) {perm=[2, 0, 1]}
          %y = Relu(%b)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,3,4]) {
      %y = Relu(%x) : f32[2,3,4]
      return "y" = %y
    }
    "#);
}

#[test]
fn reshapes_that_follow_each_other_become_one() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3,4]) {
          %s = const i64[2] [6, 4]
          %a = Reshape(%x, %s)
          %y = Flatten(%a) {axis=0}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,3,4]) {
      %v4 = const i64[2] [1, 24]
      %v5 = Reshape(%x, %v4) {allowzero=1} : f32[1,24]
      return "y" = %v5
    }
    "#);
}

#[test]
fn a_value_with_two_users_keeps_its_transpose() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3]) {
          %a = Transpose(%x) {perm=[1, 0]}
          %b = Transpose(%a) {perm=[1, 0]}
          %y = Relu(%b)
          %z = Exp(%a)
          return "y" = %y, "z" = %z
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,3]) {
      %y = Relu(%x) : f32[2,3]
      %a = Transpose(%x) {perm=[1, 0]} : f32[3,2]
      %z = Exp(%a) : f32[3,2]
      return "y" = %y, "z" = %z
    }
    "#);
}

#[test]
fn what_changes_something_stays() {
    let after = check(
        "remove_noops",
        Same,
        r#"
        (%x: f32[2,3]) {
          %a = Cast(%x) {to=f16}
          %b = Cast(%a) {to=f32}
          %y = Transpose(%b) {perm=[1, 0]}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[2,3]) {
      %a = Cast(%x) {to=f16} : f16[2,3]
      %b = Cast(%a) {to=f32} : f32[2,3]
      %y = Transpose(%b) {perm=[1, 0]} : f32[3,2]
      return "y" = %y
    }
    "#);
}
