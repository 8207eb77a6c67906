//! Machine code as text, for `--print asm` and snapshots.

use iced_x86::{Decoder, DecoderOptions, Formatter, IntelFormatter};

/// Disassembles x86-64 code, one `offset  instruction` a line, Intel syntax.
pub fn listing(code: &[u8]) -> String {
    let mut formatter = IntelFormatter::new();
    formatter
        .options_mut()
        .set_space_after_operand_separator(true);
    let mut text = String::new();
    for instruction in Decoder::with_ip(64, code, 0, DecoderOptions::NONE) {
        text += &format!("{:5x}  ", instruction.ip());
        formatter.format(&instruction, &mut text);
        text.push('\n');
    }
    text
}
