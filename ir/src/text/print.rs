//! Printing.

use super::lex::is_name;
use super::{LISTED, base64};
use crate::attrs::{AttrValue, Attrs};
use crate::graph::{Graph, Node, NodeKind, Op, Value};
use crate::tensor::Tensor;
use crate::types::{DType, Dim, Layout, TensorType};
use std::fmt::{self, Write};

/// How much of large constants is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Style {
    /// All of it: can be parsed again.
    #[default]
    Whole,
    /// `<...>` in their place: for people.
    Brief,
}

/// The text of a graph, ending in a line break.
pub fn print(graph: &Graph, style: Style) -> String {
    let mut printer = Printer {
        out: String::new(),
        style,
        depth: 0,
    };
    // Writing to a string cannot fail.
    let _ = printer.graph(graph);
    printer.out.push('\n');
    printer.out
}

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self, Style::Whole))
    }
}

struct Printer {
    out: String,
    style: Style,
    depth: usize,
}

impl Printer {
    fn line(&mut self) {
        self.out.push('\n');
        self.out.extend(std::iter::repeat_n("  ", self.depth));
    }

    fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T) -> fmt::Result,
    ) -> fmt::Result {
        for (i, x) in items.into_iter().enumerate() {
            if i > 0 {
                self.out.push_str(", ");
            }
            item(self, x)?;
        }
        Ok(())
    }

    fn graph(&mut self, g: &Graph) -> fmt::Result {
        write!(self.out, "graph {} (", quoted(&g.name))?;
        self.list(g.inputs(), |p, &id| {
            p.value(g, id.into());
            p.out.push_str(": ");
            p.ty(g.ty(id.into()))
        })?;
        self.out.push_str(") {");
        self.depth += 1;
        for id in g.order() {
            let node = g.node(id);
            if node.kind != NodeKind::Input {
                self.line();
                self.node(g, node)?;
            }
        }
        self.line();
        self.out.push_str("return");
        for (i, (name, v)) in g.outputs().iter().enumerate() {
            write!(
                self.out,
                "{} {} = ",
                if i > 0 { "," } else { "" },
                quoted(name)
            )?;
            self.value(g, *v);
        }
        self.depth -= 1;
        self.line();
        self.out.push('}');
        Ok(())
    }

    fn name(&mut self, name: &str) {
        self.out.push('%');
        if !name.is_empty() && name.chars().all(is_name) {
            self.out.push_str(name);
        } else {
            self.out.push_str(&quoted(name));
        }
    }

    fn value(&mut self, g: &Graph, v: Value) {
        self.name(g.value_name(v));
    }

    fn operand(&mut self, g: &Graph, v: &Option<Value>) -> fmt::Result {
        match v {
            Some(v) => self.value(g, *v),
            None => self.out.push('_'),
        }
        Ok(())
    }

    fn node(&mut self, g: &Graph, node: &Node) -> fmt::Result {
        self.list(&node.outputs, |p, o| {
            p.name(&o.name);
            Ok(())
        })?;
        self.out.push_str(" = ");
        match &node.kind {
            NodeKind::Input => Ok(()),
            NodeKind::Constant(t) => {
                self.out.push_str("const ");
                self.tensor(t)
            }
            NodeKind::Op(op) => {
                self.operator(g, node, op)?;
                if !node.label.is_empty() {
                    write!(self.out, " {}", quoted(&node.label))?;
                }
                self.out.push_str(" : ");
                self.list(&node.outputs, |p, o| p.ty(&o.ty))
            }
        }
    }

    fn operator(&mut self, g: &Graph, node: &Node, op: &Op) -> fmt::Result {
        let def = op.kind.def();
        if !def.domain.is_empty() {
            write!(self.out, "{}.", def.domain)?;
        }
        write!(self.out, "{}(", def.name)?;
        self.list(node.root_inputs(), |p, v| p.operand(g, v))?;
        self.out.push(')');
        if !op.attrs.is_empty() {
            self.out.push(' ');
            self.attrs(&op.attrs)?;
        }
        if let Some(epilogue) = &op.epilogue {
            self.out.push_str(" then [");
            self.list(node.epilogue_inputs(), |p, v| p.operand(g, v))?;
            write!(self.out, "] {{ {} }}", epilogue.expr)?;
        }
        for body in &op.bodies {
            self.out.push_str(" do ");
            self.graph(body)?;
        }
        Ok(())
    }

    fn attrs(&mut self, attrs: &Attrs) -> fmt::Result {
        self.out.push('{');
        self.list(attrs, |p, (name, value)| {
            write!(p.out, "{name}=")?;
            p.attr(value)
        })?;
        self.out.push('}');
        Ok(())
    }

    fn attr(&mut self, value: &AttrValue) -> fmt::Result {
        match value {
            AttrValue::Int(v) => write!(self.out, "{v}"),
            AttrValue::Float(v) => write!(self.out, "{v:?}"),
            AttrValue::Str(v) => write!(self.out, "{}", quoted(v)),
            AttrValue::DType(v) => write!(self.out, "{v}"),
            AttrValue::Ints(v) => write!(self.out, "{v:?}"),
            AttrValue::Floats(v) => write!(self.out, "{v:?}"),
            AttrValue::Strs(v) => {
                self.out.push('[');
                self.list(v, |p, s| write!(p.out, "{}", quoted(s)))?;
                self.out.push(']');
                Ok(())
            }
            AttrValue::Tensor(t) => {
                self.out.push_str("const ");
                self.tensor(t)
            }
            AttrValue::Expr(e) => write!(self.out, "{{ {e} }}"),
        }
    }

    fn tensor(&mut self, t: &Tensor) -> fmt::Result {
        write!(self.out, "{} ", t.ty())?;
        // A NaN has more bits than its name tells.
        let nan =
            t.dtype().is_float() && t.len() <= LISTED && t.to_f64().iter().any(|v| v.is_nan());
        if t.len() <= LISTED && !nan {
            match t.dtype() {
                DType::F64 => write!(self.out, "{:?}", t.to_f64()),
                d if d.is_float() => write!(self.out, "{:?}", t.to_f32()),
                DType::U64 => write!(
                    self.out,
                    "{:?}",
                    t.to_i64().iter().map(|&v| v as u64).collect::<Vec<_>>()
                ),
                _ => write!(self.out, "{:?}", t.to_i64()),
            }
        } else if self.style == Style::Brief {
            self.out.write_str("<...>")
        } else {
            write!(self.out, "base64\"{}\"", base64::encode(t.bytes()))
        }
    }

    fn ty(&mut self, ty: &TensorType) -> fmt::Result {
        write!(self.out, "{}[", ty.dtype)?;
        for (i, dim) in ty.shape.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            self.dim(dim)?;
        }
        self.out.push(']');
        if ty.layout != Layout::Plain {
            write!(self.out, "{}", ty.layout)?;
        }
        Ok(())
    }

    fn dim(&mut self, dim: &Dim) -> fmt::Result {
        match dim {
            Dim::Sym { name, upper } if !is_word(name) => {
                self.out.push_str(&quoted(name));
                upper.map_or(Ok(()), |n| write!(self.out, "<={n}"))
            }
            dim => write!(self.out, "{dim}"),
        }
    }
}

/// Whether a symbol can stand without quotes: a name that is no number.
fn is_word(name: &str) -> bool {
    name.chars().all(is_name) && name.starts_with(|c: char| !c.is_ascii_digit())
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
