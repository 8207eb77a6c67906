//! The memory planner: where every value lives.
//!
//! Values become [`View`]s of buffers, buffers become offsets in one arena. A reshape, a slice that leaves elements where
//! they are and a part of a concatenation cost nothing: they are views of another value's buffer. An elementwise operator
//! writes over an operand that dies there. A buffer with a halo shares memory only with buffers of the same geometry, so that
//! the halo, zeroed once, stays zero.

mod aliases;
mod assign;
mod lifetimes;
mod states;
pub mod view;

use crate::schedule::Block;
use assign::{Buffer, Class, Interval};
use cnnc_ir::{Dim, Layout, NodeId, TensorType, Value};
pub use states::State;
use std::collections::HashMap;
use std::fmt::Write;
use thiserror::Error;
use view::{Extent, View};

/// Every buffer starts at a multiple of this, and ends with at least [`TAIL`] readable bytes.
pub const ALIGN: u64 = 64;
/// Bytes after a buffer's last element that vector loads may touch.
pub const TAIL: u64 = 64;

/// A value of a block of the schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    pub block: usize,
    pub value: Value,
}

#[derive(Debug, Error)]
#[non_exhaustive]
pub enum MemoryError {
    #[error(
        "value '{name}' of type {ty}: dimension '{dim}' has no known bound; fix it with --input NAME=SHAPE"
    )]
    Unbounded {
        name: String,
        ty: String,
        dim: String,
    },
    #[error("the arena needs {needed} bytes, the limit is {limit} (raise it with --max-arena)")]
    TooLarge { needed: u64, limit: u64 },
    #[error("the next value of state '{state}' is state '{other}' itself; it must be computed")]
    Exchanged { state: String, other: String },
}

/// A run-time extent: its name in the graph and its bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub name: String,
    pub upper: u64,
}

/// Places of all values that are not constants, the arena's size and what bounds it.
pub struct Plan {
    places: HashMap<Key, View>,
    /// The buffer a value is a view of, by the value it was made for.
    roots: HashMap<Key, Key>,
    /// Run-time extents, by slot number.
    pub slots: Vec<Slot>,
    pub arena_bytes: u64,
    pub state_bytes: u64,
    /// Next values that are to be copied to their states when all steps are done.
    pub copies: Vec<State>,
    /// Memory a step works with, by its last node.
    workspaces: HashMap<(usize, NodeId), u64>,
    /// No plan of this schedule can need less: the largest sum of buffers alive at one time.
    pub lower_bound: u64,
    buffers: Vec<(String, Buffer, u64)>,
}

/// Plans the memory of a schedule whose main graph has these states.
pub fn plan(schedule: &Block, states: &[State], limit: u64) -> Result<Plan, MemoryError> {
    let mut planner = Planner::default();
    planner.collect_slots(schedule)?;
    let aliases = aliases::find(schedule, &planner);
    let (lives, copies) = lifetimes::find(schedule, &aliases, states)?;
    let placed = states::place(schedule, states, copies, |key| {
        let ty = schedule.graph.ty(key.value);
        planner.byte_size(schedule.graph.value_name(key.value), ty)
    })?;
    let mut buffers = Vec::new();
    let mut number: HashMap<Key, usize> = HashMap::new();
    for (&key, life) in &lives.by_root {
        if placed.offsets.contains_key(&key) {
            continue;
        }
        number.insert(key, buffers.len());
        let (name, ty) = (&life.name, &life.ty);
        let size = planner.byte_size(name, ty)?;
        let class = match ty.layout {
            Layout::Blocked { halo, .. } if halo != [0; 4] => Class::Halo {
                geometry: view::geometry(ty),
                halo,
            },
            _ => Class::General,
        };
        let buffer = Buffer {
            size: (size + TAIL).next_multiple_of(ALIGN),
            live: life.interval,
            class,
        };
        buffers.push((name.clone(), buffer));
    }
    let first_workspace = buffers.len();
    let steps = workspaces(schedule, &mut buffers);
    let only: Vec<Buffer> = buffers.iter().map(|b| b.1.clone()).collect();
    let layout = assign::assign(&only);
    if layout.bytes > limit {
        return Err(MemoryError::TooLarge {
            needed: layout.bytes,
            limit,
        });
    }
    let mut places = HashMap::new();
    for (&key, alias) in &lives.views {
        let view = placed.view(alias.root, &alias.view).unwrap_or_else(|| {
            let offset = layout.offsets[number[&alias.root]];
            View {
                offset: alias.view.offset + offset,
                ..alias.view.clone()
            }
        });
        places.insert(key, view);
    }
    let workspaces = steps
        .into_iter()
        .zip(&layout.offsets[first_workspace..])
        .map(|(step, &offset)| (step, offset))
        .collect();
    let buffers = buffers
        .into_iter()
        .zip(&layout.offsets)
        .map(|((n, b), &o)| (n, b, o))
        .collect();
    let roots = lives
        .views
        .iter()
        .map(|(&key, alias)| (key, alias.root))
        .collect();
    Ok(Plan {
        roots,
        places,
        slots: planner.slots,
        arena_bytes: layout.bytes,
        state_bytes: placed.bytes,
        copies: placed.copies,
        workspaces,
        lower_bound: assign::lower_bound(&only),
        buffers,
    })
}

/// Appends the buffers that steps work with while they run; returns the steps, in the same order.
fn workspaces(block: &Block, buffers: &mut Vec<(String, Buffer)>) -> Vec<(usize, NodeId)> {
    let mut steps = Vec::new();
    for step in &block.steps {
        if step.workspace > 0 {
            let name = format!("{}.workspace", block.graph.node(step.node).title());
            let buffer = Buffer {
                size: (step.workspace + TAIL).next_multiple_of(ALIGN),
                live: Interval {
                    first: step.start,
                    last: step.end,
                },
                class: Class::General,
            };
            buffers.push((name, buffer));
            steps.push((block.id, step.node));
        }
        for body in &step.bodies {
            steps.extend(workspaces(body, buffers));
        }
    }
    steps
}

impl Plan {
    /// Where a value that is not a constant lies.
    pub fn view(&self, key: Key) -> Option<&View> {
        self.places.get(&key)
    }

    /// Offset in the arena of the memory that a step works with, if it asked for some.
    pub fn workspace(&self, block: usize, step: NodeId) -> Option<u64> {
        self.workspaces.get(&(block, step)).copied()
    }

    /// Whether two values are views of one buffer by design, not because one died before the other.
    pub fn is_part(&self, a: Key, b: Key) -> bool {
        matches!((self.roots.get(&a), self.roots.get(&b)), (Some(a), Some(b)) if a == b)
    }

    /// The plan as text: one line a buffer, by offset, then peak and bound.
    pub fn print(&self) -> String {
        let mut out = String::new();
        let mut buffers: Vec<_> = self.buffers.iter().collect();
        buffers.sort_by_key(|(name, b, offset)| (*offset, b.live.first, name.clone()));
        for (name, b, offset) in buffers {
            let Interval { first, last } = b.live;
            let _ = writeln!(
                out,
                "{offset:#10x} {:>10} bytes  live {first:>4}..{last:<4} %{name}",
                b.size
            );
        }
        let _ = writeln!(
            out,
            "arena {} bytes, lower bound {} bytes",
            self.arena_bytes, self.lower_bound
        );
        out
    }
}

#[derive(Default)]
struct Planner {
    slots: Vec<Slot>,
    by_name: HashMap<String, u32>,
}

impl Planner {
    /// Numbers the run-time extents of all values in schedule order.
    fn collect_slots(&mut self, block: &Block) -> Result<(), MemoryError> {
        for node in block
            .graph
            .order()
            .into_iter()
            .map(|id| block.graph.node(id))
        {
            for o in &node.outputs {
                for d in &o.ty.shape {
                    let Dim::Sym { name, upper } = d else {
                        continue;
                    };
                    let Some(upper) = *upper else {
                        let (name, ty) = (o.name.clone(), o.ty.to_string());
                        return Err(MemoryError::Unbounded {
                            name,
                            ty,
                            dim: d.to_string(),
                        });
                    };
                    if !self.by_name.contains_key(&**name) {
                        self.by_name
                            .insert(name.to_string(), self.slots.len() as u32);
                        self.slots.push(Slot {
                            name: name.to_string(),
                            upper,
                        });
                    }
                }
            }
        }
        for step in &block.steps {
            for body in &step.bodies {
                self.collect_slots(body)?;
            }
        }
        Ok(())
    }

    fn extents(&self, ty: &TensorType) -> Vec<Extent> {
        ty.shape
            .iter()
            .map(|d| match d {
                Dim::Fixed(n) => Extent::Fixed(*n),
                Dim::Sym { name, upper } => Extent::Slot {
                    index: self.by_name[&**name],
                    upper: upper.unwrap_or(0),
                },
            })
            .collect()
    }

    /// The view of a whole buffer that holds one value of that type; the offset counts from the buffer's start.
    fn whole(&self, ty: &TensorType) -> View {
        View::whole(ty, self.extents(ty))
    }

    fn byte_size(&self, name: &str, ty: &TensorType) -> Result<u64, MemoryError> {
        let extents: Vec<u64> = match ty.layout {
            Layout::Plain => self.extents(ty).iter().map(|d| d.upper()).collect(),
            Layout::Blocked { .. } => view::geometry(ty).to_vec(),
        };
        let bytes = extents
            .iter()
            .try_fold(ty.dtype.size() as u64, |n, &d| n.checked_mul(d))
            .filter(|&n| n < 1 << 46);
        bytes.ok_or_else(|| MemoryError::Unbounded {
            name: name.to_string(),
            ty: ty.to_string(),
            dim: "size overflows".to_string(),
        })
    }
}
