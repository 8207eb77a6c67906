//! Matrix products on tiles: as they are, or turned, the right-hand side's rows for pixels.

use super::contract::{Epilogue, f32_only, fixed, operand};
use super::epilogue::Fused;
use super::filters::{Filter, copied};
use super::{Kernel, Offer, Place, Request, Selector, Tiled};
use crate::kernel::matmul::{self, MatmulGeometry, MatrixStrides};
use crate::kernel::packing::{BlockCopy, CopyAxis};
use crate::kernel::tile::{ELEMENT, Init};
use crate::memory::view::{Space, View};
use cnnc_ir::class::{Contract, Semantics};
use cnnc_ir::{Layout, Tensor};

pub fn matrix_tile(selector: &mut Selector, request: &Request) -> Offer {
    let product = Product::of(request)?;
    match product.is_quicker_turned() {
        true => product.turned(selector, request),
        false => product.straight(selector, request),
    }
}

/// A stack of products, and what follows them.
struct Product<'r> {
    /// As it is, without its bias.
    geometry: MatmulGeometry,
    operands: [&'r View; 3],
    /// The right-hand side's elements, where they are known.
    constant: Option<&'r Tensor>,
    split: Epilogue,
}

impl<'r> Product<'r> {
    fn of(request: &'r Request) -> Result<Product<'r>, String> {
        let Semantics::Contract(Contract::MatMul {
            transpose_a,
            transpose_b,
        }) = *request.semantics
        else {
            return Err("not a matrix product".to_string());
        };
        let (a, b) = (operand(request, 0)?, operand(request, 1)?);
        let c = &request.outputs[0];
        f32_only([a.dtype, b.dtype, c.dtype])?;
        if [a, b, c].iter().any(|v| v.layout != Layout::Plain) {
            return Err("an operand is blocked".to_string());
        }
        let columns = *fixed(c)?.last().ok_or("a scalar product")?;
        let split = Epilogue::new(request, |t| {
            t.len() == columns && t.shape().last() == Some(&columns)
        });
        let constant = request.values[1].as_ref();
        let (batch, batches) = stack(a, b, c)?;
        let rows = fixed(c)?[c.dims.len() - 2];
        let inner = fixed(a)?[a.dims.len() - if transpose_a { 2 } else { 1 }];
        if rows == 0 || inner == 0 || columns == 0 {
            return Err("an operand is empty".to_string());
        }
        let right = matrix(b, transpose_b, batches[1]);
        let side_by_side = right.column == 1 || columns == 1;
        let geometry = MatmulGeometry {
            batch,
            rows,
            inner,
            columns,
            a: matrix(a, transpose_a, batches[0]),
            b: right,
            c: matrix(c, false, batches[2]),
            pack: (batches[1] == 0 || batch == 1) && (constant.is_some() || !side_by_side),
            bias: false,
            epilogue: split.fused.steps.clone(),
        };
        Ok(Product {
            geometry,
            operands: [a, b, c],
            constant,
            split,
        })
    }

    /// `c = a b`, tile by tile where `c` lies, run by run of the reduction.
    fn straight(self, selector: &mut Selector, request: &Request) -> Offer {
        let [a, b, c] = self.operands;
        let bias = self.split.fused.bias.as_ref().map(Tensor::to_f32);
        let geometry = MatmulGeometry {
            bias: bias.is_some(),
            ..self.geometry
        };
        let input = match &request.values[0] {
            Some(t) => Place::from(&selector.constants.plain(t)),
            None => Place::from(a),
        };
        let runs = geometry.runs();
        let mut kernels = Vec::new();
        for (number, run) in runs.iter().enumerate() {
            let is_last = number + 1 == runs.len();
            let part = MatmulGeometry {
                inner: run.len(),
                bias: geometry.bias && number == 0,
                epilogue: match is_last {
                    true => geometry.epilogue.clone(),
                    false => Vec::new(),
                },
                ..geometry
            };
            let mut direct = matmul::blocking(&part, selector.target).map_err(|e| e.to_string())?;
            if number > 0 {
                direct.init = Init::Accumulate;
            }
            let plan = selector
                .decided(geometry.to_string(), &direct)
                .map(|plan| geometry.stacked(plan))
                .map_err(|e| e.to_string())?;
            let (weights, packing) = match (&plan.packing, self.constant) {
                (Some(packing), _) => Filter::of(request, 1)?.pack(selector, packing)?,
                (None, Some(t)) => (Place::from(&selector.constants.plain(t)), Vec::new()),
                (None, None) => (Place::from(b), Vec::new()),
            };
            kernels.extend(packing);
            let offset = match &bias {
                Some(values) if part.bias => {
                    let packed = match &plan.packing {
                        Some(packing) => packing.pack_bias(values),
                        None => Some(values.clone()),
                    };
                    let packed = packed.ok_or("the bias is shorter than the columns")?;
                    selector.constants.floats(&packed)
                }
                _ => 0,
            };
            let from = |stride: i64| run.start as i64 * stride * ELEMENT;
            kernels.push(Kernel::Tiled(Tiled {
                plan,
                target: selector.target,
                input: input.moved(from(geometry.a.column)),
                weights: weights.moved(from(geometry.b.row)),
                output: Place::from(c),
                bias: Place {
                    space: Space::Weights,
                    offset,
                },
                residual: self.split.fused.residual.unwrap_or(Place::from(c)),
            }));
        }
        self.split.finish(selector, request, kernels)
    }

    /// Whether it moves fewer elements to turn `a` and `c` than to pack a computed `b` whose columns do not lie side by side, as when
    /// a few samples meet the transposed weights of a dense layer.
    fn is_quicker_turned(&self) -> bool {
        let MatmulGeometry {
            rows,
            inner,
            columns,
            ..
        } = self.geometry;
        let packs = self.geometry.pack && self.constant.is_none();
        packs && self.geometry.batch == 1 && rows * (inner + columns) < inner * columns
    }

    /// `c' = b' a'`: the rows of `b'` are read where they are, `a'` is packed, and `c'` is turned back, before what follows is done.
    fn turned(self, selector: &mut Selector, request: &Request) -> Offer {
        let [_, b, c] = self.operands;
        let straight = &self.geometry;
        let (rows, columns) = (straight.rows, straight.columns);
        let geometry = MatmulGeometry {
            rows: columns,
            columns: rows,
            a: straight.b.turned(),
            b: straight.a.turned(),
            c: MatrixStrides {
                batch: 0,
                row: rows as i64,
                column: 1,
            },
            pack: true,
            epilogue: Vec::new(),
            ..*straight
        };
        let direct = matmul::blocking(&geometry, selector.target).map_err(|e| e.to_string())?;
        let plan = selector.decided(geometry.to_string(), &direct);
        let plan = plan.map_err(|e| e.to_string())?;
        let packing = plan.packing.as_ref().ok_or("the plan has no packing")?;
        let (weights, mut kernels) = Filter::of(request, 0)?.pack(selector, packing)?;
        let turned = selector.reserve(rows * columns * size_of::<f32>())?;
        kernels.push(Kernel::Tiled(Tiled {
            plan,
            target: selector.target,
            input: Place::from(b),
            weights,
            output: turned,
            bias: turned,
            residual: turned,
        }));
        let axis = |count, source, target| CopyAxis {
            count,
            source,
            target,
        };
        let step = |stride: i64| usize::try_from(stride).map_err(|_| "a stride is negative");
        let back = BlockCopy {
            source: 0,
            target: 0,
            axes: vec![
                axis(rows, 1, step(straight.c.row)?),
                axis(columns, rows, step(straight.c.column)?),
            ],
        };
        kernels.extend(copied(&[back], turned, Place::from(c))?);
        let split = Epilogue {
            fused: Fused::default(),
            rest: request.epilogue.is_some(),
        };
        split.finish(selector, request, kernels)
    }
}

/// The element strides of an operand's last two axes.
fn matrix(v: &View, transposed: bool, batch: i64) -> MatrixStrides {
    let n = v.strides.len();
    let strides = MatrixStrides {
        batch,
        row: v.strides[n - 2],
        column: v.strides[n - 1],
    };
    match transposed {
        true => strides.turned(),
        false => strides,
    }
}

/// The number of products in a stack, and the operands' distances from one to the next.
fn stack(a: &View, b: &View, c: &View) -> Result<(usize, [i64; 3]), String> {
    let lead = |v: &View| -> Result<Vec<usize>, String> {
        let d = fixed(v)?;
        Ok(d[..d.len().checked_sub(2).ok_or("an operand is no matrix")?].to_vec())
    };
    let result = lead(c)?;
    let count = result.iter().product();
    let mut distances = [0; 3];
    for (distance, v) in distances.iter_mut().zip([a, b, c]) {
        let own = lead(v)?;
        let trimmed: Vec<usize> = own.iter().copied().skip_while(|d| *d == 1).collect();
        let whole: Vec<usize> = result.iter().copied().skip_while(|d| *d == 1).collect();
        if trimmed.is_empty() {
            continue;
        }
        if trimmed != whole || !v.is_dense() {
            return Err("the stacks of matrices do not line up".to_string());
        }
        let n = v.strides.len();
        *distance = v.dims[n - 2].upper() as i64 * v.dims[n - 1].upper() as i64;
    }
    Ok((count, distances))
}
