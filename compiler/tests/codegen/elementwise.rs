//! Elementwise operators and sources.

use crate::harness::*;
use crate::numbers::Numbers;
use cnnc_ir::{DType, Ex, OpKind, Tensor};

#[test]
fn elementwise_operators_broadcast() {
    let mut numbers = Numbers(1);
    for dtype in DType::ALL.into_iter().filter(|&d| d != DType::Bool) {
        let shapes: [(&[usize], &[usize]); 5] = [
            (&[37], &[37]),
            (&[3, 5, 7], &[7]),
            (&[3, 5, 8], &[3, 1, 1]),
            (&[2, 1, 9], &[4, 1]),
            (&[1], &[6, 33]),
        ];
        for (a, b) in shapes {
            let inputs = [numbers.whole(dtype, a, 9), numbers.whole(dtype, b, 9)];
            for kind in [OpKind::Add, OpKind::Mul, OpKind::Sub] {
                check(kind, &[], &inputs, 0.0);
            }
        }
    }
}

#[test]
fn large_elementwise_operators_are_shared_among_threads() {
    let mut numbers = Numbers(2);
    let inputs = [
        numbers.fractions(DType::F32, &[300, 1001]),
        numbers.fractions(DType::F32, &[1001]),
    ];
    check(OpKind::Add, &[], &inputs, 0.0);
}

#[test]
fn sources_know_their_coordinates() {
    let value = Ex::index(0) * Ex::int(DType::I64, 100) + Ex::index(1);
    let shape = numbers_like(&[3, 40]);
    check_with(
        SETUP,
        OpKind::Map,
        &map_attrs(&value),
        std::slice::from_ref(&shape),
        0.0,
    );
}

/// An operand whose only purpose is its shape.
fn numbers_like(shape: &[usize]) -> Tensor {
    Tensor::from_i64(DType::I64, shape, &vec![0; shape.iter().product()])
}

#[test]
fn elementwise_operators_work_on_blocked_values() {
    let mut numbers = Numbers(5);
    for channels in [16, 32, 5, 19] {
        let x = numbers.whole(DType::F32, &[2, channels, 3, 5], 9);
        for b in [
            &[2, channels, 3, 5][..],
            &[channels, 1, 1],
            &[2, channels, 1, 1],
            &[1],
        ] {
            let inputs = [x.clone(), numbers.whole(DType::F32, b, 9)];
            check_layouts(OpKind::Add, &[], &inputs, 0.0);
        }
        check_layouts(OpKind::Relu, &[], &[x], 0.0);
    }
}
