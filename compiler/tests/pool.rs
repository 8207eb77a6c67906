//! Pools through their plans, in the tile interpreter, against naive loops.
//!
//! Data are small integers, so sums are exact; padding lanes hold NaN, and so does now and then an element.

#[path = "common/activation.rs"]
mod activation;

use activation::{TARGETS, Tensor, every, integer};
use cnnc::kernel::conv::ConvGeometry;
use cnnc::kernel::placement::Placement;
use cnnc::kernel::plan::run_interpreted;
use cnnc::kernel::pool::{self, Pooling};
use cnnc::kernel::tile::{Arguments, Step, Target};
use proptest::prelude::*;

/// The elements of a window that lie inside the input.
fn window(g: &ConvGeometry, x: &Tensor, [n, c, i, j]: [usize; 4]) -> Vec<f32> {
    let inside = |(_, _, kh, kw): (usize, usize, usize, usize)| {
        let row = (i * g.strides[0] + kh * g.dilations[0]).checked_sub(g.pads[0])?;
        let column = (j * g.strides[1] + kw * g.dilations[1]).checked_sub(g.pads[1])?;
        (row < x.shape[2] && column < x.shape[3]).then(|| x.at(n, c, row, column))
    };
    let taps = every([1, 1, g.kernel[0], g.kernel[1]]);
    taps.filter_map(inside).collect()
}

/// The result by its definition, before the epilogue.
fn reference(g: &ConvGeometry, pooling: Pooling, x: &Tensor, at: [usize; 4]) -> f32 {
    let cells = window(g, x, at);
    let sum: f32 = cells.iter().sum();
    match pooling {
        Pooling::Max if cells.iter().any(|x| x.is_nan()) => f32::NAN,
        Pooling::Max => cells.into_iter().fold(f32::NEG_INFINITY, f32::max),
        Pooling::Sum => sum,
        Pooling::Mean => sum * (1.0 / cells.len() as f32),
        Pooling::MeanOfWindow => sum * (1.0 / (g.kernel[0] * g.kernel[1]) as f32),
    }
}

fn check(g: &ConvGeometry, pooling: Pooling, target: Target) {
    let plan = pool::plan(g, pooling, target).expect("a plan");
    let shape = [g.batch, g.in_channels, g.input[0], g.input[1]];
    let element = |i| {
        if i % 97 == 13 && pooling == Pooling::Max {
            f32::NAN
        } else {
            integer(1, i)
        }
    };
    let x = Tensor::new(g.input_placement, shape, element);
    let [height, width] = g.output().expect("a valid geometry");
    let made = [g.batch, g.out_channels, height, width];
    let residual = Tensor::new(g.output_placement, made, |i| integer(2, i));
    let mut y = Tensor::new(g.output_placement, made, |_| f32::NAN);
    let mut arguments = Arguments {
        input: (&x.data, x.start()),
        weights: (&[], 0),
        output: (&mut y.data, residual.start()),
        bias: (&[], 0),
        residual: (&residual.data, residual.start()),
    };
    run_interpreted(&plan, &mut arguments)
        .unwrap_or_else(|fault| panic!("{fault}\n{g:#?}\n{plan}"));
    for (n, c, i, j) in every(made) {
        let mut expected = reference(g, pooling, &x, [n, c, i, j]);
        if !g.epilogue.is_empty() {
            expected += residual.at(n, c, i, j);
        }
        let found = y.at(n, c, i, j);
        assert!(
            found == expected || found.is_nan() && expected.is_nan(),
            "{found}, expected {expected} at {:?} of {pooling:?} {g:#?}\n{plan}",
            [n, c, i, j]
        );
    }
}

prop_compose! {
    fn pair(most: usize)(a in 1..=most, b in 1..=most) -> [usize; 2] { [a, b] }
}

prop_compose! {
    fn geometry()(
        batch in 1..3usize, channels in 1..40usize, kernel in pair(4), strides in pair(3), dilations in pair(2),
        pads in prop::array::uniform4(0..3usize), extra in pair(14), residual: bool,
        in_halo in prop::array::uniform4(0..2usize), out_halo in prop::array::uniform4(0..2usize),
    ) -> ConvGeometry {
        let input = [0, 1].map(|a| (kernel[a] - 1) * dilations[a] + extra[a]);
        let mut g = ConvGeometry {
            batch, groups: channels, in_channels: channels, out_channels: channels, input, kernel, strides, dilations, pads,
            bias: false,
            input_placement: Placement::dense(16, channels, input, in_halo),
            output_placement: Placement::dense(16, channels, [1, 1], out_halo),
            epilogue: if residual { vec![Step::AddResidual] } else { Vec::new() },
        };
        g.output_placement = Placement::dense(16, channels, g.output().expect("a valid geometry"), out_halo);
        g
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn pools_equal_their_definition(g in geometry()) {
        for target in TARGETS {
            for pooling in [Pooling::Max, Pooling::Sum, Pooling::Mean, Pooling::MeanOfWindow] {
                check(&g, pooling, target);
            }
        }
    }

    #[test]
    fn pools_of_whole_planes_equal_their_definition(g in geometry(), input in pair(70)) {
        let g = ConvGeometry {
            input,
            kernel: input,
            strides: [1; 2],
            dilations: [1; 2],
            pads: [0; 4],
            input_placement: Placement::dense(16, g.in_channels, input, g.input_placement.halo),
            output_placement: Placement::dense(1, g.in_channels, [1, 1], [0; 4]),
            ..g
        };
        for target in TARGETS {
            check(&g, Pooling::Mean, target);
            check(&g, Pooling::Max, target);
        }
    }
}

/// Where a wide window is clipped, the loop nest is the better kernel, even if it is clipped in one way only.
#[test]
fn wide_clipped_windows_are_refused() {
    let g = ConvGeometry {
        batch: 1,
        groups: 16,
        in_channels: 16,
        out_channels: 16,
        input: [1, 30],
        kernel: [1, 40],
        strides: [1; 2],
        dilations: [1; 2],
        pads: [0, 10, 0, 0],
        bias: false,
        input_placement: Placement::dense(16, 16, [1, 30], [0; 4]),
        output_placement: Placement::dense(16, 16, [1, 1], [0; 4]),
        epilogue: Vec::new(),
    };
    let refusal = pool::plan(&g, Pooling::Max, TARGETS[0]).expect_err("a refusal");
    insta::assert_snapshot!(refusal, @"the number of regions that clip a window is 1, expected at most 256, none for windows wider than 32");
}
