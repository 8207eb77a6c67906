//! Control flow: `If` and `Loop` run bodies.

use super::Fault;
use super::array::{Array, Data};
use super::run::{Operands, Run, operand, optional};
use crate::class::Control;
use crate::graph::Graph;
use crate::types::DType;
use std::rc::Rc;

impl Run {
    pub fn control(
        &mut self,
        control: &Control,
        bodies: &[Graph],
        operands: Operands,
    ) -> Result<Vec<Array>, Fault> {
        let outputs = match *control {
            Control::If => {
                let taken = usize::from(!truth(operand(operands, 0)?)?);
                let body = bodies.get(taken).ok_or_else(|| missing(taken))?;
                self.body(body, given(&operands[1..])?)?
            }
            Control::Loop { carried } => {
                let body = bodies.first().ok_or_else(|| missing(0))?;
                self.iterate(body, carried, operands)?
            }
        };
        Ok(outputs.into_iter().map(Rc::unwrap_or_clone).collect())
    }

    fn iterate(
        &mut self,
        body: &Graph,
        carried: usize,
        operands: Operands,
    ) -> Result<Vec<Rc<Array>>, Fault> {
        let trips = optional(operands, 0)
            .map(single)
            .transpose()?
            .unwrap_or(i64::MAX);
        let mut again = optional(operands, 1)
            .map(truth)
            .transpose()?
            .unwrap_or(true);
        let rest = given(operands.get(2..).unwrap_or_default())?;
        let outputs = body.outputs().len();
        if carried > rest.len() || outputs < 1 + carried {
            return Err(Fault::Invalid(format!(
                "carries {carried} values, which operands or body have not"
            )));
        }
        let (state, captured) = rest.split_at(carried);
        let mut state = state.to_vec();
        let mut scans: Vec<Vec<Rc<Array>>> = vec![Vec::new(); outputs - 1 - carried];
        let mut i = 0;
        while again && i < trips {
            self.spend(&[])?;
            let mut inputs = vec![
                Rc::new(Array::ints(Vec::new(), vec![i])),
                Rc::new(Array::new(DType::Bool, Vec::new(), Data::Int(vec![1]))),
            ];
            inputs.extend(state);
            inputs.extend(captured.iter().cloned());
            let mut results = self.body(body, inputs)?.into_iter();
            again = results.next().map_or(Ok(false), |c| truth(&c))?;
            state = results.by_ref().take(carried).collect();
            for (scan, value) in scans.iter_mut().zip(results) {
                scan.push(value);
            }
            i += 1;
        }
        for (k, scan) in scans.iter().enumerate() {
            let (_, value) = &body.outputs()[1 + carried + k];
            let ty = body.ty(*value);
            let element = ty.fixed_shape().unwrap_or_else(|| vec![0; ty.rank()]);
            state.push(Rc::new(self.stack(scan, ty.dtype, element)?));
        }
        Ok(state)
    }

    /// The values of every iteration along a new first axis; `element` is their shape where there are none.
    fn stack(
        &self,
        values: &[Rc<Array>],
        dtype: DType,
        element: Vec<usize>,
    ) -> Result<Array, Fault> {
        let element = values.first().map_or(element, |v| v.shape.clone());
        if let Some(odd) = values.iter().find(|v| v.shape != element) {
            return Err(Fault::Invalid(format!(
                "iterations yield values of shapes {element:?} and {:?}",
                odd.shape
            )));
        }
        let shape: Vec<usize> = std::iter::once(values.len()).chain(element).collect();
        self.elements(&shape)?;
        let data = if dtype.is_float() {
            Data::Float(values.iter().flat_map(|v| v.floats()).collect())
        } else {
            Data::Int(values.iter().flat_map(|v| v.integers()).collect())
        };
        Ok(Array::new(dtype, shape, data))
    }
}

fn missing(body: usize) -> Fault {
    Fault::Invalid(format!("body {body} is missing"))
}

fn given(operands: Operands) -> Result<Vec<Rc<Array>>, Fault> {
    let all: Option<Vec<_>> = operands.iter().cloned().collect();
    all.ok_or_else(|| Fault::Invalid("a captured or carried value is missing".into()))
}

/// The one element of a value.
fn single(x: &Array) -> Result<i64, Fault> {
    match x.integers()[..] {
        [v] => Ok(v),
        _ => Err(Fault::Invalid(format!(
            "one element is needed, got shape {:?}",
            x.shape
        ))),
    }
}

fn truth(x: &Array) -> Result<bool, Fault> {
    Ok(single(x)? != 0)
}
