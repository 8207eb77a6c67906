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
            check(OpKind::Map, &map_attrs(&value), &[x.clone()], tolerance);
        }
    }
}

#[test]
fn exp_and_tanh_are_within_a_few_ulp() {
    let values: Vec<f64> = (0..40_000).map(|i| f64::from(i) * 0.005 - 105.0).collect();
    let x = Tensor::from_f64(DType::F32, &[values.len()], &values);
    for (value, exact, most) in [
        (
            Ex::arg(0, DType::F32).exp(),
            f64::exp as fn(f64) -> f64,
            2.0,
        ),
        (
            Ex::arg(0, DType::F32).tanh(),
            f64::tanh as fn(f64) -> f64,
            3.0,
        ),
    ] {
        let expr = value.finish();
        let y = run_nests(SETUP, &[x.clone()], &x, |views, out| {
            nest::elementwise(&expr, views, out).expect("lowers")
        });
        for (&x, &y) in x.to_f32().iter().zip(&y.to_f32()) {
            let exact = exact(f64::from(x));
            let unit = f64::from(f32::from_bits((exact as f32).to_bits() | 1))
                - f64::from(f32::from_bits((exact as f32).to_bits() & !1));
            let unit = unit.abs().max(f64::from(f32::from_bits(1)));
            let infinite = y.is_infinite() && exact > f64::from(f32::MAX);
            assert!(
                infinite || (f64::from(y) - exact).abs() <= most * unit,
                "{x}: {y} instead of {exact}"
            );
        }
    }
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
                &[x.clone()],
                0.0,
            );
        }
    }
    let x = Tensor::from_i64(DType::I64, &[6], &[0, -1, 255, 256, 70_000, -3_000_000_000]);
    for to in DType::ALL {
        check(
            OpKind::Map,
            &map_attrs(&Ex::arg(0, DType::I64).cast(to)),
            &[x.clone()],
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
        check(OpKind::Map, &map_attrs(&constant), &[a.clone()], 0.0);
    }
}
