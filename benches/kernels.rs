//! Arithmetic rate of planned kernels on one core (criterion's elements are operations): `cargo bench --bench kernels [WORD]`.
//!
//! The first is what the machine can do: a tile that reads one cache line over and over. Every other is a whole layer through its
//! plan; its result is compared with the interpreter's.

#[path = "../tests/tile/exec.rs"]
mod exec;

use cnnc::kernel::conv::{self, ConvGeometry};
use cnnc::kernel::depthwise;
use cnnc::kernel::matmul::{self, MatmulGeometry, MatrixStrides};
use cnnc::kernel::placement::Placement;
use cnnc::kernel::plan::{Plan, run_interpreted};
use cnnc::kernel::planar::{self, FilterStrides};
use cnnc::kernel::tile::{
    Arguments, Clip, Column, Init, Loop, Nest, Pixel, Source, Step, Tap, Target, Tile, TileCode,
    assemble,
};
use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use exec::{Code, Guarded};

/// Input and output channels, output size, kernel, stride.
const CONVOLUTIONS: [(usize, usize, usize, usize, usize); 9] = [
    (3, 64, 112, 7, 2),
    (64, 64, 56, 1, 1),
    (64, 256, 56, 1, 1),
    (64, 64, 56, 3, 1),
    (128, 128, 28, 3, 1),
    (256, 512, 14, 1, 2),
    (256, 256, 14, 3, 1),
    (512, 512, 7, 3, 1),
    (24, 144, 56, 1, 1),
];

/// Channels, output size, stride.
const DEPTHWISE: [(usize, usize, usize); 4] =
    [(32, 112, 1), (144, 56, 1), (144, 28, 2), (384, 14, 1)];

/// Rows, inner, columns.
const PRODUCTS: [(usize, usize, usize); 3] = [(1, 2048, 1000), (197, 768, 768), (64, 4096, 256)];

fn kernels(criterion: &mut Criterion) {
    for target in [Target::Avx512, Target::Avx2] {
        if !is_present(target) {
            println!("skipped: this CPU has no {target}");
            continue;
        }
        let mut group = criterion.benchmark_group(target.to_string());
        let mut report = |name: String, flops: usize, layer: Layer| {
            group.throughput(Throughput::Elements(flops as u64));
            group.bench_function(name, |b| layer.measure(target, b));
        };
        let (tile, flops) = peak(target);
        report("peak".into(), flops, Layer::of_tile(tile));
        for (i, o, size, k, s) in CONVOLUTIONS {
            let geometry = convolution(1, i, o, size, k, s);
            let plan = conv::plan(&geometry, target).expect("a plan");
            let flops = 2 * i * o * size * size * k * k;
            let layer = Layer::of_conv(&geometry, plan);
            report(
                format!("conv {k}x{k} by {s} {i} to {o} at {size}"),
                flops,
                layer,
            );
            if s == 1 {
                let layer = Layer::of_planar(&planes(geometry), target);
                report(format!("planar {k}x{k} {i} to {o} at {size}"), flops, layer);
            }
        }
        for (c, size, s) in DEPTHWISE {
            let geometry = convolution(c, c, c, size, 3, s);
            let plan = depthwise::plan(&geometry, target).expect("a plan");
            let layer = Layer::of_conv(&geometry, plan);
            report(
                format!("depthwise 3x3 by {s} {c} at {size}"),
                18 * c * size * size,
                layer,
            );
        }
        for (m, k, n) in PRODUCTS {
            for (pack, suffix) in [(true, " packed"), (false, "")] {
                let geometry = product(m, k, n, pack);
                let plan = matmul::plan(&geometry, target).expect("a plan");
                let layer = Layer::of_product(&geometry, plan);
                report(format!("matmul {m}x{k}x{n}{suffix}"), 2 * m * k * n, layer);
            }
        }
        group.finish();
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);

fn is_present(target: Target) -> bool {
    match target {
        #[cfg(target_arch = "x86_64")]
        Target::Avx512 => {
            is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl")
        }
        #[cfg(target_arch = "x86_64")]
        Target::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        _ => false,
    }
}

/// A plan and the lengths of its buffers, in elements.
struct Layer {
    plan: Plan,
    lengths: [usize; 5],
    starts: [i64; 5],
}

impl Layer {
    fn of_conv(g: &ConvGeometry, plan: Plan) -> Layer {
        let [_, _, row, pixel] = g.input_placement.strides;
        let halo = g.input_placement.halo.map(|pixels| pixels as i64);
        let input = g.input_placement.strides[0] as usize;
        let packing = plan
            .packing
            .as_ref()
            .expect("convolutions pack their weights");
        let output = g.output_placement.strides[0] as usize;
        let lengths = [input, packing.len(), output, packing.bias_len(), output];
        Layer {
            plan,
            lengths,
            starts: [4 * (halo[0] * row + halo[1] * pixel), 0, 0, 0, 0],
        }
    }

    fn of_planar(g: &ConvGeometry, target: Target) -> Layer {
        let plan = planar::plan(g, &FilterStrides::dense(g), target).expect("a plan");
        let [input, output] =
            [g.input_placement, g.output_placement].map(|p| p.strides[0] as usize);
        let weights = g.out_channels * g.in_channels / g.groups * g.kernel[0] * g.kernel[1];
        let lengths = [weights, input, output, g.out_channels, output];
        Layer {
            plan,
            lengths,
            starts: [0; 5],
        }
    }

    fn of_product(g: &MatmulGeometry, plan: Plan) -> Layer {
        let (weights, bias) = match &plan.packing {
            Some(packing) => (packing.len(), packing.bias_len()),
            None => (g.inner * g.columns, g.columns),
        };
        Layer {
            plan,
            lengths: [g.rows * g.inner, weights, g.rows * g.columns, bias, 0],
            starts: [0; 5],
        }
    }

    fn of_tile(tile: Tile) -> Layer {
        use cnnc::kernel::plan::{ChannelGroup, Order, SpatialUnit};
        let spatial = vec![SpatialUnit {
            tile: 0,
            input: 0,
            output: 0,
            bias: 0,
        }];
        let groups = vec![ChannelGroup {
            first_tile: 0,
            input: 0,
            weights: 0,
            bias: 0,
            output: 0,
        }];
        let plan = Plan {
            tiles: vec![tile],
            spatial,
            groups,
            order: Order::GroupOuter,
            packing: None,
        };
        Layer {
            plan,
            lengths: [64; 5],
            starts: [0; 5],
        }
    }

    /// Measures the whole layer, then compares its result with the interpreter's.
    fn measure(&self, target: Target, bencher: &mut Bencher<'_>) {
        let codes: Vec<Code> = self
            .plan
            .tiles
            .iter()
            .map(|tile| code(tile, target))
            .collect();
        let data = [0, 1, 2, 3, 4].map(|side| vec![1.0 + side as f32; self.lengths[side]]);
        let mut buffers = [0, 1, 2, 3, 4].map(|side| {
            let mut buffer = Guarded::new(self.lengths[side]);
            buffer.fill(&data[side]);
            buffer
        });
        let calls: Vec<_> = (0..self.plan.len())
            .filter_map(|index| self.plan.call(index))
            .collect();
        bencher.iter(|| {
            for call in &calls {
                let [input, weights, output, bias, residual] = self.starts;
                let starts = [
                    input + call.input,
                    weights + call.weights,
                    output + call.output,
                    bias + call.bias,
                    residual + call.output,
                ];
                codes[call.tile].call(&mut buffers, starts);
            }
        });
        if calls.len() > 1 {
            self.compare(&data, buffers[2].elements());
        }
    }

    fn compare(&self, [input, weights, output, bias, residual]: &[Vec<f32>; 5], found: &[f32]) {
        let mut expected = output.clone();
        let mut arguments = Arguments {
            input: (input, self.starts[0]),
            weights: (weights, self.starts[1]),
            output: (&mut expected, self.starts[2]),
            bias: (bias, self.starts[3]),
            residual: (residual, self.starts[4]),
        };
        run_interpreted(&self.plan, &mut arguments).expect("the plan stays in its buffers");
        assert!(expected == found, "machine code and interpreter differ");
    }
}

fn code(tile: &Tile, target: Target) -> Code {
    match assemble(tile, target).expect("a tile") {
        TileCode::Bytes(bytes) => Code::new(&bytes),
        TileCode::Clif(_) => unreachable!("only assembled targets are measured"),
    }
}

/// The best register block of the target, reading always the same elements; and its arithmetic.
fn peak(target: Target) -> (Tile, usize) {
    let (columns, lanes, trip) = (2, target.lanes(), 10_000);
    let pixels = target.tallest(columns, Source::Broadcast, &[], 0);
    let tile = Tile {
        source: Source::Broadcast,
        pixels: vec![
            Pixel {
                input: 0,
                output: 0
            };
            pixels
        ],
        columns: vec![Column::full(lanes, 0); columns],
        init: Init::Zero,
        reduction: vec![Nest {
            input: 0,
            weights: 0,
            taps: vec![
                Tap {
                    input: 0,
                    weights: 0,
                    clip: Clip::NONE
                };
                16
            ],
            loops: vec![Loop {
                trip,
                input: 0,
                weights: 0,
            }],
        }],
        epilogue: Vec::new(),
    };
    (
        tile,
        2 * 16 * trip as usize * pixels * columns * lanes.count(),
    )
}

/// A square convolution with a halo as wide as its padding; a first layer reads plain planes.
fn convolution(groups: usize, i: usize, o: usize, size: usize, k: usize, s: usize) -> ConvGeometry {
    let (input, pad) = ([size * s; 2], (k - 1) / 2);
    ConvGeometry {
        batch: 1,
        groups,
        in_channels: i,
        out_channels: o,
        input,
        kernel: [k; 2],
        strides: [s; 2],
        dilations: [1; 2],
        pads: [pad; 4],
        input_placement: Placement::dense(if i < 8 { 1 } else { 16 }, i, input, [pad; 4]),
        output_placement: Placement::dense(16, o, [size; 2], [0; 4]),
        bias: true,
        epilogue: vec![Step::Max(0.0.into())],
    }
}

/// The same convolution on plain planes without a halo.
fn planes(g: ConvGeometry) -> ConvGeometry {
    let output = g.output().expect("a valid geometry");
    ConvGeometry {
        input_placement: Placement::dense(1, g.in_channels, g.input, [0; 4]),
        output_placement: Placement::dense(1, g.out_channels, output, [0; 4]),
        ..g
    }
}

fn product(rows: usize, inner: usize, columns: usize, pack: bool) -> MatmulGeometry {
    let dense = |row: usize| MatrixStrides {
        batch: 0,
        row: row as i64,
        column: 1,
    };
    MatmulGeometry {
        batch: 1,
        rows,
        inner,
        columns,
        a: dense(inner),
        b: dense(columns),
        c: dense(columns),
        pack,
        bias: true,
        epilogue: Vec::new(),
    }
}
