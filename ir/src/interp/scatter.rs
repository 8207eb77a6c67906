//! Scatters: a copy of the operand in which updates replace, or are combined with, the elements that indices name.

use super::array::{Array, Data};
use super::index::{element_offsets, tuple_offsets};
use super::run::Run;
use super::{Fault, Precision};
use crate::class::Scatter;
use crate::types::DType;

impl Run {
    pub fn scatter_elements(
        &mut self,
        x: &Array,
        indices: &Array,
        updates: &Array,
        axis: usize,
        reduction: Scatter,
    ) -> Result<Array, Fault> {
        let offsets = element_offsets(x, indices, axis)?;
        scatter(x, &offsets, updates, reduction, self.precision())
    }

    pub fn scatter_nd(
        &mut self,
        x: &Array,
        indices: &Array,
        updates: &Array,
        reduction: Scatter,
    ) -> Result<Array, Fault> {
        let (starts, slice) = tuple_offsets(x, indices, 0)?;
        self.elements(&[starts.len(), slice])?;
        self.spend(&[starts.len(), slice])?;
        let offsets: Vec<usize> = starts.into_iter().flat_map(|s| s..s + slice).collect();
        scatter(x, &offsets, updates, reduction, self.precision())
    }
}

/// In the order of the updates; every combined element is rounded, as if stored.
fn scatter(
    x: &Array,
    offsets: &[usize],
    updates: &Array,
    reduction: Scatter,
    precision: Precision,
) -> Result<Array, Fault> {
    if updates.len() != offsets.len() {
        return Err(Fault::Invalid(format!(
            "{} updates for {} indexed elements",
            updates.len(),
            offsets.len()
        )));
    }
    let mut out = x.clone();
    match (&mut out.data, &updates.data) {
        (Data::Float(out), Data::Float(updates)) => {
            for (&at, &u) in offsets.iter().zip(updates) {
                let old = out[at];
                let mut new = [match reduction {
                    Scatter::Replace => u,
                    Scatter::Add => old + u,
                    Scatter::Mul => old * u,
                    Scatter::Max if old.is_nan() || old > u => old,
                    Scatter::Min if old.is_nan() || old < u => old,
                    Scatter::Max | Scatter::Min => u,
                }];
                super::array::round_all(&mut new, x.dtype, precision);
                out[at] = new[0];
            }
        }
        (Data::Int(out), Data::Int(updates)) => {
            // Flipping the top bit makes the order of u64 that of i64.
            let flip = if x.dtype == DType::U64 { i64::MIN } else { 0 };
            for (&at, &u) in offsets.iter().zip(updates) {
                let old = out[at];
                out[at] = match reduction {
                    Scatter::Replace => u,
                    Scatter::Add => old.wrapping_add(u),
                    Scatter::Mul => old.wrapping_mul(u),
                    Scatter::Max => (old ^ flip).max(u ^ flip) ^ flip,
                    Scatter::Min => (old ^ flip).min(u ^ flip) ^ flip,
                };
            }
        }
        _ => {
            return Err(Fault::Invalid(
                "updates are of another type than the data".into(),
            ));
        }
    }
    Ok(out.rounded(precision))
}
