//! From gradients to the next parameters: penalties, clipping, the optimiser.

use super::lift::Learnt;
use super::{RATE, STEP, Settings, State, StateKind};
use crate::loss::{map, reduce};
use crate::network::Clip;
use crate::optimizer::{Element, Optimizer};
use cnnc_ir::{DType, Ex, Graph, OpKind, Tensor, TypeError, Value};

pub(super) struct Updating<'a> {
    pub graph: &'a mut Graph,
    pub settings: &'a Settings,
}

impl Updating<'_> {
    pub fn run(
        mut self,
        parameters: &[Learnt],
        found: Vec<Value>,
    ) -> Result<Vec<State>, TypeError> {
        let inputs = self.graph.inputs().to_vec();
        let input = |graph: &Graph, name: &str| {
            let mut inputs = inputs.iter().map(|&id| Value::from(id));
            inputs.find(|v| graph.value_name(*v) == name)
        };
        let (Some(rate), Some(step)) = (input(self.graph, RATE), input(self.graph, STEP)) else {
            return Ok(Vec::new());
        };
        let gradients = self.penalised(parameters, found)?;
        let gradients = self.clipped(gradients)?;
        let [rate_arg, step_arg] = [0, 1].map(|k| Ex::arg(k, DType::F32));
        let scalar = self.settings.optimizer.scalar(&rate_arg, &step_arg);
        let scalar = map(self.graph, &scalar, &[rate, step])?;
        let mut states = Vec::new();
        for (parameter, gradient) in parameters.iter().zip(gradients) {
            let first = self.graph.next_id();
            states.extend(self.parameter(parameter, gradient, [rate, scalar])?);
            let label = format!("update of {}", parameter.name);
            self.graph.label_since(first, &label);
        }
        Ok(states)
    }

    fn parameter(
        &mut self,
        parameter: &Learnt,
        gradient: Value,
        [rate, scalar]: [Value; 2],
    ) -> Result<Vec<State>, TypeError> {
        let optimizer = self.settings.optimizer;
        let ty = self.graph.ty(parameter.value).clone();
        let mut operands = vec![parameter.value, gradient];
        let mut states = vec![(
            parameter.name.clone(),
            parameter.initial.clone(),
            StateKind::Parameter,
        )];
        for slot in optimizer.slots() {
            let name = format!("{}.{slot}", parameter.name);
            operands.push(self.graph.add_input(&name, ty.clone()));
            let shape = parameter.initial.shape();
            let zeros = vec![0.0; parameter.initial.len()];
            states.push((
                name,
                Tensor::from_f64(ty.dtype, shape, &zeros),
                StateKind::Slot,
            ));
        }
        let next = advance(self.graph, &optimizer, operands, [rate, scalar], Ex::clone)?;
        let mut made = Vec::new();
        for ((name, initial, kind), value) in states.into_iter().zip(next) {
            let state = State::new(&name, initial, kind);
            self.graph.add_output(&state.next, value);
            made.push(state);
        }
        Ok(made)
    }

    /// Gradients of the loss with the penalties of the weights.
    fn penalised(
        &mut self,
        parameters: &[Learnt],
        found: Vec<Value>,
    ) -> Result<Vec<Value>, TypeError> {
        let Settings { l1, l2, .. } = *self.settings;
        let pairs = parameters.iter().zip(found);
        let penalise = |(parameter, gradient): (&Learnt, Value)| {
            if !parameter.decay || l1 == 0.0 && l2 == 0.0 {
                return Ok(gradient);
            }
            let [g, p] = [0, 1].map(|k| Ex::arg(k, DType::F32));
            let slope = g + &p * (2.0 * l2) + p.unary(cnnc_ir::expr::UnaryOp::Sign) * l1;
            map(self.graph, &slope, &[gradient, parameter.value])
        };
        pairs.map(penalise).collect()
    }

    fn clipped(&mut self, gradients: Vec<Value>) -> Result<Vec<Value>, TypeError> {
        let g = Ex::arg(0, DType::F32);
        match self.settings.clip {
            None => Ok(gradients),
            Some(Clip::Value(limit)) => {
                let held = g.clamp(-limit, limit);
                let hold = |v: Value| map(self.graph, &held, &[v]);
                gradients.into_iter().map(hold).collect()
            }
            Some(Clip::Norm(limit)) => {
                let mut total: Option<Value> = None;
                for &gradient in &gradients {
                    let square = map(self.graph, &(&g * &g), &[gradient])?;
                    let sum = reduce(self.graph, OpKind::ReduceSum, square, None)?;
                    total = Some(match total {
                        None => sum,
                        Some(before) => {
                            let both = Ex::arg(0, DType::F32) + Ex::arg(1, DType::F32);
                            map(self.graph, &both, &[before, sum])?
                        }
                    });
                }
                let Some(total) = total else {
                    return Ok(gradients);
                };
                let norm = Ex::arg(1, DType::F32).sqrt();
                let factor = norm.lit(limit) / norm.max(&norm.lit(limit));
                let hold = |v: Value| map(self.graph, &(&g * &factor), &[v, total]);
                gradients.into_iter().map(hold).collect()
            }
        }
    }
}

/// The next values of a parameter, held by `bound`, and of its slots; `operands` are its own value, its gradient and the slots.
///
/// The slots' come first and the parameter's is computed from them, so that each can take its old value's place.
pub(crate) fn advance(
    graph: &mut Graph,
    optimizer: &Optimizer,
    mut operands: Vec<Value>,
    [rate, scalar]: [Value; 2],
    bound: impl Fn(&Ex) -> Ex,
) -> Result<Vec<Value>, TypeError> {
    let count = operands.len();
    operands.extend([rate, scalar]);
    let arg = |k: usize| Ex::arg(k, DType::F32);
    let element = Element {
        parameter: arg(0),
        gradient: arg(1),
        slots: (2..count).map(arg).collect(),
        rate: arg(count),
        scalar: arg(count + 1),
    };
    let next = optimizer.next_slots(&element);
    let next = next.iter().map(|slot| used(graph, slot, &operands));
    let next = next.collect::<Result<Vec<Value>, _>>()?;
    operands.extend(&next);
    let slots: Vec<Ex> = (count + 2..operands.len()).map(arg).collect();
    let parameter = bound(&optimizer.next_parameter(&element, &slots));
    let parameter = used(graph, &parameter, &operands)?;
    Ok([parameter].into_iter().chain(next).collect())
}

/// A map of an expression in those of the operands that it reads.
fn used(graph: &mut Graph, expr: &Ex, operands: &[Value]) -> Result<Value, TypeError> {
    let code = expr.finish();
    let reads = |k: usize| {
        let arg = cnnc_ir::expr::ExprOp::Arg(k as u32);
        code.insts.iter().any(|inst| inst.op == arg)
    };
    let read: Vec<usize> = (0..operands.len()).filter(|&k| reads(k)).collect();
    let args: Vec<Ex> = (0..operands.len())
        .map(|k| Ex::arg(read.binary_search(&k).unwrap_or(0), DType::F32))
        .collect();
    let operands: Vec<Value> = read.into_iter().map(|k| operands[k]).collect();
    map(graph, &code.apply(&args), &operands)
}
