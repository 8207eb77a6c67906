//! A plan: a whole operator as calls of a few tiles.
//!
//! The calls form a grid of channel groups x spatial units; one row of each table gives the offsets of a call:
//!
//! ```text
//! tiles[group.first_tile + unit.tile](
//!     input   + group.input + unit.input,
//!     weights + group.weights,
//!     output  + group.output + unit.output,
//!     bias    + group.bias + unit.bias,
//!     residual + group.output + unit.output)
//! ```
//!
//! Calls write disjoint outputs, so any range of the grid may run on any thread. Offsets are bytes from the
//! operands' first elements (of a buffer with a halo: the first interior element) and may be negative.

use super::packing::Packing;
use super::tile::{Arguments, ELEMENT, Fault, Tile, TileError, interpret};
use std::fmt;

/// See the module's head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Distinct tiles.
    pub tiles: Vec<Tile>,
    pub spatial: Vec<SpatialUnit>,
    pub groups: Vec<ChannelGroup>,
    pub order: Order,
    /// How the weights must lie in memory; `None` if they are read where they are.
    pub packing: Option<Packing>,
}

/// One block of pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpatialUnit {
    /// Added to the group's first tile.
    pub tile: u32,
    pub input: i64,
    pub output: i64,
    /// Zero unless pixels stand for output channels.
    pub bias: i64,
}

/// One block of output channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelGroup {
    pub first_tile: u32,
    pub input: i64,
    pub weights: i64,
    pub bias: i64,
    pub output: i64,
}

/// Which table the outer loop walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// For each group all pixels: the group's weights stay in cache.
    GroupOuter,
    /// For each block of pixels all groups: the input stays in cache.
    SpatialOuter,
}

/// The offsets of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    pub tile: usize,
    pub input: i64,
    pub weights: i64,
    /// Also of the residual.
    pub output: i64,
    pub bias: i64,
}

/// Why an operator has no such plan; the caller takes its next candidate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    #[error("{what} is {found}, expected {expected}")]
    Geometry {
        what: &'static str,
        expected: String,
        found: String,
    },
    #[error("an offset of {offset} bytes exceeds the 32 bits of a tile's constants")]
    Offset { offset: i64 },
    #[error(transparent)]
    Tile(#[from] TileError),
}

impl PlanError {
    pub(super) fn geometry(
        what: &'static str,
        expected: impl fmt::Display,
        found: impl fmt::Display,
    ) -> Self {
        PlanError::Geometry {
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }
}

impl Plan {
    /// Lets every group find the bias of its channels in a bias that is not packed.
    pub fn read_bias_in_place(&mut self) {
        let blocks = self.packing.iter().flat_map(Packing::blocks);
        for (group, block) in self.groups.iter_mut().zip(blocks) {
            group.bias = block.first_channel as i64 * ELEMENT;
        }
    }

    /// The number of calls.
    pub fn len(&self) -> usize {
        self.spatial.len() * self.groups.len()
    }

    /// Whether there is nothing to compute.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Call number `index` of `0..len()` in the plan's order.
    pub fn call(&self, index: usize) -> Option<Call> {
        if index >= self.len() {
            return None;
        }
        let (group, unit) = match self.order {
            Order::GroupOuter => (index / self.spatial.len(), index % self.spatial.len()),
            Order::SpatialOuter => (index % self.groups.len(), index / self.groups.len()),
        };
        let (group, unit) = (self.groups.get(group)?, self.spatial.get(unit)?);
        Some(Call {
            tile: group.first_tile as usize + unit.tile as usize,
            input: group.input + unit.input,
            weights: group.weights,
            output: group.output + unit.output,
            bias: group.bias + unit.bias,
        })
    }
}

/// Runs a plan in the tile interpreter. The arguments' offsets are those of the operands' first elements.
///
/// # Errors
/// If a call leaves its buffers.
pub fn run_interpreted(plan: &Plan, arguments: &mut Arguments<'_>) -> Result<(), Fault> {
    for call in (0..plan.len()).filter_map(|index| plan.call(index)) {
        let mut shifted = Arguments {
            input: (arguments.input.0, arguments.input.1 + call.input),
            weights: (arguments.weights.0, arguments.weights.1 + call.weights),
            output: (&mut *arguments.output.0, arguments.output.1 + call.output),
            bias: (arguments.bias.0, arguments.bias.1 + call.bias),
            residual: (arguments.residual.0, arguments.residual.1 + call.output),
        };
        interpret(&plan.tiles[call.tile], &mut shifted)?;
    }
    Ok(())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outer = match self.order {
            Order::GroupOuter => "groups outside",
            Order::SpatialOuter => "pixels outside",
        };
        writeln!(
            f,
            "plan {} groups x {} pixel blocks, {outer}",
            self.groups.len(),
            self.spatial.len()
        )?;
        for tile in &self.tiles {
            write!(f, "{tile}")?;
        }
        Ok(())
    }
}
