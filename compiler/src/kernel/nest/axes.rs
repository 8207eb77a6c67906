//! Coordinates: how the logical axes of operands become loops and affine addresses.
//!
//! A logical axis usually is one loop. Where a blocked layout is involved, the channel axis is two, the block and the lane, the
//! latter innermost; a [`Coordinate`] remembers both, so that the same axis addresses plain and blocked views alike.

use super::{
    Access, Affine, Epilogue, Guard, Load, Loop, LowerError, Nest, Reduction, Role, identity,
};
use crate::memory::view::{Extent, View};
use cnnc_ir::class::Combine;
use cnnc_ir::expr::{ExprOp, Inst, Literal};
use cnnc_ir::{DType, Ex, Layout, ScalarExpr};

/// A coordinate along a logical axis as a function of the loop counters.
#[derive(Clone, Debug, Default)]
pub(super) struct Coordinate {
    pub affine: Affine,
    /// `affine = size * index + lane`, where known.
    blocks: Option<Blocks>,
    /// The extent of the axis where the loops reach beyond it (the last block is only partly filled).
    ragged: Option<Extent>,
}

#[derive(Clone, Debug)]
struct Blocks {
    size: u64,
    index: Affine,
    lane: Affine,
}

impl Coordinate {
    pub fn of(affine: Affine) -> Coordinate {
        Coordinate {
            affine,
            ..Coordinate::default()
        }
    }

    /// The coordinate plus a constant; known blocks stay known where it is a multiple of their size.
    pub fn shifted(&self, by: i64) -> Coordinate {
        let blocks = self.blocks.clone().and_then(|mut b| {
            let size = b.size as i64;
            b.index.base += by / size;
            (by % size == 0).then_some(b)
        });
        let mut affine = self.affine.clone();
        affine.base = affine.base.saturating_add(by);
        Coordinate {
            affine,
            blocks,
            ragged: None,
        }
    }

    /// The coordinate in the whole axis of a coordinate within one of its groups of `size`.
    pub fn in_group(&self, group: &Coordinate, size: u64) -> Coordinate {
        let blocks = self.blocks.clone().and_then(|mut b| {
            b.index = b.index.plus_scaled(&group.affine, (size / b.size) as i64);
            size.is_multiple_of(b.size).then_some(b)
        });
        Coordinate {
            affine: self.affine.clone().plus_scaled(&group.affine, size as i64),
            blocks,
            ragged: None,
        }
    }

    /// The guard that keeps a ragged last block inside its axis.
    pub fn guard(&self) -> Option<Guard> {
        self.ragged.map(|extent| Guard {
            coordinate: self.affine.clone(),
            extent,
        })
    }
}

/// The loops of a nest under construction.
#[derive(Clone, Debug, Default)]
pub(super) struct Axes {
    pub loops: Vec<Loop>,
}

impl Axes {
    /// A new innermost loop.
    pub fn add(&mut self, extent: Extent, role: Role) -> usize {
        self.loops.push(Loop { extent, role });
        self.loops.len() - 1
    }

    /// One logical axis as one loop.
    pub fn axis(&mut self, extent: Extent, role: Role) -> Coordinate {
        let counter = self.add(extent, role);
        Coordinate::of(Affine::default().plus(counter, 1))
    }

    /// Parallel loops over `dims`, split in blocks where `split` says so; all lanes come last.
    pub fn parallel(&mut self, dims: &[Extent], split: &[Option<u8>]) -> Vec<Coordinate> {
        self.grid(dims, split, Role::Parallel)
    }

    /// Loops over `dims` in order, split in blocks where `split` says so; all lanes come last.
    pub fn grid(&mut self, dims: &[Extent], split: &[Option<u8>], role: Role) -> Vec<Coordinate> {
        let block = |a: usize| split.get(a).copied().flatten();
        let outer: Vec<usize> = dims
            .iter()
            .enumerate()
            .map(|(a, &extent)| match block(a) {
                Some(size) => self.add(Extent::Fixed(extent.upper().div_ceil(size.into())), role),
                None => self.add(extent, role),
            })
            .collect();
        outer
            .into_iter()
            .enumerate()
            .map(|(a, index)| match block(a) {
                Some(size) => {
                    let lane = self.add(Extent::Fixed(size.into()), role);
                    blocked(index, lane, size, dims[a])
                }
                None => Coordinate::of(Affine::default().plus(index, 1)),
            })
            .collect()
    }
}

/// The coordinate of an axis that is split in two loops.
fn blocked(index: usize, lane: usize, size: u8, extent: Extent) -> Coordinate {
    let size = u64::from(size);
    let whole = matches!(extent, Extent::Fixed(n) if n.is_multiple_of(size));
    let (index, lane) = (
        Affine::default().plus(index, 1),
        Affine::default().plus(lane, 1),
    );
    Coordinate {
        affine: lane.clone().plus_scaled(&index, size as i64),
        blocks: Some(Blocks { size, index, lane }),
        ragged: (!whole).then_some(extent),
    }
}

/// The block size of a view's layout.
pub(super) fn block(view: &View) -> Option<u8> {
    match view.layout {
        Layout::Plain => None,
        Layout::Blocked { block, .. } => Some(block),
    }
}

/// Which axes of a result of `rank` must be split so that all views, aligned at the last axis, can be addressed.
pub(super) fn channel_split<'a>(
    views: impl IntoIterator<Item = &'a View>,
    rank: usize,
) -> Vec<Option<u8>> {
    let mut split = vec![None; rank];
    let blocked = views
        .into_iter()
        .find_map(|v| block(v).filter(|_| v.dims.len() == rank));
    if let (Some(size), true) = (blocked, rank >= 2) {
        split[1] = Some(size);
    }
    split
}

/// The place of `view[coordinates]`. Axes of extent 1 are broadcast: their coordinate is not looked at.
pub(super) fn access(view: &View, coordinates: &[Coordinate]) -> Result<Access, LowerError> {
    let refuse = |what| LowerError::Layout {
        what,
        layout: format!("{}{}", view.dtype, view.layout),
    };
    let blocked = block(view);
    if coordinates.len() != view.dims.len()
        || view.strides.len() != view.dims.len() + usize::from(blocked.is_some())
    {
        return Err(refuse("a value of another rank"));
    }
    let mut element = Affine::default();
    for (a, coordinate) in coordinates.iter().enumerate() {
        if view.dims[a] == Extent::Fixed(1) {
            continue;
        }
        match (blocked, a) {
            (Some(size), 1) => {
                let (index, lane) = block_parts(coordinate, size.into())
                    .ok_or_else(|| refuse("a channel that is not a block and a lane"))?;
                element = element.plus_scaled(&index, view.strides[1]);
                element = element.plus_scaled(&lane, view.strides[view.dims.len()]);
            }
            _ => element = element.plus_scaled(&coordinate.affine, view.strides[a]),
        }
    }
    let bytes = element
        .base
        .checked_mul(view.dtype.size() as i64)
        .and_then(|b| b.checked_add(i64::try_from(view.offset).ok()?));
    Ok(Access {
        space: view.space,
        offset: bytes.ok_or(LowerError::Overflow)?,
        dtype: view.dtype,
        strides: element.coefficients,
    })
}

/// Block index and lane of a channel coordinate.
fn block_parts(coordinate: &Coordinate, size: u64) -> Option<(Affine, Affine)> {
    if let Some(b) = &coordinate.blocks {
        return (b.size == size).then(|| (b.index.clone(), b.lane.clone()));
    }
    let affine = &coordinate.affine;
    let step = size as i64;
    // A constant, or one that moves by whole blocks only.
    affine.coefficients.iter().all(|c| c % step == 0).then(|| {
        let index = Affine {
            base: affine.base.div_euclid(step),
            coefficients: affine.coefficients.iter().map(|c| c / step).collect(),
        };
        (index, Affine::constant(affine.base.rem_euclid(step)))
    })
}

/// A load of `view`, broadcast to a result with these coordinates. Plain operands are not read beyond a ragged channel axis.
pub(super) fn operand(view: &View, result: &[Coordinate]) -> Result<Load, LowerError> {
    let skip = result
        .len()
        .checked_sub(view.dims.len())
        .ok_or(LowerError::Overflow)?;
    let coordinates = &result[skip..];
    let access = access(view, coordinates)?;
    let guards = match block(view) {
        Some(_) => Vec::new(),
        None => coordinates
            .iter()
            .zip(&view.dims)
            .filter(|(_, dim)| **dim != Extent::Fixed(1))
            .filter_map(|(c, _)| c.guard())
            .collect(),
    };
    let fill = if view.dtype.is_float() {
        Literal::Float(0.0)
    } else {
        Literal::Int(0)
    };
    Ok(Load {
        access,
        guards,
        fill,
    })
}

/// The store of a result and the guards it needs: plain memory is not written beyond a ragged channel axis.
pub(super) fn result(
    view: &View,
    coordinates: &[Coordinate],
) -> Result<(Access, Vec<Guard>), LowerError> {
    let guards = match block(view) {
        Some(_) => Vec::new(),
        None => coordinates.iter().filter_map(Coordinate::guard).collect(),
    };
    Ok((access(view, coordinates)?, guards))
}

/// A reduction under construction: what a class says, before the epilogue is joined.
pub(super) struct Core {
    pub label: &'static str,
    pub axes: Axes,
    pub loads: Vec<Load>,
    pub guards: Vec<Guard>,
    pub map: ScalarExpr,
    pub combine: Combine,
    pub accumulator: DType,
    pub position: Affine,
    pub count: Vec<Guard>,
    /// Arguments: the accumulated value, the count, then `extra`.
    pub finish: ScalarExpr,
    pub extra: Vec<Load>,
}

impl Core {
    /// Joins store and epilogue.
    pub fn into_nest(
        mut self,
        output: &View,
        coordinates: &[Coordinate],
        epilogue: Option<&Epilogue>,
    ) -> Result<Nest, LowerError> {
        let (store, guards) = result(output, coordinates)?;
        self.guards.extend(guards);
        if let Some(epilogue) = epilogue {
            self.finish = join(&self.finish, epilogue, self.extra.len() + 2);
            for view in &epilogue.operands {
                self.extra.push(operand(view, coordinates)?);
            }
        }
        let reduces = self.axes.loops.iter().any(|l| l.role == Role::Reduce);
        if !reduces {
            // One iteration is still a reduction of one element.
            self.axes.add(Extent::Fixed(1), Role::Reduce);
        }
        let nest = Nest {
            label: self.label.to_owned(),
            loops: self.axes.loops,
            quotients: Vec::new(),
            guards: self.guards,
            loads: self.loads,
            map: self.map,
            reduction: Some(Reduction {
                combine: self.combine,
                accumulator: self.accumulator,
                position: self.position,
                count: self.count,
                finish: self.finish,
                loads: self.extra,
            }),
            store,
        };
        Ok(nest)
    }
}

/// `epilogue(inner(..), ..)`, with the epilogue's operands numbered from `first` on.
pub(super) fn join(inner: &ScalarExpr, epilogue: &Epilogue, first: usize) -> ScalarExpr {
    let types = argument_types(inner);
    let args: Vec<Ex> = (0..inner.args())
        .map(|k| Ex::arg(k, types.get(k).copied().flatten().unwrap_or(DType::F32)))
        .collect();
    let value = inner.apply(&args).cast(epilogue.result);
    let mut outer = vec![value];
    for (k, view) in epilogue.operands.iter().enumerate() {
        outer.push(Ex::arg(first + k, view.dtype));
    }
    epilogue.expr.apply(&outer).finish()
}

/// The type an expression gives each of its arguments.
fn argument_types(expr: &ScalarExpr) -> Vec<Option<DType>> {
    let mut types = vec![None; expr.args()];
    for inst in &expr.insts {
        if let Inst {
            op: ExprOp::Arg(k),
            dtype,
        } = inst
        {
            types[*k as usize] = Some(*dtype);
        }
    }
    types
}

/// `map` where given, or the argument itself.
pub(super) fn or_identity(expr: Option<&ScalarExpr>, from: DType, to: DType) -> ScalarExpr {
    expr.cloned().unwrap_or_else(|| identity(from, to))
}
