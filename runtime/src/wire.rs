//! How values become bytes: little-endian, fixed width, no padding. Writer and reader of a type stand in one `impl Wire`.
//!
//! The reader trusts nothing. A count is compared with the bytes that are left before anything is allocated for it, and
//! nesting ends at [`MAX_DEPTH`]. There is deliberately no schema evolution: the version in the file's header decides.

/// Deepest nesting of step lists (`If` and `Loop` within each other) a file may hold.
pub const MAX_DEPTH: u32 = 64;

/// Why bytes are not a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    #[error("ends after {have} bytes where {need} more are needed at offset {at}")]
    Truncated { at: usize, need: usize, have: usize },
    #[error("a count of {count} at offset {at} exceeds the {left} bytes that are left")]
    Count { at: usize, count: u64, left: usize },
    #[error("unknown {what} number {found}")]
    Tag { what: &'static str, found: u8 },
    #[error("text at offset {at} is not UTF-8")]
    Utf8 { at: usize },
    #[error("step lists nest deeper than {MAX_DEPTH}")]
    Depth,
    #[error("{left} bytes follow the end")]
    Trailing { left: usize },
}

/// Collects bytes.
#[derive(Default)]
pub struct Writer {
    pub(crate) bytes: Vec<u8>,
}

impl Writer {
    /// Items behind their count.
    pub(crate) fn list<T: Wire>(&mut self, items: &[T]) {
        (items.len() as u32).encode(self);
        for item in items {
            item.encode(self);
        }
    }
}

/// Walks over bytes.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader {
            bytes,
            at: 0,
            depth: 0,
        }
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn take(&mut self, need: usize) -> Result<&'a [u8], WireError> {
        let Some(taken) = self.bytes[self.at..].get(..need) else {
            return Err(WireError::Truncated {
                at: self.at,
                need,
                have: self.left(),
            });
        };
        self.at += need;
        Ok(taken)
    }

    /// A count of things that take at least one byte each.
    fn count(&mut self) -> Result<usize, WireError> {
        let at = self.at;
        let count = u64::from(u32::decode(self)?);
        let left = self.left();
        match usize::try_from(count) {
            Ok(n) if n <= left => Ok(n),
            _ => Err(WireError::Count { at, count, left }),
        }
    }

    /// Items behind their count. No capacity is reserved: the list grows with the bytes that prove it.
    pub(crate) fn list<T: Wire>(&mut self) -> Result<Vec<T>, WireError> {
        let count = self.count()?;
        (0..count).map(|_| T::decode(self)).collect()
    }

    /// Runs `body` one level deeper.
    pub(crate) fn nested<T>(
        &mut self,
        body: impl FnOnce(&mut Self) -> Result<T, WireError>,
    ) -> Result<T, WireError> {
        if self.depth == MAX_DEPTH {
            return Err(WireError::Depth);
        }
        self.depth += 1;
        let value = body(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// The error for bytes that nobody read.
    pub fn finish(self) -> Result<(), WireError> {
        match self.left() {
            0 => Ok(()),
            left => Err(WireError::Trailing { left }),
        }
    }
}

/// A value that can be written and read back.
pub trait Wire: Sized {
    fn encode(&self, w: &mut Writer);
    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError>;

    fn to_bytes(&self) -> Vec<u8> {
        let mut w = Writer::default();
        self.encode(&mut w);
        w.bytes
    }

    /// Reads a value that must fill `bytes` exactly.
    fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut r = Reader::new(bytes);
        let value = Self::decode(&mut r)?;
        r.finish()?;
        Ok(value)
    }
}

macro_rules! wire_number {
    ($($number:ty),*) => {$(
        impl Wire for $number {
            fn encode(&self, w: &mut Writer) {
                w.bytes.extend_from_slice(&self.to_le_bytes());
            }

            fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
                let mut bytes = [0; size_of::<$number>()];
                bytes.copy_from_slice(r.take(size_of::<$number>())?);
                Ok(<$number>::from_le_bytes(bytes))
            }
        }
    )*};
}

wire_number!(u8, u32, u64, i64, f32);

impl Wire for bool {
    fn encode(&self, w: &mut Writer) {
        u8::from(*self).encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match u8::decode(r)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(WireError::Tag {
                what: "truth value",
                found,
            }),
        }
    }
}

impl Wire for String {
    fn encode(&self, w: &mut Writer) {
        (self.len() as u32).encode(w);
        w.bytes.extend_from_slice(self.as_bytes());
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let count = r.count()?;
        let at = r.at;
        let bytes = r.take(count)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(WireError::Utf8 { at }),
        }
    }
}

macro_rules! wire_list {
    ($($item:ty),* $(,)?) => {$(
        impl $crate::wire::Wire for Vec<$item> {
            fn encode(&self, w: &mut $crate::wire::Writer) {
                w.list(self);
            }

            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                r.list()
            }
        }
    )*};
}

impl<T: Wire> Wire for Option<T> {
    fn encode(&self, w: &mut Writer) {
        self.is_some().encode(w);
        if let Some(value) = self {
            value.encode(w);
        }
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        match bool::decode(r)? {
            true => T::decode(r).map(Some),
            false => Ok(None),
        }
    }
}

/// Implements [`Wire`] for a struct: its fields in the order given.
macro_rules! wire_struct {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            #[allow(unused_variables)]
            fn encode(&self, w: &mut $crate::wire::Writer) {
                $($crate::wire::Wire::encode(&self.$field, w);)*
            }

            #[allow(unused_variables)]
            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                Ok($name { $($field: $crate::wire::Wire::decode(r)?),* })
            }
        }
    };
}

/// Implements [`Wire`] for an enum: a number for the variant, then its fields. The number of a variant is part of the format.
macro_rules! wire_enum {
    ($name:ident $what:literal { $($number:literal => $variant:ident $(($inner:ident))? $({ $($field:ident),* })?),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn encode(&self, w: &mut $crate::wire::Writer) {
                match self {
                    $($name::$variant $(($inner))? $({ $($field),* })? => {
                        $crate::wire::Wire::encode(&($number as u8), w);
                        $($crate::wire::Wire::encode($inner, w);)?
                        $($($crate::wire::Wire::encode($field, w);)*)?
                    })*
                }
            }

            fn decode(r: &mut $crate::wire::Reader<'_>) -> Result<Self, $crate::wire::WireError> {
                match <u8 as $crate::wire::Wire>::decode(r)? {
                    $($number => {
                        $(let $inner = $crate::wire::Wire::decode(r)?;)?
                        $($(let $field = $crate::wire::Wire::decode(r)?;)*)?
                        Ok($name::$variant $(($inner))? $({ $($field),* })?)
                    })*
                    found => Err($crate::wire::WireError::Tag { what: $what, found }),
                }
            }
        }
    };
}

pub(crate) use {wire_enum, wire_list, wire_struct};

wire_list!(u64, i64, (String, String));

impl Wire for (String, String) {
    fn encode(&self, w: &mut Writer) {
        self.0.encode(w);
        self.1.encode(w);
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        Ok((String::decode(r)?, String::decode(r)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn values_survive(list: Vec<i64>, number_or_none: Option<i64>, text: String, flag: bool, number: f32) {
            prop_assert_eq!(Vec::<i64>::from_bytes(&list.to_bytes()), Ok(list));
            prop_assert_eq!(Option::<i64>::from_bytes(&number_or_none.to_bytes()), Ok(number_or_none));
            prop_assert_eq!(String::from_bytes(&text.to_bytes()), Ok(text));
            prop_assert_eq!(bool::from_bytes(&flag.to_bytes()), Ok(flag));
            prop_assert_eq!(f32::from_bytes(&number.to_bytes()).map(f32::to_bits), Ok(number.to_bits()));
        }

        #[test]
        fn foreign_bytes_are_an_error_or_a_value(bytes: Vec<u8>) {
            if let Ok(list) = Option::<Vec<u64>>::from_bytes(&bytes) {
                prop_assert_eq!(list.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn a_count_is_compared_before_it_is_believed() {
        let claim = u32::MAX.to_bytes();
        let error = Vec::<u64>::from_bytes(&claim).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a count of 4294967295 at offset 0 exceeds the 0 bytes that are left"
        );
    }
}
