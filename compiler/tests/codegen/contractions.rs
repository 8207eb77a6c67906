//! Sums of products.

use crate::harness::*;
use crate::numbers::Numbers;
use cnnc::kernel::nest;
use cnnc_ir::interp::{Interpreter, Precision};
use cnnc_ir::{AttrValue, DType, Ex, OpKind};

#[test]
fn convolutions_of_any_geometry_match() {
    let mut numbers = Numbers(9);
    for dtype in [DType::F32, DType::F64] {
        for (x, w, group, pads, strides, dilations) in [
            (
                &[2, 3, 9, 11][..],
                &[4, 3, 3, 3][..],
                1,
                &[1, 1, 1, 1][..],
                &[1, 1][..],
                &[1, 1][..],
            ),
            (
                &[1, 4, 9, 8],
                &[6, 2, 3, 2],
                2,
                &[0, 1, 2, 1],
                &[2, 1],
                &[1, 2],
            ),
            (
                &[1, 4, 9, 8],
                &[4, 1, 3, 3],
                4,
                &[1, 1, 1, 1],
                &[1, 2],
                &[2, 1],
            ),
            (&[2, 3, 17], &[5, 3, 4], 1, &[2, 1], &[3], &[1]),
            (
                &[1, 2, 4, 5, 6],
                &[3, 2, 2, 3, 2],
                1,
                &[1, 0, 1, 0, 1, 0],
                &[1, 2, 1],
                &[1, 1, 2],
            ),
            (
                &[1, 8, 5, 5],
                &[7, 8, 1, 1],
                1,
                &[0, 0, 0, 0],
                &[1, 1],
                &[1, 1],
            ),
        ] {
            let inputs = [
                numbers.whole(dtype, x, 5),
                numbers.whole(dtype, w, 5),
                numbers.whole(dtype, &w[..1], 5),
            ];
            let attrs = [
                ("group", AttrValue::Int(group)),
                ("pads", ints(pads)),
                ("strides", ints(strides)),
                ("dilations", ints(dilations)),
            ];
            check(OpKind::Conv, &attrs, &inputs, 0.0);
        }
    }
}

#[test]
fn convolutions_work_on_blocked_values() {
    let mut numbers = Numbers(10);
    for (c, m, group) in [
        (16, 32, 1),
        (3, 16, 1),
        (19, 5, 1),
        (32, 32, 32),
        (32, 32, 2),
        (5, 5, 5),
    ] {
        let x = numbers.whole(DType::F32, &[2, c, 6, 7], 5);
        let w = numbers.whole(DType::F32, &[m, c / group, 3, 3], 5);
        let inputs = [x, w, numbers.whole(DType::F32, &[m], 5)];
        let attrs = [
            ("group", AttrValue::Int(group as i64)),
            ("pads", ints(&[1, 1, 1, 1])),
        ];
        check_layouts(OpKind::Conv, &attrs, &inputs, 0.0);
    }
}

#[test]
fn transposed_convolutions_match() {
    let mut numbers = Numbers(11);
    for (x, w, group, pads, strides, dilations) in [
        (
            &[2, 3, 5, 6][..],
            &[3, 4, 3, 3][..],
            1,
            &[1, 1, 1, 1][..],
            &[1, 1][..],
            &[1, 1][..],
        ),
        (
            &[1, 3, 5, 6],
            &[3, 4, 4, 4],
            1,
            &[1, 1, 1, 1],
            &[2, 2],
            &[1, 1],
        ),
        (
            &[1, 4, 5, 6],
            &[4, 3, 3, 2],
            2,
            &[0, 1, 0, 0],
            &[3, 2],
            &[2, 1],
        ),
        (&[1, 4, 7], &[4, 1, 5], 4, &[2, 2], &[2], &[1]),
    ] {
        let inputs = [
            numbers.whole(DType::F32, x, 5),
            numbers.whole(DType::F32, w, 5),
        ];
        let attrs = [
            ("group", AttrValue::Int(group)),
            ("pads", ints(pads)),
            ("strides", ints(strides)),
            ("dilations", ints(dilations)),
        ];
        check(OpKind::ConvTranspose, &attrs, &inputs, 0.0);
    }
    let x = numbers.whole(DType::F32, &[1, 16, 4, 5], 5);
    let w = numbers.whole(DType::F32, &[16, 32, 2, 2], 5);
    check_layouts(
        OpKind::ConvTranspose,
        &[("strides", ints(&[2, 2]))],
        &[x, w],
        0.0,
    );
}

#[test]
fn matrix_products_match() {
    let mut numbers = Numbers(12);
    for dtype in [DType::F32, DType::F64, DType::I32, DType::U64] {
        for (a, b) in [
            (&[5, 7][..], &[7, 9][..]),
            (&[2, 3, 5, 8], &[8, 16]),
            (&[3, 1, 2, 4], &[2, 4, 33]),
            (&[1, 40], &[40, 1]),
        ] {
            let inputs = [numbers.whole(dtype, a, 9), numbers.whole(dtype, b, 9)];
            check(OpKind::MatMul, &[], &inputs, 0.0);
        }
    }
}

#[test]
fn epilogues_are_fused() {
    let mut numbers = Numbers(17);
    let x = numbers.whole(DType::F32, &[1, 16, 5, 6], 5);
    let w = numbers.whole(DType::F32, &[32, 16, 1, 1], 5);
    let residual = numbers.whole(DType::F32, &[1, 32, 5, 6], 5);
    let (graph, node) = operator(OpKind::Conv, &[], &[x.clone(), w.clone()]);
    let semantics = graph.semantics(node).expect("semantics");
    let conv = Interpreter::new(Precision::F32)
        .eval_node(&graph, node, &[Some(x.clone()), Some(w.clone())])
        .expect("evaluates")
        .remove(0);
    let expr = (Ex::arg(0, DType::F32) + Ex::arg(1, DType::F32))
        .clamp(0.0, 6.0)
        .finish();
    let values: Vec<f64> = conv
        .to_f64()
        .iter()
        .zip(residual.to_f64())
        .map(|(a, b)| (a + b).clamp(0.0, 6.0))
        .collect();
    for blocked_output in [false, true] {
        let setup = Setup {
            blocked_output,
            ..SETUP
        };
        let found = run_nests(
            setup,
            &[x.clone(), w.clone(), residual.clone()],
            &conv,
            |views, out| {
                let epilogue = nest::Epilogue {
                    expr: expr.clone(),
                    operands: vec![views[2].clone()],
                    result: DType::F32,
                };
                lower(&semantics, &views[..2], out, Some(&epilogue))
            },
        );
        assert_eq!(found.to_f64(), values);
    }
}
