//! Loop nests as candidates: the generic lowering of every class that addresses by loops.

use super::{EpilogueRequest, Kernel, Offer, Request, Selector};
use crate::kernel::nest;
use crate::memory::view::View;
use cnnc_ir::{Semantics, Tensor};

/// The generic lowering of a class to loop nests.
pub(super) fn loop_nest(selector: &mut Selector, request: &Request) -> Offer {
    let inputs: Vec<View> = selector
        .placed(&request.inputs, &request.values)
        .into_iter()
        .flatten()
        .collect();
    let epilogue = request.epilogue.as_ref().map(|e| nest::Epilogue {
        expr: e.expr.clone(),
        operands: selector.placed_operands(e),
        result: request.result,
    });
    let output = &request.outputs[0];
    let first = || {
        inputs
            .first()
            .ok_or_else(|| "an operand is missing".to_string())
    };
    let nests = match request.semantics {
        Semantics::Elementwise(expr) => nest::elementwise(expr, &inputs, output),
        Semantics::Reduce(class) => nest::reduce(class, first()?, output, epilogue.as_ref()),
        Semantics::Contract(class) => nest::contract(class, &inputs, output, epilogue.as_ref()),
        Semantics::Window(class) => nest::window(class, first()?, output, epilogue.as_ref()),
        Semantics::Movement(class) => nest::movement(class, &inputs, output),
        _ => return Err("the class is not a loop nest".to_string()),
    };
    Ok(nests
        .map_err(|e| e.to_string())?
        .into_iter()
        .map(Kernel::Nest)
        .collect())
}

impl Selector<'_> {
    /// Operands with their constants placed in the pool.
    pub(super) fn placed(
        &mut self,
        views: &[Option<View>],
        values: &[Option<Tensor>],
    ) -> Vec<Option<View>> {
        views
            .iter()
            .zip(values)
            .map(|(view, value)| match value {
                Some(t) => Some(self.constants.plain(t)),
                None => view.clone(),
            })
            .collect()
    }

    pub(super) fn placed_operands(&mut self, e: &EpilogueRequest) -> Vec<View> {
        e.operands
            .iter()
            .zip(&e.values)
            .map(|(view, value)| match value {
                Some(t) => self.constants.plain(t),
                None => view.clone(),
            })
            .collect()
    }
}
