//! Where one value lies: space, offset, extents and strides. Kernels are lowered against views, never against names.

use cnnc_ir::{DType, Dim, Layout, TensorType};
use std::fmt;

/// Which memory a value lives in at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Space {
    /// The session's scratch memory, planned at compile time.
    Arena,
    /// Constants, mapped read-only from the artefact.
    Weights,
    /// Named mutable buffers that outlive a run.
    State,
}

/// An extent: known, or read at run time from a slot of the extents table and bounded by `upper`, for which memory is planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Extent {
    Fixed(u64),
    Slot { index: u32, upper: u64 },
}

impl Extent {
    pub fn upper(self) -> u64 {
        match self {
            Extent::Fixed(n) | Extent::Slot { upper: n, .. } => n,
        }
    }
}

/// A strided view of memory.
///
/// `dims` are the logical dimensions. `strides` (in elements, of the upper-bound shape) have one entry a dimension; for
/// [`Layout::Blocked`] values of dims `[N, C, H, W]` they are the five of `[N, C/block, H, W, lane]`, and `offset` is the first
/// interior element (the halo lies before it).
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub space: Space,
    /// Bytes from the start of the space.
    pub offset: u64,
    pub dtype: DType,
    pub dims: Vec<Extent>,
    pub strides: Vec<i64>,
    pub layout: Layout,
}

impl View {
    /// A whole buffer that holds one value of that type and of those extents; the offset counts from the buffer's start.
    pub fn whole(ty: &TensorType, dims: Vec<Extent>) -> View {
        let (offset, strides) = match ty.layout {
            Layout::Plain => {
                let extents: Vec<u64> = dims.iter().map(|d| d.upper()).collect();
                (0, dense(&extents))
            }
            Layout::Blocked { halo, .. } => {
                let strides = dense(&geometry(ty));
                let interior = i64::from(halo[0]) * strides[2] + i64::from(halo[1]) * strides[3];
                (interior as u64 * ty.dtype.size() as u64, strides)
            }
        };
        View {
            space: Space::Arena,
            offset,
            dtype: ty.dtype,
            dims,
            strides,
            layout: ty.layout,
        }
    }

    /// The view of a value that has no place, because it never leaves a thread's scratch memory: its geometry only. Extents that
    /// are known at run time have no slot.
    pub fn unplaced(ty: &TensorType) -> View {
        let extent = |d: &Dim| match d {
            Dim::Fixed(n) => Extent::Fixed(*n),
            Dim::Sym { upper, .. } => Extent::Slot {
                index: u32::MAX,
                upper: upper.unwrap_or(0),
            },
        };
        View::whole(ty, ty.shape.iter().map(extent).collect())
    }

    /// Whether the elements lie dense in row-major order (extents of 1 have no say).
    pub fn is_dense(&self) -> bool {
        let mut expected = 1;
        for (dim, &stride) in self.dims.iter().zip(&self.strides).rev() {
            match dim {
                Extent::Fixed(1) => {}
                Extent::Fixed(n) if stride == expected => expected *= *n as i64,
                _ => return false,
            }
        }
        self.layout == Layout::Plain
    }
}

/// `[N, C/block, H + halo, W + halo, block]` of a blocked type.
pub(super) fn geometry(ty: &TensorType) -> [u64; 5] {
    let (block, halo) = match ty.layout {
        Layout::Blocked { block, halo } => (u64::from(block), halo.map(u64::from)),
        Layout::Plain => (1, [0; 4]),
    };
    let d = |i: usize| ty.shape.get(i).and_then(Dim::upper).unwrap_or(1);
    [
        d(0),
        d(1).div_ceil(block),
        d(2) + halo[0] + halo[2],
        d(3) + halo[1] + halo[3],
        block,
    ]
}

/// Row-major strides.
fn dense(extents: &[u64]) -> Vec<i64> {
    let mut strides = vec![1; extents.len()];
    for i in (0..extents.len().saturating_sub(1)).rev() {
        strides[i] = strides[i + 1] * extents[i + 1].max(1) as i64;
    }
    strides
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extent::Fixed(n) => write!(f, "{n}"),
            Extent::Slot { index, upper } => write!(f, "#{index}<={upper}"),
        }
    }
}

/// `arena+0x1000 f32[1,64,56,56]:nchw16c strides [...]`
impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = match self.space {
            Space::Arena => "arena",
            Space::Weights => "weights",
            Space::State => "state",
        };
        let dims: Vec<String> = self.dims.iter().map(Extent::to_string).collect();
        write!(
            f,
            "{space}+{:#x} {}[{}]{}",
            self.offset,
            self.dtype,
            dims.join(","),
            self.layout
        )?;
        if !self.is_dense() {
            let strides: Vec<String> = self.strides.iter().map(i64::to_string).collect();
            write!(f, " strides [{}]", strides.join(","))?;
        }
        Ok(())
    }
}
