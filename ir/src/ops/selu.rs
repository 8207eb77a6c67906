//! Selu: `y = gamma x for x > 0, else gamma alpha (e^x - 1)`. <https://onnx.ai/onnx/operators/onnx__Selu.html>

use super::elementwise::{activation, map};
use crate::schema::{Attr, OpDef, sets};

pub static DEF: OpDef = activation(
    "Selu",
    1,
    &[("T", sets::FLOAT)],
    &[
        Attr::float("alpha", 1.673_263_192_176_818_8),
        Attr::float("gamma", 1.050_701_022_148_132_3),
    ],
    |cx| {
        let alpha = cx.float("alpha")?;
        let gamma = cx.float("gamma")?;
        map(cx, |x| {
            x.le(&x.lit(0.0))
                .select(&((x.exp() - 1.0) * (alpha * gamma)), &(x * gamma))
        })
    },
);
