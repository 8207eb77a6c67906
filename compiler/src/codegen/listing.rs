//! The printed forms of generated code: CLIF, and machine code (the tiles' own listing).

pub use crate::kernel::tile::listing as machine_code;

use super::isa::has_rounding;
use super::nest;
use crate::kernel::nest::Nest;
use cnnc_runtime::CpuLevel;

/// The CLIF of a nest's function, before optimisation.
pub fn clif(nest: &Nest, level: CpuLevel) -> String {
    nest::build(nest, has_rounding(level)).display().to_string()
}
