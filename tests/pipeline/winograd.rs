//! Winograd's algorithm where weights are computed, in convolutions and transposed ones, and in filter gradients: within its error
//! bound of the sum in f64, and the same bits for any number of threads.

use crate::execute::{levels, run};
use crate::{feeds, seeded};
use cnnc::compile::{CompileOptions, Compiled, StateNames, compile};
use cnnc::kernel::choice::Choice;
use cnnc::kernel::winograd::Algorithm;
use cnnc::select::decision::Measured;
use cnnc_ir::Graph;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_runtime::{CpuLevel, TensorView};
use proptest::prelude::*;

/// What is done with a convolution.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Conv,
    Transposed,
    FilterGradient,
}

/// Sizes of a convolution.
#[derive(Clone, Debug)]
struct Case {
    kind: Kind,
    batch: usize,
    channels: [usize; 2],
    input: [usize; 2],
    pads: [usize; 4],
    bias: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let kinds = prop::sample::select(vec![Kind::Conv, Kind::Transposed, Kind::FilterGradient]);
    let channels = [1usize..40, 1usize..40];
    let pads = [0usize..3, 0usize..3, 0usize..3, 0usize..3];
    let sizes = (1usize..4, channels, [4usize..15, 4usize..15], pads);
    (kinds, sizes, any::<bool>()).prop_map(|(kind, (batch, channels, input, pads), bias)| Case {
        kind,
        batch,
        channels,
        input,
        pads,
        bias,
    })
}

impl Case {
    /// The operator behind convolutions 1x1, whose results lie in blocks.
    fn graph(&self) -> Graph {
        let ([c, m], [h, w], n) = (self.channels, self.input, self.batch);
        let pads = self.pads;
        let bias = if self.bias { ", %b" } else { "" };
        let (others, operator) = match self.kind {
            Kind::Conv => (
                format!("%w: f32[{m},{c},3,3], %b: f32[{m}]"),
                format!("Conv(%a, %w{bias}) {{pads={pads:?}}}"),
            ),
            Kind::Transposed => (
                format!("%w: f32[{c},{m},3,3], %b: f32[{m}]"),
                format!("ConvTranspose(%a, %w{bias}) {{pads={pads:?}}}"),
            ),
            Kind::FilterGradient => {
                let [y, x] = [h + pads[0] + pads[2] - 2, w + pads[1] + pads[3] - 2];
                (
                    format!("%d: f32[{n},{m},{y},{x}]"),
                    format!(
                        "cnnc.ConvFilterGradient(%a, %g) {{kernel_shape=[3, 3], pads={pads:?}}}"
                    ),
                )
            }
        };
        let gradient = match self.kind {
            Kind::FilterGradient => format!("%l = seeded f32[{m},{m},1,1]\n%g = Conv(%d, %l)"),
            _ => String::new(),
        };
        seeded::network(&format!(
            r#"graph "one" (%x: f32[{n},{c},{h},{w}], {others}) {{
                 %k = seeded f32[{c},{c},1,1]
                 %a = Conv(%x, %k)
                 {gradient}
                 %y = {operator}
                 return "y" = %y
               }}"#
        ))
    }

    /// Compiled with one of the algorithms, whether the estimates like it or not.
    fn compiled(&self, graph: &Graph, level: CpuLevel, algorithm: Algorithm) -> Compiled {
        let mut options = CompileOptions::new(level);
        let compiled = |options: &CompileOptions| {
            compile(graph.clone(), options).unwrap_or_else(|e| panic!("{e}\n{graph}"))
        };
        let is_wanted =
            |choice: &&Choice| matches!(choice, Choice::Winograd(s) if s.algorithm == algorithm);
        for (_, decision) in compiled(&options).decisions {
            if let Some(choice) = decision.ranking.iter().find(is_wanted) {
                let measured = Measured {
                    choice: *choice,
                    us: 1.0,
                    next: None,
                };
                options.choices.measured.insert(decision.problem, measured);
            }
        }
        let compiled = compiled(&options);
        let explanation = &compiled.explanation;
        assert!(
            explanation.contains(": Winograd\n"),
            "{self:?}\n{explanation}"
        );
        compiled
    }

    fn check(&self, algorithm: Algorithm) {
        let graph = self.graph();
        let inputs = feeds::inputs(&graph, 3);
        let exact = Interpreter::new(Precision::F64).run(&graph, &feeds::by_name(&inputs));
        let exact = exact.unwrap_or_else(|e| panic!("{e}\n{graph}"))[0]
            .1
            .to_f64();
        let largest = exact.iter().fold(0.0, |most: f64, y| most.max(y.abs()));
        let bound = largest
            * match algorithm {
                Algorithm::F2 => 4e-6,
                Algorithm::F4 => 3e-5,
            };
        for level in levels() {
            let model = self.compiled(&graph, level, algorithm).model();
            let model = model.unwrap_or_else(|e| panic!("{e}\n{graph}"));
            let found = run(&model, &inputs, 1);
            assert_eq!(run(&model, &inputs, 3), found, "other bits for 3 threads");
            let found = found[0].1.as_slice::<f32>().expect("f32");
            for (index, (found, exact)) in found.iter().zip(&exact).enumerate() {
                assert!(
                    (f64::from(*found) - exact).abs() <= bound,
                    "{algorithm:?} at {level}: element {index} is {found}, expected {exact}: {self:?}"
                );
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn all_kinds_keep_their_bounds(case in cases()) {
        for algorithm in Algorithm::ALL {
            case.check(algorithm);
        }
    }
}

/// A step of gradient descent; its states after three runs, compiled for so many threads.
fn trained(level: CpuLevel, threads: usize) -> Vec<f32> {
    let graph = seeded::network(
        r#"graph "step" (%x: f32[2,48,30,30], %w: f32[48,48,3,3]) {
             %k = seeded f32[48,48,1,1]
             %a = Conv(%x, %k)
             %y = Conv(%a, %w) {pads=[1, 1, 1, 1]}
             %d = ConvTranspose(%y, %w) {pads=[1, 1, 1, 1]}
             %g = cnnc.ConvFilterGradient(%d, %y) {kernel_shape=[3, 3], pads=[1, 1, 1, 1]}
             %rate = const f32[] [0.0000001]
             %s = Mul(%g, %rate)
             %n = Sub(%w, %s)
             return "n" = %n
           }"#,
    );
    let options = CompileOptions {
        threads,
        states: vec![StateNames {
            input: "w".to_string(),
            output: "n".to_string(),
            initial: None,
        }],
        ..CompileOptions::new(level)
    };
    let compiled = compile(graph.clone(), &options).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    let model = compiled.model().unwrap_or_else(|e| panic!("{e}\n{graph}"));
    let inputs = feeds::inputs(&graph, 3);
    let mut session = model.session(threads).expect("a session");
    for (name, tensor) in &inputs {
        let dtype = cnnc_runtime::DType::F32;
        let view = TensorView::from_bytes(dtype, tensor.shape(), tensor.bytes());
        let view = view.expect("as many bytes as the shape asks for");
        match name.as_str() {
            "w" => session.set_state(name, view).expect("a state"),
            _ => session.set_input(name, view).expect("an input"),
        }
    }
    for _ in 0..3 {
        session.run().expect("it runs");
    }
    session.state::<f32>("w").expect("a state").to_vec()
}

#[test]
fn training_gives_the_same_bits_whatever_the_work_is_cut_for() {
    for level in levels() {
        let one = trained(level, 1);
        assert!(one.iter().all(|w| w.is_finite()));
        for threads in [2, 5] {
            let differ = one
                .iter()
                .zip(trained(level, threads))
                .filter(|(a, b)| **a != *b);
            assert_eq!(differ.count(), 0, "{level}, {threads} threads");
        }
    }
}
