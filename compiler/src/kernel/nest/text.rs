//! The printed form of nests: one line a loop, a guard, a load, and the store.

use super::{Access, Affine, Guard, Load, Nest, Role};
use crate::memory::view::Space;
use cnnc_ir::expr::Literal;
use std::fmt::{self, Display, Formatter, Write};

impl Display for Affine {
    /// `2*i0 + i3 - 1`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        for (counter, &c) in self.coefficients.iter().enumerate() {
            term(&mut text, c, &format!("i{counter}"))?;
        }
        if self.base != 0 || text.is_empty() {
            term_constant(&mut text, self.base)?;
        }
        f.write_str(&text)
    }
}

fn term(text: &mut String, coefficient: i64, name: &str) -> fmt::Result {
    if coefficient == 0 {
        return Ok(());
    }
    sign(text, coefficient < 0);
    match coefficient.unsigned_abs() {
        1 => text.write_str(name),
        n => write!(text, "{n}*{name}"),
    }
}

fn term_constant(text: &mut String, value: i64) -> fmt::Result {
    sign(text, value < 0);
    write!(text, "{}", value.unsigned_abs())
}

fn sign(text: &mut String, negative: bool) {
    text.push_str(match (text.is_empty(), negative) {
        (true, false) => "",
        (true, true) => "-",
        (false, false) => " + ",
        (false, true) => " - ",
    });
}

impl Display for Access {
    /// `f32 arena+0x40[56*i0 + i1]`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let space = match self.space {
            Space::Arena => "arena",
            Space::Weights => "weights",
            Space::State => "state",
        };
        let element = Affine {
            base: 0,
            coefficients: self.strides.clone(),
        };
        let sign = if self.offset < 0 { '-' } else { '+' };
        write!(
            f,
            "{} {space}{sign}{:#x}[{element}]",
            self.dtype,
            self.offset.unsigned_abs()
        )
    }
}

impl Display for Guard {
    /// `0 <= i0 + i1 - 1 < 56`
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "0 <= {} < {}", self.coordinate, self.extent)
    }
}

impl Display for Load {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.access)?;
        if self.guards.is_empty() {
            return Ok(());
        }
        f.write_str(" where ")?;
        guards(f, &self.guards)?;
        match self.fill {
            Literal::Float(v) => write!(f, " else {v:?}"),
            Literal::Int(v) => write!(f, " else {v}"),
        }
    }
}

fn guards(f: &mut Formatter<'_>, guards: &[Guard]) -> fmt::Result {
    for (k, guard) in guards.iter().enumerate() {
        let separator = if k > 0 { " and " } else { "" };
        write!(f, "{separator}{guard}")?;
    }
    Ok(())
}

impl Display for Nest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "nest {}", self.label)?;
        for (k, l) in self.loops.iter().enumerate() {
            let role = match l.role {
                Role::Parallel => "parallel",
                Role::Reduce => "reduce",
            };
            writeln!(f, "  {role} i{k} < {}", l.extent)?;
        }
        for (k, q) in self.quotients.iter().enumerate() {
            let counter = self.loops.len() + k;
            writeln!(
                f,
                "  exact i{counter} = ({}) / {} < {}",
                q.numerator, q.divisor, q.extent
            )?;
        }
        for guard in &self.guards {
            writeln!(f, "  where {guard}")?;
        }
        for (k, load) in self.loads.iter().enumerate() {
            writeln!(f, "  arg {k} = {load}")?;
        }
        writeln!(f, "  map {}", self.map)?;
        if let Some(r) = &self.reduction {
            write!(f, "  combine {:?} in {}", r.combine, r.accumulator)?;
            if r.position != Affine::default() {
                write!(f, " at {}", r.position)?;
            }
            writeln!(f)?;
            for guard in &r.count {
                writeln!(f, "  count {guard}")?;
            }
            for (k, load) in r.loads.iter().enumerate() {
                writeln!(f, "  finish arg {} = {load}", k + 2)?;
            }
            writeln!(f, "  finish {}", r.finish)?;
        }
        write!(f, "  store {}", self.store)
    }
}
