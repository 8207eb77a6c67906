//! What a network is made of: operators, parameters, multiplications. Counted before the passes, these are the numbers of the
//! literature; counted after them, per node, they are the work that a measurement is held against.

use cnnc_ir::class::Contract;
use cnnc_ir::graph::{Node, Value};
use cnnc_ir::{Graph, NodeKind, Semantics};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Counts over a graph; bodies of control flow are not entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How often each operator occurs.
    pub operators: BTreeMap<&'static str, usize>,
    /// Elements of floating-point constants.
    pub parameters: usize,
    /// Multiply-accumulates of convolutions and matrix products.
    pub macs: u64,
}

impl Statistics {
    pub fn of(graph: &Graph) -> Statistics {
        let mut counts = Statistics::default();
        for node in graph.nodes() {
            match &node.kind {
                NodeKind::Op(op) => {
                    *counts.operators.entry(op.kind.def().name).or_default() += 1;
                    counts.macs += macs(graph, node);
                }
                NodeKind::Constant(t) if t.dtype().is_float() => counts.parameters += t.len(),
                _ => {}
            }
        }
        counts
    }

    /// The counts as texts with their names.
    pub fn fields(&self) -> [(&'static str, String); 3] {
        let operators = self.operators.iter();
        let operators: Vec<String> = operators.map(|(name, n)| format!("{n} x {name}")).collect();
        [
            ("operators", operators.join(", ")),
            ("parameters", self.parameters.to_string()),
            ("MACs", self.macs.to_string()),
        ]
    }
}

/// What a node has to do at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The label of its steps.
    pub label: String,
    /// Two for each multiply-accumulate of a contraction, else one for each element read or written, whichever are more.
    pub operations: u64,
    /// Bytes of operands and results, each once.
    pub bytes: u64,
}

impl fmt::Display for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.operations, self.bytes, self.label)
    }
}

impl FromStr for Work {
    type Err = ();

    /// The inverse of printing.
    fn from_str(text: &str) -> Result<Work, ()> {
        let mut parts = text.splitn(3, ' ');
        let mut number = || parts.next()?.parse().ok();
        let (operations, bytes) = number().zip(number()).ok_or(())?;
        let label = parts.next().ok_or(())?.to_string();
        Ok(Work {
            label,
            operations,
            bytes,
        })
    }
}

/// The work of every operator of a graph.
pub fn work(graph: &Graph) -> Vec<Work> {
    let operators = graph.nodes().filter_map(|node| {
        let op = node.op_kind()?;
        let results = node.outputs.iter().map(|o| &o.ty);
        let operands = node.inputs.iter().flatten().map(|v| graph.ty(*v));
        let (read, written) = (operands.clone(), results.clone());
        let count = |ty: &cnnc_ir::TensorType| ty.elements().unwrap_or(0) as u64;
        let elements = read.map(count).sum::<u64>().max(written.map(count).sum());
        let bytes = operands
            .chain(results)
            .map(|ty| count(ty) * ty.dtype.size() as u64);
        let macs = macs(graph, node);
        Some(Work {
            label: format!("{} ({})", node.title(), op.def().name),
            operations: if macs > 0 { 2 * macs } else { elements },
            bytes: bytes.sum(),
        })
    });
    operators.collect()
}

/// Multiply-accumulates of a contraction, 0 for anything else.
fn macs(graph: &Graph, node: &Node) -> u64 {
    let Ok(Semantics::Contract(contract)) = graph.semantics(node.id) else {
        return 0;
    };
    let operand = |i: usize| -> Option<Value> { node.inputs.get(i).copied().flatten() };
    let elements = |i: usize| operand(i).and_then(|v| graph.ty(v).elements()).unwrap_or(0) as u64;
    let shape = |i: usize| {
        operand(i)
            .and_then(|v| graph.ty(v).fixed_shape())
            .unwrap_or_default()
    };
    let per_filter = || elements(1) / shape(1).first().copied().unwrap_or(1).max(1) as u64;
    let results = node.outputs[0].ty.elements().unwrap_or(0) as u64;
    match contract {
        Contract::Conv(_) => results * per_filter(),
        Contract::ConvTranspose(_) => elements(0) * per_filter(),
        Contract::ConvFilter(_) => {
            let made = node.outputs[0].ty.fixed_shape().unwrap_or_default();
            let filter = made.iter().skip(1).product::<usize>() as u64;
            elements(1) * filter
        }
        Contract::MatMul { transpose_a, .. } => {
            let a = shape(0);
            let inner = a.len().checked_sub(if transpose_a { 2 } else { 1 });
            results * inner.and_then(|i| a.get(i).copied()).unwrap_or(1) as u64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cnnc_ir::text::parse;

    const NET: &str = "graph \"net\" (%x: f32[1,2,4,4], %w: f32[3,2,3,3]) {\n  %c = Conv(%x, %w, _)\n  %y = Relu(%c)\n  return \"y\" = %y\n}\n";

    #[test]
    fn a_convolution_multiplies_its_window_for_every_result() {
        let counts = Statistics::of(&parse(NET).unwrap());
        assert_eq!(counts.macs, (3 * 2 * 2) * (2 * 3 * 3));
        assert_eq!(counts.fields()[0].1, "1 x Conv, 1 x Relu");
    }

    #[test]
    fn what_multiplies_nothing_works_on_its_elements() {
        let work = work(&parse(NET).unwrap());
        assert_eq!(
            (work[0].operations, work[0].bytes),
            (432, 4 * (32 + 54 + 12))
        );
        assert_eq!((work[1].operations, work[1].bytes), (12, 4 * 24));
        assert_eq!(work[1].to_string().parse().as_ref(), Ok(&work[1]));
    }
}
