//! Elements that change place: strided views, concatenation, reshapes.
//!
//! A view that reaches outside its input is two nests, one that fills the output and one that copies the part inside: neither needs
//! a guard.

use super::axes::{Axes, Coordinate, access, block, channel_split, operand, result};
use super::{Access, Affine, Guard, Load, Loop, LowerError, Nest, Role, identity};
use crate::memory::view::{Extent, View};
use cnnc_ir::class::{AxisMap, Movement};
use cnnc_ir::{Ex, Layout, ScalarExpr};

/// Copies the operands' elements to their places in the output.
///
/// # Errors
/// When a blocked view cannot be addressed, or a reshape has no common loops.
pub fn movement(class: &Movement, inputs: &[View], output: &View) -> Result<Vec<Nest>, LowerError> {
    let first = inputs
        .first()
        .ok_or(LowerError::MissingOperand { operand: 0 })?;
    let nests = match class {
        Movement::Reshape if first.dims == output.dims => {
            let same = identity(first.dtype, output.dtype);
            super::elementwise(&same, &inputs[..1], output)?
        }
        Movement::Reshape => vec![reshape(first, output)?],
        Movement::View { axes, fill } => view(axes, *fill, first, output)?,
        Movement::Concat { axis } => concat(*axis, inputs, output)?,
    };
    Ok(nests.into_iter().map(Nest::simplify).collect())
}

fn nest(
    label: &str,
    loops: Vec<Loop>,
    guards: Vec<Guard>,
    load: Option<Load>,
    map: ScalarExpr,
    store: Access,
) -> Nest {
    Nest {
        label: label.to_owned(),
        loops,
        quotients: Vec::new(),
        guards,
        loads: load.into_iter().collect(),
        map,
        reduction: None,
        store,
    }
}

fn view(
    maps: &[AxisMap],
    fill: Option<f64>,
    input: &View,
    output: &View,
) -> Result<Vec<Nest>, LowerError> {
    if maps.len() != input.dims.len() {
        return Err(LowerError::Rank {
            operand: 0,
            found: input.dims.len(),
            expected: maps.len(),
        });
    }
    let split = view_split(maps, input, output);
    let Inside {
        ranges,
        guarded,
        whole,
        empty,
    } = Inside::of(maps, &split, input, output);
    let mut nests = Vec::new();
    if let (Some(value), false) = (fill, whole) {
        let constant = Ex::float(output.dtype, value).finish();
        nests.extend(super::elementwise(&constant, &[], output)?);
    }
    if empty {
        return Ok(nests);
    }
    let mut axes = Axes::default();
    let extents: Vec<Extent> = ranges.iter().map(|r| r.1).collect();
    let to: Vec<Coordinate> = axes
        .parallel(&extents, &split)
        .iter()
        .zip(&ranges)
        .map(|(c, r)| if r.0 == 0 { c.clone() } else { c.shifted(r.0) })
        .collect();
    let from: Vec<Coordinate> = maps.iter().map(|m| mapped(m, &to)).collect();
    let (store, mut guards) = result(output, &to)?;
    guards.extend(to.iter().filter_map(Coordinate::guard));
    guards.extend(guarded.into_iter().map(|a| Guard {
        coordinate: from[a].affine.clone(),
        extent: input.dims[a],
    }));
    guards.dedup();
    let load = Load::plain(source(input, &from)?);
    let map = identity(input.dtype, output.dtype);
    nests.push(nest("view", axes.loops, guards, Some(load), map, store));
    Ok(nests)
}

/// The place read; unlike a broadcast operand's, the coordinate along an axis of extent 1 is 0 by itself.
fn source(input: &View, from: &[Coordinate]) -> Result<Access, LowerError> {
    access(input, from)
}

fn mapped(map: &AxisMap, to: &[Coordinate]) -> Coordinate {
    match map.axis.and_then(|o| to.get(o)) {
        Some(c) if map.step == 1 => c.shifted(map.offset),
        Some(c) => Coordinate::of(Affine::constant(map.offset).plus_scaled(&c.affine, map.step)),
        None => Coordinate::of(Affine::constant(map.offset)),
    }
}

/// Splits the axes that become, or come from, the channels of a blocked view.
fn view_split(maps: &[AxisMap], input: &View, output: &View) -> Vec<Option<u8>> {
    let mut split = vec![None; output.dims.len()];
    if let (Some(size), true) = (block(output), split.len() > 1) {
        split[1] = Some(size);
    }
    let channel = maps.get(1).and_then(|m| m.axis);
    if let (Some(size), Some(o)) = (block(input), channel)
        && o < split.len()
    {
        split[o] = Some(size);
    }
    split
}

/// The part of the output whose elements lie inside the input.
struct Inside {
    /// First coordinate and extent along every output axis.
    ranges: Vec<(i64, Extent)>,
    /// Input axes that only a guard can keep inside.
    guarded: Vec<usize>,
    /// Whether that is the whole output.
    whole: bool,
    /// Whether it is nothing.
    empty: bool,
}

impl Inside {
    fn of(maps: &[AxisMap], split: &[Option<u8>], input: &View, output: &View) -> Inside {
        let mut inside = Inside {
            ranges: output.dims.iter().map(|&d| (0, d)).collect(),
            guarded: Vec::new(),
            whole: true,
            empty: false,
        };
        for (a, map) in maps.iter().enumerate() {
            inside.restrict(a, map, split, input.dims[a]);
        }
        inside
    }

    fn restrict(&mut self, a: usize, map: &AxisMap, split: &[Option<u8>], extent: Extent) {
        let Some(o) = map.axis.filter(|&o| o < self.ranges.len()) else {
            let inside = map.offset >= 0 && (map.offset as u64) < extent.upper();
            self.empty |= !inside;
            self.whole &= inside;
            return;
        };
        let (start, size) = self.ranges[o];
        let same = map.step == 1 && map.offset == 0 && extent == size && start == 0;
        if same {
            return;
        }
        let (Extent::Fixed(input), Extent::Fixed(output)) = (extent, size) else {
            self.guarded.push(a);
            self.whole = false;
            return;
        };
        let (lo, hi) = inside_range(map, input, (start, start + output as i64));
        if (lo, hi) == (start, start + output as i64) {
            return;
        }
        self.whole = false;
        self.empty |= lo >= hi;
        if split[o].is_some() {
            self.guarded.push(a);
        } else {
            self.ranges[o] = (lo, Extent::Fixed((hi - lo).max(0) as u64));
        }
    }
}

/// The part of `range` whose image under the map lies in `0..input`.
fn inside_range(map: &AxisMap, input: u64, range: (i64, i64)) -> (i64, i64) {
    let (step, offset) = (i128::from(map.step), i128::from(map.offset));
    let last = i128::from(input) - 1;
    let (lo, hi) = match step {
        0 if (0..=last).contains(&offset) => return range,
        0 => return (range.0, range.0),
        s if s > 0 => (div_ceil(-offset, s), (last - offset).div_euclid(s)),
        s => (div_ceil(offset - last, -s), offset.div_euclid(-s)),
    };
    let clamp = |v: i128| v.clamp(range.0.into(), range.1.into()) as i64;
    let lo = clamp(lo);
    (lo, clamp(hi + 1).max(lo))
}

fn div_ceil(a: i128, b: i128) -> i128 {
    -((-a).div_euclid(b))
}

fn concat(axis: usize, inputs: &[View], output: &View) -> Result<Vec<Nest>, LowerError> {
    let mut nests = Vec::with_capacity(inputs.len());
    let mut start: i64 = 0;
    for (k, input) in inputs.iter().enumerate() {
        let Some(&extent) = input.dims.get(axis) else {
            return Err(LowerError::Rank {
                operand: k,
                found: input.dims.len(),
                expected: output.dims.len(),
            });
        };
        let mut axes = Axes::default();
        let split = channel_split([input, output], input.dims.len());
        let from = axes.parallel(&input.dims, &split);
        let mut to = from.clone();
        to[axis] = from[axis].shifted(start);
        let guards = from.iter().filter_map(Coordinate::guard).collect();
        let load = Load::plain(operand(input, &from)?.access);
        let store = access(output, &to)?;
        let map = identity(input.dtype, output.dtype);
        nests.push(nest("concat", axes.loops, guards, Some(load), map, store));
        match extent {
            Extent::Fixed(n) => start += n as i64,
            Extent::Slot { .. } if k + 1 == inputs.len() => {}
            Extent::Slot { .. } => {
                return Err(LowerError::Dynamic {
                    what: "a concatenated operand that is not the last",
                });
            }
        }
    }
    Ok(nests)
}

/// Loops that walk both shapes in row-major order: the common refinement of their axes.
fn reshape(input: &View, output: &View) -> Result<Nest, LowerError> {
    let (from, to) = (factors(input)?, factors(output)?);
    let (mut a, mut b) = (from.into_iter().rev(), to.into_iter().rev());
    let refuse = || LowerError::Reshape {
        from: input.to_string(),
        to: output.to_string(),
    };
    // Innermost first: (extent, input stride, output stride).
    let mut loops: Vec<(u64, i64, i64)> = Vec::new();
    let (mut x, mut y) = (a.next(), b.next());
    while let (Some((n, s)), Some((m, t))) = (x, y) {
        let size = n.min(m);
        if size == 0 {
            loops = vec![(0, 0, 0)];
            break;
        }
        if n % size != 0 || m % size != 0 {
            return Err(refuse());
        }
        loops.push((size, s, t));
        x = rest(n / size, s, size, &mut a);
        y = rest(m / size, t, size, &mut b);
    }
    loops.reverse();
    let place = |view: &View, strides: Vec<i64>| {
        Ok(Access {
            space: view.space,
            offset: i64::try_from(view.offset).map_err(|_| LowerError::Overflow)?,
            dtype: view.dtype,
            strides,
        })
    };
    let load = Load::plain(place(input, loops.iter().map(|l| l.1).collect())?);
    let store = place(output, loops.iter().map(|l| l.2).collect())?;
    let counted = |l: &(u64, i64, i64)| Loop {
        extent: Extent::Fixed(l.0),
        role: Role::Parallel,
    };
    let loops = loops.iter().map(counted).collect();
    let map = identity(input.dtype, output.dtype);
    Ok(nest("reshape", loops, Vec::new(), Some(load), map, store))
}

/// What is left of an axis of which `size` elements have been walked, or the next axis.
fn rest(
    left: u64,
    stride: i64,
    size: u64,
    more: &mut impl Iterator<Item = (u64, i64)>,
) -> Option<(u64, i64)> {
    if left > 1 {
        Some((left, stride * size as i64))
    } else {
        more.next()
    }
}

/// Extents and strides of a view's axes in logical order, channel blocks as two axes, neighbours that are dense as one, extents
/// of 1 left out.
fn factors(view: &View) -> Result<Vec<(u64, i64)>, LowerError> {
    let mut out: Vec<(u64, i64)> = Vec::new();
    for (a, &dim) in view.dims.iter().enumerate() {
        let extent = match dim {
            Extent::Fixed(n) => n,
            // Row-major at the upper bound: the whole buffer keeps its order, whatever part of it is in use.
            Extent::Slot { upper, .. } if a == 0 && view.layout == Layout::Plain => upper,
            Extent::Slot { .. } => {
                return Err(LowerError::Dynamic {
                    what: "an inner axis of a reshape",
                });
            }
        };
        match view.layout {
            Layout::Blocked { block, .. } if a == 1 => {
                let block = u64::from(block);
                if extent % block != 0 {
                    return Err(LowerError::Layout {
                        what: "a partly filled block of channels",
                        layout: view.layout.to_string(),
                    });
                }
                out.push((extent / block, view.strides[1]));
                out.push((block, view.strides[view.dims.len()]));
            }
            _ => out.push((extent, view.strides[a])),
        }
    }
    out.retain(|f| f.0 != 1);
    let mut merged: Vec<(u64, i64)> = Vec::new();
    for (n, s) in out {
        match merged.last_mut() {
            Some((m, t)) if *t == s * n as i64 => (*m, *t) = (*m * n, s),
            _ => merged.push((n, s)),
        }
    }
    Ok(merged)
}
