//! Reorder: `y = x` in another memory layout: channels in blocks of `block` (0: plain) inside a frame of `halo` zero pixels
//! (top, left, bottom, right). Internal: layout assignment inserts it, after oneDNN's reorder primitive,
//! <https://uxlfoundation.github.io/oneDNN/dev_guide_reorder.html>.

use crate::attrs::AttrKind;
use crate::class::{AxisMap, Movement, Semantics};
use crate::schema::{Attr, CNNC, Cx, Input, OpDef, Preset, TypeError, sets};
use crate::types::{Layout, TensorType};

pub static DEF: OpDef = OpDef {
    name: "Reorder",
    domain: CNNC,
    inputs: &[Input::new("X", "T")],
    types: &[("T", sets::ALL)],
    attrs: &[
        Attr::required("block", AttrKind::Int),
        Attr::new("halo", AttrKind::Ints, Preset::Ints(&[0, 0, 0, 0])),
    ],
    infer: |cx| {
        let x = cx.ty(0)?;
        if x.rank() != 4 {
            return Err(cx.error(format!("the input must have rank 4, is {x}")));
        }
        Ok(vec![TensorType {
            layout: layout(cx)?,
            ..x.clone()
        }])
    },
    semantics: |cx| {
        let axes = (0..cx.rank(0)?).map(AxisMap::same).collect();
        Ok(Semantics::Movement(Movement::View { axes, fill: None }))
    },
    ..OpDef::NEW
};

fn layout(cx: &Cx) -> Result<Layout, TypeError> {
    let halo: Vec<u16> = cx
        .ints("halo")?
        .into_iter()
        .map(u16::try_from)
        .collect::<Result<_, _>>()
        .map_err(|_| cx.attr_error("halo", "must be widths from 0 to 65535"))?;
    let halo: [u16; 4] = halo
        .try_into()
        .map_err(|_| cx.attr_error("halo", "must be top, left, bottom and right"))?;
    match u8::try_from(cx.int("block")?) {
        Ok(0) if halo == [0; 4] => Ok(Layout::Plain),
        Ok(0) => Err(cx.attr_error("halo", "needs a blocked layout")),
        Ok(block) => Ok(Layout::Blocked { block, halo }),
        Err(_) => Err(cx.attr_error("block", "must be from 0 to 255")),
    }
}
