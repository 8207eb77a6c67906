//! Transposed convolutions through their plans, in the tile interpreter, against naive loops in f64.
//!
//! Data are small integers, so sums are exact in f32 and the comparison needs no tolerance. Padding lanes hold NaN.

#[path = "common/activation.rs"]
mod activation;

use activation::{TARGETS, Tensor, every, integer};
use cnnc::kernel::placement::Placement;
use cnnc::kernel::plan::{Plan, run_interpreted};
use cnnc::kernel::tile::{Arguments, Step};
use cnnc::kernel::transposed::{self, TransposedGeometry};
use proptest::prelude::*;

/// The result by its definition, before the epilogue: every input is spread over the outputs of its window.
fn reference(g: &TransposedGeometry, x: &Tensor, w: &[f32], bias: &[f32]) -> Vec<f64> {
    let [height, width] = g.output;
    let (group_in, group_out) = (g.in_channels / g.groups, g.out_channels / g.groups);
    let mut y = vec![0.0; g.batch * g.out_channels * height * width];
    for (at, (_, oc, _, _)) in every([g.batch, g.out_channels, height, width]).enumerate() {
        y[at] = if g.bias { f64::from(bias[oc]) } else { 0.0 };
    }
    for (n, ic, i, j) in every(x.shape) {
        for (_, m, kh, kw) in every([1, group_out, g.kernel[0], g.kernel[1]]) {
            let row = (i * g.strides[0] + kh * g.dilations[0]) as i64 - g.pads[0];
            let column = (j * g.strides[1] + kw * g.dilations[1]) as i64 - g.pads[1];
            if !(0..height as i64).contains(&row) || !(0..width as i64).contains(&column) {
                continue;
            }
            let oc = ic / group_in * group_out + m;
            let at = ((n * g.out_channels + oc) * height + row as usize) * width + column as usize;
            let weight = w[((ic * group_out + m) * g.kernel[0] + kh) * g.kernel[1] + kw];
            y[at] += f64::from(weight) * f64::from(x.at(n, ic, i, j));
        }
    }
    y
}

fn check(g: &TransposedGeometry, plans: &[Plan]) {
    let x = Tensor::new(
        g.input_placement,
        [g.batch, g.in_channels, g.input[0], g.input[1]],
        |i| integer(1, i),
    );
    let shape = [g.batch, g.out_channels, g.output[0], g.output[1]];
    let residual = Tensor::new(g.output_placement, shape, |i| integer(2, i));
    let mut y = Tensor::new(g.output_placement, shape, |_| f32::NAN);
    let count = g.in_channels * g.out_channels / g.groups * g.kernel[0] * g.kernel[1];
    let weights: Vec<f32> = (0..count).map(|i| integer(3, i)).collect();
    let bias: Vec<f32> = (0..g.out_channels).map(|i| integer(4, i)).collect();
    for plan in plans {
        let packing = plan.packing.as_ref().expect("these plans pack");
        let packed = packing.pack(&weights).expect("enough weights");
        let packed_bias = packing.pack_bias(&bias).expect("enough bias");
        let mut arguments = Arguments {
            input: (&x.data, x.start()),
            weights: (&packed, 0),
            output: (&mut y.data, residual.start()),
            bias: (&packed_bias, 0),
            residual: (&residual.data, residual.start()),
        };
        run_interpreted(plan, &mut arguments)
            .unwrap_or_else(|fault| panic!("{fault}\n{g:#?}\n{plan}"));
    }
    let expected = reference(g, &x, &weights, &bias);
    for ((n, c, i, j), expected) in every(shape).zip(expected) {
        let expected = if g.epilogue.is_empty() {
            expected
        } else {
            (expected + f64::from(residual.at(n, c, i, j))).max(0.0)
        };
        let found = f64::from(y.at(n, c, i, j));
        assert_eq!(found, expected, "at {:?} of {g:#?}", [n, c, i, j]);
    }
}

prop_compose! {
    fn pair(most: usize)(a in 1..=most, b in 1..=most) -> [usize; 2] { [a, b] }
}

/// Groups, channels of a group (in, out) and blocks (in, out).
fn channels() -> impl Strategy<Value = (usize, [usize; 2], [usize; 2])> {
    let aligned = prop::sample::select(vec![1usize, 2, 4, 8, 16, 32]);
    prop_oneof![
        (1..40usize, 1..50usize).prop_map(|(i, o)| (1, [i, o], [16, 16])),
        (1..6usize, 1..40usize).prop_map(|(i, o)| (1, [i, o], [1, 16])),
        (2..4usize, aligned.clone(), aligned).prop_map(|(g, i, o)| (g, [i, o], [16, 16])),
        (2..40usize).prop_map(|g| (g, [1, 1], [16, 16])),
    ]
}

prop_compose! {
    fn geometry()(
        batch in 1..3usize, (groups, [i, o], blocks) in channels(), kernel in pair(5), strides in pair(4),
        dilations in pair(3), pads in prop::array::uniform2(-2i64..4), input in pair(6), output in pair(14),
        bias: bool, residual: bool, in_halo in prop::array::uniform4(0..3usize), out_halo in prop::array::uniform4(0..2usize),
    ) -> TransposedGeometry {
        let (in_channels, out_channels) = (groups * i, groups * o);
        TransposedGeometry {
            batch, groups, in_channels, out_channels, input, output, kernel, strides, dilations, pads, bias,
            input_placement: Placement::dense(blocks[0], in_channels, input, in_halo),
            output_placement: Placement::dense(blocks[1], out_channels, output, out_halo),
            epilogue: if residual { vec![Step::AddResidual, Step::Max(0.0.into())] } else { Vec::new() },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn transposed_convolutions_equal_their_definition(g in geometry()) {
        for target in TARGETS {
            check(&g, &transposed::plan(&g, target).expect("a plan"));
        }
    }
}

/// Upsampling by two with a kernel of two: every phase is a product of one tap, and all are one plan.
#[test]
fn phases_alike_are_one_plan() {
    let g = TransposedGeometry {
        batch: 1,
        groups: 1,
        in_channels: 32,
        out_channels: 16,
        input: [4, 4],
        output: [8, 8],
        kernel: [2, 2],
        strides: [2, 2],
        dilations: [1, 1],
        pads: [0, 0],
        input_placement: Placement::dense(16, 32, [4, 4], [0; 4]),
        output_placement: Placement::dense(16, 16, [8, 8], [0; 4]),
        bias: true,
        epilogue: Vec::new(),
    };
    let plans = transposed::plan(&g, TARGETS[0]).expect("a plan");
    assert_eq!(plans.len(), 1);
    assert_eq!(plans[0].groups.len(), 4);
    // A kernel of four padded by one reads past the edge: with a halo alike, without one clipped in four ways.
    let overlapping = TransposedGeometry {
        kernel: [4, 4],
        pads: [1, 1],
        ..g
    };
    let with_halo = TransposedGeometry {
        input_placement: Placement::dense(16, 32, [4, 4], [1; 4]),
        ..overlapping.clone()
    };
    let count = |g: &TransposedGeometry| transposed::plan(g, TARGETS[0]).expect("a plan").len();
    assert_eq!((count(&with_halo), count(&overlapping)), (1, 4));
}
