//! Winograd's algorithm against the interpreter: F(2x2) exactly on integers, F(4x4) within its error bound.

use crate::harness::*;
use crate::layout::place;
use crate::numbers::Numbers;
use crate::tiles::{BLOCKED, bytes, placement};
use cnnc::kernel::conv::ConvGeometry;
use cnnc::kernel::tile::{Step, Target};
use cnnc::kernel::winograd::{self, Algorithm, FilterOrder, Filters, Setting};
use cnnc::memory::view::Space;
use cnnc::select::{Place, Staged};
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, OpKind, Tensor};
use cnnc_runtime::CpuLevel;
use proptest::prelude::*;

/// Sizes of a convolution: batch, channels, extents, padding.
#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    channels: [usize; 2],
    input: [usize; 2],
    pads: [usize; 4],
    relu: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = [1usize..50, 1usize..70];
    // A few images, or so many small ones that strips are of several.
    let images = prop_oneof![
        (1usize..3, [3usize..27, 3usize..27]),
        (9usize..40, [3usize..8, 3usize..8]),
    ];
    let pads = [0usize..3, 0usize..3, 0usize..3, 0usize..3];
    (images, channels, pads, any::<bool>()).prop_map(|((batch, input), channels, pads, relu)| {
        Case {
            batch,
            channels,
            input,
            pads,
            relu,
        }
    })
}

/// The compiled convolution and the interpreter's.
fn both(case: &Case, algorithm: Algorithm, target: Target, setup: Setup) -> [Tensor; 2] {
    let mut numbers = Numbers(21);
    let [c, m] = case.channels;
    let x = numbers.whole(
        DType::F32,
        &[case.batch, c, case.input[0], case.input[1]],
        5,
    );
    let w = numbers.whole(DType::F32, &[m, c, 3, 3], 5);
    let b = numbers.whole(DType::F32, &[m], 5);
    let pads = case.pads.map(|p| p as i64);
    let inputs = [x.clone(), w.clone(), b.clone()];
    let (graph, node) = operator(OpKind::Conv, &[("pads", ints(&pads))], &inputs);
    let sum = Interpreter::new(Precision::F32)
        .eval_node(&graph, node, &inputs.map(Some))
        .expect("evaluates")
        .remove(0);
    let expected = match case.relu {
        true => {
            let positive: Vec<f64> = sum.to_f64().iter().map(|y| y.max(0.0)).collect();
            Tensor::from_f64(DType::F32, sum.shape(), &positive)
        }
        false => sum,
    };
    let geometry = ConvGeometry {
        batch: case.batch,
        groups: 1,
        in_channels: c,
        out_channels: m,
        input: case.input,
        kernel: [3, 3],
        strides: [1, 1],
        dilations: [1, 1],
        pads: case.pads,
        input_placement: placement(&place(&x, true, 0).view),
        output_placement: placement(&place(&expected, true, 0).view),
        bias: true,
        epilogue: case
            .relu
            .then(|| Step::Max(0.0.into()))
            .into_iter()
            .collect(),
    };
    let filters = Filters {
        order: FilterOrder::convolution(c),
        computed: false,
    };
    let setting = Setting {
        target,
        threads: setup.threads,
        computed: false,
        same_sums: false,
    };
    let schemes = winograd::ranking(&geometry, &[algorithm], setting);
    let winograd =
        winograd::plan(&geometry, filters, schemes[0], target).expect("the convolution has a plan");
    let packed = winograd.filters.pack(&w.to_f32());
    let mut weights = bytes(&packed.expect("all weights are there"));
    let constants = weights.len().next_multiple_of(64);
    weights.resize(constants, 0);
    weights.extend(bytes(&winograd.constants()));
    let bias = weights.len().next_multiple_of(64);
    weights.resize(bias, 0);
    weights.extend(bytes(&winograd.bias(&b.to_f32())));
    let found = run_work(setup, &[x], &expected, weights, |views, out| {
        let at = |offset: usize| Place {
            space: Space::Weights,
            offset: offset as u64,
        };
        vec![Work::Staged(Staged {
            plan: winograd.plan,
            target,
            input: Place::from(&views[0]),
            weights: at(0),
            output: Place::from(out),
            bias: at(bias),
            residual: Place::from(out),
            constants: at(constants),
        })]
    });
    [found, expected]
}

fn check(case: &Case, algorithm: Algorithm) {
    let targets = [
        (CpuLevel::Baseline, Target::Clif128 { fma: false }),
        (CpuLevel::V3, Target::Avx2),
        (CpuLevel::V4, Target::Avx512),
    ];
    for (level, target) in targets {
        if CpuLevel::host() < Some(level) {
            println!("skipped: this CPU is no {level}");
            continue;
        }
        let setup = Setup {
            level,
            threads: 2,
            ..BLOCKED
        };
        let [found, expected] = both(case, algorithm, target, setup).map(|t| t.to_f64());
        let largest = expected.iter().fold(1.0, |most: f64, y| most.max(y.abs()));
        let bound = match algorithm {
            Algorithm::F2 => 0.0,
            Algorithm::F4 => 2e-5 * largest,
        };
        for (index, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert!(
                (found - expected).abs() <= bound,
                "{algorithm:?} on {target}: element {index} is {found}, expected {expected}: {case:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn squares_of_two_are_exact(case in cases()) {
        prop_assume!((0..2).all(|a| case.input[a] + case.pads[a] + case.pads[a + 2] >= 3));
        check(&case, Algorithm::F2);
    }

    #[test]
    fn squares_of_four_keep_their_bound(case in cases()) {
        prop_assume!((0..2).all(|a| case.input[a] + case.pads[a] + case.pads[a + 2] >= 3));
        check(&case, Algorithm::F4);
    }
}
