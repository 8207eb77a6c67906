//! [Concat](https://onnx.ai/onnx/operators/onnx__Concat.html) of parts whose extents may be known at run time only.

use crate::wire::wire_struct;

/// Any number of inputs of one type, laid one after another along `axis`.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    pub axis: u32,
}

wire_struct!(Concat { axis });
