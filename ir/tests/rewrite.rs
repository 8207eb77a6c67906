//! Rules before and after, as text.

use cnnc_ir::attrs::Attrs;
use cnnc_ir::rewrite::{Pattern, Rule, apply};
use cnnc_ir::text::parse;
use cnnc_ir::types::{DType, TensorType};
use cnnc_ir::{Graph, OpKind};

fn rules() -> Vec<Rule> {
    vec![
        shape_of_relu(),
        Rule {
            name: "relu of relu",
            pattern: Pattern::op(&[OpKind::Relu])
                .arg(0, Pattern::op(&[OpKind::Relu]).named("inner")),
            build: |patch, m| {
                patch.replace(m.root, m.get("inner"));
                Ok(true)
            },
        },
        Rule {
            name: "sum with itself through a relu of one use",
            pattern: Pattern::op(&[OpKind::Add])
                .commutative()
                .arg(0, Pattern::any("x"))
                .arg(
                    1,
                    Pattern::op(&[OpKind::Relu])
                        .single_use()
                        .arg(0, Pattern::any("x")),
                ),
            build: |patch, m| {
                let y = patch.op(OpKind::Add, &[m.get("x"), m.get("x")], Attrs::new())?;
                patch.replace(m.root, y);
                Ok(true)
            },
        },
    ]
}

fn shape_of_relu() -> Rule {
    Rule {
        name: "shape of relu",
        pattern: Pattern::op(&[OpKind::Shape])
            .arg(0, Pattern::op(&[OpKind::Relu]).arg(0, Pattern::any("x"))),
        build: |patch, m| {
            let y = patch.op(OpKind::Shape, &[m.get("x")], Attrs::new())?;
            patch.replace(m.root, y);
            Ok(true)
        },
    }
}

fn rewritten(body: &str) -> String {
    let mut graph =
        parse(&format!("graph \"t\" (%x: f32[2]) {{\n{body}\n}}")).expect("a legal text");
    let applied = apply(&mut graph, &rules()).expect("sound rules");
    format!("{applied}\n{graph}")
}

#[test]
fn rules_apply_until_none_matches() {
    insta::assert_snapshot!(rewritten("%a = Relu(%x)\n%b = Relu(%a)\n%c = Relu(%b)\nreturn \"c\" = %c"), @r#"
    2
    graph "t" (%x: f32[2]) {
      %a = Relu(%x) : f32[2]
      return "c" = %a
    }
    "#);
}

#[test]
fn commuted_operands_and_repeated_captures_match() {
    insta::assert_snapshot!(rewritten("%a = Relu(%x)\n%b = Add(%a, %x)\nreturn \"b\" = %b"), @r#"
    1
    graph "t" (%x: f32[2]) {
      %v3 = Add(%x, %x) : f32[2]
      return "b" = %v3
    }
    "#);
    insta::assert_snapshot!(rewritten("%a = Relu(%x)\n%b = Add(%a, %x)\nreturn \"b\" = %b, \"a\" = %a"), @r#"
    0
    graph "t" (%x: f32[2]) {
      %a = Relu(%x) : f32[2]
      %b = Add(%a, %x) : f32[2]
      return "b" = %b, "a" = %a
    }
    "#);
}

#[test]
fn a_use_that_a_rewrite_removes_lets_another_rule_match() {
    // %r has two uses until the Shape reads %x.
    insta::assert_snapshot!(rewritten("%r = Relu(%x)\n%s = Add(%x, %r)\n%t = Shape(%r)\nreturn \"s\" = %s, \"t\" = %t"), @r#"
        2
        graph "t" (%x: f32[2]) {
          %v5 = Add(%x, %x) : f32[2]
          %v4 = Shape(%x) : i64[1]
          return "s" = %v5, "t" = %v4
        }
        "#);
}

#[test]
fn faults_of_rules_are_reported() {
    let restless = Rule {
        name: "relu again",
        pattern: Pattern::op(&[OpKind::Relu]).arg(0, Pattern::any("x")),
        build: |patch, m| {
            let y = patch.op(OpKind::Relu, &[m.get("x")], Attrs::new())?;
            patch.replace(m.root, y);
            Ok(true)
        },
    };
    let mistyped = Rule {
        name: "shape for value",
        build: |patch, m| {
            let y = patch.op(OpKind::Shape, &[m.get("x")], Attrs::new())?;
            patch.replace(m.root, y);
            Ok(true)
        },
        ..restless.clone()
    };
    let text = "graph \"t\" (%x: f32[2]) {\n%y = Relu(%x) \"first\"\nreturn \"y\" = %y\n}";
    let fault = |rule: Rule| {
        apply(&mut parse(text).expect("a legal text"), &[rule]).expect_err("a faulty rule")
    };
    insta::assert_snapshot!(fault(restless), @"the rules never come to rest; the last one applied is 'relu again'");
    insta::assert_snapshot!(fault(mistyped), @"rule 'shape for value' at node 'first' replaces f32[2] by i64[1]");
}

#[test]
fn long_chains_take_linear_time() {
    let mut graph = Graph::new("t");
    let x = graph.add_input("x", TensorType::new(DType::F32, [2usize]));
    let mut v = x;
    for _ in 0..100_000 {
        v = graph.op(OpKind::Relu, &[v], Attrs::new()).expect("typed");
    }
    graph.add_output("y", v);
    assert_eq!(apply(&mut graph, &rules()), Ok(99_999));
    assert_eq!(graph.len(), 2);
}
