//! What every tile must satisfy before an assembler sees it.

use super::{Clip, Source, Target, Tile, TileError};

/// Counted loops an assembler has counters for.
const DEPTH: usize = 3;

/// Checks that the description is well formed and fits the target's vectors, registers and masks.
///
/// # Errors
/// With the first thing that does not fit.
pub fn check(tile: &Tile, target: Target) -> Result<(), TileError> {
    let (pixels, columns) = (tile.pixels.len(), tile.columns.len());
    if pixels == 0 || columns == 0 {
        return Err(TileError::Empty { pixels, columns });
    }
    check_columns(tile, target)?;
    for (nest, loops) in tile.reduction.iter().map(|nest| &nest.loops).enumerate() {
        if loops.len() > DEPTH {
            return Err(TileError::Depth {
                nest,
                depth: loops.len(),
                limit: DEPTH,
            });
        }
        for (depth, trip) in loops.iter().map(|l| l.trip).enumerate() {
            if trip == 0 || i32::try_from(trip).is_err() {
                return Err(TileError::Trip { nest, depth, trip });
            }
        }
    }
    let clipped = tile
        .reduction
        .iter()
        .flat_map(|nest| &nest.taps)
        .any(|tap| tap.clip != Clip::NONE);
    if clipped && tile.source != Source::Broadcast {
        return Err(TileError::Clip);
    }
    let (needed, available) = (tile.masks().len(), target.masks());
    if needed > available {
        return Err(TileError::Masks {
            needed,
            available,
            target,
        });
    }
    let (needed, available) = (target.needed(tile), target.registers());
    if needed > available {
        return Err(TileError::Registers {
            pixels,
            columns,
            needed,
            available,
            target,
        });
    }
    Ok(())
}

fn check_columns(tile: &Tile, target: Target) -> Result<(), TileError> {
    for (column, c) in tile.columns.iter().enumerate() {
        let lanes = c.lanes.count();
        if c.lanes > target.lanes() {
            return Err(TileError::Lanes {
                column,
                lanes,
                target,
                widest: target.lanes().count(),
            });
        }
        if c.valid == 0 || usize::from(c.valid) > lanes {
            return Err(TileError::Valid {
                column,
                valid: c.valid,
                lanes,
            });
        }
        if c.input != 0 && !tile.source.is_lane_by_lane() {
            return Err(TileError::ColumnInput { column });
        }
    }
    Ok(())
}
