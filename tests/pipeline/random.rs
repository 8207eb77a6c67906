//! Random networks: what is compiled computes what the interpreter says, at every level, with and without each pass.

use crate::arbitrary::networks;
use crate::execute::{artefact, compiled, levels, run};
use crate::{feeds, seeded};
use cnnc::compile::CompileError;
use cnnc::passes::PIPELINE;
use cnnc::select::SelectError;
use cnnc_ir::interp::{Interpreter, Precision, distance};
use cnnc_ir::verify::verify;
use cnnc_ir::{Graph, Tensor};
use cnnc_runtime::{self as rt, Model};
use proptest::prelude::*;

type Outputs = Vec<(String, Tensor)>;

fn interpreted(graph: &Graph, inputs: &[(String, Tensor)], precision: Precision) -> Outputs {
    let outputs = Interpreter::new(precision).run(graph, &feeds::by_name(inputs));
    outputs.unwrap_or_else(|e| panic!("{e}\n{graph}"))
}

/// What differs by more than rounding, if anything.
fn difference(found: &[(String, rt::Tensor)], expected: &Outputs) -> Option<String> {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        if found.dims() != expected.shape() {
            return Some(format!("'{name}' is {found:?}, expected {expected:?}"));
        }
        let values = found.as_slice::<f32>().expect("networks are f32");
        for (index, (&x, y)) in values.iter().zip(expected.to_f64()).enumerate() {
            let near = (f64::from(x) - y).abs() <= 1e-4 + 1e-3 * y.abs();
            if !near {
                return Some(format!("'{name}' element {index} is {x}, expected {y}"));
            }
        }
    }
    None
}

/// Whether rounding alone moves results: then there is nothing to hold compiled code against.
fn is_ill_conditioned(graph: &Graph, inputs: &[(String, Tensor)], exact: &Outputs) -> bool {
    let rounded = interpreted(graph, inputs, Precision::F32);
    rounded
        .iter()
        .zip(exact)
        .any(|((_, r), (_, e))| distance(r, e) > 1e-5)
}

/// Holds a network, compiled at every level with all passes and without one of them, against the interpreter.
pub fn check(graph: &Graph, left_out: &str, seed: u64) -> Result<(), TestCaseError> {
    let fail = |what: String| Err(TestCaseError::fail(what));
    let inputs = feeds::inputs(graph, seed);
    let exact = interpreted(graph, &inputs, Precision::F64);
    if verify(graph) != Ok(()) || is_ill_conditioned(graph, &inputs, &exact) {
        return Err(TestCaseError::reject("nothing to compare"));
    }
    for level in levels() {
        let file = Model::from_bytes(&artefact(graph, level)).expect("a sound artefact");
        let found = run(&file, &inputs, 1);
        if let Some(wrong) = difference(&found, &exact) {
            return fail(format!("{level}: {wrong}"));
        }
        if run(&file, &inputs, 3) != found {
            return fail(format!("{level}: other bits for 3 threads"));
        }
        let without = match compiled(graph, level, &[left_out]).and_then(|c| c.model()) {
            // A composed operator has no kernel of its own.
            Err(CompileError::Select(SelectError::NoKernel { .. })) if left_out == "decompose" => {
                continue;
            }
            Err(e) => return fail(format!("{level} without {left_out}: {e}")),
            Ok(model) => model,
        };
        if let Some(wrong) = difference(&run(&without, &inputs, 2), &exact) {
            return fail(format!("{level} without {left_out}: {wrong}"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, max_shrink_iters: 400, ..ProptestConfig::with_cases(cases()) })]

    #[test]
    fn compiled_networks_equal_the_interpreter(
        network in networks(), left_out in prop::sample::select(passes()), seed in 0u64..100,
    ) {
        check(&network.0, left_out, seed)?;
    }
}

/// What random networks have found before, each cut down to the operators that matter.
#[test]
fn past_mistakes_stay_mended() {
    for text in PAST {
        let graph = seeded::network(text);
        for pass in passes() {
            check(&graph, pass, 1).unwrap_or_else(|e| panic!("{e}\n{graph}"));
        }
    }
}

/// Large enough that they are quicker strip by strip; one result is part of a concatenation, beside what was added to it.
#[test]
fn strips_equal_the_interpreter() {
    let plain = include_str!("../common/inverted_residual.cnn");
    for text in [plain, &in_a_concatenation(1), &in_a_concatenation(2)] {
        let graph = seeded::network(text);
        check(&graph, "fuse_epilogues", 1).unwrap_or_else(|e| panic!("{e}"));
    }
}

fn in_a_concatenation(batch: usize) -> String {
    format!(
        r#"graph "in a concatenation" (%x: f32[{batch},16,56,56]) {{
             %w1 = seeded f32[144,16,1,1]
             %c1 = Conv(%x, %w1)
             %w2 = seeded f32[144,1,3,3]
             %c2 = Conv(%c1, %w2) {{pads=[1, 1, 1, 1], group=144}}
             %w3 = seeded f32[16,144,1,1]
             %c3 = Conv(%c2, %w3)
             %a3 = Add(%c3, %x)
             %y = Concat(%a3, %x) {{axis=1}}
             return "y" = %y
           }}"#
    )
}

const PAST: &[&str] = &[
    // Columns that a kernel of width 1 reads from the padding alone have the bias, not nothing.
    r#"graph "padding alone" (%x: f32[1,4,11,3]) {
         %w = seeded f32[2,2,5,1]
         %b = seeded f32[2]
         %y = Conv(%x, %w, %b) {group=2, pads=[0, 2, 2, 0], strides=[1, 2]}
         return "y" = %y
       }"#,
    r#"graph "between the strides" (%x: f32[1,4,3,3]) {
         %w = seeded f32[4,1,1,1]
         %b = seeded f32[2]
         %y = ConvTranspose(%x, %w, %b) {group=2, strides=[2, 3]}
         return "y" = %y
       }"#,
];

fn passes() -> Vec<&'static str> {
    PIPELINE.iter().map(|pass| pass.name).collect()
}

/// 64, or `PROPTEST_CASES`.
fn cases() -> u32 {
    let given = std::env::var("PROPTEST_CASES").ok();
    given.and_then(|n| n.parse().ok()).unwrap_or(64)
}
