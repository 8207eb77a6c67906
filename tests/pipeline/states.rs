//! States: what a run leaves for the next one, in place or copied.

use crate::execute::levels;
use crate::seeded;
use cnnc::compile::{CompileError, CompileOptions, StateNames, compile};
use cnnc_runtime::{CpuLevel, Model, Session, TensorView};

/// `w` grows in place, `m` is multiplied by a matrix and copied, `k` stays what it is.
const STEP: &str = r#"graph "step" (%x: f32[2,2], %w: f32[2,2], %m: f32[2,2], %k: f32[2,2]) {
  %y = Add(%x, %w)
  %grown = Mul(%y, %k)
  %turned = MatMul(%m, %x)
  return "y" = %y, "w.next" = %grown, "m.next" = %turned, "k.next" = %k
}"#;

fn options(level: CpuLevel, names: &[&str]) -> CompileOptions {
    let state = |name: &&str| StateNames {
        input: name.to_string(),
        output: format!("{name}.next"),
        initial: None,
    };
    CompileOptions {
        states: names.iter().map(state).collect(),
        ..CompileOptions::new(level)
    }
}

fn model(level: CpuLevel) -> Model {
    let compiled = compile(seeded::network(STEP), &options(level, &["w", "m", "k"]));
    let model = compiled.and_then(|compiled| compiled.model());
    model.unwrap_or_else(|e| panic!("{e}"))
}

fn set(session: &mut Session, name: &str, values: [f32; 4]) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let view = TensorView::from_bytes(cnnc_runtime::DType::F32, &[2, 2], &bytes);
    session
        .set_state(name, view.expect("sixteen bytes"))
        .expect("a state");
}

#[test]
fn a_run_leaves_the_next_values() {
    for level in levels() {
        let model = model(level);
        let mut session = model.session(1).expect("a session");
        set(&mut session, "w", [1.0, 2.0, 3.0, 4.0]);
        set(&mut session, "m", [1.0, 0.0, 0.0, 1.0]);
        set(&mut session, "k", [2.0; 4]);
        let x = [0.0, 1.0, 1.0, 1.0];
        for _ in 0..3 {
            session
                .input_mut::<f32>("x")
                .and_then(|mut input| input.copy_from(&x))
                .expect("an input");
            session.run().expect("it runs");
        }
        let state = |name: &str| session.state::<f32>(name).unwrap().to_vec();
        // w' = 2 (w + x), three times; m' = m x: Fibonacci's numbers.
        assert_eq!(state("w"), [8.0, 30.0, 38.0, 46.0]);
        assert_eq!(state("m"), [1.0, 2.0, 2.0, 3.0]);
        assert_eq!(state("k"), [2.0; 4]);
    }
}

#[test]
fn states_are_no_inputs() {
    let compiled = compile(
        seeded::network(STEP),
        &options(CpuLevel::Baseline, &["w", "m", "k"]),
    );
    let compiled = compiled.unwrap_or_else(|e| panic!("{e}"));
    insta::assert_snapshot!(compiled.program());
}

#[test]
fn what_is_not_there_is_no_state() {
    let compiled = compile(
        seeded::network(STEP),
        &options(CpuLevel::Baseline, &["w", "q"]),
    );
    assert!(matches!(compiled, Err(CompileError::NoState { what: "input", name }) if name == "q"));
}
