//! The machine table: what each target offers, and the tile shapes that keep it busy.

use super::formula::layout::Layout;
use super::{Lanes, Source, Step, Tile};
use std::fmt;

/// An instruction set a tile can be assembled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// x86-64 with AVX-512 F and VL: 32 registers of 16 lanes, operands broadcast from memory.
    Avx512,
    /// x86-64 with AVX2 and FMA: 16 registers of 8 lanes.
    Avx2,
    /// Cranelift's 128-bit vectors, on any architecture.
    Clif128 {
        /// Whether the code generator's instruction set has a fused multiply-add; without it products are rounded
        /// before they are added.
        fma: bool,
    },
}

/// What a core does in a cycle; the numbers that shapes are chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rates {
    /// Vector multiply-adds started.
    pub multiply_adds: usize,
    /// Vectors, or scalars broadcast to all lanes, loaded from the first cache.
    pub loads: usize,
    /// Instructions of any kind.
    pub instructions: usize,
    /// Cycles from a multiply-add to the next one of the same accumulator.
    pub latency: usize,
}

/// A register block of full-width columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    pub pixels: usize,
    pub columns: usize,
}

impl Target {
    /// The widest vector.
    pub const fn lanes(self) -> Lanes {
        match self {
            Target::Avx512 => Lanes::Sixteen,
            Target::Avx2 => Lanes::Eight,
            Target::Clif128 { .. } => Lanes::Four,
        }
    }

    /// Vector registers.
    pub const fn registers(self) -> usize {
        match self {
            Target::Avx512 => 32,
            Target::Avx2 | Target::Clif128 { .. } => 16,
        }
    }

    /// Distinct masks of partial vectors a tile may have: AVX-512 has registers of their own for them (the last serves
    /// selections), AVX2 takes vector registers, Cranelift needs none.
    pub const fn masks(self) -> usize {
        match self {
            Target::Avx512 => 6,
            Target::Avx2 => 8,
            Target::Clif128 { .. } => usize::MAX,
        }
    }

    /// What a core does in a cycle: of the processors with such vectors, those that do most.
    pub const fn rates(self) -> Rates {
        Rates {
            multiply_adds: 2,
            loads: 2,
            instructions: 6,
            latency: 4,
        }
    }

    /// Pixels of the tallest register block of so many columns, at least one, beside its masks and what its reduction and
    /// `epilogue` work with; zero if there is none.
    pub fn tallest(self, columns: usize, source: Source, epilogue: &[Step], masks: usize) -> usize {
        let operands = match (self, source) {
            // Columns that share an input hold it in a register, beside their weights.
            (Target::Avx512 | Target::Avx2, Source::Broadcast) if columns > 1 => columns + 1,
            // Room for what the code generator makes of a multiply-add.
            (Target::Clif128 { .. }, _) => 4,
            _ => 0,
        };
        let room = self
            .registers()
            .saturating_sub(operands + self.masks_in_registers(masks));
        // A single pixel needs none of them: its weights are read from memory.
        let pixels = (room / columns).max(1);
        pixels.min(self.accumulators(source, epilogue, masks) / columns)
    }

    /// Accumulators a tile may hold in registers beside its masks and what its reduction and `epilogue` work with.
    pub fn accumulators(self, source: Source, epilogue: &[Step], masks: usize) -> usize {
        self.registers()
            .saturating_sub(self.scratch(source, epilogue, masks))
    }

    /// Registers needed beside the accumulators.
    fn scratch(self, source: Source, epilogue: &[Step], masks: usize) -> usize {
        let reduction = match (self, source) {
            (Target::Avx512, Source::Broadcast) => 1,
            _ => 2,
        };
        let steps = epilogue.iter().map(Step::scratch).max().unwrap_or(0);
        reduction.max(steps) + self.masks_in_registers(masks)
    }

    fn masks_in_registers(self, masks: usize) -> usize {
        if self == Target::Avx2 { masks } else { 0 }
    }

    /// Registers `tile` needs in all.
    pub(super) fn needed(self, tile: &Tile) -> usize {
        let masks = tile.masks().len();
        let formula = |step: &Step| match step {
            Step::Map(formula) => 1 + Layout::of(formula).scratch,
            _ => 0,
        };
        let formulas = tile.epilogue.iter().map(formula).max().unwrap_or(0);
        let all = tile.pixels.len() * tile.columns.len()
            + self.scratch(tile.source, &tile.epilogue, masks);
        all.max(formulas + self.masks_in_registers(masks))
    }
}

impl Step {
    /// Registers the step works with: its constants and temporaries.
    fn scratch(&self) -> usize {
        match self {
            Step::AddResidual | Step::Max(_) | Step::Min(_) | Step::Scale(_) => 1,
            // Accumulators make room when it runs out of registers.
            Step::Map(_) => 0,
            Step::LeakyRelu(_) => 3,
            Step::Gate { .. } => 5,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Target::Avx512 => "avx512",
            Target::Avx2 => "avx2",
            Target::Clif128 { fma: true } => "clif128+fma",
            Target::Clif128 { fma: false } => "clif128",
        })
    }
}
