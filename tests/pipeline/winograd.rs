//! Winograd's algorithm where weights are computed, in convolutions and transposed ones: within its error bound of the sum in f64.

use crate::execute::{levels, run};
use crate::{feeds, seeded};
use cnnc::compile::{CompileOptions, Compiled, compile};
use cnnc::kernel::choice::Choice;
use cnnc::kernel::winograd::Algorithm;
use cnnc::select::decision::Measured;
use cnnc_ir::Graph;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_runtime::CpuLevel;
use proptest::prelude::*;

/// Sizes of a convolution.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    channels: [usize; 2],
    input: [usize; 2],
    pads: [usize; 4],
    transposed: bool,
    bias: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = [1usize..40, 1usize..40];
    let pads = [0usize..3, 0usize..3, 0usize..3, 0usize..3];
    let sizes = (1usize..3, channels, [4usize..15, 4usize..15], pads);
    (sizes, any::<[bool; 2]>()).prop_map(|((batch, channels, input, pads), [transposed, bias])| {
        Case {
            batch,
            channels,
            input,
            pads,
            transposed,
            bias,
        }
    })
}

impl Case {
    /// The operator behind a convolution 1x1, whose result lies in blocks.
    fn graph(&self) -> Graph {
        let ([c, m], [h, w], n) = (self.channels, self.input, self.batch);
        let (op, filters) = match self.transposed {
            true => ("ConvTranspose", format!("{c},{m}")),
            false => ("Conv", format!("{m},{c}")),
        };
        let bias = if self.bias { ", %b" } else { "" };
        let pads = self.pads;
        seeded::network(&format!(
            r#"graph "one" (%x: f32[{n},{c},{h},{w}], %w: f32[{filters},3,3], %b: f32[{m}]) {{
                 %k = seeded f32[{c},{c},1,1]
                 %a = Conv(%x, %k)
                 %y = {op}(%a, %w{bias}) {{pads={pads:?}}}
                 %r = Relu(%y)
                 return "y" = %r
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
    fn computed_weights_keep_the_bounds(case in cases()) {
        for algorithm in Algorithm::ALL {
            case.check(algorithm);
        }
    }
}
