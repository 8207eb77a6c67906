//! Copies elements in row-major order between views of different shape or strides.

use crate::error::KernelError;
use crate::operands::{Operands, by_size};
use crate::portable::shape;
use crate::program::Extent;
use crate::wire::wire_struct;

/// `output.flatten() = input.flatten()`: one input, one output of the same type and number of elements.
///
/// Serves Reshape, strided moves and the compaction of run-time extents. Where exactly one extent of the output is a slot that
/// the input does not name, it is found from the number of elements and written.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy;

wire_struct!(Copy {});

impl Copy {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let dims = output_dims(operands)?;
        by_size!(operands.dtype(0)?, T => {
            let input = operands.words::<T>(0)?;
            operands.output::<T>(0, &dims, |out| {
                out.copy_from_slice(&input.data);
                Ok(())
            })
        })
    }
}

fn output_dims(operands: &Operands<'_>) -> Result<Vec<usize>, KernelError> {
    let count: usize = operands.dims(0)?.iter().product();
    let (from, to) = (operands.planned_input(0), operands.planned_output(0));
    let mut dims = operands.current_dims(0);
    let unknown = |dim: &&Extent| matches!(dim, Extent::Slot(_)) && !from.contains(dim);
    if to.iter().filter(unknown).count() == 1
        && let Some(axis) = to.iter().position(|dim| unknown(&dim))
    {
        let others: usize = dims[..axis].iter().chain(&dims[axis + 1..]).product();
        // Without elements any extent would do: it stays as it is.
        dims[axis] = count.checked_div(others).unwrap_or(dims[axis]);
    }
    match dims.iter().product::<usize>() == count {
        true => Ok(dims),
        false => Err(shape("the output", format!("{count} elements"), &dims)),
    }
}
