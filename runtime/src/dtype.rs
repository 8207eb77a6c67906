//! Element types, as the format numbers them and as Rust names them.

use crate::wire::{Reader, Wire, WireError, Writer};
use bytemuck::Pod;
use half::{bf16, f16};
use std::fmt;

/// The type of one element. Half types (`F16`, `BF16`) are storage: arithmetic on them happens in f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum DType {
    F32 = 0,
    F64 = 1,
    F16 = 2,
    BF16 = 3,
    I8 = 4,
    I16 = 5,
    I32 = 6,
    I64 = 7,
    U8 = 8,
    U16 = 9,
    U32 = 10,
    U64 = 11,
    Bool = 12,
}

impl DType {
    /// Every type, at the index that is its number in a file.
    pub const ALL: [DType; 13] = {
        use DType::*;
        [
            F32, F64, F16, BF16, I8, I16, I32, I64, U8, U16, U32, U64, Bool,
        ]
    };

    /// Size of an element in bytes.
    pub const fn size(self) -> usize {
        match self {
            DType::I8 | DType::U8 | DType::Bool => 1,
            DType::F16 | DType::BF16 | DType::I16 | DType::U16 => 2,
            DType::F32 | DType::I32 | DType::U32 => 4,
            DType::F64 | DType::I64 | DType::U64 => 8,
        }
    }

    /// The name in messages, as Rust and the compiler's text form spell it.
    pub const fn name(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::Bool => "bool",
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Wire for DType {
    fn encode(&self, w: &mut Writer) {
        (*self as u8).encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let number = u8::decode(r)?;
        DType::ALL
            .get(usize::from(number))
            .copied()
            .ok_or(WireError::Tag {
                what: "element type",
                found: number,
            })
    }
}

/// A truth value as it lies in memory: 0 is false, anything else is true. (Rust's `bool` admits only 0 and 1, which no map
/// of foreign bytes can promise.)
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, bytemuck::Pod, bytemuck::Zeroable,
)]
#[repr(transparent)]
pub struct Bool(pub u8);

impl Bool {
    pub const fn get(self) -> bool {
        self.0 != 0
    }
}

impl From<bool> for Bool {
    fn from(value: bool) -> Bool {
        Bool(u8::from(value))
    }
}

/// A Rust type that is the element type [`Element::DTYPE`].
pub trait Element: Pod + Send + Sync {
    const DTYPE: DType;
}

macro_rules! element {
    ($($rust:ty => $dtype:ident),* $(,)?) => {
        $(impl Element for $rust { const DTYPE: DType = DType::$dtype; })*
    };
}

element! {
    f32 => F32, f64 => F64, f16 => F16, bf16 => BF16,
    i8 => I8, i16 => I16, i32 => I32, i64 => I64,
    u8 => U8, u16 => U16, u32 => U32, u64 => U64, Bool => Bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_indices() {
        for (index, dtype) in DType::ALL.into_iter().enumerate() {
            assert_eq!(dtype as usize, index, "{dtype}");
        }
    }
}
