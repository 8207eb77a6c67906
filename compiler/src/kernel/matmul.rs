//! Matrix product as a plan of tiles: `c[i, j] = bias[j] + sum over k of a[i, k] * b[k, j]` (ONNX MatMul, Gemm).
//!
//! Rows of `a` are a tile's pixels and columns of `b` its vectors. A constant `b` is packed, in whatever way it lies;
//! any other is read where it is, which needs its columns side by side.

use super::blocking::{Blocking, ChannelRange, Region, Steps, Weights, even};
use super::conv::side_by_side;
use super::placement::Placement;
use super::plan::{ChannelGroup, Plan, PlanError};
use super::reduction::{Axis, CHUNK, chunked};
use super::tile::{ELEMENT, Init, Source, Step, Target};
use std::fmt;
use std::ops::Range;

/// Bytes of a page of memory.
const PAGE: i64 = 4096;

/// Rows of a right-hand side read in place that are walked over before the next columns: so many pages the processor keeps in mind.
const RUN: usize = 256;

/// Bytes of a right-hand side that comes from memory.
const FROM_MEMORY: usize = 8 << 20;

/// Element strides of a stack of matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatrixStrides {
    /// From one matrix to the next; zero if all products share one.
    pub batch: i64,
    pub row: i64,
    pub column: i64,
}

impl MatrixStrides {
    /// Those of the transposed matrices.
    pub fn turned(self) -> MatrixStrides {
        MatrixStrides {
            row: self.column,
            column: self.row,
            ..self
        }
    }
}

/// A stack of products of `[rows, inner]` by `[inner, columns]`.
#[derive(Clone, Debug, PartialEq)]
pub struct MatmulGeometry {
    pub batch: usize,
    pub rows: usize,
    pub inner: usize,
    pub columns: usize,
    pub a: MatrixStrides,
    pub b: MatrixStrides,
    /// Also of the residual.
    pub c: MatrixStrides,
    /// Whether `b` is constant, so that it may be packed.
    pub pack: bool,
    pub bias: bool,
    pub epilogue: Vec<Step>,
}

/// Plans a matrix product.
///
/// # Errors
/// As for [`blocking`], or if an offset does not fit a tile's constants.
pub fn plan(matmul: &MatmulGeometry, target: Target) -> Result<Plan, PlanError> {
    Ok(matmul.stacked(blocking(matmul, target)?.plan()?))
}

/// One matrix product, or all that share their right-hand side, to be cut into tiles; see [`MatmulGeometry::stacked`].
///
/// # Errors
/// If columns of `c`, or of a `b` read in place, do not lie side by side; or if `b` is to be packed but is a stack, or
/// has negative strides.
pub fn blocking(matmul: &MatmulGeometry, target: Target) -> Result<Blocking, PlanError> {
    let shared = matmul.shares_b();
    let weights = matmul.weights(shared)?;
    let bytes = |stride: i64| stride * ELEMENT;
    let steps = Steps {
        origin: 0,
        image: [bytes(matmul.a.batch), bytes(matmul.c.batch)],
        row: [0, 0],
        pixel: [bytes(matmul.a.row), bytes(matmul.c.row)],
    };
    let output = Placement {
        block: 1,
        strides: [matmul.c.batch, matmul.c.column, 0, matmul.c.row],
        halo: [0; 4],
    };
    side_by_side(&output, matmul.columns)?;
    let step = bytes(matmul.a.column);
    let inner = Axis::channel(
        matmul.inner,
        step,
        usize::try_from(matmul.b.row).unwrap_or(0),
    );
    Ok(Blocking {
        target,
        source: Source::Broadcast,
        init: if matmul.bias { Init::Bias } else { Init::Zero },
        epilogue: matmul.epilogue.clone(),
        segments: chunked(inner, step * CHUNK as i64, CHUNK, &[]),
        weights,
        images: if shared { matmul.batch } else { 1 },
        regions: vec![Region {
            rows: 0..1,
            columns: 0..matmul.rows,
            window: [0..1, 0..1],
        }],
        steps,
        channels: vec![ChannelRange {
            first: 0,
            count: matmul.columns,
            filter: 0,
            input: 0,
            output: 0,
            padded: false,
        }],
        cold_weights: true,
        input_bytes: matmul.batch * matmul.rows * matmul.inner * size_of::<f32>(),
        input: output,
        output,
    })
}

/// One line that tells apart what kernels are chosen for.
impl fmt::Display for MatmulGeometry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, inner, columns] = [self.rows, self.inner, self.columns];
        write!(f, "matmul {} {rows}x{inner}x{columns}", self.batch)?;
        write!(f, " a={},{}", self.a.row, self.a.column)?;
        match self.pack {
            true => f.write_str(" packed")?,
            false => write!(f, " b={}", self.b.row)?,
        }
        f.write_str(if self.bias { " bias" } else { "" })?;
        write!(f, " steps={}", self.epilogue.len())
    }
}

impl MatmulGeometry {
    fn shares_b(&self) -> bool {
        self.b.batch == 0 || self.batch == 1
    }

    /// The reduction in runs, to be summed one after the other: several where rows of a large right-hand side lie pages apart.
    pub fn runs(&self) -> Vec<Range<usize>> {
        let bytes = self.inner.saturating_mul(self.columns) * size_of::<f32>();
        let is_scattered = !self.pack && self.b.row * ELEMENT >= PAGE && bytes >= FROM_MEMORY;
        let most = match is_scattered && self.batch == 1 {
            true => RUN,
            false => self.inner,
        };
        even(self.inner, most).collect()
    }

    /// The plan of the whole stack, from that of its [`blocking`].
    pub fn stacked(&self, plan: Plan) -> Plan {
        if self.shares_b() {
            return plan;
        }
        let groups = self.repeat(&plan.groups);
        Plan { groups, ..plan }
    }

    fn weights(&self, shared: bool) -> Result<Weights, PlanError> {
        if !self.pack {
            return if self.b.column == 1 || self.columns == 1 {
                Ok(Weights::InPlace {
                    row: self.b.row * ELEMENT,
                })
            } else {
                Err(PlanError::geometry(
                    "the column stride of a right-hand side read in place",
                    1,
                    self.b.column,
                ))
            };
        }
        if !shared {
            return Err(PlanError::geometry(
                "the batch stride of a packed right-hand side",
                0,
                self.b.batch,
            ));
        }
        match usize::try_from(self.b.column) {
            Ok(channel_stride) if self.b.row >= 0 => Ok(Weights::Packed { channel_stride }),
            _ => Err(PlanError::geometry(
                "a stride of a packed right-hand side",
                "not negative",
                self.b.column,
            )),
        }
    }

    /// The groups of one product, for each product of the stack.
    fn repeat(&self, groups: &[ChannelGroup]) -> Vec<ChannelGroup> {
        let product = |n: usize| {
            let offset = move |stride: i64| n as i64 * stride * ELEMENT;
            groups.iter().map(move |group| ChannelGroup {
                input: group.input + offset(self.a.batch),
                weights: group.weights + offset(self.b.batch),
                output: group.output + offset(self.c.batch),
                ..*group
            })
        };
        (0..self.batch).flat_map(product).collect()
    }
}
