//! Einsum: sums of products by Einstein's convention. `ij,jk->ik` multiplies matrices; a label that the result lacks is summed
//! over, one that an operand repeats takes the diagonal, `...` stands for leading axes that broadcast.
//! <https://onnx.ai/onnx/operators/onnx__Einsum.html>
//!
//! Operands are taken in from the left, each pair as one (stacked) product of matrices.

use super::OpKind::{MatMul, ReduceSum, Slice};
use crate::attrs::AttrKind;
use crate::class::Semantics;
use crate::compose::Composer;
use crate::graph::Value;
use crate::schema::{Attr, Cx, Input, OpDef, Output, TypeError, sets};
use crate::types::{DType, TensorType};
use std::collections::BTreeMap;

pub static DEF: OpDef = OpDef {
    name: "Einsum",
    since: 12,
    inputs: &[Input::new("Inputs", "T").variadic()],
    outputs: &[Output::new("Output", "T")],
    types: &[("T", sets::NUMERIC)],
    attrs: &[Attr::required("equation", AttrKind::Str)],
    infer: |cx| {
        let equation = Equation::new(cx)?;
        let shape = equation.output.iter().map(|l| equation.extents[l]);
        Ok(vec![TensorType::new(cx.dtype(0)?, shape)])
    },
    semantics,
    ..OpDef::NEW
};

/// A letter of the equation, or an axis of the ellipsis, counted from its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    Ellipsis(usize),
    Letter(char),
}

struct Equation {
    operands: Vec<Vec<Label>>,
    output: Vec<Label>,
    extents: BTreeMap<Label, usize>,
}

impl Equation {
    fn new(cx: &Cx) -> Result<Equation, TypeError> {
        let text: String = cx.str("equation")?.split_whitespace().collect();
        let bad = |why: String| cx.attr_error("equation", format!("'{text}' {why}"));
        let (left, right) = match text.split_once("->") {
            Some((left, right)) => (left, Some(right)),
            None => (text.as_str(), None),
        };
        let terms: Vec<&str> = left.split(',').collect();
        if terms.len() != cx.inputs.len() {
            return Err(bad(format!(
                "has {} terms for {} operands",
                terms.len(),
                cx.inputs.len()
            )));
        }
        let mut extents = BTreeMap::new();
        let mut operands = Vec::with_capacity(terms.len());
        for (i, term) in terms.iter().enumerate() {
            let shape = cx.shape(i)?;
            let letters = term.chars().filter(|c| *c != '.').count();
            let hidden = shape.len().checked_sub(letters);
            let labels = hidden
                .and_then(|hidden| labels(term, hidden))
                .filter(|l| l.len() == shape.len());
            let labels = labels.ok_or_else(|| {
                bad(format!(
                    "does not fit operand {i}, {}",
                    cx.ty(i).map_or(String::new(), ToString::to_string)
                ))
            })?;
            bind(&mut extents, &labels, &shape).map_err(bad)?;
            operands.push(labels);
        }
        let hidden = extents
            .keys()
            .filter(|l| matches!(l, Label::Ellipsis(_)))
            .count();
        let output = match right {
            Some(right) => {
                labels(right, hidden).ok_or_else(|| bad("has no legal result".into()))?
            }
            None => implied(&operands, hidden),
        };
        let repeated = (1..output.len()).any(|i| output[..i].contains(&output[i]));
        if repeated || output.iter().any(|l| !extents.contains_key(l)) {
            return Err(bad(
                "has a result with labels twice, or of no operand".into()
            ));
        }
        Ok(Equation {
            operands,
            output,
            extents,
        })
    }

    fn shape(&self, labels: &[Label]) -> Vec<usize> {
        labels.iter().map(|l| self.extents[l]).collect()
    }
}

/// Notes the extents of an operand's labels; those of the ellipsis may be 1 beside another.
fn bind(
    extents: &mut BTreeMap<Label, usize>,
    labels: &[Label],
    shape: &[usize],
) -> Result<(), String> {
    for (&label, &extent) in labels.iter().zip(shape) {
        let known = extents.entry(label).or_insert(extent);
        let broadcasts = matches!(label, Label::Ellipsis(_)) && (*known == 1 || extent == 1);
        if *known != extent && !broadcasts {
            return Err(format!("gives {label:?} the extents {known} and {extent}"));
        }
        if *known == 1 {
            *known = extent;
        }
    }
    Ok(())
}

/// The labels of a term whose ellipsis, if any, stands for `hidden` axes.
fn labels(term: &str, hidden: usize) -> Option<Vec<Label>> {
    let letters = |s: &str| -> Option<Vec<Label>> {
        s.chars()
            .map(|c| c.is_ascii_alphabetic().then_some(Label::Letter(c)))
            .collect()
    };
    match term.split_once("...") {
        None => letters(term),
        Some((before, after)) => {
            let axes = (0..hidden).rev().map(Label::Ellipsis);
            Some(
                letters(before)?
                    .into_iter()
                    .chain(axes)
                    .chain(letters(after)?)
                    .collect(),
            )
        }
    }
}

/// Without `->` the result has the axes of the ellipsis, then the letters that occur once, in alphabetical order.
fn implied(operands: &[Vec<Label>], hidden: usize) -> Vec<Label> {
    let mut letters: Vec<Label> = operands.concat();
    letters.retain(|l| matches!(l, Label::Letter(_)));
    letters.sort_unstable();
    let once = letters
        .iter()
        .filter(|l| letters.iter().filter(|m| m == l).count() == 1);
    (0..hidden)
        .rev()
        .map(Label::Ellipsis)
        .chain(once.copied())
        .collect()
}

fn semantics(cx: &Cx) -> Result<Semantics, TypeError> {
    let equation = Equation::new(cx)?;
    let dtype = cx.dtype(0)?;
    let compute = match dtype.compute() {
        d if d.is_int() && d.size() < 4 => DType::I32,
        d => d,
    };
    let mut c = Composer::new(cx);
    let mut product: Option<Term> = None;
    for (i, labels) in equation.operands.iter().enumerate() {
        let value = c.arg(i);
        let value = c.cast(value, compute)?;
        let mut term = Term {
            value,
            labels: labels.clone(),
        };
        term.take_diagonals(&mut c)?;
        let shape = equation.shape(&term.labels);
        if c.ty(term.value).fixed_shape().as_ref() != Some(&shape) {
            term.value = c.expand(term.value, &shape)?;
        }
        let later = equation.operands[i + 1..].iter().flatten();
        let needed: Vec<Label> = equation.output.iter().chain(later).copied().collect();
        product = Some(match product {
            None => term,
            Some(product) => product.times(term, &equation, &needed, &mut c)?,
        });
    }
    let mut y = product.ok_or_else(|| cx.error("has no operands"))?;
    y.sum_all_but(&equation.output, &mut c)?;
    let value = y.arranged(&equation.output, &mut c)?;
    let value = c.cast(value, dtype)?;
    c.finish(&[value])
}

/// A value and the labels of its axes.
struct Term {
    value: Value,
    labels: Vec<Label>,
}

impl Term {
    /// Axes of one label become one: the diagonal of their matrix, every `n + 1`st of its elements.
    fn take_diagonals(&mut self, c: &mut Composer) -> Result<(), TypeError> {
        while let Some((p, q)) = self.repeated() {
            let shape = c.ty(self.value).fixed_shape().unwrap_or_default();
            let n = shape[q];
            let others = (0..shape.len()).filter(|a| *a != p && *a != q);
            let perm: Vec<usize> = others.chain([p, q]).collect();
            let mut flat: Vec<usize> = perm[..perm.len() - 2].iter().map(|&a| shape[a]).collect();
            let last = flat.len() as i64;
            flat.push(n * n);
            let x = c.transpose(self.value, &perm)?;
            let x = c.reshape(x, &flat)?;
            let bounds = [0, i64::MAX, last, n as i64 + 1].map(|v| c.ints(&[v]));
            self.value = c.op(Slice, &[x, bounds[0], bounds[1], bounds[2], bounds[3]])?;
            self.labels = perm[..perm.len() - 1]
                .iter()
                .map(|&a| self.labels[a])
                .collect();
        }
        Ok(())
    }

    fn repeated(&self) -> Option<(usize, usize)> {
        (1..self.labels.len()).find_map(|q| {
            let p = self.labels[..q].iter().position(|l| *l == self.labels[q])?;
            Some((p, q))
        })
    }

    fn sum_all_but(&mut self, kept: &[Label], c: &mut Composer) -> Result<(), TypeError> {
        let axes: Vec<i64> = (0..self.labels.len())
            .filter(|a| !kept.contains(&self.labels[*a]))
            .map(|a| a as i64)
            .collect();
        if !axes.is_empty() {
            self.value = c.reduce(ReduceSum, self.value, &axes, false)?;
            self.labels.retain(|l| kept.contains(l));
        }
        Ok(())
    }

    /// The value with its axes in that order.
    fn arranged(&self, order: &[Label], c: &mut Composer) -> Result<Value, TypeError> {
        let place = |l: &Label| self.labels.iter().position(|own| own == l);
        let perm: Vec<usize> = order.iter().filter_map(place).collect();
        if perm.iter().enumerate().all(|(i, a)| i == *a) {
            return Ok(self.value);
        }
        c.transpose(self.value, &perm)
    }

    /// The product summed over the labels that are no longer needed.
    fn times(
        mut self,
        mut other: Term,
        equation: &Equation,
        needed: &[Label],
        c: &mut Composer,
    ) -> Result<Term, TypeError> {
        let with = |labels: &[Label]| [labels, needed].concat();
        let (left, right) = (self.labels.clone(), other.labels.clone());
        self.sum_all_but(&with(&right), c)?;
        other.sum_all_but(&with(&left), c)?;
        let shared = |needed_too: bool| {
            let own = self.labels.iter().filter(|l| other.labels.contains(l));
            own.filter(|l| needed.contains(l) == needed_too)
                .copied()
                .collect::<Vec<_>>()
        };
        let (batch, summed) = (shared(true), shared(false));
        let rows: Vec<Label> = self
            .labels
            .iter()
            .filter(|l| !other.labels.contains(l))
            .copied()
            .collect();
        let columns: Vec<Label> = other
            .labels
            .iter()
            .filter(|l| !self.labels.contains(l))
            .copied()
            .collect();
        let size = |labels: &[Label]| equation.shape(labels).iter().product::<usize>();
        let a = self.arranged(&[&batch[..], &rows, &summed].concat(), c)?;
        let a = c.reshape(a, &[size(&batch), size(&rows), size(&summed)])?;
        let b = other.arranged(&[&batch[..], &summed, &columns].concat(), c)?;
        let b = c.reshape(b, &[size(&batch), size(&summed), size(&columns)])?;
        let y = c.op(MatMul, &[a, b])?;
        let labels = [batch, rows, columns].concat();
        let value = c.reshape(y, &equation.shape(&labels))?;
        Ok(Term { value, labels })
    }
}

#[cfg(test)]
mod tests {
    use crate::attrs::{AttrValue, Attrs};
    use crate::graph::Graph;
    use crate::interp::{Interpreter, Precision};
    use crate::ops::OpKind;
    use crate::tensor::Tensor;
    use crate::types::DType;

    /// The result for operands that hold 0, 1, 2, ..: shape and elements, or the error.
    fn einsum(equation: &str, shapes: &[&[usize]]) -> String {
        let mut graph = Graph::new("einsum");
        let operands: Vec<_> = shapes
            .iter()
            .map(|shape| {
                let count = shape.iter().product::<usize>() as i64;
                let values: Vec<i64> = (0..count).collect();
                graph.add_constant("", Tensor::from_i64(DType::I64, shape, &values))
            })
            .collect();
        let attrs = Attrs::from([("equation".to_string(), AttrValue::Str(equation.to_string()))]);
        match graph.op(OpKind::Einsum, &operands, attrs) {
            Err(e) => e.to_string(),
            Ok(y) => {
                graph.add_output("y", y);
                let y = Interpreter::new(Precision::F32).run(&graph, &[]).unwrap();
                format!("{} {:?}", y[0].1.ty(), y[0].1.to_i64())
            }
        }
    }

    #[test]
    fn labels_multiply_sum_and_arrange() {
        insta::assert_snapshot!(einsum("ij,jk->ik", &[&[2, 3], &[3, 2]]), @"i64[2,2] [10, 13, 28, 40]");
        insta::assert_snapshot!(einsum("ij, kj", &[&[2, 3], &[2, 3]]), @"i64[2,2] [5, 14, 14, 50]");
        insta::assert_snapshot!(einsum("ji", &[&[2, 3]]), @"i64[3,2] [0, 3, 1, 4, 2, 5]");
        insta::assert_snapshot!(einsum("ij,ij->", &[&[2, 3], &[2, 3]]), @"i64[] [55]");
        insta::assert_snapshot!(einsum("i,j->ji", &[&[2], &[3]]), @"i64[3,2] [0, 0, 0, 1, 0, 2]");
        insta::assert_snapshot!(einsum("i,ij,j->", &[&[2], &[2, 2], &[2]]), @"i64[] [3]");
    }

    #[test]
    fn repeated_labels_take_diagonals() {
        insta::assert_snapshot!(einsum("ii->i", &[&[3, 3]]), @"i64[3] [0, 4, 8]");
        insta::assert_snapshot!(einsum("ii", &[&[3, 3]]), @"i64[] [12]");
        insta::assert_snapshot!(einsum("ijij->ji", &[&[2, 2, 2, 2]]), @"i64[2,2] [0, 10, 5, 15]");
    }

    #[test]
    fn ellipses_broadcast() {
        insta::assert_snapshot!(einsum("...i,...i->...", &[&[2, 2], &[1, 2]]), @"i64[2] [1, 3]");
        insta::assert_snapshot!(einsum("b...,...b->...b", &[&[2, 3], &[2]]), @"i64[3,2] [0, 3, 0, 4, 0, 5]");
        insta::assert_snapshot!(einsum("...ij->...ji", &[&[2, 1, 2]]), @"i64[2,2,1] [0, 1, 2, 3]");
    }

    #[test]
    fn illegal_equations_are_named() {
        insta::assert_snapshot!(einsum("ij,jk", &[&[2, 3]]), @"Einsum: attribute equation 'ij,jk' has 2 terms for 1 operands");
        insta::assert_snapshot!(einsum("ij,jk", &[&[2, 3], &[4, 2]]), @"Einsum: attribute equation 'ij,jk' gives Letter('j') the extents 3 and 4");
        insta::assert_snapshot!(einsum("ij->ik", &[&[2, 3]]), @"Einsum: attribute equation 'ij->ik' has a result with labels twice, or of no operand");
        insta::assert_snapshot!(einsum("ij->ii", &[&[2, 3]]), @"Einsum: attribute equation 'ij->ii' has a result with labels twice, or of no operand");
        insta::assert_snapshot!(einsum("i1", &[&[2, 3]]), @"Einsum: attribute equation 'i1' does not fit operand 0, i64[2,3]");
        insta::assert_snapshot!(einsum("i.j", &[&[2, 3]]), @"Einsum: attribute equation 'i.j' does not fit operand 0, i64[2,3]");
        insta::assert_snapshot!(einsum("i...j...", &[&[2, 3]]), @"Einsum: attribute equation 'i...j...' does not fit operand 0, i64[2,3]");
    }
}
