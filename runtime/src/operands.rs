//! What a portable kernel works on: its inputs as arrays, its outputs as places to write, the extents.
//!
//! Inputs come dense: borrowed where they lie so already, gathered where strides say otherwise. Outputs are written dense and
//! scattered where need be. Thus a kernel is a function over plain slices. Extents found at run time are checked against
//! their upper bounds before anything is written.

use crate::dtype::{DType, Element};
use crate::error::KernelError;
use crate::program::{Extent, ExtentSlot};
use crate::strided::Strided;
use bytemuck::Pod;
use std::borrow::Cow;

/// A dense row-major array.
#[derive(Clone, Debug)]
pub(crate) struct Array<'a, T: Clone> {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Cow<'a, [T]>,
}

/// An input with its extents as they are in this run.
pub(crate) struct Source<'a> {
    pub(crate) dtype: DType,
    /// The extents as planned.
    pub(crate) planned: &'a [Extent],
    pub(crate) view: Strided,
    pub(crate) bytes: &'a [u8],
}

/// An output, whose extents may yet have to be found.
pub(crate) struct Target<'a> {
    pub(crate) dtype: DType,
    /// The extents as planned.
    pub(crate) dims: &'a [Extent],
    pub(crate) strides: Vec<isize>,
    pub(crate) origin: usize,
    pub(crate) bytes: &'a mut [u8],
}

/// All operands of a step.
pub(crate) struct Operands<'a> {
    pub(crate) inputs: Vec<Option<Source<'a>>>,
    pub(crate) outputs: Vec<Option<Target<'a>>>,
    pub(crate) slots: &'a [ExtentSlot],
    pub(crate) extents: &'a mut [i64],
}

/// `count` zeroes; an error where there is no memory for them.
pub(crate) fn zeroed<T: Pod>(count: usize) -> Result<Vec<T>, KernelError> {
    let mut values = Vec::new();
    let bytes = count.saturating_mul(size_of::<T>());
    let reserved = values.try_reserve_exact(count);
    reserved.map_err(|_| KernelError::Memory { bytes })?;
    values.resize(count, T::zeroed());
    Ok(values)
}

impl<'a> Source<'a> {
    /// The elements as numbers of `T`'s size.
    fn array<T: Pod>(&self) -> Result<Array<'a, T>, KernelError> {
        let elements: &'a [T] =
            bytemuck::try_cast_slice(self.bytes).map_err(|_| KernelError::Outside)?;
        let data = match self.view.slice(elements) {
            Some(dense) => Cow::Borrowed(dense),
            None => {
                let mut dense = zeroed(self.view.count())?;
                self.view.gather(elements, &mut dense);
                Cow::Owned(dense)
            }
        };
        Ok(Array {
            dims: self.view.dims.clone(),
            data,
        })
    }
}

impl<'a> Operands<'a> {
    fn source(&self, index: usize) -> Option<&Source<'a>> {
        self.inputs.get(index)?.as_ref()
    }

    fn required(&self, index: usize) -> Result<&Source<'a>, KernelError> {
        self.source(index)
            .ok_or(KernelError::MissingInput { index })
    }

    /// The type of an input.
    pub(crate) fn dtype(&self, index: usize) -> Result<DType, KernelError> {
        Ok(self.required(index)?.dtype)
    }

    /// The shape of an input.
    pub(crate) fn dims(&self, index: usize) -> Result<&[usize], KernelError> {
        Ok(&self.required(index)?.view.dims)
    }

    /// An input whose elements are of `T`'s size, whatever their type: for kernels that only move them.
    pub(crate) fn words<T: Pod>(&self, index: usize) -> Result<Array<'a, T>, KernelError> {
        let source = self.required(index)?;
        match source.dtype.size() == size_of::<T>() {
            true => source.array(),
            false => Err(wrong_type(index, source.dtype)),
        }
    }

    /// An input of exactly this type.
    pub(crate) fn input<T: Element>(&self, index: usize) -> Result<Array<'a, T>, KernelError> {
        let source = self.required(index)?;
        match source.dtype == T::DTYPE {
            true => source.array(),
            false => Err(wrong_type(index, source.dtype)),
        }
    }

    /// An input that may be absent.
    pub(crate) fn optional<T: Element>(
        &self,
        index: usize,
    ) -> Result<Option<Array<'a, T>>, KernelError> {
        match self.source(index) {
            Some(_) => self.input(index).map(Some),
            None => Ok(None),
        }
    }

    /// The only element of an input that may be absent.
    pub(crate) fn scalar<T: Element>(&self, index: usize) -> Result<Option<T>, KernelError> {
        Ok(self
            .optional(index)?
            .and_then(|array| array.data.first().copied()))
    }

    /// An input of i32 or i64, as i64.
    pub(crate) fn indices(&self, index: usize) -> Result<Array<'a, i64>, KernelError> {
        match self.dtype(index)? {
            DType::I32 => {
                let narrow = self.input::<i32>(index)?;
                let mut wide = zeroed(narrow.data.len())?;
                for (wide, &narrow) in wide.iter_mut().zip(narrow.data.iter()) {
                    *wide = i64::from(narrow);
                }
                Ok(Array {
                    dims: narrow.dims,
                    data: Cow::Owned(wide),
                })
            }
            _ => self.input::<i64>(index),
        }
    }

    /// Whether input `index` is given.
    pub(crate) fn has(&self, index: usize) -> bool {
        self.source(index).is_some()
    }

    /// The type of output `index`; `None` where nobody wants it.
    pub(crate) fn output_dtype(&self, index: usize) -> Option<DType> {
        self.outputs.get(index)?.as_ref().map(|target| target.dtype)
    }

    /// The extents of an input as planned.
    pub(crate) fn planned_input(&self, index: usize) -> &'a [Extent] {
        self.source(index).map_or(&[], |source| source.planned)
    }

    /// The extents of an output as planned.
    pub(crate) fn planned_output(&self, index: usize) -> &'a [Extent] {
        let target = self.outputs.get(index).and_then(Option::as_ref);
        target.map_or(&[], |target| target.dims)
    }

    /// The extents of an output as far as they are fixed or their slots are set.
    pub(crate) fn current_dims(&self, index: usize) -> Vec<usize> {
        let extent = |dim: &Extent| match *dim {
            Extent::Fixed(n) => n as usize,
            Extent::Slot(slot) => self
                .extents
                .get(slot as usize)
                .map_or(0, |&n| n.max(0) as usize),
        };
        self.planned_output(index).iter().map(extent).collect()
    }

    /// Gives output `index` the shape `dims`, writing run-time extents to their slots, and has `fill` write its elements to a
    /// dense slice of unknown contents. Does nothing where nobody wants the output.
    pub(crate) fn output<T: Pod>(
        &mut self,
        index: usize,
        dims: &[usize],
        fill: impl FnOnce(&mut [T]) -> Result<(), KernelError>,
    ) -> Result<(), KernelError> {
        let Some(target) = self.outputs.get_mut(index).and_then(Option::as_mut) else {
            return Ok(());
        };
        if target.dtype.size() != size_of::<T>() {
            return Err(KernelError::Type {
                kind: "output",
                index,
                found: target.dtype,
            });
        }
        settle(index, target.dims, dims, self.slots, self.extents)?;
        let view = Strided {
            dims: dims.to_vec(),
            strides: target.strides.clone(),
            origin: target.origin,
        };
        let elements: &mut [T] =
            bytemuck::try_cast_slice_mut(target.bytes).map_err(|_| KernelError::Outside)?;
        if let Some(dense) = view.slice_mut(elements) {
            return fill(dense);
        }
        let mut dense = zeroed(view.count())?;
        fill(&mut dense)?;
        view.scatter(&dense, elements);
        Ok(())
    }
}

fn wrong_type(index: usize, found: DType) -> KernelError {
    KernelError::Type {
        kind: "input",
        index,
        found,
    }
}

/// Compares the shape a kernel found with the one planned and writes slots. Every slot is checked before one is written.
fn settle(
    index: usize,
    planned: &[Extent],
    found: &[usize],
    slots: &[ExtentSlot],
    extents: &mut [i64],
) -> Result<(), KernelError> {
    let fits = |(dim, &n): (&Extent, &usize)| match *dim {
        Extent::Fixed(expected) => expected == n as u64,
        Extent::Slot(_) => true,
    };
    if planned.len() != found.len() || !planned.iter().zip(found).all(fits) {
        let expected: Vec<String> = planned.iter().map(Extent::to_string).collect();
        return Err(KernelError::Shape {
            what: format!("output {index}"),
            expected: format!("[{}]", expected.join(", ")),
            found: found.to_vec(),
        });
    }
    let pairs = || {
        planned
            .iter()
            .zip(found)
            .filter_map(|(dim, &n)| match *dim {
                Extent::Slot(slot) => Some((slot as usize, n)),
                Extent::Fixed(_) => None,
            })
    };
    for (slot, n) in pairs() {
        let Some(bound) = slots.get(slot) else {
            return Err(KernelError::Outside);
        };
        if n as u64 > bound.upper {
            return Err(KernelError::Extent {
                slot: bound.name.clone(),
                value: n as i64,
                upper: bound.upper,
            });
        }
    }
    for (slot, n) in pairs() {
        if let Some(extent) = extents.get_mut(slot) {
            *extent = n as i64;
        }
    }
    Ok(())
}

/// Evaluates an expression with `T` standing for the unsigned integer of an element's size.
macro_rules! by_size {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $T = u8;
                $body
            }
            2 => {
                type $T = u16;
                $body
            }
            4 => {
                type $T = u32;
                $body
            }
            _ => {
                type $T = u64;
                $body
            }
        }
    };
}

/// Evaluates an expression with `T` standing for the Rust type of an element.
macro_rules! by_type {
    ($dtype:expr, $T:ident => $body:expr) => {
        crate::operands::by_type!(@ $dtype, $T, $body;
            F32 f32, F64 f64, F16 half::f16, BF16 half::bf16, I8 i8, I16 i16, I32 i32, I64 i64,
            U8 u8, U16 u16, U32 u32, U64 u64, Bool crate::dtype::Bool)
    };
    (@ $dtype:expr, $T:ident, $body:expr; $($variant:ident $rust:ty),*) => {
        match $dtype {
            $(crate::dtype::DType::$variant => {
                type $T = $rust;
                $body
            })*
        }
    };
}

pub(crate) use {by_size, by_type};
