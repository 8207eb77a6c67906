//! Movements: reshapes, strided views, concatenation.

use super::Fault;
use super::array::{Array, Data, outer_sum};
use super::run::{Operands, Run, operand};
use crate::class::{AxisMap, Movement};
use crate::types::dense_strides;

impl Run {
    pub fn movement(
        &mut self,
        m: &Movement,
        operands: Operands,
        shape: Vec<usize>,
    ) -> Result<Array, Fault> {
        let x = operand(operands, 0)?;
        match m {
            Movement::Reshape if x.len() == shape.iter().product() => {
                Ok(Array::new(x.dtype, shape, x.data.clone()))
            }
            Movement::Reshape => Err(Fault::Invalid(format!(
                "a value of shape {:?} cannot take shape {shape:?}",
                x.shape
            ))),
            Movement::View { axes, fill } => view(x, axes, *fill, shape),
            Movement::Concat { axis } => concat(operands, *axis, shape),
        }
        .map(|a| a.rounded(self.precision()))
    }
}

/// Per output axis, what each coordinate adds to the input's offset, or `None` where it leaves the input.
fn view(x: &Array, axes: &[AxisMap], fill: Option<f64>, shape: Vec<usize>) -> Result<Array, Fault> {
    if axes.len() != x.rank()
        || axes
            .iter()
            .any(|m| m.axis.is_some_and(|o| o >= shape.len()))
    {
        return Err(Fault::Invalid(format!(
            "the view does not fit an input of shape {:?} and an output of shape {shape:?}",
            x.shape
        )));
    }
    let strides = dense_strides(&x.shape);
    let mut base = Some(0i64);
    let mut tables: Vec<Vec<Option<i64>>> = shape.iter().map(|&n| vec![Some(0); n]).collect();
    for (a, map) in axes.iter().enumerate() {
        let place = |coordinate: i64| {
            let i = map.step.checked_mul(coordinate)?.checked_add(map.offset)?;
            ((0..x.shape[a] as i64).contains(&i)).then_some(i * strides[a] as i64)
        };
        match map.axis {
            None => base = base.zip(place(0)).map(|(b, p)| b + p),
            Some(o) => {
                for (i, entry) in tables[o].iter_mut().enumerate() {
                    *entry = entry.zip(place(i as i64)).map(|(e, p)| e + p);
                }
            }
        }
    }
    let data = x.data.take(&outer_sum(base, &tables), fill.unwrap_or(0.0));
    Ok(Array::new(x.dtype, shape, data))
}

fn concat(operands: Operands, axis: usize, shape: Vec<usize>) -> Result<Array, Fault> {
    let parts: Vec<&Array> = operands.iter().flatten().map(|a| &**a).collect();
    let outer: usize = shape[..axis.min(shape.len())].iter().product();
    let floats = matches!(parts[0].data, Data::Float(_));
    let mut data = if floats {
        Data::Float(Vec::new())
    } else {
        Data::Int(Vec::new())
    };
    for o in 0..outer {
        for part in &parts {
            let run = part.len() / outer;
            match (&mut data, &part.data) {
                (Data::Float(out), Data::Float(v)) => out.extend(&v[o * run..(o + 1) * run]),
                (Data::Int(out), Data::Int(v)) => out.extend(&v[o * run..(o + 1) * run]),
                _ => return Err(Fault::Invalid("joins integers and floats".into())),
            }
        }
    }
    if data.len() != shape.iter().product() {
        return Err(Fault::Invalid(format!(
            "the parts do not make up shape {shape:?}"
        )));
    }
    Ok(Array::new(parts[0].dtype, shape, data))
}
