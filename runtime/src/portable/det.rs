//! [Det](https://onnx.ai/onnx/operators/onnx__Det.html).

use crate::dtype::DType;
use crate::error::KernelError;
use crate::operands::Operands;
use crate::portable::number::{Real, reals, write_reals};
use crate::portable::shape;
use crate::wire::wire_struct;

/// The determinant of each matrix of `[.., n, n]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Det;

wire_struct!(Det {});

impl Det {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        match operands.dtype(0)? {
            DType::F64 => determinants::<f64>(operands),
            _ => determinants::<f32>(operands),
        }
    }
}

fn determinants<R: Real>(operands: &mut Operands<'_>) -> Result<(), KernelError> {
    let data = reals::<R>(operands, 0)?;
    let [outer @ .., rows, n] = &data.dims[..] else {
        return Err(shape("the input", "at least two dimensions", &data.dims));
    };
    if rows != n {
        return Err(shape("the input", "square matrices", &data.dims));
    }
    let count: usize = outer.iter().product();
    let values: Vec<R> = (0..count)
        .map(|matrix| {
            let elements = &data.data[matrix * n * n..][..n * n];
            R::from_f64(determinant(
                elements.iter().map(|x| x.to_f64()).collect(),
                *n,
            ))
        })
        .collect();
    write_reals(operands, 0, outer, &values)
}

/// The product of the pivots of Gaussian elimination with partial pivoting.
fn determinant(mut a: Vec<f64>, n: usize) -> f64 {
    let mut product = 1.0;
    for column in 0..n {
        let size = |row: &usize| a[row * n + column].abs();
        let pivot = (column..n)
            .max_by(|i, j| size(i).total_cmp(&size(j)))
            .unwrap_or(column);
        if pivot != column {
            for j in 0..n {
                a.swap(pivot * n + j, column * n + j);
            }
            product = -product;
        }
        let diagonal = a[column * n + column];
        product *= diagonal;
        if diagonal == 0.0 {
            return product;
        }
        for row in column + 1..n {
            let factor = a[row * n + column] / diagonal;
            for j in column..n {
                a[row * n + j] -= factor * a[column * n + j];
            }
        }
    }
    product
}
