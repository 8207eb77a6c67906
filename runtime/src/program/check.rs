//! Proves a program sound before it runs: every operand inside its space, every number naming something that exists.
//!
//! Generated code is beyond proof; it is trusted as the file is. Everything this crate itself does with a program rests on
//! what is checked here, and what depends on run-time extents is bounded by their upper values.

use crate::abi::SPACE_ALIGN;
use crate::dtype::DType;
use crate::program::{Extent, Location, Operand, Port, Program, Space, Step, StepKind};
use std::collections::HashSet;
use std::ops::Range;

/// Highest number of dimensions.
const MAX_RANK: usize = 32;

/// Most bytes of a space: beyond any machine, below any overflow.
const MAX_BYTES: u64 = 1 << 46;

/// What is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProgramError {
    #[error("{what} of {bytes} bytes exceeds {MAX_BYTES}")]
    TooLarge { what: &'static str, bytes: u64 },
    #[error("two {what}s are named '{name}'")]
    Duplicate { what: &'static str, name: String },
    #[error("{what}: {dims} dimensions but {strides} strides, at most {MAX_RANK} of each")]
    Rank {
        what: String,
        dims: usize,
        strides: usize,
    },
    #[error("{what}: extent slot {slot} of {slots}")]
    Slot {
        what: String,
        slot: u32,
        slots: usize,
    },
    #[error("{what}: offset {offset:#x} is not a multiple of {size}, the size of {dtype}")]
    Misaligned {
        what: String,
        offset: u64,
        size: usize,
        dtype: DType,
    },
    #[error("{what}: reaches outside of the {space_bytes:#x} bytes of {space:?}")]
    Outside {
        what: String,
        space: Space,
        space_bytes: u64,
    },
    #[error("{what}: must lie in {expected}, lies in {found:?}")]
    WrongSpace {
        what: String,
        expected: &'static str,
        found: Space,
    },
    #[error("{what}: output {output} overlaps another operand of the step")]
    Overlap { what: String, output: usize },
    #[error("{what}: calls generated function {entry} of {entries}")]
    Entry {
        what: String,
        entry: u32,
        entries: usize,
    },
    #[error("{what}: {why}")]
    Initial { what: String, why: &'static str },
    #[error("{what}: must be a single {expected}")]
    NotScalar { what: String, expected: DType },
}

/// The bytes of a space that an operand may touch, at the upper bounds of its extents; empty where it has no elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ByteRange {
    pub(crate) space: Space,
    pub(crate) bytes: Range<u64>,
}

impl ByteRange {
    /// `None` where strides lead below the start of the space or beyond any memory.
    pub(crate) fn of(operand: &Operand, upper_dims: &[u64]) -> Option<ByteRange> {
        let offset = operand.location.offset;
        let mut reach = i128::from(offset)..i128::from(offset);
        if !upper_dims.contains(&0) {
            let size = operand.dtype.size() as i128;
            reach.end += size;
            for (&dim, &stride) in upper_dims.iter().zip(&operand.strides) {
                let span = i128::from(dim - 1).checked_mul(i128::from(stride) * size)?;
                match span < 0 {
                    true => reach.start = reach.start.checked_add(span)?,
                    false => reach.end = reach.end.checked_add(span)?,
                }
            }
        }
        Some(ByteRange {
            space: operand.location.space,
            bytes: u64::try_from(reach.start).ok()?..u64::try_from(reach.end).ok()?,
        })
    }

    fn overlaps(&self, other: &ByteRange) -> bool {
        self.space == other.space
            && self.bytes.start < other.bytes.end
            && other.bytes.start < self.bytes.end
    }
}

impl Program {
    /// Checks the program against the size of its weights and the number of its generated functions.
    pub fn check(&self, weights_bytes: u64, entries: usize) -> Result<(), ProgramError> {
        let checker = Checker {
            program: self,
            weights_bytes,
            entries,
        };
        checker.sizes()?;
        checker.ports("input", &self.inputs, Some(Space::Arena))?;
        checker.ports("output", &self.outputs, None)?;
        checker.ports("state", &self.states, Some(Space::State))?;
        checker.initials()?;
        checker.steps(&self.steps)
    }
}

struct Checker<'a> {
    program: &'a Program,
    weights_bytes: u64,
    entries: usize,
}

impl Checker<'_> {
    fn sizes(&self) -> Result<(), ProgramError> {
        let p = self.program;
        let uppers = p.extents.iter().map(|slot| ("an extent slot", slot.upper));
        let spaces = [
            ("the arena", p.arena_bytes),
            ("scratch memory", p.scratch_bytes),
            ("the state", p.state_bytes),
        ];
        match spaces
            .into_iter()
            .chain(uppers)
            .find(|&(_, bytes)| bytes > MAX_BYTES)
        {
            Some((what, bytes)) => Err(ProgramError::TooLarge { what, bytes }),
            None => Ok(()),
        }
    }

    fn ports(
        &self,
        what: &'static str,
        ports: &[Port],
        space: Option<Space>,
    ) -> Result<(), ProgramError> {
        let mut names = HashSet::new();
        for port in ports {
            if !names.insert(&port.name) {
                return Err(ProgramError::Duplicate {
                    what,
                    name: port.name.clone(),
                });
            }
            let title = || format!("{what} '{}'", port.name);
            let range = self.operand(&port.operand, &title)?;
            match space {
                Some(expected) if range.space != expected => {
                    return Err(ProgramError::WrongSpace {
                        what: title(),
                        expected: if expected == Space::State {
                            "State"
                        } else {
                            "Arena"
                        },
                        found: range.space,
                    });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// First values: of states that exist, once each, in order, inside the weights.
    fn initials(&self) -> Result<(), ProgramError> {
        let mut next = 0;
        for initial in &self.program.initials {
            let number = initial.state as usize;
            let what = || format!("the first value of state {number}");
            let wrong = |why| ProgramError::Initial { what: what(), why };
            let port = self.program.states.get(number);
            let port = port.ok_or_else(|| wrong("there is no such state"))?;
            if number < next {
                return Err(wrong("is given twice, or out of order"));
            }
            next = number + 1;
            let fixed = |dim: &Extent| matches!(dim, Extent::Fixed(_));
            if !port.operand.dims.iter().all(fixed) {
                return Err(wrong("its extents must be known"));
            }
            let location = Location {
                space: Space::Weights,
                offset: initial.offset,
            };
            let dims = self.program.upper_dims(&port.operand);
            let dense = Operand::dense(port.operand.dtype, &dims, location);
            self.operand(&dense, &what)?;
        }
        Ok(())
    }

    fn operand(
        &self,
        operand: &Operand,
        what: &dyn Fn() -> String,
    ) -> Result<ByteRange, ProgramError> {
        let (dims, strides) = (operand.dims.len(), operand.strides.len());
        if dims != strides || dims > MAX_RANK {
            return Err(ProgramError::Rank {
                what: what(),
                dims,
                strides,
            });
        }
        let slots = self.program.extents.len();
        for dim in &operand.dims {
            match *dim {
                Extent::Slot(slot) if slot as usize >= slots => {
                    return Err(ProgramError::Slot {
                        what: what(),
                        slot,
                        slots,
                    });
                }
                _ => {}
            }
        }
        let size = operand.dtype.size();
        if !operand.location.offset.is_multiple_of(size as u64) {
            return Err(ProgramError::Misaligned {
                what: what(),
                offset: operand.location.offset,
                size,
                dtype: operand.dtype,
            });
        }
        self.range(operand, what)
    }

    fn range(
        &self,
        operand: &Operand,
        what: &dyn Fn() -> String,
    ) -> Result<ByteRange, ProgramError> {
        let space = operand.location.space;
        let space_bytes = match space {
            Space::Arena => self.program.arena_bytes,
            Space::Weights => self.weights_bytes,
            Space::State => self.program.state_bytes,
        };
        let dims = self.program.upper_dims(operand);
        let elements = dims
            .iter()
            .try_fold(1u64, |n, &dim| n.checked_mul(dim.max(1)));
        ByteRange::of(operand, &dims)
            .filter(|range| {
                range.bytes.end <= space_bytes && elements.is_some_and(|n| n <= MAX_BYTES)
            })
            .ok_or_else(|| ProgramError::Outside {
                what: what(),
                space,
                space_bytes,
            })
    }

    fn steps(&self, steps: &[Step]) -> Result<(), ProgramError> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&self, step: &Step) -> Result<(), ProgramError> {
        let what = || format!("step '{}'", step.label);
        match &step.kind {
            StepKind::Native { entry, .. } if *entry as usize >= self.entries => {
                Err(ProgramError::Entry {
                    what: what(),
                    entry: *entry,
                    entries: self.entries,
                })
            }
            StepKind::Native { .. } => Ok(()),
            StepKind::Portable {
                inputs, outputs, ..
            } => self.portable(inputs, outputs, &what),
            StepKind::If {
                condition,
                then_steps,
                else_steps,
            } => {
                self.scalar(Some(condition), DType::Bool, &what)?;
                self.steps(then_steps)?;
                self.steps(else_steps)
            }
            StepKind::Loop {
                trip,
                condition,
                counter,
                body,
            } => {
                self.scalar(trip.as_ref(), DType::I64, &what)?;
                self.scalar(condition.as_ref(), DType::Bool, &what)?;
                self.scalar(counter.as_ref(), DType::I64, &what)?;
                counter.as_ref().map_or(Ok(()), |c| writable(c, &what))?;
                self.steps(body)
            }
        }
    }

    /// Outputs are written while inputs are read: they may share no byte.
    fn portable(
        &self,
        inputs: &[Option<Operand>],
        outputs: &[Option<Operand>],
        what: &dyn Fn() -> String,
    ) -> Result<(), ProgramError> {
        let mut taken = Vec::new();
        for input in inputs.iter().flatten() {
            taken.push(self.operand(input, what)?);
        }
        for (index, output) in outputs.iter().enumerate() {
            let Some(output) = output else { continue };
            writable(output, what)?;
            let range = self.operand(output, what)?;
            if taken.iter().any(|other| range.overlaps(other)) {
                return Err(ProgramError::Overlap {
                    what: what(),
                    output: index,
                });
            }
            taken.push(range);
        }
        Ok(())
    }

    fn scalar(
        &self,
        operand: Option<&Operand>,
        expected: DType,
        what: &dyn Fn() -> String,
    ) -> Result<(), ProgramError> {
        let Some(operand) = operand else {
            return Ok(());
        };
        self.operand(operand, what)?;
        let single = operand.dims.iter().all(|&dim| dim == Extent::Fixed(1));
        if single && operand.dtype == expected {
            return Ok(());
        }
        Err(ProgramError::NotScalar {
            what: what(),
            expected,
        })
    }
}

fn writable(operand: &Operand, what: &dyn Fn() -> String) -> Result<(), ProgramError> {
    match operand.location.space {
        Space::Arena | Space::State => Ok(()),
        found => Err(ProgramError::WrongSpace {
            what: what(),
            expected: "Arena or State",
            found,
        }),
    }
}

const _: () = assert!(
    SPACE_ALIGN as usize >= size_of::<u64>(),
    "aligned offsets are aligned addresses"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::Location;

    fn operand(dims: &[u64], strides: &[i64], offset: u64) -> Operand {
        Operand {
            dtype: DType::F32,
            dims: dims.iter().map(|&n| Extent::Fixed(n)).collect(),
            strides: strides.to_vec(),
            location: Location {
                space: Space::Arena,
                offset,
            },
        }
    }

    fn range(dims: &[u64], strides: &[i64], offset: u64) -> Option<Range<u64>> {
        ByteRange::of(&operand(dims, strides, offset), dims).map(|range| range.bytes)
    }

    #[test]
    fn ranges_follow_strides_both_ways() {
        assert_eq!(range(&[2, 3], &[3, 1], 8), Some(8..32));
        assert_eq!(range(&[4], &[-1], 12), Some(0..16));
        assert_eq!(range(&[4], &[-1], 8), None);
        assert_eq!(range(&[0, 9], &[1 << 60, 1], 64), Some(64..64));
        assert_eq!(range(&[u64::MAX, u64::MAX], &[i64::MAX, i64::MAX], 0), None);
        assert_eq!(range(&[7], &[0], 0), Some(0..4));
        assert_eq!(range(&[], &[], 4), Some(4..8));
    }
}
