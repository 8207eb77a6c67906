//! Parsing: types, tensors, attribute values, expressions.

use super::base64;
use super::cursor::{Mistake, Parser};
use super::lex::Kind;
use crate::attrs::{AttrKind, AttrValue};
use crate::expr::{BinaryOp, ExprOp, Inst, Literal, ScalarExpr, UnaryOp};
use crate::spelling::hint;
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Layout, TensorType, element_count};

impl Parser<'_> {
    fn dtype(&mut self) -> Result<DType, Mistake> {
        let Kind::Word(word) = *self.peek() else {
            return self.expected("an element type");
        };
        match DType::from_name(word) {
            Some(dtype) => {
                self.advance();
                Ok(dtype)
            }
            None => self.mistake(format!(
                "unknown element type '{word}'{}",
                hint(word, DType::ALL.iter().map(|d| d.name()))
            )),
        }
    }

    /// `f32[1,N,n<=4]:nchw8c+1,1,1,1`.
    pub(super) fn ty(&mut self) -> Result<TensorType, Mistake> {
        let dtype = self.dtype()?;
        self.expect("[")?;
        let at = self.at();
        let shape = self.list("]", Self::dim)?;
        let ty = TensorType {
            dtype,
            shape,
            layout: Layout::Plain,
        };
        if !ty.fits_memory() {
            return Err((at, format!("{ty} is too large for any memory")));
        }
        let layout = self.layout()?;
        Ok(TensorType { layout, ..ty })
    }

    fn dim(&mut self) -> Result<Dim, Mistake> {
        let name = match self.peek().clone() {
            Kind::Number(_) => return Ok(Dim::Fixed(self.integer()?)),
            Kind::Word(word) => word.to_string(),
            Kind::Str(s) => s,
            _ => return self.expected("a dimension"),
        };
        self.advance();
        let upper = if self.accept("<=") {
            Some(self.integer()?)
        } else {
            None
        };
        Ok(Dim::sym(&name, upper))
    }

    fn layout(&mut self) -> Result<Layout, Mistake> {
        if !self.accept(":") {
            return Ok(Layout::Plain);
        }
        let block = match *self.peek() {
            Kind::Word(w) => w
                .strip_prefix("nchw")
                .and_then(|w| w.strip_suffix('c'))
                .and_then(|n| n.parse().ok()),
            _ => None,
        };
        let Some(block) = block else {
            return self.expected("a layout such as nchw8c");
        };
        self.advance();
        let mut halo = [0u16; 4];
        if self.accept("+") {
            for (i, width) in halo.iter_mut().enumerate() {
                if i > 0 {
                    self.expect(",")?;
                }
                *width = self.integer()?;
            }
        }
        Ok(Layout::Blocked { block, halo })
    }

    fn integer<T: std::str::FromStr>(&mut self) -> Result<T, Mistake> {
        let parsed = match *self.peek() {
            Kind::Number(text) => text.parse().ok(),
            _ => return self.expected("an integer"),
        };
        let Some(v) = parsed else {
            return self.expected("an integer in range");
        };
        self.advance();
        Ok(v)
    }

    /// `f32[2] [1.0, 2.0]` or `f32[64] base64"..."`.
    pub(super) fn tensor(&mut self) -> Result<Tensor, Mistake> {
        let at = self.at();
        let ty = self.ty()?;
        let shape = ty.fixed_shape().filter(|_| ty.layout == Layout::Plain);
        let Some((shape, count)) = shape.and_then(|s| element_count(&s).map(|n| (s, n))) else {
            return Err((
                at,
                format!("a constant's type must be of known extents and plain layout, is {ty}"),
            ));
        };
        let at = self.at();
        let bytes = match self.advance() {
            Kind::Mark("[") => {
                let parts = self.list("]", |p| p.element(ty.dtype))?;
                if parts.len() != count {
                    return Err((
                        at,
                        format!("{ty} has {count} elements, {} are given", parts.len()),
                    ));
                }
                parts.concat()
            }
            Kind::Word("base64") => match self.advance() {
                Kind::Str(s) => {
                    base64::decode(&s).ok_or((at, "the string is no base64".to_string()))?
                }
                _ => return Err((at, "base64 must be followed by a string".into())),
            },
            Kind::Mark("<...>") => {
                return Err((
                    at,
                    "the elements were left out when this text was printed".into(),
                ));
            }
            _ => return Err((at, "expected elements: '[' or base64\"...\"".into())),
        };
        let given = bytes.len();
        Tensor::new(ty.dtype, shape, bytes.into()).ok_or_else(|| {
            (
                at,
                format!(
                    "{ty} has {} bytes, {given} are given",
                    count * ty.dtype.size()
                ),
            )
        })
    }

    /// One element's bytes.
    fn element(&mut self, dtype: DType) -> Result<Vec<u8>, Mistake> {
        let (Kind::Number(text) | Kind::Word(text)) = *self.peek() else {
            return self.expected("a number");
        };
        let tensor = match dtype {
            // A detour through f64 would round twice.
            DType::F32 => text
                .parse()
                .ok()
                .map(|v: f32| Tensor::scalar_f64(dtype, v.into())),
            d if d.is_float() => text.parse().ok().map(|v| Tensor::scalar_f64(dtype, v)),
            DType::U64 => text
                .parse()
                .ok()
                .map(|v: u64| Tensor::scalar_i64(dtype, v as i64)),
            _ => {
                let (low, high) = dtype.int_range().unwrap_or((0, 0));
                let value = text
                    .parse()
                    .ok()
                    .filter(|&v: &i64| (low..=high).contains(&v.into()));
                value.map(|v| Tensor::scalar_i64(dtype, v))
            }
        };
        let Some(tensor) = tensor else {
            return self.expected(&format!("an element of type {dtype}"));
        };
        self.advance();
        Ok(tensor.bytes().to_vec())
    }

    /// An attribute's value by its looks; [`coerce`] settles what looks alone cannot.
    pub(super) fn attribute(&mut self) -> Result<AttrValue, Mistake> {
        match self.peek().clone() {
            Kind::Str(s) => {
                self.advance();
                Ok(AttrValue::Str(s))
            }
            Kind::Word("const") => {
                self.advance();
                Ok(AttrValue::Tensor(self.tensor()?))
            }
            Kind::Word(w) => match DType::from_name(w) {
                Some(dtype) => {
                    self.advance();
                    Ok(AttrValue::DType(dtype))
                }
                None => self.number(),
            },
            Kind::Number(_) => self.number(),
            Kind::Mark("{") => {
                self.advance();
                Ok(AttrValue::Expr(self.expression()?))
            }
            Kind::Mark("[") => {
                self.advance();
                let at = self.at();
                let items = self.list("]", Self::list_item)?;
                gather(&items).ok_or((
                    at,
                    "a list must be of integers, of floats or of strings".into(),
                ))
            }
            _ => self.expected("an attribute's value"),
        }
    }

    fn list_item(&mut self) -> Result<AttrValue, Mistake> {
        match self.peek() {
            Kind::Str(_) => self.attribute(),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Result<AttrValue, Mistake> {
        let (Kind::Number(text) | Kind::Word(text)) = *self.peek() else {
            return self.expected("a number");
        };
        let value = match (text.parse(), text.parse()) {
            (Ok(v), _) => AttrValue::Int(v),
            (_, Ok(v)) => AttrValue::Float(v),
            _ => return self.expected("a number, a string, an element type or a list"),
        };
        self.advance();
        Ok(value)
    }

    /// `arg 0:f32; lit 0.0:f32; max %0 %1:f32 }`, the closing brace included.
    pub(super) fn expression(&mut self) -> Result<ScalarExpr, Mistake> {
        let mut insts = Vec::new();
        loop {
            let op = self.instruction(insts.len())?;
            self.expect(":")?;
            let dtype = self.dtype()?;
            insts.push(Inst { op, dtype });
            if self.accept("}") {
                return Ok(ScalarExpr { insts });
            }
            self.expect(";")?;
        }
    }

    fn instruction(&mut self, number: usize) -> Result<ExprOp, Mistake> {
        let at = self.at();
        let Kind::Word(word) = *self.peek() else {
            return self.expected("an instruction");
        };
        self.advance();
        Ok(match word {
            "arg" => ExprOp::Arg(self.integer()?),
            "index" => ExprOp::Index(self.integer()?),
            "lit" => ExprOp::Lit(match self.number()? {
                AttrValue::Float(v) => Literal::Float(v),
                AttrValue::Int(v) => Literal::Int(v),
                _ => return self.expected("a number"),
            }),
            "select" => ExprOp::Select(
                self.register(number)?,
                self.register(number)?,
                self.register(number)?,
            ),
            "cast" => ExprOp::Cast(self.register(number)?),
            "bitcast" => ExprOp::Bitcast(self.register(number)?),
            name => match (UnaryOp::from_name(name), BinaryOp::from_name(name)) {
                (Some(op), _) => ExprOp::Unary(op, self.register(number)?),
                (_, Some(op)) => ExprOp::Binary(op, self.register(number)?, self.register(number)?),
                _ => {
                    return Err((
                        at,
                        format!("unknown instruction '{name}'{}", instruction_hint(name)),
                    ));
                }
            },
        })
    }

    /// The number of an earlier instruction.
    fn register(&mut self, number: usize) -> Result<u32, Mistake> {
        let found = match self.peek() {
            Kind::Value(name) => name.parse().ok().filter(|&n: &u32| (n as usize) < number),
            _ => None,
        };
        let Some(n) = found else {
            return self.expected("an earlier instruction such as %0");
        };
        self.advance();
        Ok(n)
    }
}

fn instruction_hint(name: &str) -> String {
    let unary = UnaryOp::ALL.iter().map(|o| o.name());
    let names: Vec<String> = unary
        .chain(BinaryOp::ALL.iter().map(|o| o.name()))
        .collect();
    hint(name, names.iter().map(String::as_str))
}

/// A list of one kind; integers among floats are floats.
fn gather(items: &[AttrValue]) -> Option<AttrValue> {
    let ints = items.iter().map(|v| {
        if let AttrValue::Int(v) = v {
            Some(*v)
        } else {
            None
        }
    });
    if let Some(v) = ints.collect() {
        return Some(AttrValue::Ints(v));
    }
    let floats = items.iter().map(|v| match v {
        AttrValue::Int(v) => Some(*v as f64),
        AttrValue::Float(v) => Some(*v),
        _ => None,
    });
    if let Some(v) = floats.collect() {
        return Some(AttrValue::Floats(v));
    }
    let strs = items.iter().map(|v| {
        if let AttrValue::Str(s) = v {
            Some(s.clone())
        } else {
            None
        }
    });
    strs.collect::<Option<_>>().map(AttrValue::Strs)
}

/// The value as the declared kind, where it looks like a plainer one: integers for floats, an empty list.
pub(super) fn coerce(value: AttrValue, kind: AttrKind) -> AttrValue {
    match (value, kind) {
        (AttrValue::Int(v), AttrKind::Float) => AttrValue::Float(v as f64),
        (AttrValue::Ints(v), AttrKind::Floats) => {
            AttrValue::Floats(v.into_iter().map(|v| v as f64).collect())
        }
        (AttrValue::Ints(v), AttrKind::Strs) if v.is_empty() => AttrValue::Strs(Vec::new()),
        (value, _) => value,
    }
}
