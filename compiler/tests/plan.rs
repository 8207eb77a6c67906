//! Whole operators through their plans, in the tile interpreter, against naive loops in f64.
//!
//! Data are small integers, so sums are exact in f32 and the comparison needs no tolerance. Padding lanes hold NaN:
//! a plan that multiplies one shows it.

#[path = "common/activation.rs"]
mod activation;

use activation::{TARGETS, Tensor, every, integer};
use cnnc::kernel::conv::{self, ConvGeometry};
use cnnc::kernel::depthwise;
use cnnc::kernel::matmul::{self, MatmulGeometry, MatrixStrides};
use cnnc::kernel::placement::Placement;
use cnnc::kernel::plan::{Plan, run_interpreted};
use cnnc::kernel::planar::{self, FilterStrides};
use cnnc::kernel::tile::{Arguments, Step};
use proptest::prelude::*;

/// The convolution by its definition, before the epilogue.
fn reference(
    g: &ConvGeometry,
    x: &Tensor,
    w: &[f32],
    bias: &[f32],
    [n, oc, i, j]: [usize; 4],
) -> f64 {
    let (group_in, group_out) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let mut sum = if g.bias { f64::from(bias[oc]) } else { 0.0 };
    for (_, ic, kh, kw) in every([1, group_in, g.kernel[0], g.kernel[1]]) {
        let y = (i * g.strides[0] + kh * g.dilations[0]).wrapping_sub(g.pads[0]);
        let column = (j * g.strides[1] + kw * g.dilations[1]).wrapping_sub(g.pads[1]);
        if y < g.input[0] && column < g.input[1] {
            let weight = w[((oc * group_in + ic) * g.kernel[0] + kh) * g.kernel[1] + kw];
            sum +=
                f64::from(weight) * f64::from(x.at(n, oc / group_out * group_in + ic, y, column));
        }
    }
    sum
}

fn input(g: &ConvGeometry) -> Tensor {
    let shape = [g.batch, g.in_channels, g.input[0], g.input[1]];
    Tensor::new(g.input_placement, shape, |i| integer(1, i))
}

fn bias(g: &ConvGeometry) -> Vec<f32> {
    (0..g.out_channels).map(|i| integer(4, i)).collect()
}

/// Weights `[out_channels, in_channels/groups, kh, kw]`.
fn weights(g: &ConvGeometry) -> Vec<f32> {
    let count = g.out_channels * g.in_channels / g.groups * g.kernel[0] * g.kernel[1];
    (0..count).map(|i| integer(3, i)).collect()
}

/// The same weights as `[in_channels, out_channels/groups, kh, kw]`, windows turned by half a turn.
fn turned(g: &ConvGeometry) -> Vec<f32> {
    let (group_in, group_out) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let [rows, columns] = g.kernel;
    let mut turned = vec![f32::NAN; weights(g).len()];
    for ((oc, ic, kh, kw), w) in every([g.out_channels, group_in, rows, columns]).zip(weights(g)) {
        let (group, oc) = (oc / group_out, oc % group_out);
        let at = ((group * group_in + ic) * group_out + oc) * rows + rows - 1 - kh;
        turned[at * columns + columns - 1 - kw] = w;
    }
    turned
}

/// A plan that packs its weights.
fn check_conv(g: &ConvGeometry, plan: &Plan) {
    let x = input(g);
    let (weights, bias) = (weights(g), bias(g));
    let packing = plan
        .packing
        .as_ref()
        .expect("these plans pack their weights");
    let packed = packing.pack(&weights).expect("enough weights");
    assert!(packing.is_permutation_of(weights.len()));
    assert_eq!(packing.unpack(&packed, weights.len()), Some(weights));
    let packed_bias = packing.pack_bias(&bias).expect("enough bias");
    check_run(
        g,
        plan,
        &x,
        [(&x.data, x.start()), (&packed, 0), (&packed_bias, 0)],
    );
}

/// A plan that reads the weights in place; input and weights change places.
fn check_planar(g: &ConvGeometry, plan: &Plan, weights: &[f32]) {
    let x = input(g);
    check_run(
        g,
        plan,
        &x,
        [(weights, 0), (&x.data, x.start()), (&bias(g), 0)],
    );
}

/// Runs a plan on its operands (input, weights, bias) and compares with the definition.
fn check_run(
    g: &ConvGeometry,
    plan: &Plan,
    x: &Tensor,
    [input, packed, packed_bias]: [(&[f32], i64); 3],
) {
    let [height, width] = g.output().expect("a valid geometry");
    let out_shape = [g.batch, g.out_channels, height, width];
    let residual = Tensor::new(g.output_placement, out_shape, |i| integer(2, i));
    let mut y = Tensor::new(g.output_placement, out_shape, |_| f32::NAN);
    let (weights, bias) = (weights(g), bias(g));
    let mut arguments = Arguments {
        input,
        weights: packed,
        output: (&mut y.data, residual.start()),
        bias: packed_bias,
        residual: (&residual.data, residual.start()),
    };
    run_interpreted(plan, &mut arguments).unwrap_or_else(|fault| panic!("{fault}\n{g:#?}\n{plan}"));
    for (n, c, i, j) in every(y.shape) {
        let mut expected = reference(g, x, &weights, &bias, [n, c, i, j]);
        if g.epilogue.contains(&Step::AddResidual) {
            expected = (expected + f64::from(residual.at(n, c, i, j))).max(0.0);
        }
        assert_eq!(
            f64::from(y.at(n, c, i, j)),
            expected,
            "at {:?} of {g:#?}\n{plan}",
            [n, c, i, j]
        );
    }
}

prop_compose! {
    fn pair(most: usize)(a in 1..=most, b in 1..=most) -> [usize; 2] { [a, b] }
}

prop_compose! {
    /// Kernel, strides, dilations, pads and an input at least as large as the window.
    fn window()(
        kernel in pair(3), strides in pair(2), dilations in pair(2),
        pads in prop::array::uniform4(0..3usize), extra in pair(18),
    ) -> ([usize; 2], [usize; 2], [usize; 2], [usize; 4], [usize; 2]) {
        let input = [0, 1].map(|a| (kernel[a] - 1) * dilations[a] + extra[a]);
        (kernel, strides, dilations, pads, input)
    }
}

/// Groups, channels of a group (in, out) and blocks (in, out).
fn channels() -> impl Strategy<Value = (usize, [usize; 2], [usize; 2])> {
    let aligned = prop::sample::select(vec![1usize, 2, 4, 8, 16, 32]);
    prop_oneof![
        (1..40usize, 1..70usize).prop_map(|(i, o)| (1, [i, o], [16, 16])),
        (1..12usize, 1..40usize).prop_map(|(i, o)| (1, [i, o], [1, 16])),
        (2..4usize, aligned.clone(), aligned).prop_map(|(g, i, o)| (g, [i, o], [16, 16])),
    ]
}

prop_compose! {
    fn geometry()(
        batch in 1..3usize, (groups, [i, o], blocks) in channels(), (kernel, strides, dilations, pads, input) in window(),
        bias: bool, residual: bool, in_halo in prop::array::uniform4(0..3usize), out_halo in prop::array::uniform4(0..2usize),
    ) -> ConvGeometry {
        let (in_channels, out_channels) = (groups * i, groups * o);
        let mut g = ConvGeometry {
            batch, groups, in_channels, out_channels, input, kernel, strides, dilations, pads, bias,
            input_placement: Placement::dense(blocks[0], in_channels, input, in_halo),
            output_placement: Placement::dense(blocks[1], out_channels, input, out_halo),
            epilogue: if residual { vec![Step::AddResidual, Step::Max(0.0.into())] } else { Vec::new() },
        };
        g.output_placement = Placement::dense(blocks[1], out_channels, g.output().expect("a valid geometry"), out_halo);
        g
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn convolutions_equal_their_definition(g in geometry()) {
        for target in TARGETS {
            check_conv(&g, &conv::plan(&g, target).expect("a plan"));
        }
    }

    #[test]
    fn depthwise_convolutions_equal_their_definition(g in geometry(), channels in 1..40usize) {
        let output = g.output().expect("a valid geometry");
        let g = ConvGeometry {
            groups: channels, in_channels: channels, out_channels: channels,
            input_placement: Placement::dense(16, channels, g.input, g.input_placement.halo),
            output_placement: Placement::dense(16, channels, output, g.output_placement.halo),
            ..g
        };
        for target in TARGETS {
            check_conv(&g, &depthwise::plan(&g, target).expect("a plan"));
        }
    }

    #[test]
    fn planar_convolutions_equal_their_definition(g in geometry()) {
        let g = ConvGeometry { strides: [g.strides[0], 1], ..g };
        let output = g.output().expect("a valid geometry");
        let g = ConvGeometry {
            input_placement: Placement::dense(1, g.in_channels, g.input, g.input_placement.halo),
            output_placement: Placement::dense(1, g.out_channels, output, g.output_placement.halo),
            ..g
        };
        for target in TARGETS {
            let plan = |filter| planar::plan(&g, &filter, target).expect("a plan");
            check_planar(&g, &plan(FilterStrides::dense(&g)), &weights(&g));
            check_planar(&g, &plan(FilterStrides::turned(&g)), &turned(&g));
        }
    }

    #[test]
    fn matrix_products_equal_their_definition(
        batch in 1..3usize, m in 1..20usize, k in 1..70usize, n in 1..70usize,
        transposed in any::<[bool; 2]>(), shared: bool, pack: bool, bias: bool,
    ) {
        let (pack, shared) = (pack && (shared || batch == 1), shared);
        let dense = |rows: usize, columns: usize, transposed: bool, stacked: bool| {
            let (row, column) = if transposed { (1, rows as i64) } else { (columns as i64, 1) };
            MatrixStrides { batch: if stacked { (rows * columns) as i64 } else { 0 }, row, column }
        };
        let g = MatmulGeometry {
            batch, rows: m, inner: k, columns: n, pack, bias, epilogue: Vec::new(),
            a: dense(m, k, transposed[0], true),
            b: dense(k, n, transposed[1] && pack, !shared),
            c: dense(m, n, false, true),
        };
        for target in TARGETS {
            check_matmul(&g, &matmul::plan(&g, target).expect("a plan"));
        }
    }
}

fn check_matmul(g: &MatmulGeometry, plan: &Plan) {
    let at = |s: MatrixStrides, n: usize, i: usize, j: usize| {
        (n as i64 * s.batch + i as i64 * s.row + j as i64 * s.column) as usize
    };
    let matrices = if g.b.batch == 0 { 1 } else { g.batch };
    let a: Vec<f32> = (0..g.batch * g.rows * g.inner)
        .map(|i| integer(1, i))
        .collect();
    let b: Vec<f32> = (0..matrices * g.inner * g.columns)
        .map(|i| integer(2, i))
        .collect();
    let bias: Vec<f32> = (0..g.columns).map(|i| integer(3, i)).collect();
    let packed = plan.packing.as_ref().map(|p| {
        (
            p.pack(&b).expect("weights"),
            p.pack_bias(&bias).expect("bias"),
        )
    });
    let (weights, packed_bias) = packed.unwrap_or_else(|| (b.clone(), bias.clone()));
    let mut c = vec![f32::NAN; g.batch * g.rows * g.columns];
    let mut arguments = Arguments {
        input: (&a, 0),
        weights: (&weights, 0),
        output: (&mut c, 0),
        bias: (&packed_bias, 0),
        residual: (&[], 0),
    };
    run_interpreted(plan, &mut arguments).unwrap_or_else(|fault| panic!("{fault}\n{g:#?}\n{plan}"));
    for (n, _, i, j) in every([g.batch, 1, g.rows, g.columns]) {
        let products =
            (0..g.inner).map(|k| f64::from(a[at(g.a, n, i, k)]) * f64::from(b[at(g.b, n, k, j)]));
        let expected = products.sum::<f64>() + if g.bias { f64::from(bias[j]) } else { 0.0 };
        assert_eq!(
            f64::from(c[at(g.c, n, i, j)]),
            expected,
            "at {:?} of {g:#?}\n{plan}",
            [n, i, j]
        );
    }
}
