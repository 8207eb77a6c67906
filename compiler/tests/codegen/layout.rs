//! Plain and blocked values in memory.

use cnnc::memory::view::{Extent, Space, View};
use cnnc_ir::{Layout, Tensor};

pub const HALO: usize = 2;
pub const BLOCK: usize = 16;

/// Bytes of a tensor laid out for a view, its physical dimensions, and the view at `offset`.
pub struct Placed {
    pub bytes: Vec<u8>,
    pub dims: Vec<u64>,
    pub view: View,
}

pub fn place(tensor: &Tensor, blocked: bool, offset: u64) -> Placed {
    let shape = tensor.shape();
    let dtype = tensor.dtype();
    let dims: Vec<Extent> = shape.iter().map(|&n| Extent::Fixed(n as u64)).collect();
    if !blocked {
        let strides = cnnc_ir::types::dense_strides(shape);
        return Placed {
            bytes: tensor.bytes().to_vec(),
            dims: shape.iter().map(|&n| n as u64).collect(),
            view: View {
                space: Space::Arena,
                offset,
                dtype,
                dims,
                strides: strides.iter().map(|&s| s as i64).collect(),
                layout: Layout::Plain,
            },
        };
    }
    let [n, c, h, w] = shape.try_into().expect("blocked values have rank 4");
    let (rows, columns) = (h + 2 * HALO, w + 2 * HALO);
    let physical = [n, c.div_ceil(BLOCK), rows, columns, BLOCK];
    let strides = cnnc_ir::types::dense_strides(&physical);
    let first = (HALO * strides[2] + HALO * strides[3]) * dtype.size();
    let mut bytes = vec![0; physical.iter().product::<usize>() * dtype.size()];
    for_each_blocked(shape, &strides, dtype.size(), |plain, at| {
        bytes[first + at..][..dtype.size()]
            .copy_from_slice(&tensor.bytes()[plain..][..dtype.size()]);
    });
    Placed {
        bytes,
        dims: physical.iter().map(|&n| n as u64).collect(),
        view: View {
            space: Space::Arena,
            offset: offset + first as u64,
            dtype,
            dims,
            strides: strides.iter().map(|&s| s as i64).collect(),
            layout: Layout::Blocked {
                block: BLOCK as u8,
                halo: [HALO as u16; 4],
            },
        },
    }
}

/// Calls `f(plain offset, blocked offset)`, in bytes, for every element.
pub fn for_each_blocked(
    shape: &[usize],
    strides: &[usize],
    size: usize,
    mut f: impl FnMut(usize, usize),
) {
    let [n, c, h, w] = [shape[0], shape[1], shape[2], shape[3]];
    for i in 0..n * c * h * w {
        let (x, y, z, b) = (i % w, i / w % h, i / w / h % c, i / w / h / c);
        let at =
            b * strides[0] + z / BLOCK * strides[1] + y * strides[2] + x * strides[3] + z % BLOCK;
        f(i * size, at * size);
    }
}

pub fn unplace(bytes: &[u8], like: &Tensor, blocked: bool) -> Tensor {
    let (shape, dtype) = (like.shape(), like.dtype());
    if !blocked {
        return Tensor::new(dtype, shape.to_vec(), bytes.to_vec().into()).expect("sizes agree");
    }
    let [_, c, h, w] = shape.try_into().expect("rank 4");
    let physical = [
        shape[0],
        c.div_ceil(BLOCK),
        h + 2 * HALO,
        w + 2 * HALO,
        BLOCK,
    ];
    let strides = cnnc_ir::types::dense_strides(&physical);
    let first = (HALO * strides[2] + HALO * strides[3]) * dtype.size();
    let mut plain = vec![0; like.bytes().len()];
    let mut interior = std::collections::HashSet::new();
    for_each_blocked(shape, &strides, dtype.size(), |to, at| {
        plain[to..][..dtype.size()].copy_from_slice(&bytes[first + at..][..dtype.size()]);
        interior.insert((first + at) / dtype.size() / BLOCK);
    });
    // The frame of zeros stays as it was.
    for (k, block) in bytes.chunks(BLOCK * dtype.size()).enumerate() {
        assert!(
            interior.contains(&k) || block.iter().all(|&b| b == 0),
            "the halo was written"
        );
    }
    Tensor::new(dtype, shape.to_vec(), plain.into()).expect("sizes agree")
}
