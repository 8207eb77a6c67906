//! The printed form of a tile: what snapshots and `--print tiles` show.

use super::{Clip, Column, Init, Nest, Pool, Source, Step, Tile};
use std::fmt::{self, Display, Formatter};

impl Display for Tile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Broadcast => "broadcast",
            Source::Lanes => "lanes",
            Source::Pool(Pool::Sum) => "sum",
            Source::Pool(Pool::Max) => "max",
        };
        let init = match self.init {
            Init::Bias => "bias",
            Init::PixelBias => "pixel bias",
            Init::Zero => "zero",
            Init::Lowest => "lowest",
            Init::Accumulate => "accumulate",
        };
        writeln!(
            f,
            "tile {} x {} {source} init {init}",
            self.pixels.len(),
            self.columns.len()
        )?;
        writeln!(
            f,
            "  pixels  in {} out {}",
            Offsets(self.pixels.iter().map(|p| p.input)),
            Offsets(self.pixels.iter().map(|p| p.output))
        )?;
        for column in &self.columns {
            writeln!(f, "  column  {column}")?;
        }
        for nest in &self.reduction {
            writeln!(f, "  reduce  {nest}")?;
        }
        for step in &self.epilogue {
            writeln!(f, "  then    {step}")?;
        }
        Ok(())
    }
}

impl Display for Column {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "f32x{}", self.lanes.count())?;
        if self.is_partial() {
            write!(f, " valid {}", self.valid)?;
        }
        if self.input != 0 {
            write!(f, " in {}", self.input)?;
        }
        write!(f, " out {}", self.output)?;
        if self.weights != 0 {
            write!(f, " weights {:+}", self.weights)?;
        }
        Ok(())
    }
}

impl Display for Nest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for l in self.loops.iter().rev() {
            write!(
                f,
                "{} times (in {:+}, weights {:+}) ",
                l.trip, l.input, l.weights
            )?;
        }
        write!(
            f,
            "taps in {} weights {}",
            Offsets(self.taps.iter().map(|tap| tap.input)),
            Offsets(self.taps.iter().map(|tap| tap.weights))
        )?;
        if self.taps.iter().any(|tap| tap.clip != Clip::NONE) {
            write!(f, " clip")?;
            for Clip { head, tail } in self.taps.iter().map(|tap| tap.clip) {
                write!(f, " {head}-{tail}")?;
            }
        }
        write!(f, " from in {} weights {}", self.input, self.weights)
    }
}

impl Display for Step {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Step::AddResidual => write!(f, "add residual"),
            Step::Max(c) => write!(f, "max {c:?}"),
            Step::Min(c) => write!(f, "min {c:?}"),
            Step::Scale(c) => write!(f, "scale {c:?}"),
            Step::LeakyRelu(alpha) => write!(f, "leaky relu {alpha:?}"),
            Step::Map(formula) => write!(f, "map {formula}"),
            Step::Gate { scale, shift } => write!(f, "gate {scale:?} {shift:?}"),
        }
    }
}

/// Offsets with runs of equal steps folded: `0..+64x14 1920..+64x14`.
struct Offsets<I>(I);

impl<I: Iterator<Item = i32> + Clone> Display for Offsets<I> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut offsets = self.0.clone().peekable();
        f.write_str("[")?;
        let mut separator = "";
        while let Some(first) = offsets.next() {
            write!(f, "{separator}{first}")?;
            separator = " ";
            let Some(&second) = offsets.peek() else { break };
            let step = i64::from(second) - i64::from(first);
            let (mut last, mut count) = (i64::from(first), 1);
            while offsets
                .next_if(|&next| i64::from(next) == last + step)
                .is_some()
            {
                last += step;
                count += 1;
            }
            write!(f, "..{step:+}x{count}")?;
        }
        f.write_str("]")
    }
}
