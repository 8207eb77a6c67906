//! Elements that change place.

use crate::harness::*;
use crate::numbers::Numbers;
use cnnc::kernel::nest;
use cnnc_ir::{AttrValue, DType, OpKind, Tensor};

#[test]
fn movements_match() {
    let mut numbers = Numbers(14);
    for dtype in [DType::F32, DType::F16, DType::U8, DType::I64, DType::Bool] {
        let x = numbers.whole(dtype, &[3, 5, 8, 6], 9);
        for perm in [
            &[0, 1, 2, 3][..],
            &[3, 2, 1, 0],
            &[0, 2, 3, 1],
            &[1, 0, 3, 2],
        ] {
            check(
                OpKind::Transpose,
                &[("perm", ints(perm))],
                std::slice::from_ref(&x),
                0.0,
            );
        }
        let y = numbers.whole(dtype, &[3, 2, 8, 6], 9);
        check(
            OpKind::Concat,
            &[("axis", AttrValue::Int(1))],
            &[x.clone(), y, x.clone()],
            0.0,
        );
    }
}

#[test]
fn movements_reach_blocked_values() {
    let mut numbers = Numbers(15);
    for channels in [16, 48, 19] {
        let x = numbers.whole(DType::F32, &[2, channels, 5, 6], 9);
        check_layouts(OpKind::Identity, &[], std::slice::from_ref(&x), 0.0);
        let setup = Setup {
            blocked_input: true,
            ..SETUP
        };
        check_with(
            setup,
            OpKind::Transpose,
            &[("perm", ints(&[0, 2, 3, 1]))],
            std::slice::from_ref(&x),
            0.0,
        );
        if channels % 16 == 0 {
            check_with(setup, OpKind::Flatten, &[], std::slice::from_ref(&x), 0.0);
            check_layouts(
                OpKind::Concat,
                &[("axis", AttrValue::Int(1))],
                &[x.clone(), x.clone()],
                0.0,
            );
        }
    }
}

#[test]
fn views_reach_outside_their_input() {
    use cnnc_ir::class::{AxisMap, Movement};
    let mut numbers = Numbers(16);
    let x = numbers.whole(DType::F32, &[4, 6], 9);
    for (step0, offset0, step1, offset1) in [
        (1, -2, 1, -3),
        (1, 1, 1, 2),
        (-1, 3, 2, -4),
        (2, 0, -3, 8),
        (0, 1, 1, 0),
    ] {
        let class = Movement::View {
            axes: vec![
                AxisMap {
                    axis: Some(0),
                    step: step0,
                    offset: offset0,
                },
                AxisMap {
                    axis: Some(1),
                    step: step1,
                    offset: offset1,
                },
            ],
            fill: Some(7.0),
        };
        let values: Vec<f64> = (0..9 * 11)
            .map(|i| {
                let (a, b) = (offset0 + step0 * (i / 11), offset1 + step1 * (i % 11));
                let inside = (0..4).contains(&a) && (0..6).contains(&b);
                if inside {
                    x.to_f64()[(a * 6 + b) as usize]
                } else {
                    7.0
                }
            })
            .collect();
        let expected = Tensor::from_f64(DType::F32, &[9, 11], &values);
        let found = run_nests(SETUP, std::slice::from_ref(&x), &expected, |views, out| {
            nest::movement(&class, views, out).expect("lowers")
        });
        assert_eq!(found.to_f64(), expected.to_f64(), "{class:?}");
    }
}
