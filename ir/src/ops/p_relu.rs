//! PRelu: `y = x for x >= 0, else slope x`, operands broadcast. <https://onnx.ai/onnx/operators/onnx__PRelu.html>
//!
//! Before opset 7 a vector of slopes has one for each channel, axis 1.

use super::elementwise::{binary, map2};
use crate::schema::{OpDef, sets};

pub static DEF: OpDef = OpDef {
    attrs: &[],
    adapt: Some(|node| {
        if node.opset < 7
            && let (Some(x), Some(slope)) = (node.ty(0), node.ty(1))
            && slope.rank() == 1
        {
            node.append_axes(1, x.rank().saturating_sub(2));
        }
        Ok(())
    }),
    ..binary("PRelu", 1, &[("T", sets::NUMERIC)], |cx| {
        map2(cx, |a, b| a.lt(&a.lit(0.0)).select(&(a * b), a))
    })
};
