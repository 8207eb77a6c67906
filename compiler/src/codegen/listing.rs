//! The printed forms of generated code: CLIF, and machine code with addresses relative to the function.

use super::isa::has_rounding;
use super::nest;
use crate::kernel::nest::Nest;
use cnnc_runtime::CpuLevel;
use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};
use std::fmt::Write;

/// The CLIF of a nest's function, before optimisation.
pub fn clif(nest: &Nest, level: CpuLevel) -> String {
    nest::build(nest, has_rounding(level)).display().to_string()
}

/// A disassembly, one instruction a line: `offset: instruction`.
pub fn machine_code(bytes: &[u8]) -> String {
    let mut decoder = Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE);
    let mut formatter = IntelFormatter::new();
    let mut text = String::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        let mut line = String::new();
        formatter.format(&instruction, &mut line);
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{:5x}: {line}", instruction.ip());
    }
    text
}
