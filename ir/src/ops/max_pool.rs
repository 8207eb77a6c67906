//! MaxPool: the maximum of every window; padding never wins. The optional second output holds the maxima's positions in the
//! flattened input. <https://onnx.ai/onnx/operators/onnx__MaxPool.html>

use crate::attrs::AttrKind;
use crate::class::WindowKind;
use crate::compose::Composer;
use crate::ops::OpKind;
use crate::ops::pooling;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError};
use crate::types::DType::{self, *};

pub static DEF: OpDef = OpDef {
    name: "MaxPool",
    inputs: &[Input::new("X", "T")],
    outputs: &[
        Output::new("Y", "T"),
        Output::new("Indices", "i64").optional(),
    ],
    types: &[("T", TYPES)],
    attrs: &ATTRS,
    infer: |cx| {
        let y = pooling::infer(cx)?;
        let indices = y.with_dtype(I64);
        storage_order(cx)?;
        Ok(vec![y, indices])
    },
    semantics: |cx| {
        if cx.outputs < 2 {
            return pooling::semantics(cx, WindowKind::Max);
        }
        let mut c = Composer::new(cx);
        let x = Some(c.arg(0));
        let y = c.multi(OpKind::MaxPool, vec![x], cx.attrs.clone(), 1)?;
        let indices = c.multi(OpKind::MaxPoolIndices, vec![x], cx.attrs.clone(), 1)?;
        c.finish(&[y[0], indices[0]])
    },
    ..OpDef::NEW
};

pub const TYPES: &[DType] = &[F32, F64, F16, BF16, I8, U8];

pub const ATTRS: [Attr; 7] = [
    Attr::str("auto_pad", "NOTSET"),
    Attr::int("ceil_mode", 0).since(10),
    Attr::ints("dilations").since(10),
    Attr::required("kernel_shape", AttrKind::Ints),
    Attr::ints("pads"),
    Attr::int("storage_order", 0).since(8),
    Attr::ints("strides"),
];

/// Whether positions count column by column.
pub fn storage_order(cx: &Cx) -> Result<bool, TypeError> {
    match cx.int("storage_order")? {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(cx.attr_error("storage_order", format!("must be 0 or 1, is {other}"))),
    }
}
