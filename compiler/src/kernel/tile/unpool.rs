//! The third microkernel: the gradients of a row of maxima, handed to the elements that won.
//!
//! ```text
//! for half in the vectors of a channel block, for window in 0..windows, lane by lane:
//!     winner = the first cell whose x no later cell's exceeds
//!     if rectified and x[winner] is not above 0: dy = 0
//!     for each cell:   dx[cell] = (cell is winner ? dy : 0) + (accumulate ? dx[cell] : 0)
//! ```
//!
//! `fn(x, dy, dx, -, -)`. All targets and the interpreter agree bit for bit.

use super::interp::{Arguments, Fault, element, locate};
use super::{ELEMENT, Lanes};
use std::fmt;

/// See the module's head. Offsets are bytes from the argument pointers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unpool {
    /// The cells of a window in row-major order, one at least.
    pub cells: Vec<Cell>,
    /// Windows in a row.
    pub windows: u32,
    /// Bytes of `x`, `dy` and `dx` from one window to the next.
    pub next: [i32; 3],
    /// Whether gradients are added to what `dx` holds: where windows overlap.
    pub accumulate: bool,
    /// Whether a winner that is not above 0 gets nothing.
    pub rectified: bool,
}

/// Where a window's cell lies, from the window's own place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cell {
    pub x: i32,
    pub dx: i32,
}

/// Runs `unpool` on buffers of f32; see [`super::interpret`].
///
/// # Errors
/// If an access is out of bounds or not aligned to an element. The output may then be partly written.
pub fn interpret(unpool: &Unpool, arguments: &mut Arguments<'_>) -> Result<(), Fault> {
    for lane in 0..Lanes::Sixteen.count() as i64 {
        for window in 0..i64::from(unpool.windows) {
            let [x, dy, dx] = unpool.next.map(|n| window * i64::from(n) + lane * ELEMENT);
            let read = |cell: &Cell| element("input", arguments.input, x + i64::from(cell.x));
            let values: Vec<f32> = unpool.cells.iter().map(read).collect::<Result<_, _>>()?;
            let exceeds = |best: usize, k: usize| if values[best] < values[k] { k } else { best };
            let winner = (1..values.len()).fold(0, exceeds);
            let passes = !unpool.rectified || values[winner] > 0.0;
            let gradient = element("weights", arguments.weights, dy)?;
            let gradient = if passes { gradient } else { 0.0 };
            for (k, cell) in unpool.cells.iter().enumerate() {
                let (len, origin) = (arguments.output.0.len(), arguments.output.1);
                let at = locate("output", len, origin + dx + i64::from(cell.dx))?;
                let own = if k == winner { gradient } else { 0.0 };
                let before = arguments.output.0[at];
                arguments.output.0[at] = if unpool.accumulate { own + before } else { own };
            }
        }
    }
    Ok(())
}

impl fmt::Display for Unpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [x, dy, dx] = self.next;
        let how = if self.accumulate {
            "added to"
        } else {
            "written to"
        };
        let which = if self.rectified { ", rectified" } else { "" };
        writeln!(
            f,
            "unpool {} windows, next x {x:+} dy {dy:+} dx {dx:+}, {how} dx{which}",
            self.windows
        )?;
        for cell in &self.cells {
            writeln!(f, "  cell    x {:+} dx {:+}", cell.x, cell.dx)?;
        }
        Ok(())
    }
}
