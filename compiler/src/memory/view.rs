//! Where one value lies: space, offset, extents and strides. Kernels are lowered against views, never against names.

use cnnc_ir::{DType, Layout};
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
