//! The text form: printing and parsing are inverse, and mistakes are shown where they stand.

#[path = "common/graphs.rs"]
mod graphs;

use cnnc_ir::text::{Style, parse, print};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsing_what_was_printed_gives_the_same_graph(graph in graphs::graphs()) {
        let text = print(&graph, Style::Whole);
        match parse(&text) {
            Ok(parsed) => {
                prop_assert!(parsed == graph, "{text}\n---\n{parsed}");
                prop_assert_eq!(print(&parsed, Style::Whole), text);
            }
            Err(e) => prop_assert!(false, "{text}\n---\n{e}"),
        }
    }

    #[test]
    fn damaged_texts_give_errors_and_no_panics(graph in graphs::graphs(), cut in any::<prop::sample::Index>(), junk in "[ -~\n]{0,12}") {
        let mut text = print(&graph, Style::Whole);
        let at = (0..=text.len()).rev().find(|&i| i <= cut.index(text.len() + 1) && text.is_char_boundary(i)).unwrap_or(0);
        text.insert_str(at, &junk);
        if let Err(e) = parse(&text) {
            prop_assert!(!e.0.is_empty() && e.0.iter().all(|e| e.line >= 1 && e.column >= 1));
        }
    }
}

/// Parses and prints again.
fn again(text: &str) -> String {
    match parse(text) {
        Ok(graph) => graph.to_string(),
        Err(e) => e.to_string(),
    }
}

#[test]
fn a_graph_is_written_plainly() {
    insta::assert_snapshot!(again(r#"
graph "net" (%x: f32[1,2,4,4], %"odd name": i64[N,n<=4]) { // a comment
  %w = const f32[3,2,1,1] [1, 2, 0.5, -1e-3, inf, 6]
  %b = const f32[1] [0.1]
  %c = Conv(%x, %w, _) {strides=[1, 1]} then [%b] { arg 0:f32; arg 1:f32; add %0 %1:f32; lit 0.0:f32; max %2 %3:f32 } "conv1"
  %y, %i = MaxPool(%c) {kernel_shape=[2, 2], strides=[2, 2]}
  %f = Flatten(%y) : f32[1,12]
  return "out" = %f, "where" = %i
}"#), @r#"
        graph "net" (%x: f32[1,2,4,4], %"odd name": i64[N,n<=4]) {
          %w = const f32[3,2,1,1] [1.0, 2.0, 0.5, -0.001, inf, 6.0]
          %b = const f32[1] [0.1]
          %c = Conv(%x, %w, _) {strides=[1, 1]} then [%b] { arg 0:f32; arg 1:f32; add %0 %1:f32; lit 0.0:f32; max %2 %3:f32 } "conv1" : f32[1,3,4,4]
          %y, %i = MaxPool(%c) {kernel_shape=[2, 2], strides=[2, 2]} : f32[1,3,2,2], i64[1,3,2,2]
          %f = Flatten(%y) : f32[1,12]
          return "out" = %f, "where" = %i
        }
        "#);
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    insta::assert_snapshot!(again(r#"graph "t" (%x: f32[2]) {
  %a = Rellu(%x)
  %b = Add(%a, %x)
  %c = Add(%x, %y)
  %d = Flatten(%x) {axes=1}
  %x = Relu(%x)
  %e = Relu(%x) : f32[3]
  %f = Add(%x)
  %g = const u8[2] [1, 256]
  %h = const f32[2] [1.0]
  return "o" = %zz
}"#), @r#"
        2:8: unknown operator 'Rellu'; did you mean 'Relu'?
          |   %a = Rellu(%x)
          |        ^
        4:16: %y is not defined above
          |   %c = Add(%x, %y)
          |                ^
        5:21: Flatten has no attribute 'axes'; did you mean 'axis'?
          |   %d = Flatten(%x) {axes=1}
          |                     ^
        6:3: %x is defined twice
          |   %x = Relu(%x)
          |   ^
        7:19: %e is f32[2], not f32[3]
          |   %e = Relu(%x) : f32[3]
          |                   ^
        8:8: Add: required input 1 ('B') is missing
          |   %f = Add(%x)
          |        ^
        9:24: expected an element of type u8, found '256'
          |   %g = const u8[2] [1, 256]
          |                        ^
        10:21: f32[2] has 2 elements, 1 are given
          |   %h = const f32[2] [1.0]
          |                     ^
        11:16: %zz is not defined above
          |   return "o" = %zz
          |                ^
        "#);
    insta::assert_snapshot!(again("graph \"t\" (%x: f33[2]) {\n}"), @r#"
        1:16: unknown element type 'f33'; did you mean 'f32'?
          | graph "t" (%x: f33[2]) {
          |                ^
        "#);
    insta::assert_snapshot!(again("graph \"t\" () { return } %x"), @r#"
        1:25: the text goes on after the graph
          | graph "t" () { return } %x
          |                         ^
        "#);
    insta::assert_snapshot!(again("graph \"t\" () {\n  %y = Relu(%\"x"), @r#"
        2:13: the string is not closed
          |   %y = Relu(%"x
          |             ^
        2:16: expected a value such as %x, found the end
          |   %y = Relu(%"x
          |                ^
        2:16: expected a node or 'return', found the end
          |   %y = Relu(%"x
          |                ^
        "#);
}

#[test]
fn large_constants_are_left_out_of_dumps_only() {
    let text = format!(
        "graph \"t\" () {{\n  %w = const u8[20] base64\"{}\"\n  return \"w\" = %w\n}}\n",
        "AAECAwQFBgcICQoLDA0ODxAREhM="
    );
    let graph = parse(&text).expect("a legal text");
    assert_eq!(graph.to_string(), text);
    insta::assert_snapshot!(print(&graph, Style::Brief), @r#"
        graph "t" () {
          %w = const u8[20] <...>
          return "w" = %w
        }
        "#);
    insta::assert_snapshot!(again(&print(&graph, Style::Brief)), @r#"
        2:21: the elements were left out when this text was printed
          |   %w = const u8[20] <...>
          |                     ^
        "#);
}

#[test]
fn deep_nesting_and_long_chains_are_no_trouble() {
    let mut chain = String::from("graph \"t\" (%v0: f32[2]) {\n");
    for i in 0..20_000 {
        chain.push_str(&format!("  %v{} = Relu(%v{i})\n", i + 1));
    }
    chain.push_str("  return \"o\" = %v20000\n}\n");
    assert_eq!(parse(&chain).expect("a legal text").len(), 20_001);
    let nested = "graph \"t\" () {\n%a = Relu() do ".repeat(100_000);
    assert!(
        parse(&nested)
            .expect_err("too deep")
            .to_string()
            .contains("nested deeper than 32")
    );
    let brackets = format!(
        "graph \"t\" (%x: f32[2]) {{\n%a = Flatten(%x) {{axis={}",
        "[".repeat(100_000)
    );
    assert!(parse(&brackets).is_err());
}
