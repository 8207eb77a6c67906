//! Programs as text, for `cnnc inspect` and for snapshots. There is no parser: the graph is the form to edit.

use crate::program::{Extent, Operand, Program, Space, Step, StepKind};
use std::fmt;

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Extent::Fixed(n) => write!(f, "{n}"),
            Extent::Slot(slot) => write!(f, "#{slot}"),
        }
    }
}

/// `arena+0x40 f32[2,#0] strides [3,1]`; strides only where they are not those of dense rows.
impl fmt::Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let space = match self.location.space {
            Space::Arena => "arena",
            Space::Weights => "weights",
            Space::State => "state",
        };
        let dims: Vec<String> = self.dims.iter().map(Extent::to_string).collect();
        let (offset, dtype) = (self.location.offset, self.dtype);
        write!(f, "{space}+{offset:#x} {dtype}[{}]", dims.join(","))?;
        if !self.is_dense() {
            write!(f, " strides {:?}", self.strides)?;
        }
        Ok(())
    }
}

impl Operand {
    /// Whether all extents are fixed and the elements lie in row-major order without gaps.
    fn is_dense(&self) -> bool {
        let mut expected = 1;
        self.dims
            .iter()
            .zip(&self.strides)
            .rev()
            .all(|(dim, &stride)| match *dim {
                Extent::Fixed(1) => true,
                Extent::Fixed(n) => {
                    let fits = stride == expected;
                    expected = expected.saturating_mul(n as i64);
                    fits
                }
                Extent::Slot(_) => false,
            })
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "program {} for {} by {}",
            self.name, self.cpu, self.producer
        )?;
        let (arena, scratch, state) = (self.arena_bytes, self.scratch_bytes, self.state_bytes);
        writeln!(
            f,
            "memory arena {arena}, scratch {scratch} a thread, state {state}"
        )?;
        for (index, slot) in self.extents.iter().enumerate() {
            writeln!(f, "extent #{index} {} <= {}", slot.name, slot.upper)?;
        }
        let kinds = [
            ("input", &self.inputs),
            ("output", &self.outputs),
            ("state", &self.states),
        ];
        for (kind, ports) in kinds {
            for (number, port) in ports.iter().enumerate() {
                write!(f, "{kind} {}: {}", port.name, port.operand)?;
                let mut initials = self.initials.iter().filter(|_| kind == "state");
                match initials.find(|initial| initial.state as usize == number) {
                    Some(initial) => writeln!(f, " from weights+{:#x}", initial.offset)?,
                    None => writeln!(f)?,
                }
            }
        }
        write_steps(f, &self.steps, 0)
    }
}

fn write_steps(f: &mut fmt::Formatter<'_>, steps: &[Step], depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for step in steps {
        write!(f, "{indent}{}: ", step.label)?;
        match &step.kind {
            StepKind::Native { entry, chunks } => writeln!(f, "native {entry}, {chunks} chunks")?,
            StepKind::Portable {
                kernel,
                inputs,
                outputs,
            } => {
                writeln!(f, "{kernel:?}")?;
                for (arrow, operands) in [("<-", inputs), ("->", outputs)] {
                    for operand in operands {
                        match operand {
                            Some(operand) => writeln!(f, "{indent}  {arrow} {operand}")?,
                            None => writeln!(f, "{indent}  {arrow} none")?,
                        }
                    }
                }
            }
            StepKind::If {
                condition,
                then_steps,
                else_steps,
            } => {
                writeln!(f, "if {condition}")?;
                write_steps(f, then_steps, depth + 1)?;
                writeln!(f, "{indent}else")?;
                write_steps(f, else_steps, depth + 1)?;
            }
            StepKind::Loop {
                trip,
                condition,
                counter,
                body,
            } => {
                write!(f, "loop")?;
                for (name, operand) in [("trip", trip), ("while", condition), ("counter", counter)]
                {
                    if let Some(operand) = operand {
                        write!(f, " {name} {operand}")?;
                    }
                }
                writeln!(f)?;
                write_steps(f, body, depth + 1)?;
            }
        }
    }
    Ok(())
}
