//! The instructions of scalar expressions.

use crate::harness::*;
use crate::numbers::Numbers;
use cnnc::kernel::nest;
use cnnc_ir::{DType, Ex, OpKind, Tensor};

#[test]
fn every_integer_instruction_matches() {
    use cnnc_ir::expr::BinaryOp;
    let mut numbers = Numbers(3);
    for dtype in DType::ALL.into_iter().filter(|d| d.is_int()) {
        let inputs = [
            numbers.whole(dtype, &[67], 100),
            numbers.whole(dtype, &[67], 9),
        ];
        for op in BinaryOp::ALL {
            let value = Ex::arg(0, dtype).binary(op, &Ex::arg(1, dtype));
            check(OpKind::Map, &map_attrs(&value), &inputs, 0.0);
        }
        for op in [
            cnnc_ir::expr::UnaryOp::Neg,
            cnnc_ir::expr::UnaryOp::Abs,
            cnnc_ir::expr::UnaryOp::Sign,
            cnnc_ir::expr::UnaryOp::Not,
        ] {
            check(
                OpKind::Map,
                &map_attrs(&Ex::arg(0, dtype).unary(op)),
                &inputs[..1],
                0.0,
            );
        }
    }
}

#[test]
fn division_never_traps() {
    for (dtype, lowest) in [
        (DType::I8, i64::from(i8::MIN)),
        (DType::I32, i64::from(i32::MIN)),
        (DType::I64, i64::MIN),
    ] {
        let a = Tensor::from_i64(dtype, &[4], &[lowest, lowest, 7, -7]);
        let b = Tensor::from_i64(dtype, &[4], &[-1, 0, 0, -1]);
        use cnnc_ir::expr::BinaryOp::{Div, Mod, Rem};
        for op in [Div, Rem, Mod] {
            let value = Ex::arg(0, dtype).binary(op, &Ex::arg(1, dtype));
            check(
                OpKind::Map,
                &map_attrs(&value),
                &[a.clone(), b.clone()],
                0.0,
            );
        }
    }
}

#[test]
fn float_functions_match_on_ordinary_and_special_numbers() {
    use cnnc_ir::expr::UnaryOp;
    let mut numbers = Numbers(4);
    for dtype in [DType::F32, DType::F64, DType::F16, DType::BF16] {
        let mut values = numbers.fractions(DType::F64, &[61]).to_f64();
        values.extend([
            0.0,
            -0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::NAN,
            0.5,
            -0.5,
            1.5,
            2.5,
            88.7,
            -87.4,
            -103.0,
            0.624,
            0.626,
        ]);
        let x = Tensor::from_f64(dtype, &[values.len()], &values);
        let tolerance = match dtype {
            DType::F64 => 1e-15,
            DType::F32 => 6e-7,
            _ => 8e-3,
        };
        for op in UnaryOp::ALL.into_iter().filter(|&o| o != UnaryOp::Not) {
            let value = Ex::arg(0, dtype).unary(op);
            check(
                OpKind::Map,
                &map_attrs(&value),
                std::slice::from_ref(&x),
                tolerance,
            );
        }
    }
}

/// Holds a function against f64 on the given numbers: within `most` units in the last place.
fn check_units(function: &Ex, exact: impl Fn(f64) -> f64, values: &[f64], most: f64) {
    let x = Tensor::from_f64(DType::F32, &[values.len()], values);
    let expr = function.finish();
    let y = run_nests(SETUP, std::slice::from_ref(&x), &x, |views, out| {
        nest::elementwise(&expr, views, out).expect("lowers")
    });
    let mut worst: f64 = 0.0;
    for (&x, &y) in x.to_f32().iter().zip(&y.to_f32()) {
        let exact = exact(f64::from(x));
        let near = (exact as f32).abs().min(f32::MAX);
        let unit = f64::from(near.next_up()) - f64::from(near);
        let both_infinite = f64::from(y) == f64::from(exact as f32);
        let off = (f64::from(y) - exact).abs() / unit;
        assert!(
            both_infinite || off <= most,
            "{x}: {y} instead of {exact}, {off} ulp"
        );
        worst = worst.max(if both_infinite { 0.0 } else { off });
    }
    // A bound much above what is reached is no bound.
    assert!(
        worst > most / 4.0,
        "within {worst} ulp, the bound says {most}"
    );
}

#[test]
fn inline_functions_are_within_a_few_ulp() {
    let x = Ex::arg(0, DType::F32);
    let line: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.005 - 105.0).collect();
    let small: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 2.5e-4 - 5.0).collect();
    let powers: Vec<f64> = (0..40_000)
        .map(|i| (f64::from(i) * 0.0045 - 90.0).exp())
        .collect();
    check_units(&x.exp(), f64::exp, &line, 1.5);
    check_units(&x.exp(), f64::exp, &small, 1.5);
    check_units(&x.tanh(), f64::tanh, &small, 3.0);
    let inner: Vec<f64> = small.iter().map(|v| v * 0.6).collect();
    check_units(&x.erf(), erf_series, &inner, 2.0);
    check_units(&x.log(), f64::ln, &powers, 1.5);
}

/// The error function by its series, which in f64 is exact enough up to 3.
fn erf_series(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

#[test]
fn casts_saturate_and_wrap() {
    let values = [
        0.0,
        -0.9,
        1.5,
        255.7,
        300.0,
        -129.0,
        4e9,
        -4e9,
        1e19,
        -1e19,
        f64::NAN,
        f64::INFINITY,
    ];
    for from in [DType::F32, DType::F64] {
        let x = Tensor::from_f64(from, &[values.len()], &values);
        for to in [
            DType::I32,
            DType::I64,
            DType::U32,
            DType::U64,
            DType::Bool,
            DType::F64,
            DType::F32,
            DType::F16,
        ] {
            check(
                OpKind::Map,
                &map_attrs(&Ex::arg(0, from).cast(to)),
                std::slice::from_ref(&x),
                0.0,
            );
        }
    }
    let x = Tensor::from_i64(DType::I64, &[6], &[0, -1, 255, 256, 70_000, -3_000_000_000]);
    for to in DType::ALL {
        check(
            OpKind::Map,
            &map_attrs(&Ex::arg(0, DType::I64).cast(to)),
            std::slice::from_ref(&x),
            0.0,
        );
    }
}

#[test]
fn maximum_and_minimum_propagate_nan() {
    let nan = f64::NAN;
    let a = Tensor::from_f64(
        DType::F32,
        &[9],
        &[nan, 1.0, nan, 2.0, -1.0, 0.0, 3.0, nan, 5.0],
    );
    let b = Tensor::from_f64(
        DType::F32,
        &[9],
        &[1.0, nan, nan, 1.0, 1.0, 0.0, nan, 7.0, 5.0],
    );
    for op in [cnnc_ir::expr::BinaryOp::Max, cnnc_ir::expr::BinaryOp::Min] {
        let value = Ex::arg(0, DType::F32).binary(op, &Ex::arg(1, DType::F32));
        check(
            OpKind::Map,
            &map_attrs(&value),
            &[a.clone(), b.clone()],
            0.0,
        );
        let constant = Ex::arg(0, DType::F32);
        let constant = constant.binary(op, &constant.lit(0.5));
        check(
            OpKind::Map,
            &map_attrs(&constant),
            std::slice::from_ref(&a),
            0.0,
        );
    }
}
