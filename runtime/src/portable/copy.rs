//! Copies elements in row-major order between views of different shape or strides.

use crate::wire::wire_struct;

/// `output.flatten() = input.flatten()`: one input, one output of the same type and number of elements.
///
/// Serves Reshape, strided moves and the compaction of run-time extents. Where exactly one extent of the output is a slot that
/// the input does not name, it is found from the number of elements and written.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy;

wire_struct!(Copy {});
