//! Chains strip by strip against the interpreter, stage by stage: exact on integers, for every cut.

use crate::harness::*;
use crate::layout::place;
use crate::numbers::Numbers;
use crate::tiles::{BLOCKED, bytes, placement};
use cnnc::kernel::chain::{self, Kind, Stage};
use cnnc::kernel::conv::ConvGeometry;
use cnnc::kernel::pool::Pooling;
use cnnc::kernel::tile::{Step, Target};
use cnnc::memory::view::Space;
use cnnc::select::{Place, Staged};
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{DType, OpKind, Tensor};
use cnnc_runtime::CpuLevel;
use proptest::prelude::*;

/// A stage of a case; a sum over channels says to how many.
#[derive(Clone, Debug)]
enum Layer {
    Sum { channels: usize, window: Window },
    Depthwise(Window),
    MaxPool(Window),
}

#[derive(Clone, Copy, Debug)]
struct Window {
    kernel: [usize; 2],
    strides: [usize; 2],
    pads: [usize; 4],
}

#[derive(Clone, Debug)]
struct Case {
    batch: usize,
    channels: usize,
    input: [usize; 2],
    layers: Vec<Layer>,
    /// What the plan is cut for.
    threads: usize,
}

fn windows() -> impl Strategy<Value = Window> {
    (
        1usize..4,
        1usize..4,
        1usize..3,
        1usize..3,
        any::<[bool; 4]>(),
    )
        .prop_map(|(height, width, down, right, pads)| {
            let kernel = [height, width];
            let pad = |axis: usize| kernel[axis % 2].min(2) - 1;
            Window {
                kernel,
                strides: [down, right],
                pads: std::array::from_fn(|side| if pads[side] { pad(side) } else { 0 }),
            }
        })
}

fn layers() -> impl Strategy<Value = Layer> {
    prop_oneof![
        (1usize..70, windows()).prop_map(|(channels, window)| Layer::Sum { channels, window }),
        windows().prop_map(Layer::Depthwise),
        windows().prop_map(Layer::MaxPool),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let input = [9usize..24, 9usize..24];
    let layers = prop::collection::vec(layers(), 2..4);
    (1usize..3, 1usize..50, input, layers, 1usize..9).prop_map(
        |(batch, channels, input, layers, threads)| Case {
            batch,
            channels,
            input,
            layers,
            threads,
        },
    )
}

/// A chain with its weights and the value that comes out.
struct Prepared {
    input: Tensor,
    stages: Vec<Stage>,
    weights: Vec<Vec<f32>>,
    biases: Vec<Option<Vec<f32>>>,
    expected: Tensor,
}

fn prepare(case: &Case) -> Prepared {
    let mut numbers = Numbers(7);
    let shape = [case.batch, case.channels, case.input[0], case.input[1]];
    let input = numbers.whole(DType::F32, &shape, 3);
    let (mut stages, mut weights, mut biases) = (Vec::new(), Vec::new(), Vec::new());
    let mut value = input.clone();
    for layer in &case.layers {
        let channels = value.shape()[1];
        let (window, kind, out_channels, group) = match *layer {
            Layer::Sum {
                channels: out,
                window,
            } => (window, Kind::Sum, out, channels),
            Layer::Depthwise(window) => (window, Kind::Depthwise, channels, 1),
            Layer::MaxPool(window) => (window, Kind::Pool(Pooling::Max), channels, 0),
        };
        let filter = [out_channels, group, window.kernel[0], window.kernel[1]];
        let (w, b) = (
            numbers.whole(DType::F32, &filter, 2),
            numbers.whole(DType::F32, &[out_channels], 2),
        );
        let is_pool = matches!(kind, Kind::Pool(_));
        let operands = match is_pool {
            true => vec![value.clone()],
            false => vec![value.clone(), w.clone(), b.clone()],
        };
        let made = apply(&window, &operands, channels / group.max(1));
        stages.push(stage(&window, kind, &value, &made));
        weights.push(if is_pool { Vec::new() } else { w.to_f32() });
        biases.push((!is_pool).then(|| b.to_f32()));
        value = made;
    }
    Prepared {
        input,
        stages,
        weights,
        biases,
        expected: value,
    }
}

/// The operator's value: a convolution, or a pool where there are no weights; negative elements become zero.
fn apply(window: &Window, operands: &[Tensor], groups: usize) -> Tensor {
    let list = |values: &[usize]| ints(&values.iter().map(|&v| v as i64).collect::<Vec<_>>());
    let mut attrs = vec![
        ("strides", list(&window.strides)),
        ("pads", list(&window.pads)),
    ];
    let kind = match operands.len() {
        1 => OpKind::MaxPool,
        _ => OpKind::Conv,
    };
    attrs.push(match kind {
        OpKind::MaxPool => ("kernel_shape", list(&window.kernel)),
        _ => ("group", cnnc_ir::AttrValue::Int(groups as i64)),
    });
    let (graph, node) = operator(kind, &attrs, operands);
    let operands: Vec<Option<Tensor>> = operands.iter().cloned().map(Some).collect();
    let sum = Interpreter::new(Precision::F32)
        .eval_node(&graph, node, &operands)
        .expect("evaluates")
        .remove(0);
    let positive: Vec<f64> = sum.to_f64().iter().map(|y| y.max(0.0)).collect();
    Tensor::from_f64(DType::F32, sum.shape(), &positive)
}

fn stage(window: &Window, kind: Kind, input: &Tensor, output: &Tensor) -> Stage {
    let (x, y) = (input.shape(), output.shape());
    Stage {
        kind,
        conv: ConvGeometry {
            batch: x[0],
            groups: if kind == Kind::Sum { 1 } else { x[1] },
            in_channels: x[1],
            out_channels: y[1],
            input: [x[2], x[3]],
            kernel: window.kernel,
            strides: window.strides,
            dilations: [1; 2],
            pads: window.pads,
            input_placement: placement(&place(input, true, 0).view),
            output_placement: placement(&place(output, true, 0).view),
            bias: !matches!(kind, Kind::Pool(_)),
            epilogue: vec![Step::Max(0.0.into())],
        },
    }
}

fn found(case: &Case, prepared: &Prepared, target: Target, setup: Setup) -> Tensor {
    let chain = chain::plan(&prepared.stages, target, case.threads).expect("the chain has a plan");
    let filters: Vec<&[f32]> = prepared.weights.iter().map(Vec::as_slice).collect();
    let biases: Vec<Option<&[f32]>> = prepared.biases.iter().map(Option::as_deref).collect();
    let mut weights = bytes(&chain.weights(&filters).expect("all weights are there"));
    let bias = weights.len().next_multiple_of(64);
    weights.resize(bias, 0);
    weights.extend(bytes(&chain.bias(&biases).expect("all biases are there")));
    let inputs = [prepared.input.clone()];
    run_work(setup, &inputs, &prepared.expected, weights, |views, out| {
        let at = |offset: usize| Place {
            space: Space::Weights,
            offset: offset as u64,
        };
        vec![Work::Staged(Staged {
            plan: chain.plan,
            target,
            input: Place::from(&views[0]),
            weights: at(0),
            output: Place::from(out),
            bias: at(bias),
            residual: Place::from(out),
            constants: Place::from(out),
        })]
    })
}

/// Whether every window of a case fits what it slides over.
fn fits(case: &Case) -> bool {
    let mut size = case.input;
    case.layers.iter().all(|layer| {
        let (Layer::Sum { window, .. } | Layer::Depthwise(window) | Layer::MaxPool(window)) = layer;
        (0..2).all(|axis| {
            let padded = size[axis] + window.pads[axis] + window.pads[axis + 2];
            let room = padded.checked_sub(window.kernel[axis]);
            size[axis] = room.map_or(0, |room| room / window.strides[axis] + 1);
            room.is_some()
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn strips_change_no_element(case in cases()) {
        prop_assume!(fits(&case));
        let prepared = prepare(&case);
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
            let setup = Setup { level, threads: 2, ..BLOCKED };
            let found = found(&case, &prepared, target, setup);
            prop_assert_eq!(found.to_f64(), prepared.expected.to_f64(), "{}", target);
        }
    }
}

/// Rows of a strip that lie in the padding alone need nothing of the stages before.
#[test]
fn padding_as_tall_as_a_strip_is_refused() {
    let window = |kernel: usize, pad: usize| Window {
        kernel: [kernel; 2],
        strides: [1; 2],
        pads: [pad; 4],
    };
    let case = Case {
        batch: 1,
        channels: 16,
        input: [9, 9],
        layers: vec![
            Layer::Depthwise(window(3, 1)),
            Layer::Depthwise(window(3, 1)),
            Layer::Sum {
                channels: 16,
                window: window(1, 3),
            },
        ],
        threads: 15,
    };
    let prepared = prepare(&case);
    let plan = chain::plan(&prepared.stages, Target::Avx2, case.threads);
    insta::assert_snapshot!(plan.unwrap_err(), @"the rows a strip needs is 0, expected at least 1");
}
