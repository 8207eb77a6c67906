//! Products of matrices over the last two axes, leading axes broadcast.

use super::Fault;
use super::array::{Array, Element, broadcast_offsets, broadcasts_to};
use super::contract::axpy;

/// The last two axes of an operand as row-major matrices.
pub struct Matrices<T> {
    lead: Vec<usize>,
    rows: usize,
    pub cols: usize,
    data: Vec<T>,
}

impl<T: Element> Matrices<T> {
    pub fn new((x, data): (&Array, &[T]), transpose: bool) -> Result<Matrices<T>, Fault> {
        let Some((lead, &[rows, cols])) = x.shape.split_last_chunk::<2>() else {
            return Err(Fault::Invalid(format!(
                "an operand of shape {:?} holds no matrices",
                x.shape
            )));
        };
        let lead = lead.to_vec();
        if !transpose {
            return Ok(Matrices {
                lead,
                rows,
                cols,
                data: data.to_vec(),
            });
        }
        let mut swapped = Vec::with_capacity(data.len());
        for matrix in data.chunks((rows * cols).max(1)) {
            for c in 0..cols {
                swapped.extend((0..rows).map(|r| matrix[r * cols + c]));
            }
        }
        Ok(Matrices {
            lead,
            rows: cols,
            cols: rows,
            data: swapped,
        })
    }

    fn at(&self, i: usize) -> &[T] {
        let size = self.rows * self.cols;
        &self.data[i * size..(i + 1) * size]
    }
}

pub fn matmul<T: Element>(
    a: &Matrices<T>,
    b: &Matrices<T>,
    shape: &[usize],
    out: &mut [T],
) -> Result<(), Fault> {
    let lead = shape
        .split_last_chunk::<2>()
        .filter(|(_, s)| **s == [a.rows, b.cols]);
    let Some((lead, _)) = lead.filter(|(lead, _)| {
        a.cols == b.rows && broadcasts_to(&a.lead, lead) && broadcasts_to(&b.lead, lead)
    }) else {
        return Err(Fault::Invalid(format!(
            "matrices of {}x{} and {}x{} do not give shape {shape:?}",
            a.rows, a.cols, b.rows, b.cols
        )));
    };
    let size = a.rows * b.cols;
    if size == 0 {
        return Ok(());
    }
    let offsets = broadcast_offsets(&a.lead, lead)
        .into_iter()
        .zip(broadcast_offsets(&b.lead, lead));
    for (out, (ia, ib)) in out.chunks_mut(size).zip(offsets) {
        let (a_matrix, b_matrix) = (a.at(ia), b.at(ib));
        for (row, acc) in out.chunks_mut(b.cols).enumerate() {
            for (k, &weight) in a_matrix[row * a.cols..(row + 1) * a.cols]
                .iter()
                .enumerate()
            {
                axpy(acc, &b_matrix[k * b.cols..(k + 1) * b.cols], weight);
            }
        }
    }
    Ok(())
}
