//! Composed operators become the simple ones they consist of.

use super::{Same, check};

#[test]
fn softmax_becomes_reductions_and_elementwise_operators() {
    let after = check(
        "decompose",
        Same,
        r#"
        (%x: f32[2,5]) {
          %y = Softmax(%x) {axis=1}
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    1
    graph "t" (%x: f32[2,5]) {
      %"y/v1" = const i64[1] [1]
      %"y/v2" = ReduceMax(%x, %"y/v1") {keepdims=1} "y" : f32[2,1]
      %"y/v3" = Sub(%x, %"y/v2") "y" : f32[2,5]
      %"y/v4" = Exp(%"y/v3") "y" : f32[2,5]
      %"y/v5" = const i64[1] [1]
      %"y/v6" = ReduceSum(%"y/v4", %"y/v5") {keepdims=1} "y" : f32[2,1]
      %"y/v7" = Div(%"y/v4", %"y/v6") "y" : f32[2,5]
      return "y" = %"y/v7"
    }
    "#);
}

#[test]
fn what_a_body_consists_of_is_decomposed_too() {
    let after = check(
        "decompose",
        Same,
        r#"
        (%x: f32[2,4], %t: i64[2]) {
          %y = SoftmaxCrossEntropyLoss(%x, %t)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[2,4], %t: i64[2]) {
      %"y/v2/v1" = const i64[1] [1]
      %"y/v2/v2" = ReduceMax(%x, %"y/v2/v1") {keepdims=1} "y" : f32[2,1]
      %"y/v2/v3" = Sub(%x, %"y/v2/v2") "y" : f32[2,4]
      %"y/v2/v4" = const i64[1] [1]
      %"y/v2/v5" = ReduceMax(%x, %"y/v2/v4") {keepdims=1} "y" : f32[2,1]
      %"y/v2/v6" = Sub(%x, %"y/v2/v5") "y" : f32[2,4]
      %"y/v2/v7" = Exp(%"y/v2/v6") "y" : f32[2,4]
      %"y/v2/v8" = const i64[1] [1]
      %"y/v2/v9" = ReduceSum(%"y/v2/v7", %"y/v2/v8") {keepdims=1} "y" : f32[2,1]
      %"y/v2/v10" = Log(%"y/v2/v9") "y" : f32[2,1]
      %"y/v2/v11" = Sub(%"y/v2/v3", %"y/v2/v10") "y" : f32[2,4]
      %"y/v3" = cnnc.Map(%t) {dtype=i64, expr={ arg 0:i64 }} "y" : i64[2]
      %"y/v4" = const i64[1] [1]
      %"y/v5" = Unsqueeze(%"y/v3", %"y/v4") "y" : i64[2,1]
      %"y/v6" = GatherElements(%"y/v2/v11", %"y/v5") {axis=1} "y" : f32[2,1]
      %"y/v7" = Squeeze(%"y/v6", %"y/v4") "y" : f32[2]
      %"y/v8" = cnnc.Map(%t) {dtype=f32, expr={ lit 1.0:f32 }} "y" : f32[2]
      %"y/v9" = cnnc.Map(%t, %"y/v7", %"y/v8") {dtype=f32, expr={ arg 1:f32; arg 2:f32; mul %0 %1:f32; neg %2:f32 }} "y" : f32[2]
      %"y/v10" = const i64[1] [0]
      %"y/v11" = ReduceSum(%"y/v9", %"y/v10") {keepdims=0} "y" : f32[]
      %"y/v12" = const i64[1] [0]
      %"y/v13" = ReduceSum(%"y/v8", %"y/v12") {keepdims=0} "y" : f32[]
      %"y/v14" = Div(%"y/v11", %"y/v13") "y" : f32[]
      return "y" = %"y/v14"
    }
    "#);
}

#[test]
fn two_of_a_kind_get_names_of_their_own() {
    let after = check(
        "decompose",
        Same,
        r#"
        (%x: f32[1,2,3]) {
          %a = LpNormalization(%x) {axis=2}
          %b = LpNormalization(%a) {axis=1}
          return "a" = %a, "b" = %b
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    2
    graph "t" (%x: f32[1,2,3]) {
      %"a/v1" = const i64[1] [2]
      %"a/v2" = ReduceL2(%x, %"a/v1") {keepdims=1} "a" : f32[1,2,1]
      %"a/v3" = const f32[] [0.0]
      %"a/v4" = Equal(%"a/v2", %"a/v3") "a" : bool[1,2,1]
      %"a/v5" = Div(%x, %"a/v2") "a" : f32[1,2,3]
      %"a/v6" = Where(%"a/v4", %"a/v3", %"a/v5") "a" : f32[1,2,3]
      %"b/v1" = const i64[1] [1]
      %"b/v2" = ReduceL2(%"a/v6", %"b/v1") {keepdims=1} "b" : f32[1,1,3]
      %"b/v3" = const f32[] [0.0]
      %"b/v4" = Equal(%"b/v2", %"b/v3") "b" : bool[1,1,3]
      %"b/v5" = Div(%"a/v6", %"b/v2") "b" : f32[1,2,3]
      %"b/v6" = Where(%"b/v4", %"b/v3", %"b/v5") "b" : f32[1,2,3]
      return "a" = %"a/v6", "b" = %"b/v6"
    }
    "#);
}

#[test]
fn simple_operators_stay() {
    let after = check(
        "decompose",
        Same,
        r#"
        (%x: f32[1,1,4,4]) {
          %w = const f32[1,1,2,2] [1.0, 2.0, 3.0, 4.0]
          %a = Conv(%x, %w)
          %y = Sigmoid(%a)
          return "y" = %y
        }
        "#,
    );
    insta::assert_snapshot!(after, @r#"
    0
    graph "t" (%x: f32[1,1,4,4]) {
      %w = const f32[1,1,2,2] [1.0, 2.0, 3.0, 4.0]
      %a = Conv(%x, %w) : f32[1,1,3,3]
      %y = Sigmoid(%a) : f32[1,1,3,3]
      return "y" = %y
    }
    "#);
}
