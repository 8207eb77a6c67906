//! Tile plans as step functions.

use crate::harness::*;
use crate::layout::{HALO, place};
use crate::numbers::Numbers;
use cnnc::kernel::conv::{self, ConvGeometry};
use cnnc::kernel::placement::Placement;
use cnnc::kernel::plan::Plan;
use cnnc::kernel::tile::Target;
use cnnc::memory::view::{Space, View};
use cnnc::select::{Place, Tiled};
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, OpKind};
use cnnc_runtime::CpuLevel;

pub fn placement(view: &View) -> Placement {
    Placement {
        block: 16,
        strides: std::array::from_fn(|k| view.strides[k]),
        halo: [HALO; 4],
    }
}

pub fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// The plan of the convolution below.
fn plan(c: usize, m: usize, input: &View, output: &View, target: Target) -> Plan {
    conv::plan(
        &ConvGeometry {
            batch: 2,
            groups: 1,
            in_channels: c,
            out_channels: m,
            input: [9, 11],
            kernel: [3, 3],
            strides: [1, 1],
            dilations: [1, 1],
            pads: [1; 4],
            input_placement: placement(input),
            output_placement: placement(output),
            bias: true,
            epilogue: Vec::new(),
        },
        target,
    )
    .expect("the convolution has a plan")
}

/// A padded 3x3 convolution of `[2,c,9,11]` to `m` channels on blocked values, against the interpreter.
fn check_convolution(c: usize, m: usize, target: Target, setup: Setup) {
    let mut numbers = Numbers(21);
    let x = numbers.whole(DType::F32, &[2, c, 9, 11], 5);
    let w = numbers.whole(DType::F32, &[m, c, 3, 3], 5);
    let b = numbers.whole(DType::F32, &[m], 5);
    let attrs = [("pads", ints(&[1, 1, 1, 1]))];
    let inputs = [x.clone(), w.clone(), b.clone()];
    let (graph, node) = operator(OpKind::Conv, &attrs, &inputs);
    let expected = Interpreter::new(Precision::F32)
        .eval_node(&graph, node, &inputs.map(Some))
        .expect("evaluates")
        .remove(0);
    // Strides do not depend on offsets: any place will do to plan for.
    let input = place(&x, true, 0).view;
    let output = place(&expected, true, 0).view;
    let plan = plan(c, m, &input, &output, target);
    let packing = plan.packing.clone().expect("weights are packed");
    let mut weights = bytes(&packing.pack(&w.to_f32()).expect("all weights are there"));
    let bias = weights.len().next_multiple_of(64);
    weights.resize(bias, 0);
    weights.extend(bytes(
        &packing
            .pack_bias(&b.to_f32())
            .expect("all biases are there"),
    ));
    let found = run_work(setup, &[x], &expected, weights, |views, out| {
        let at = |offset: usize| Place {
            space: Space::Weights,
            offset: offset as u64,
        };
        vec![Work::Tiled(Tiled {
            plan,
            target,
            input: Place::from(&views[0]),
            weights: at(0),
            output: Place::from(out),
            bias: at(bias),
            residual: Place::from(out),
        })]
    });
    assert_eq!(
        found.to_f64(),
        expected.to_f64(),
        "{c} to {m} channels, {target}"
    );
}

pub const BLOCKED: Setup = Setup {
    blocked_input: true,
    blocked_output: true,
    ..SETUP
};

#[test]
fn tiled_convolutions_match() {
    for (c, m) in [(16, 16), (32, 48), (16, 64)] {
        for in_process in [false, true] {
            let setup = Setup {
                in_process,
                ..BLOCKED
            };
            check_convolution(c, m, Target::Clif128 { fma: false }, setup);
            if CpuLevel::host() >= Some(CpuLevel::V3) {
                check_convolution(
                    c,
                    m,
                    Target::Avx2,
                    Setup {
                        threads: 3,
                        ..setup
                    },
                );
            }
            if CpuLevel::host() >= Some(CpuLevel::V4) {
                let setup = Setup {
                    level: CpuLevel::V4,
                    ..setup
                };
                check_convolution(c, m, Target::Avx512, setup);
            }
        }
    }
}
