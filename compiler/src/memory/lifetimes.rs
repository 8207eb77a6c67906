//! From when to when each buffer holds something, and elementwise operators that write over a dying operand.

use super::aliases::{Alias, Aliases};
use super::assign::Interval;
use super::states::{self, State};
use super::{Key, MemoryError};
use crate::schedule::{Block, Step};
use cnnc_ir::class::Control;
use cnnc_ir::{Semantics, TensorType, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A buffer: who is named for it, what it holds, when.
pub struct Life {
    pub name: String,
    pub ty: TensorType,
    pub interval: Interval,
}

/// Lives by root, and the views, changed by in-place decisions.
pub struct Lives {
    pub by_root: BTreeMap<Key, Life>,
    pub views: BTreeMap<Key, Alias>,
}

/// The lives of all buffers, and the states whose next value is to be copied.
pub fn find(
    schedule: &Block,
    aliases: &Aliases,
    states: &[State],
) -> Result<(Lives, Vec<State>), MemoryError> {
    let mut finder = Finder {
        aliases,
        by_root: BTreeMap::new(),
        pinned: BTreeSet::new(),
    };
    finder.main(schedule, states);
    let Finder {
        by_root, pinned, ..
    } = finder;
    let mut lives = Lives {
        by_root,
        views: aliases.views.clone(),
    };
    let copies = states::bind(schedule, states, &mut lives)?;
    in_place(schedule, &pinned, &mut lives);
    Ok((lives, copies))
}

struct Finder<'a> {
    aliases: &'a Aliases,
    by_root: BTreeMap<Key, Life>,
    /// Buffers whose contents the session's user may look at: never written over.
    pinned: BTreeSet<Key>,
}

impl Finder<'_> {
    fn main(&mut self, block: &Block, states: &[State]) {
        for &input in block.graph.inputs() {
            self.touch(block, input.into(), block.start);
            // A state is wanted until it is read for the last time; an input may be looked at later.
            if states.iter().all(|state| state.input != input.into()) {
                self.touch(block, input.into(), block.end);
            }
            self.pin(block, input.into());
        }
        self.block(block);
        for (_, v) in block.graph.outputs() {
            self.pin(block, *v);
        }
    }

    fn pin(&mut self, block: &Block, v: Value) {
        if let Some(alias) = self.aliases.views.get(&Key {
            block: block.id,
            value: v,
        }) {
            self.pinned.insert(alias.root);
        }
    }

    /// The value is written or read at that time.
    fn touch(&mut self, block: &Block, v: Value, time: u32) {
        let key = Key {
            block: block.id,
            value: v,
        };
        let Some(alias) = self.aliases.views.get(&key) else {
            return;
        };
        let life = self.by_root.entry(alias.root).or_insert_with(|| Life {
            name: block.graph.value_name(v).to_string(),
            ty: block.graph.ty(v).clone(),
            interval: Interval {
                first: time,
                last: time,
            },
        });
        if alias.root == key {
            life.name = block.graph.value_name(v).to_string();
            life.ty = block.graph.ty(v).clone();
        }
        life.interval.first = life.interval.first.min(time);
        life.interval.last = life.interval.last.max(time);
    }

    fn block(&mut self, block: &Block) {
        for step in &block.steps {
            self.step(block, step);
        }
        for (_, v) in block.graph.outputs() {
            self.touch(block, *v, block.end);
        }
    }

    fn step(&mut self, block: &Block, step: &Step) {
        let node = block.graph.node(step.node);
        let is_loop = matches!(
            block.graph.semantics(step.node),
            Ok(Semantics::Control(Control::Loop { .. }))
        );
        for &id in &step.before {
            for v in block.graph.node(id).inputs.iter().flatten() {
                self.touch(block, *v, step.start);
            }
        }
        for v in node.inputs.iter().flatten() {
            self.touch(block, *v, step.start);
            if is_loop {
                // The next iteration reads it again.
                self.touch(block, *v, step.end);
            }
        }
        for slot in 0..node.outputs.len() as u32 {
            // A branch writes its result when it ends, a loop from its beginning.
            let written = if is_loop {
                step.start
            } else {
                step.bodies.first().map_or(step.start, |b| b.end)
            };
            let v = Value {
                node: step.node,
                slot,
            };
            self.touch(block, v, written);
            self.touch(block, v, step.end);
        }
        for body in &step.bodies {
            for &input in body.graph.inputs() {
                let key = Key {
                    block: body.id,
                    value: input.into(),
                };
                if self.aliases.views.get(&key).is_some_and(|a| a.root == key) {
                    self.touch(body, input.into(), step.start);
                    self.touch(body, input.into(), step.end);
                }
            }
            self.block(body);
        }
    }
}

/// Lets elementwise results take the buffer of an operand of the same type that dies at that step.
fn in_place(block: &Block, pinned: &BTreeSet<Key>, lives: &mut Lives) {
    for step in &block.steps {
        for body in &step.bodies {
            in_place(body, pinned, lives);
        }
        if let Some((operand, result)) = candidate(block, step, pinned, lives) {
            let Some(gone) = lives.by_root.remove(&result) else {
                continue;
            };
            if let Some(life) = lives.by_root.get_mut(&operand) {
                life.interval.last = life.interval.last.max(gone.interval.last);
            }
            for alias in lives.views.values_mut().filter(|a| a.root == result) {
                alias.root = operand;
            }
        }
    }
}

/// Roots of the operand to be written over and of the result.
fn candidate(
    block: &Block,
    step: &Step,
    pinned: &BTreeSet<Key>,
    lives: &Lives,
) -> Option<(Key, Key)> {
    let graph = block.graph;
    let node = graph.node(step.node);
    if node.outputs.len() != 1
        || !matches!(graph.semantics(step.node), Ok(Semantics::Elementwise(_)))
    {
        return None;
    }
    let key = |v: Value| Key {
        block: block.id,
        value: v,
    };
    let result = lives.views.get(&key(step.node.into()))?;
    let born = lives.by_root.get(&result.root)?;
    if born.interval.first != step.start || result.root != key(step.node.into()) {
        return None;
    }
    node.inputs.iter().flatten().find_map(|&v| {
        let alias = lives.views.get(&key(v))?;
        let life = lives.by_root.get(&alias.root)?;
        let alone = node.inputs.iter().flatten().all(|&o| {
            o == v
                || lives
                    .views
                    .get(&key(o))
                    .is_none_or(|a| a.root != alias.root)
        });
        (alone
            && life.interval.last == step.start
            && !pinned.contains(&alias.root)
            && life.ty == born.ty
            && alias.view == result.view)
            .then_some((alias.root, result.root))
    })
}
