//! States: values that a run leaves for the next one. A state is an input of the main graph that lies in the session's state
//! memory, and the value that takes its place when the run ends.
//!
//! The next value is computed in place where nothing reads the old one any more; else it is copied when all steps are done.

use super::assign::Interval;
use super::lifetimes::Lives;
use super::view::{Space, View};
use super::{ALIGN, Key, MemoryError, TAIL};
use crate::schedule::Block;
use cnnc_ir::{Semantics, Value};
use std::collections::HashMap;

/// An input and the value that it has in the next run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    pub input: Value,
    pub next: Value,
}

/// Where the states lie, and what is left to be copied.
#[derive(Default)]
pub(super) struct Placed {
    /// Offsets in the state memory, by the key of the input.
    pub offsets: HashMap<Key, u64>,
    pub bytes: u64,
    pub copies: Vec<State>,
}

/// Binds next values to their states where they can be computed in place.
pub(super) fn bind(
    schedule: &Block,
    states: &[State],
    lives: &mut Lives,
) -> Result<Vec<State>, MemoryError> {
    let mut copies = Vec::new();
    for state in states {
        let [input, next] = [state.input, state.next].map(|value| Key {
            block: schedule.id,
            value,
        });
        if next == input {
            continue;
        }
        if merges(schedule, input, next, lives) {
            lives.by_root.remove(&next);
            for alias in lives.views.values_mut().filter(|a| a.root == next) {
                alias.root = input;
            }
        } else {
            copies.push(*state);
        }
    }
    for copy in &copies {
        let root = lives.views.get(&Key {
            block: schedule.id,
            value: copy.next,
        });
        let exchanged = root.and_then(|alias| {
            let of = states.iter().find(|s| s.input == alias.root.value);
            of.filter(|of| of.input != copy.input)
        });
        if let Some(of) = exchanged {
            let name = |v| schedule.graph.value_name(v).to_string();
            return Err(MemoryError::Exchanged {
                state: name(copy.input),
                other: name(of.input),
            });
        }
    }
    Ok(copies)
}

/// Whether `next` has a buffer of its own, the geometry of `input`, and is written when that is no longer read.
fn merges(schedule: &Block, input: Key, next: Key, lives: &Lives) -> bool {
    let (Some(old), Some(new)) = (lives.views.get(&input), lives.views.get(&next)) else {
        return false;
    };
    let (Some(read), Some(written)) = (lives.by_root.get(&input), lives.by_root.get(&next)) else {
        return false;
    };
    let Interval { last, .. } = read.interval;
    let born = written.interval.first;
    new.root == next
        && new.view == old.view
        && read.ty == written.ty
        && (last < born || last == born && reads_in_step(schedule, input, next, lives))
}

/// Whether the operator that computes `next` reads the state element by element, as it writes.
fn reads_in_step(schedule: &Block, input: Key, next: Key, lives: &Lives) -> bool {
    let node = schedule.graph.node(next.value.node);
    let elementwise = matches!(
        schedule.graph.semantics(node.id),
        Ok(Semantics::Elementwise(_))
    );
    let aligned = |v: &Value| {
        let alias = lives.views.get(&Key {
            block: schedule.id,
            value: *v,
        });
        alias.is_none_or(|a| a.root != input || a.view == lives.views[&next].view)
    };
    elementwise && node.outputs.len() == 1 && node.inputs.iter().flatten().all(aligned)
}

/// Lays the states out one behind the other.
pub(super) fn place(
    schedule: &Block,
    states: &[State],
    copies: Vec<State>,
    size: impl Fn(Key) -> Result<u64, MemoryError>,
) -> Result<Placed, MemoryError> {
    let mut placed = Placed {
        copies,
        ..Placed::default()
    };
    for state in states {
        let key = Key {
            block: schedule.id,
            value: state.input,
        };
        placed.offsets.insert(key, placed.bytes);
        placed.bytes += (size(key)? + TAIL).next_multiple_of(ALIGN);
    }
    Ok(placed)
}

impl Placed {
    /// A view of a state's buffer in the state memory.
    pub fn view(&self, root: Key, view: &View) -> Option<View> {
        let offset = self.offsets.get(&root)?;
        Some(View {
            space: Space::State,
            offset: view.offset + offset,
            ..view.clone()
        })
    }
}
