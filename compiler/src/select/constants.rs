//! The weights section under construction: each constant once, aligned for vector loads.

use crate::memory::view::{Extent, Space, View};
use cnnc_ir::types::dense_strides;
use cnnc_ir::{Layout, Tensor};
use std::collections::HashMap;

/// Every constant starts at a multiple of this.
const ALIGN: usize = 64;

/// Constants of a program, in the order kernels asked for them.
#[derive(Default)]
pub struct ConstantPool {
    bytes: Vec<u8>,
    /// Where equal bytes already lie.
    seen: HashMap<Vec<u8>, u64>,
    /// Large constants by the address of their bytes, so that a shared weight is stored once without hashing it.
    shared: HashMap<(usize, usize), (u64, Tensor)>,
}

/// Constants above this size are told apart by address.
const HASHED_BYTES: usize = 1 << 16;

impl ConstantPool {
    /// The section.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Stores bytes, or finds equal ones.
    pub fn store(&mut self, data: &[u8]) -> u64 {
        if data.len() > HASHED_BYTES {
            return self.append(data);
        }
        if let Some(&at) = self.seen.get(data) {
            return at;
        }
        let at = self.append(data);
        self.seen.insert(data.to_vec(), at);
        at
    }

    fn append(&mut self, data: &[u8]) -> u64 {
        self.bytes
            .resize(self.bytes.len().next_multiple_of(ALIGN), 0);
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(data);
        at
    }

    /// The constant as it is, row-major.
    pub fn plain(&mut self, t: &Tensor) -> View {
        let data = t.bytes();
        let key = (data.as_ptr() as usize, data.len());
        let offset = match self.shared.get(&key) {
            Some((at, _)) => *at,
            None => {
                let at = self.store(data);
                // The tensor is kept, so that the address stays its own.
                self.shared.insert(key, (at, t.clone()));
                at
            }
        };
        View {
            offset,
            ..ConstantPool::unplaced(t)
        }
    }

    /// The view of a constant that has no place yet: its shape only.
    pub fn unplaced(t: &Tensor) -> View {
        View {
            space: Space::Weights,
            offset: 0,
            dtype: t.dtype(),
            dims: t.shape().iter().map(|&d| Extent::Fixed(d as u64)).collect(),
            strides: dense_strides(t.shape())
                .into_iter()
                .map(|s| s as i64)
                .collect(),
            layout: Layout::Plain,
        }
    }

    /// f32 values.
    pub fn floats(&mut self, values: &[f32]) -> u64 {
        let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.store(&data)
    }
}
