//! What the attention operators share: packing of heads, and products in which several query heads share one key head.

use crate::compose::Composer;
use crate::graph::Value;
use crate::ops::OpKind;
use crate::schema::{Cx, TypeError};

/// An attribute that counts heads: positive.
pub fn count(cx: &Cx, name: &'static str) -> Result<usize, TypeError> {
    let heads = cx.int(name)?;
    usize::try_from(heads)
        .ok()
        .filter(|&h| h > 0)
        .ok_or_else(|| cx.attr_error(name, format!("must be positive, is {heads}")))
}

/// The size of one of `heads` heads packed into an axis of `width`.
pub fn size(cx: &Cx, width: usize, heads: usize) -> Result<usize, TypeError> {
    if heads == 0 || !width.is_multiple_of(heads) {
        return Err(cx.error(format!("{heads} heads do not divide a width of {width}")));
    }
    Ok(width / heads)
}

/// Query heads a key head: `query / key`, which must have no remainder.
pub fn group(cx: &Cx, query: usize, key: usize) -> Result<usize, TypeError> {
    if key == 0 || !query.is_multiple_of(key) {
        return Err(cx.error(format!(
            "{query} query heads are no multiple of {key} key heads"
        )));
    }
    Ok(query / key)
}

/// `[batch, steps, heads * size]` to `[batch, heads, steps, size]`.
pub fn unpack(c: &mut Composer, x: Value, heads: usize) -> Result<Value, TypeError> {
    let [batch, steps, width] = extents(c, x);
    let x = c.reshape(x, &[batch, steps, heads, width / heads.max(1)])?;
    c.transpose(x, &[0, 2, 1, 3])
}

/// The inverse of [`unpack`].
pub fn pack(c: &mut Composer, x: Value) -> Result<Value, TypeError> {
    let [batch, heads, steps, size] = extents(c, x);
    let x = c.transpose(x, &[0, 2, 1, 3])?;
    c.reshape(x, &[batch, steps, heads * size])
}

/// `a[batch, query heads, m, k] * b[batch, key heads, k, n]`, each head of `b` multiplied with its group of heads of `a`.
pub fn product(c: &mut Composer, a: Value, b: Value) -> Result<Value, TypeError> {
    let ([batch, heads, m, k], [_, shared, _, n]) = (extents(c, a), extents(c, b));
    if heads == shared {
        return c.op(OpKind::MatMul, &[a, b]);
    }
    let a = c.reshape(a, &[batch, shared, heads / shared.max(1), m, k])?;
    let b = c.reshape(b, &[batch, shared, 1, k, n])?;
    let y = c.op(OpKind::MatMul, &[a, b])?;
    c.reshape(y, &[batch, heads, m, n])
}

/// The shape of a value whose rank and extents `infer` has made sure of (an absent one reads 1).
pub fn extents<const N: usize>(c: &Composer, x: Value) -> [usize; N] {
    let shape = &c.ty(x).shape;
    std::array::from_fn(|a| {
        let extent = shape.get(a).and_then(|d| d.fixed());
        extent.map_or(1, |n| n as usize)
    })
}
