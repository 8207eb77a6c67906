//! The text of a selection, which `cnnc explain` prints.

use super::{Kernel, Selected, Selection};
use std::fmt;

/// One line a node: `node (Op): chosen`, then what was decided among its free choices, and the refusals.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|s| s.write(f, 0))
    }
}

impl Selected {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let indent = "  ".repeat(depth);
        for label in &self.before {
            writeln!(f, "{indent}{label}: {}", self.chosen)?;
        }
        writeln!(f, "{indent}{}: {}", self.own_label(), self.chosen)?;
        if let Some(decision) = &self.decision {
            writeln!(f, "{indent}    as {decision}")?;
        }
        for (name, reason) in &self.refused {
            writeln!(f, "{indent}    not {name}: {reason}")?;
        }
        for kernel in &self.kernels {
            match kernel {
                Kernel::If {
                    then_steps,
                    else_steps,
                    ..
                } => then_steps
                    .iter()
                    .chain(else_steps)
                    .try_for_each(|s| s.write(f, depth + 1))?,
                Kernel::Loop { body, .. } => body.iter().try_for_each(|s| s.write(f, depth + 1))?,
                _ => {}
            }
        }
        Ok(())
    }
}
