//! Test data.

use cnnc_ir::{DType, Tensor};

/// Small pseudo-random numbers.
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    /// Whole numbers between -`most` and `most` (from 0 for unsigned types): sums of their products are exact.
    pub fn whole(&mut self, dtype: DType, shape: &[usize], most: i64) -> Tensor {
        let low = if dtype.is_signed() { -most } else { 0 };
        let high = if dtype == DType::Bool { 1 } else { most };
        let mut value = || low + (self.next() % (high - low + 1) as u64) as i64;
        let count = shape.iter().product();
        if dtype.is_float() {
            let values: Vec<f64> = (0..count).map(|_| value() as f64).collect();
            return Tensor::from_f64(dtype, shape, &values);
        }
        let values: Vec<i64> = (0..count).map(|_| value()).collect();
        Tensor::from_i64(dtype, shape, &values)
    }

    /// Numbers in -4..4.
    pub fn fractions(&mut self, dtype: DType, shape: &[usize]) -> Tensor {
        let count = shape.iter().product();
        let values: Vec<f64> = (0..count)
            .map(|_| self.next() as f64 / (1u64 << 28) as f64 - 4.0)
            .collect();
        Tensor::from_f64(dtype, shape, &values)
    }
}
