//! The second microkernel: a linear map applied to both sides of square patches of vectors, `Y = T X Tᵀ`.
//!
//! Winograd's convolution is three steps: patches of the input are transformed, multiplied component by component (a matrix product,
//! which is a [`Tile`](super::Tile)), and transformed back. A [`Transform`] is the first or the last of them for a row of patches,
//! one vector of channels at a time:
//!
//! ```text
//! for half in the vectors of a channel block, for patch in 0..patches:
//!     columns first:  between[i][j] = (T X)[i][j]           -- kept in the input's or the output's place
//!     then rows:      Y[i][j] = (between Tᵀ)[i][j] + bias, then the epilogue's steps
//! ```
//!
//! Elements of `X` outside the given range are zero and not read, elements of `Y` outside it are not written: borders cost nothing.
//! The sequence of operations is that of [`LinearMap::combinations`], so all targets and the interpreter agree bit for bit.

use super::interp::{Arguments, Fault, apply, element, locate};
use super::{ELEMENT, Lanes, Step};
use std::fmt;
use std::ops::Range;

/// A linear map of a few vectors as straight-line code. Values are numbered: first the inputs, then one for each combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinearMap {
    pub inputs: usize,
    pub combinations: &'static [Combination],
    /// The value of each output.
    pub outputs: &'static [usize],
}

/// The new value `scale * a + b`, fused. A scale of 1 or -1 is an addition or subtraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Combination {
    pub scale: i32,
    pub a: usize,
    pub b: usize,
}

impl LinearMap {
    /// The scales that are no plain sign, each once, in the order of the constant table.
    pub fn scales(&self) -> Vec<i32> {
        let mut scales = Vec::new();
        for scale in self.combinations.iter().map(|c| c.scale) {
            if scale.abs() != 1 && !scales.contains(&scale) {
                scales.push(scale);
            }
        }
        scales
    }

    /// The map's coefficients, one row an output.
    pub fn matrix(&self) -> Vec<Vec<i32>> {
        let unit = |i: usize| (0..self.inputs).map(|j| i32::from(i == j)).collect();
        let mut values: Vec<Vec<i32>> = (0..self.inputs).map(unit).collect();
        for c in self.combinations {
            let sum = |(a, b): (&i32, &i32)| c.scale * a + b;
            values.push(values[c.a].iter().zip(&values[c.b]).map(sum).collect());
        }
        self.outputs.iter().map(|&v| values[v].clone()).collect()
    }

    /// The table of constants that a transform reads through its weights: every scale in all lanes of the widest vector.
    pub fn constants(&self) -> Vec<f32> {
        let all_lanes = |scale: i32| [scale as f32; Lanes::Sixteen.count()];
        self.scales().into_iter().flat_map(all_lanes).collect()
    }

    fn interpret(&self, inputs: &[Option<f32>]) -> Vec<Option<f32>> {
        let mut values = inputs.to_vec();
        for c in self.combinations {
            values.push(c.interpret(values[c.a], values[c.b]));
        }
        self.outputs.iter().map(|&v| values[v]).collect()
    }
}

impl Combination {
    /// `None` is a zero that no instruction touches.
    fn interpret(&self, a: Option<f32>, b: Option<f32>) -> Option<f32> {
        let scale = self.scale as f32;
        match (a, b) {
            (None, b) => b,
            (Some(a), None) => Some(scale * a),
            (Some(a), Some(b)) => Some(a.mul_add(scale, b)),
        }
    }
}

/// See the module's head. Offsets are bytes from the argument pointers: `fn(input, constants, output, bias, residual)`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Transform {
    pub map: LinearMap,
    /// Where the patches are read.
    pub input: Patch,
    /// Where the results are written; the residual lies alike.
    pub output: Patch,
    pub between: Between,
    /// Patches in a row.
    pub patches: u32,
    /// Bytes from a patch to the one below it, where vectors lie as in a picture (the input of an expanding map, else the output):
    /// it will be worked on soon, and its memory is asked for. 0 for none.
    pub below: i32,
    /// Whether a vector of `bias` is added to every element of the result.
    pub bias: bool,
    pub epilogue: Vec<Step>,
}

/// A square of vectors in memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Patch {
    /// Bytes from one row of the square, one column, one patch to the next.
    pub row: i32,
    pub column: i32,
    pub next: i32,
    /// The rows and columns that exist.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

/// Where the patch lies between the two halves of the transform: over its input, or where its result will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Between {
    Input,
    Output,
}

impl Patch {
    /// The byte offset of an element.
    pub(super) fn at(&self, row: usize, column: usize) -> i64 {
        row as i64 * i64::from(self.row) + column as i64 * i64::from(self.column)
    }
}

impl Transform {
    /// The patch whose place holds the half-done result.
    pub(super) fn between(&self) -> &Patch {
        match self.between {
            Between::Input => &self.input,
            Between::Output => &self.output,
        }
    }
}

/// Runs `transform` on buffers of f32; see [`super::interpret`]. `input` is a buffer of its own, as the half-done patch may go there.
///
/// # Errors
/// If an access is out of bounds or not aligned to an element. The buffers may then be partly written.
pub fn interpret(
    transform: &Transform,
    input: (&mut [f32], i64),
    arguments: &mut Arguments<'_>,
) -> Result<(), Fault> {
    for lane in 0..Lanes::Sixteen.count() as i64 {
        for patch in 0..i64::from(transform.patches) {
            let at = |side: &Patch| lane * ELEMENT + patch * i64::from(side.next);
            let (from, to) = (at(&transform.input), at(&transform.output));
            let x = (&*input.0, input.1 + from);
            let result = one_patch(transform, x, arguments, lane, to)?;
            for (offset, value) in result {
                let at = locate(
                    "output",
                    arguments.output.0.len(),
                    arguments.output.1 + to + offset,
                )?;
                arguments.output.0[at] = value;
            }
        }
    }
    Ok(())
}

/// The results of one lane of one patch, with their offsets from the patch's output.
fn one_patch(
    transform: &Transform,
    x: (&[f32], i64),
    arguments: &Arguments<'_>,
    lane: i64,
    to: i64,
) -> Result<Vec<(i64, f32)>, Fault> {
    let (map, input, output) = (&transform.map, &transform.input, &transform.output);
    let mut between = vec![vec![None; map.inputs]; map.outputs.len()];
    for j in input.columns.clone() {
        let read = |i: usize| match input.rows.contains(&i) {
            true => element("input", x, input.at(i, j)).map(Some),
            false => Ok(None),
        };
        let column: Vec<Option<f32>> = (0..map.inputs).map(read).collect::<Result<_, _>>()?;
        for (row, value) in between.iter_mut().zip(map.interpret(&column)) {
            // What is stored between the halves is a number, even where it is a sum of nothing.
            row[j] = Some(value.unwrap_or(0.0));
        }
    }
    let mut results = Vec::new();
    for i in output.rows.clone() {
        let row = map.interpret(&between[i]);
        for j in output.columns.clone() {
            let mut value = row[j].unwrap_or(0.0);
            if transform.bias {
                value += element("bias", arguments.bias, lane * ELEMENT)?;
            }
            let offset = output.at(i, j);
            for step in &transform.epilogue {
                value = apply(step, value, || {
                    element("residual", arguments.residual, to + offset)
                })?;
            }
            results.push((offset, value));
        }
    }
    Ok(results)
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "transform {} patches", self.patches)?;
        for row in self.map.matrix() {
            writeln!(f, "  matrix  {row:?}")?;
        }
        for (name, p) in [("in", &self.input), ("out", &self.output)] {
            writeln!(
                f,
                "  {name:<7} row {:+} column {:+} next {:+}, rows {:?} columns {:?}",
                p.row, p.column, p.next, p.rows, p.columns
            )?;
        }
        if self.bias {
            writeln!(f, "  then    add bias")?;
        }
        for step in &self.epilogue {
            writeln!(f, "  then    {step}")?;
        }
        Ok(())
    }
}
