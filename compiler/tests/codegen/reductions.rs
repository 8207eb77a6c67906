//! Reductions and pooling.

use crate::harness::*;
use crate::numbers::Numbers;
use cnnc_ir::{AttrValue, DType, OpKind};

#[test]
fn reductions_match() {
    let mut numbers = Numbers(6);
    let kinds = [
        OpKind::ReduceSum,
        OpKind::ReduceMax,
        OpKind::ReduceMin,
        OpKind::ReduceMean,
        OpKind::ReduceL2,
        OpKind::ReduceProd,
    ];
    for dtype in [DType::F32, DType::F64, DType::I32, DType::I64] {
        let x = numbers.whole(dtype, &[3, 4, 5, 7], 2);
        for axes in [&[0][..], &[3], &[1, 2], &[2, 3], &[0, 1, 2, 3]] {
            for kind in kinds {
                if dtype.is_int() && kind == OpKind::ReduceL2 {
                    continue;
                }
                for keepdims in [0, 1] {
                    check_axes(kind, &x, axes, keepdims, 1e-6, SETUP);
                }
            }
        }
    }
}

#[test]
fn reductions_read_blocked_values() {
    let mut numbers = Numbers(7);
    for channels in [32, 5, 19] {
        let x = numbers.whole(DType::F32, &[2, channels, 6, 7], 9);
        for axes in [&[2, 3][..], &[1], &[0], &[1, 2, 3]] {
            for kind in [OpKind::ReduceSum, OpKind::ReduceMax] {
                for (blocked_output, keepdims) in [(false, 0), (false, 1), (true, 1)] {
                    let blocked_output = blocked_output && !axes.contains(&1);
                    let setup = Setup {
                        blocked_input: true,
                        blocked_output,
                        ..SETUP
                    };
                    check_axes(kind, &x, axes, keepdims, 1e-6, setup);
                }
            }
        }
    }
}

#[test]
fn positions_of_extremes_match() {
    let mut numbers = Numbers(8);
    for dtype in [DType::F32, DType::I32, DType::U8] {
        let x = numbers.whole(dtype, &[4, 9, 11], 3);
        for axis in 0..3 {
            for kind in [OpKind::ArgMax, OpKind::ArgMin] {
                for last in [0, 1] {
                    let attrs = [
                        ("axis", AttrValue::Int(axis)),
                        ("select_last_index", AttrValue::Int(last)),
                    ];
                    check(kind, &attrs, std::slice::from_ref(&x), 0.0);
                }
            }
        }
    }
}

#[test]
fn windows_match() {
    let mut numbers = Numbers(13);
    for channels in [4, 16, 19] {
        let x = numbers.whole(DType::F32, &[2, channels, 9, 10], 9);
        for (kernel, strides, pads, dilations) in [
            (&[2, 2][..], &[2, 2][..], &[0, 0, 0, 0][..], &[1, 1][..]),
            (&[3, 3], &[2, 1], &[1, 1, 1, 1], &[1, 1]),
            (&[3, 2], &[1, 1], &[1, 0, 1, 0], &[2, 3]),
        ] {
            let attrs = [
                ("kernel_shape", ints(kernel)),
                ("strides", ints(strides)),
                ("pads", ints(pads)),
                ("dilations", ints(dilations)),
            ];
            check_layouts(OpKind::MaxPool, &attrs, std::slice::from_ref(&x), 0.0);
            for count_pad in [0, 1] {
                let mut attrs = attrs.to_vec();
                attrs.push(("count_include_pad", AttrValue::Int(count_pad)));
                check_layouts(OpKind::AveragePool, &attrs, std::slice::from_ref(&x), 1e-6);
            }
            check_layouts(OpKind::LpPool, &attrs, std::slice::from_ref(&x), 1e-6);
        }
    }
}
