//! The memory that a step works with while it runs: asked for before memory is planned, given out while kernels are chosen.

use super::candidates::CONTRACTIONS;
use super::{Place, Selector};
use crate::memory::ALIGN;
use crate::memory::view::Space;
use crate::schedule::{Block, Step};
use cnnc_ir::{Semantics, Value};

/// The memory that the step in hand works with.
#[derive(Default)]
pub(super) struct Workspace {
    /// Where it lies in the arena, and its size; unknown before memory is planned.
    pub(super) place: Option<(u64, u64)>,
    /// Bytes given away.
    pub(super) used: u64,
}

impl Selector<'_> {
    /// Takes a piece of the step's workspace.
    pub(super) fn reserve(&mut self, bytes: usize) -> Result<Place, String> {
        let offset = self.workspace.used;
        self.workspace.used += (bytes as u64).next_multiple_of(ALIGN);
        match self.workspace.place {
            Some((_, size)) if self.workspace.used > size => {
                Err("the step asks for more memory than was planned".to_string())
            }
            place => Ok(Place {
                space: Space::Arena,
                offset: offset + place.map_or(0, |(start, _)| start),
            }),
        }
    }

    /// Bytes of memory a step works with.
    pub(super) fn workspace(&mut self, block: &Block, step: &Step) -> u64 {
        let node = block.graph.node(step.node);
        let Ok(semantics @ Semantics::Contract(_)) = self.semantics(block, step.node) else {
            return 0;
        };
        let computed = |v: &Option<Value>| v.is_some_and(|v| self.constant(block, v).is_none());
        if !step.before.is_empty() || !node.root_inputs().iter().skip(1).any(computed) {
            return 0;
        }
        self.workspace = Workspace::default();
        let request = self.request(block, step.node, &semantics);
        match CONTRACTIONS
            .iter()
            .find_map(|c| (c.offer)(self, &request).ok())
        {
            Some(_) => self.workspace.used,
            None => 0,
        }
    }
}
