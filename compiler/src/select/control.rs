//! Control flow: step lists that own step lists. Results of bodies are copied to where the node's results lie.

use super::{Kernel, SelectError, Selected, Selector};
use crate::kernel::nest;
use crate::memory::Key;
use crate::memory::view::View;
use crate::schedule::{Block, Step};
use cnnc_ir::class::{Control, Movement};
use cnnc_ir::{Ex, Value};
use cnnc_runtime::portable;

impl Selector<'_> {
    pub(super) fn control(
        &mut self,
        block: &Block,
        step: &Step,
        control: &Control,
    ) -> Result<Vec<Kernel>, SelectError> {
        let node = block.graph.node(step.node);
        for body in &step.bodies {
            for (i, &input) in body.graph.inputs().iter().enumerate() {
                let outer = match control {
                    Control::If => node.inputs.get(i + 1).copied().flatten(),
                    Control::Loop { carried } if i >= 2 + carried => {
                        node.inputs.get(i).copied().flatten()
                    }
                    Control::Loop { .. } => None,
                };
                if let Some(t) = outer.and_then(|v| self.constant(block, v)) {
                    self.captured.insert(
                        Key {
                            block: body.id,
                            value: input.into(),
                        },
                        t,
                    );
                }
            }
        }
        let operand = |selector: &mut Self, i: usize| {
            node.inputs
                .get(i)
                .copied()
                .flatten()
                .map(|v| selector.view(block, v))
        };
        match (control, &step.bodies[..]) {
            (Control::If, [then_body, else_body]) => {
                let condition = operand(self, 0)
                    .ok_or_else(|| self.broken(block, step, "the condition is missing"))?;
                let then_steps = self.body(block, step, then_body, 0)?;
                let else_steps = self.body(block, step, else_body, 0)?;
                Ok(vec![Kernel::If {
                    condition,
                    then_steps,
                    else_steps,
                }])
            }
            (Control::Loop { carried }, [body]) => {
                // The carried values start as the operands, in the buffers of the loop's results.
                let mut kernels = Vec::new();
                for k in 0..*carried {
                    let from = operand(self, 2 + k)
                        .ok_or_else(|| self.broken(block, step, "a carried value is missing"))?;
                    let to = self.view(
                        block,
                        Value {
                            node: step.node,
                            slot: k as u32,
                        },
                    );
                    kernels.extend(self.copy(block, step, &from, &to)?);
                }
                let state = |selector: &mut Self, i: usize| {
                    body.graph
                        .inputs()
                        .get(i)
                        .map(|&v| selector.view(body, v.into()))
                };
                let (counter, running) = (state(self, 0), state(self, 1));
                if let (Some(from), Some(to)) = (operand(self, 1), &running) {
                    kernels.extend(self.copy(block, step, &from, to)?);
                } else if let Some(to) = &running {
                    kernels.extend(self.fill_true(block, step, to)?);
                }
                let trip = operand(self, 0);
                let steps = self.loop_body(block, step, body)?;
                kernels.push(Kernel::Loop {
                    trip,
                    condition: running,
                    counter,
                    body: steps,
                });
                Ok(kernels)
            }
            _ => Err(self.broken(block, step, "the number of bodies is wrong")),
        }
    }

    /// The steps of a body, then copies of its outputs, from number `skip` on, to the node's results.
    fn body(
        &mut self,
        block: &Block,
        step: &Step,
        body: &Block,
        skip: usize,
    ) -> Result<Vec<Selected>, SelectError> {
        let mut steps = self.block(body)?;
        let mut kernels = Vec::new();
        for (slot, (_, v)) in body.graph.outputs().iter().skip(skip).enumerate() {
            let (from, to) = (
                self.view(body, *v),
                self.view(
                    block,
                    Value {
                        node: step.node,
                        slot: slot as u32,
                    },
                ),
            );
            kernels.extend(self.copy(block, step, &from, &to)?);
        }
        steps.push(results(kernels));
        Ok(steps)
    }

    /// A loop's body: the condition and the carried values become those of the next iteration. A carried value that another one
    /// passes on is copied by way of the body's own buffers, which the planner keeps apart from the results'.
    fn loop_body(
        &mut self,
        block: &Block,
        step: &Step,
        body: &Block,
    ) -> Result<Vec<Selected>, SelectError> {
        let passes_on = |v: &Value| {
            body.graph
                .inputs()
                .iter()
                .skip(2)
                .any(|i| Value::from(*i) == *v)
        };
        let swapped = body
            .graph
            .outputs()
            .iter()
            .skip(1)
            .enumerate()
            .any(|(k, (_, v))| {
                passes_on(v)
                    && body
                        .graph
                        .inputs()
                        .get(2 + k)
                        .is_none_or(|i| Value::from(*i) != *v)
            });
        if swapped {
            return Err(self.broken(
                block,
                step,
                "a body that passes one carried value on as another is not supported",
            ));
        }
        let mut steps = self.body(block, step, body, 1)?;
        if let (Some((_, v)), Some(&running)) =
            (body.graph.outputs().first(), body.graph.inputs().get(1))
        {
            let (from, to) = (self.view(body, *v), self.view(body, running.into()));
            let kernels = self.copy(block, step, &from, &to)?;
            steps.push(results(kernels));
        }
        Ok(steps)
    }

    fn copy(
        &mut self,
        block: &Block,
        step: &Step,
        from: &View,
        to: &View,
    ) -> Result<Vec<Kernel>, SelectError> {
        if (from.space, from.offset) == (to.space, to.offset) && from.strides == to.strides {
            return Ok(Vec::new());
        }
        if from.dims == to.dims {
            let nests = nest::movement(&Movement::Reshape, std::slice::from_ref(from), to);
            if let Ok(nests) = nests {
                return Ok(nests.into_iter().map(Kernel::Nest).collect());
            }
        }
        if from.dtype != to.dtype {
            return Err(self.broken(
                block,
                step,
                "a body's result has another element type than the node's",
            ));
        }
        // The copy sets the run-time extents of the result.
        Ok(vec![Kernel::Portable {
            kernel: portable::Copy.into(),
            inputs: vec![Some(from.clone())],
            outputs: vec![to.clone()],
        }])
    }

    fn fill_true(
        &mut self,
        block: &Block,
        step: &Step,
        to: &View,
    ) -> Result<Vec<Kernel>, SelectError> {
        let one = Ex::int(to.dtype, 1).finish();
        let nests = nest::elementwise(&one, &[], to)
            .map_err(|e| self.broken(block, step, &e.to_string()))?;
        Ok(nests.into_iter().map(Kernel::Nest).collect())
    }

    fn broken(&self, block: &Block, step: &Step, reason: &str) -> SelectError {
        let node = block.graph.node(step.node);
        SelectError::NoKernel {
            node: node.title().to_string(),
            op: node.op_kind().map_or("", |k| k.def().name).to_string(),
            reasons: reason.to_string(),
        }
    }
}

fn results(kernels: Vec<Kernel>) -> Selected {
    Selected {
        node: "results".to_string(),
        op: "body".to_string(),
        before: Vec::new(),
        chosen: "copy",
        refused: Vec::new(),
        decision: None,
        kernels,
    }
}
