//! The memory of a session, as threads see it during a run.
//!
//! Between runs the session's buffers are borrowed like any Rust value. During a run generated code writes to them from every
//! thread, so there can be no long-lived slices: threads hold [`Spaces`], raw pointers with lengths, and make slices for the
//! duration of a single portable step. Everything is bounded here again, whatever the plan says; what cannot be checked
//! here, that nobody else touches those bytes meanwhile, is the caller's promise.
#![allow(unsafe_code)]

use crate::abi::Env;
use crate::error::{KernelError, RunError};
use crate::map::Buffer;
use crate::operands::{Operands, Source, Target};
use crate::program::{ByteRange, Extent, Operand, Program, Space};
use crate::strided::Strided;
use bytemuck::Pod;
use std::marker::PhantomData;

/// The buffers of a session.
pub(crate) struct Memory {
    arena: Buffer,
    state: Buffer,
    extents: Buffer,
    scratch: Vec<Buffer>,
}

impl Memory {
    /// Zeroed memory for a program and so many threads, run-time extents at their upper bounds.
    pub(crate) fn new(program: &Program, threads: usize) -> Result<Memory, RunError> {
        let buffer = |what, bytes: u64| {
            let len = usize::try_from(bytes).unwrap_or(usize::MAX);
            Buffer::zeroed(len).map_err(|source| RunError::Memory {
                what,
                bytes,
                source,
            })
        };
        let scratch = |_| buffer("scratch memory", program.scratch_bytes);
        let mut memory = Memory {
            arena: buffer("the arena", program.arena_bytes)?,
            state: buffer("the state", program.state_bytes)?,
            extents: buffer("the table of extents", 8 * program.extents.len() as u64)?,
            scratch: (0..threads).map(scratch).collect::<Result<_, _>>()?,
        };
        for (extent, slot) in memory.extents_mut().iter_mut().zip(&program.extents) {
            *extent = slot.upper as i64;
        }
        Ok(memory)
    }

    pub(crate) fn extents(&self) -> &[i64] {
        bytemuck::cast_slice(&self.extents)
    }

    pub(crate) fn extents_mut(&mut self) -> &mut [i64] {
        bytemuck::cast_slice_mut(&mut self.extents)
    }

    /// The bytes of a space; `weights` are the model's.
    pub(crate) fn bytes<'a>(&'a self, space: Space, weights: &'a [u8]) -> &'a [u8] {
        match space {
            Space::Arena => &self.arena,
            Space::State => &self.state,
            Space::Weights => weights,
        }
    }

    /// The bytes of a space that can be written.
    pub(crate) fn bytes_mut(&mut self, space: Space) -> Option<&mut [u8]> {
        match space {
            Space::Arena => Some(&mut self.arena),
            Space::State => Some(&mut self.state),
            Space::Weights => None,
        }
    }

    /// Pointers for a run. The exclusive borrow lasts as long as they do.
    pub(crate) fn spaces<'a>(&'a mut self, program: &'a Program, weights: &'a [u8]) -> Spaces<'a> {
        Spaces {
            program,
            weights,
            arena: (self.arena.address(), self.arena.len()),
            state: (self.state.address(), self.state.len()),
            extents: self.extents.address().cast(),
            scratch: self.scratch.iter().map(Buffer::address).collect(),
            memory: PhantomData,
        }
    }
}

/// The memory of a session during a run.
pub(crate) struct Spaces<'a> {
    program: &'a Program,
    weights: &'a [u8],
    arena: (*mut u8, usize),
    state: (*mut u8, usize),
    extents: *mut i64,
    scratch: Vec<*mut u8>,
    memory: PhantomData<&'a mut Memory>,
}

// SAFETY: pointers into buffers that are exclusively borrowed for `'a`; every access through them is an unsafe function whose
// contract excludes races.
unsafe impl Send for Spaces<'_> {}
// SAFETY: as above.
unsafe impl Sync for Spaces<'_> {}

impl<'a> Spaces<'a> {
    /// The record for generated code on thread `thread`.
    pub(crate) fn env(&self, thread: usize, math: &[usize]) -> Env {
        Env {
            arena: self.arena.0,
            weights: self.weights.as_ptr(),
            state: self.state.0,
            extents: self.extents,
            math: math.as_ptr(),
            scratch: self.scratch[thread],
        }
    }

    /// The address and length of a space.
    fn span(&self, space: Space) -> (*const u8, usize) {
        match space {
            Space::Arena => (self.arena.0, self.arena.1),
            Space::State => (self.state.0, self.state.1),
            Space::Weights => (self.weights.as_ptr(), self.weights.len()),
        }
    }

    /// Where an operand lies: the start of its bytes, their number, and the element its view begins at.
    fn locate(&self, operand: &Operand) -> Result<(*const u8, usize, usize), KernelError> {
        let (start, len) = self.span(operand.location.space);
        let range = ByteRange::of(operand, &self.program.upper_dims(operand));
        let range = range.filter(|range| range.bytes.end <= len as u64);
        let bytes = range.ok_or(KernelError::Outside)?.bytes;
        let origin = (operand.location.offset - bytes.start) as usize / operand.dtype.size();
        let first = start.wrapping_add(bytes.start as usize);
        Ok((first, (bytes.end - bytes.start) as usize, origin))
    }

    /// # Safety
    /// Nobody writes to the operand's bytes for `'a`.
    unsafe fn source(
        &self,
        operand: &'a Operand,
        extents: &[i64],
    ) -> Result<Source<'a>, KernelError> {
        let (first, len, origin) = self.locate(operand)?;
        let dims = operand.dims.iter().map(|&dim| self.extent(dim, extents));
        Ok(Source {
            dtype: operand.dtype,
            planned: &operand.dims,
            view: Strided {
                dims: dims.collect::<Result<_, _>>()?,
                strides: operand.strides.iter().map(|&s| s as isize).collect(),
                origin,
            },
            // SAFETY: `locate` found the bytes inside a buffer that is borrowed for `'a`; the caller promises no writers.
            bytes: unsafe { std::slice::from_raw_parts(first, len) },
        })
    }

    /// # Safety
    /// Nobody else reads or writes the operand's bytes for `'a`.
    unsafe fn target(&self, operand: &'a Operand) -> Result<Target<'a>, KernelError> {
        if operand.location.space == Space::Weights {
            return Err(KernelError::Outside);
        }
        let (first, len, origin) = self.locate(operand)?;
        Ok(Target {
            dtype: operand.dtype,
            dims: &operand.dims,
            strides: operand.strides.iter().map(|&s| s as isize).collect(),
            origin,
            // SAFETY: `locate` found the bytes inside a writable buffer that is exclusively borrowed for `'a`; the caller
            // promises that this is the only slice of them.
            bytes: unsafe { std::slice::from_raw_parts_mut(first.cast_mut(), len) },
        })
    }

    /// The value of an extent in this run, which memory was planned for.
    fn extent(&self, dim: Extent, extents: &[i64]) -> Result<usize, KernelError> {
        let slot = match dim {
            Extent::Fixed(n) => return Ok(n as usize),
            Extent::Slot(slot) => slot as usize,
        };
        let (Some(bound), Some(&value)) = (self.program.extents.get(slot), extents.get(slot))
        else {
            return Err(KernelError::Outside);
        };
        let within = usize::try_from(value)
            .ok()
            .filter(|&n| n as u64 <= bound.upper);
        within.ok_or_else(|| KernelError::Extent {
            slot: bound.name.clone(),
            value,
            upper: bound.upper,
        })
    }

    /// The operands of a portable step.
    ///
    /// # Safety
    /// While the result lives, no thread touches the session's memory but through it, and no other result of this function
    /// lives. Outputs must overlap neither inputs nor each other, which [`Program::check`] establishes.
    pub(crate) unsafe fn operands(
        &self,
        inputs: &'a [Option<Operand>],
        outputs: &'a [Option<Operand>],
    ) -> Result<Operands<'a>, KernelError> {
        // SAFETY: the table has one i64 for each slot, and the caller promises to be alone.
        let extents =
            unsafe { std::slice::from_raw_parts_mut(self.extents, self.program.extents.len()) };
        let source = |operand: &'a Option<Operand>| {
            let operand = operand.as_ref();
            // SAFETY: the caller promises that nobody else writes, and that outputs do not overlap inputs.
            operand
                .map(|o| unsafe { self.source(o, extents) })
                .transpose()
        };
        let inputs = inputs.iter().map(source).collect::<Result<_, _>>()?;
        let target = |operand: &'a Option<Operand>| {
            // SAFETY: the caller promises to be alone, and that outputs do not overlap.
            operand
                .as_ref()
                .map(|o| unsafe { self.target(o) })
                .transpose()
        };
        let outputs = outputs.iter().map(target).collect::<Result<_, _>>()?;
        Ok(Operands {
            inputs,
            outputs,
            slots: &self.program.extents,
            extents,
        })
    }

    /// The only element of an operand.
    ///
    /// # Safety
    /// No thread writes to it at the same time.
    pub(crate) unsafe fn read<T: Pod>(&self, operand: &Operand) -> Result<T, KernelError> {
        let address = self.scalar::<T>(operand)?;
        // SAFETY: `scalar` found room for a T, of which any bytes are one; the caller promises no writers.
        Ok(unsafe { address.read_unaligned() })
    }

    /// Writes the only element of an operand.
    ///
    /// # Safety
    /// No other thread touches it at the same time.
    pub(crate) unsafe fn write<T: Pod>(
        &self,
        operand: &Operand,
        value: T,
    ) -> Result<(), KernelError> {
        if operand.location.space == Space::Weights {
            return Err(KernelError::Outside);
        }
        let address = self.scalar::<T>(operand)?;
        // SAFETY: `scalar` found room for a T in a writable buffer; the caller promises to be alone.
        unsafe { address.cast_mut().write_unaligned(value) };
        Ok(())
    }

    fn scalar<T>(&self, operand: &Operand) -> Result<*const T, KernelError> {
        let (first, len, _) = self.locate(operand)?;
        match len == size_of::<T>() {
            true => Ok(first.cast()),
            false => Err(KernelError::Outside),
        }
    }
}
