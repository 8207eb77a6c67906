//! The free choices of a contraction: how it is computed, in which blocks, in which order. Each has a text, and parsing inverts
//! printing, so that choices can be recorded and made again:
//!
//! ```text
//! direct block=14x2 order=groups
//! winograd f4 strip=1x14 parts=2
//! ```
//!
//! Estimates rank the choices ([`Blocking::tilings`](super::blocking::Blocking::tilings),
//! [`winograd::ranking`](super::winograd::ranking)); a tuner measures them. Whatever is chosen, a kernel refuses what does not fit it.

use super::plan::Order;
use super::tile::Shape;
use super::winograd::{Algorithm, Cut, Scheme};
use std::fmt;
use std::str::FromStr;

/// How a contraction is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The sum itself, on tiles.
    Direct(Tiling),
    Winograd(Scheme),
}

/// A register block, and the order of the loops around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tiling {
    pub block: Shape,
    pub order: Order,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Direct(Tiling { block, order }) => {
                let order = match order {
                    Order::GroupOuter => "groups",
                    Order::SpatialOuter => "pixels",
                };
                let Shape { pixels, columns } = block;
                write!(f, "direct block={pixels}x{columns} order={order}")
            }
            Choice::Winograd(Scheme { algorithm, cut }) => {
                let size = algorithm.size();
                let [rows, columns] = cut.strip;
                let parts = cut.parts;
                write!(f, "winograd f{size} strip={rows}x{columns} parts={parts}")
            }
        }
    }
}

impl FromStr for Choice {
    type Err = ();

    /// The inverse of printing.
    fn from_str(text: &str) -> Result<Choice, ()> {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["direct", block, order] => {
                let [pixels, columns] = pair(block, "block=")?;
                let order = match order {
                    "order=groups" => Order::GroupOuter,
                    "order=pixels" => Order::SpatialOuter,
                    _ => return Err(()),
                };
                let block = Shape { pixels, columns };
                Ok(Choice::Direct(Tiling { block, order }))
            }
            ["winograd", size, strip, parts] => {
                let mut algorithms = Algorithm::ALL.into_iter();
                let algorithm = algorithms.find(|a| size == format!("f{}", a.size()));
                let cut = Cut {
                    strip: pair(strip, "strip=")?,
                    parts: count(parts.strip_prefix("parts=").ok_or(())?)?,
                };
                let algorithm = algorithm.ok_or(())?;
                Ok(Choice::Winograd(Scheme { algorithm, cut }))
            }
            _ => Err(()),
        }
    }
}

/// `NAME=2x3`.
fn pair(text: &str, name: &str) -> Result<[usize; 2], ()> {
    let (a, b) = text
        .strip_prefix(name)
        .ok_or(())?
        .split_once('x')
        .ok_or(())?;
    Ok([count(a)?, count(b)?])
}

/// A number that is not zero.
fn count(text: &str) -> Result<usize, ()> {
    let count = text.parse().map_err(drop)?;
    if count == 0 { Err(()) } else { Ok(count) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_inverts_printing() {
        for text in [
            "direct block=14x2 order=groups",
            "direct block=1x1 order=pixels",
            "winograd f2 strip=4x7 parts=1",
            "winograd f4 strip=1x14 parts=12",
        ] {
            let choice: Choice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
        }
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for text in [
            "",
            "direct",
            "direct block=0x2 order=groups",
            "direct block=14x2 order=rows",
            "winograd f3 strip=4x7 parts=1",
            "winograd f4 strip=4 parts=1",
            "winograd f4 strip=4x7 parts=0",
            "winograd f4 strip=4x7 parts=1 more",
        ] {
            assert_eq!(text.parse::<Choice>(), Err(()), "{text}");
        }
    }
}
