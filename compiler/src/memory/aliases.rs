//! Which values are views of another value's buffer.
//!
//! A reshape, a dense slice and a slice of whole blocks of channels are views of their operand; a part of a concatenation is
//! a view of the whole, written there by its producer, and so is a shorter list of the same parts (dense blocks); a body's
//! input is the captured value, a loop's carried value is the loop's result.

use super::view::View;
use super::{Key, Planner};
use crate::schedule::{Block, Step};
use cnnc_ir::class::{AxisMap, Control, Movement};
use cnnc_ir::{Layout, NodeKind, Semantics, Value};
use std::collections::{BTreeMap, HashMap};

/// A value as a view of the buffer of `root`; `view.offset` counts from the buffer's start.
#[derive(Clone, Debug)]
pub struct Alias {
    pub root: Key,
    pub view: View,
}

/// Every value that is not a constant, by key.
pub struct Aliases {
    pub views: BTreeMap<Key, Alias>,
}

pub fn find(schedule: &Block, planner: &Planner) -> Aliases {
    let mut finder = Finder {
        planner,
        parts: HashMap::new(),
        views: BTreeMap::new(),
    };
    finder.collect_parts(schedule);
    finder.block_inputs(schedule);
    finder.block(schedule);
    Aliases {
        views: finder.views,
    }
}

struct Finder<'p> {
    planner: &'p Planner,
    /// Part of a concatenation: the whole, and the offset in it in bytes.
    parts: HashMap<Key, (Key, u64)>,
    views: BTreeMap<Key, Alias>,
}

impl Finder<'_> {
    /// Decides which operands of concatenations are written in place.
    fn collect_parts(&mut self, block: &Block) {
        for step in block.steps.iter().rev() {
            for body in &step.bodies {
                self.collect_parts(body);
            }
            let graph = block.graph;
            let Ok(Semantics::Movement(Movement::Concat { axis })) = graph.semantics(step.node)
            else {
                continue;
            };
            let whole = Value::from(step.node);
            let ty = graph.ty(whole);
            let Some(shape) = ty.fixed_shape() else {
                continue;
            };
            // Blocked views have strides of their own for images, dense ones do not.
            if ty.layout == Layout::Plain && shape[..axis].iter().product::<usize>() != 1 {
                continue;
            }
            let key = |value| Key {
                block: block.id,
                value,
            };
            let operands = self.operands(block, whole, axis);
            if let Some(place) = self.inside_another(block, whole, &operands) {
                self.parts.insert(key(whole), place);
                continue;
            }
            for &(v, offset) in &operands {
                let once = operands.iter().filter(|o| o.0 == v).count() == 1;
                if once
                    && graph.ty(v).layout == ty.layout
                    && self.has_own_buffer(block, v)
                    && !self.parts.contains_key(&key(v))
                {
                    self.parts.insert(key(v), (key(whole), offset));
                }
            }
        }
    }

    /// The operands of a concatenation and their places in the whole, in bytes.
    fn operands(&self, block: &Block, whole: Value, axis: usize) -> Vec<(Value, u64)> {
        let graph = block.graph;
        let ty = graph.ty(whole);
        let strides = self.planner.whole(ty).strides;
        let mut start = 0;
        let place = |&v: &Value| {
            let at = match ty.layout {
                Layout::Blocked { block, .. } => start / u64::from(block) * strides[1] as u64,
                Layout::Plain => start * strides[axis] as u64,
            };
            start += graph.ty(v).shape[axis].fixed().unwrap_or(0);
            (v, at * ty.dtype.size() as u64)
        };
        let inputs = graph.node(whole.node).inputs.iter().flatten();
        inputs.map(place).collect()
    }

    /// Where a concatenation lies whose operands follow each other in a larger one that comes later.
    fn inside_another(
        &self,
        block: &Block,
        v: Value,
        operands: &[(Value, u64)],
    ) -> Option<(Key, u64)> {
        let part = |value| {
            let block = block.id;
            self.parts.get(&Key { block, value }).copied()
        };
        let (whole, start) = part(operands.first()?.0)?;
        let follow = operands
            .iter()
            .all(|&(operand, offset)| part(operand) == Some((whole, start + offset)));
        let alike = block.graph.ty(whole.value).layout == block.graph.ty(v).layout;
        (follow && alike && part(v).is_none() && !block.graph.is_output(v))
            .then_some((whole, start))
    }

    /// Whether an operator of this block computes the value into memory of its own.
    fn has_own_buffer(&self, block: &Block, v: Value) -> bool {
        let node = block.graph.node(v.node);
        matches!(&node.kind, NodeKind::Op(op) if op.bodies.is_empty())
            && !block.graph.is_output(v)
            && match block.graph.semantics(v.node) {
                Ok(Semantics::Movement(Movement::Concat { .. })) => true,
                Ok(Semantics::Movement(_)) => false,
                Ok(_) => true,
                Err(_) => false,
            }
    }

    fn block_inputs(&mut self, block: &Block) {
        for &input in block.graph.inputs() {
            self.own(block, input.into());
        }
    }

    fn block(&mut self, block: &Block) {
        for step in &block.steps {
            for slot in 0..block.graph.node(step.node).outputs.len() as u32 {
                self.place(
                    block,
                    Value {
                        node: step.node,
                        slot,
                    },
                );
            }
            self.bodies(block, step);
        }
    }

    /// The value as a buffer of its own.
    fn own(&mut self, block: &Block, v: Value) {
        let key = Key {
            block: block.id,
            value: v,
        };
        let view = self.planner.whole(block.graph.ty(v));
        self.views.insert(key, Alias { root: key, view });
    }

    fn place(&mut self, block: &Block, v: Value) {
        let key = Key {
            block: block.id,
            value: v,
        };
        if self.views.contains_key(&key) {
            return;
        }
        if let Some((whole, offset)) = self.parts.get(&key).copied() {
            self.place(block, whole.value);
            let Some(of) = self.views.get(&whole).cloned() else {
                return;
            };
            let mut view = self.planner.whole(block.graph.ty(v));
            view.offset = of.view.offset + offset;
            // A dense part has the strides of the whole already, since nothing lies before the concatenated axis.
            if view.layout != Layout::Plain {
                view.strides.clone_from(&of.view.strides);
            }
            self.views.insert(
                key,
                Alias {
                    root: of.root,
                    view,
                },
            );
            return;
        }
        match self.view_of_operand(block, v) {
            Some(alias) => {
                self.views.insert(key, alias);
            }
            None => self.own(block, v),
        }
    }

    fn view_of_operand(&self, block: &Block, v: Value) -> Option<Alias> {
        let graph = block.graph;
        let node = graph.node(v.node);
        if node.op()?.epilogue.is_some() || !graph.ty(v).is_fixed() {
            return None;
        }
        let Semantics::Movement(movement) = graph.semantics(v.node).ok()? else {
            return None;
        };
        let source = (*node.inputs.first()?)?;
        let of = self.views.get(&Key {
            block: block.id,
            value: source,
        })?;
        let mut view = self.planner.whole(graph.ty(v));
        if view.dtype != of.view.dtype {
            return None;
        }
        if let (Movement::View { axes, .. }, Layout::Blocked { block, .. }) =
            (&movement, view.layout)
        {
            let root = of.root;
            return slice_of_blocks(axes, block, &of.view, view).map(|view| Alias { root, view });
        }
        if !of.view.is_dense() || view.layout != Layout::Plain {
            return None;
        }
        view.offset = of.view.offset;
        match movement {
            Movement::Reshape => {}
            Movement::View { axes, .. } => {
                // Dense exactly when every output stride is the input's under the map, which also rules out broadcasts.
                let mut strides = vec![0; view.dims.len()];
                let mut start = 0;
                for (map, stride) in axes.iter().zip(&of.view.strides) {
                    start += map.offset * stride;
                    if let Some(axis) = map.axis {
                        strides[axis] += map.step * stride;
                    }
                }
                let inside = axes.iter().zip(&of.view.dims).all(|(map, dim)| {
                    let extent = map.axis.map_or(1, |a| view.dims[a].upper()) as i64;
                    let last = map.offset + map.step * (extent - 1);
                    map.offset.min(last) >= 0 && map.offset.max(last) < dim.upper() as i64
                });
                let same = view
                    .dims
                    .iter()
                    .zip(strides.iter().zip(&view.strides))
                    .all(|(d, (a, b))| d.upper() == 1 || a == b);
                if !inside || !same {
                    return None;
                }
                view.offset += start as u64 * view.dtype.size() as u64;
            }
            Movement::Concat { .. } => return None,
        }
        Some(Alias {
            root: of.root,
            view,
        })
    }

    fn bodies(&mut self, block: &Block, step: &Step) {
        let node = block.graph.node(step.node);
        let Ok(Semantics::Control(control)) = block.graph.semantics(step.node) else {
            return;
        };
        for body in &step.bodies {
            for (i, &input) in body.graph.inputs().iter().enumerate() {
                let key = Key {
                    block: body.id,
                    value: input.into(),
                };
                let outer = match control {
                    Control::If => node.inputs.get(i + 1).copied().flatten(),
                    Control::Loop { carried } if (2..2 + carried).contains(&i) => Some(Value {
                        node: step.node,
                        slot: i as u32 - 2,
                    }),
                    Control::Loop { carried } if i >= 2 + carried => {
                        node.inputs.get(i).copied().flatten()
                    }
                    Control::Loop { .. } => None,
                };
                match outer {
                    // A captured constant has no place: kernels find it through the capture.
                    Some(v) => {
                        if let Some(alias) = self
                            .views
                            .get(&Key {
                                block: block.id,
                                value: v,
                            })
                            .cloned()
                        {
                            self.views.insert(key, alias);
                        }
                    }
                    None => self.own(body, input.into()),
                }
            }
            self.block(body);
        }
    }
}

/// `view` as a slice of whole blocks of channels of another view of its layout.
fn slice_of_blocks(axes: &[AxisMap], block: u8, of: &View, view: View) -> Option<View> {
    let unmoved = |a: usize| axes[a] == AxisMap::same(a) && view.dims[a] == of.dims[a];
    if of.layout != view.layout || axes.len() != 4 || ![0, 2, 3].into_iter().all(unmoved) {
        return None;
    }
    let first = u64::try_from(axes[1].offset).ok()?;
    let behind = first.checked_add(view.dims[1].upper())?;
    let whole = axes[1].axis == Some(1)
        && axes[1].step == 1
        && first.is_multiple_of(block.into())
        && behind <= of.dims[1].upper();
    whole.then(|| View {
        offset: of.offset
            + first / u64::from(block) * of.strides[1] as u64 * view.dtype.size() as u64,
        strides: of.strides.clone(),
        ..view
    })
}
