//! Channels times numbers of their own on tiles: normalisation in front of a convolution, squeeze and excite.
//!
//! `y = f(x * w[c] + b[c])` is a depthwise convolution of one tap whose weights and bias are read where they lie; `f` is its
//! epilogue.

use super::contract::{f32_only, fixed, operand, placement};
use super::{EpilogueRequest, Kernel, Offer, Place, Request, Selector, Tiled, epilogue};
use crate::kernel::conv::ConvGeometry;
use crate::kernel::depthwise;
use crate::memory::view::View;
use cnnc_ir::class::Semantics;
use cnnc_ir::expr::{BinaryOp, ExprOp, Literal, ScalarExpr};
use cnnc_ir::{DType, Layout};

pub fn scale_tile(selector: &mut Selector, request: &Request) -> Offer {
    let Semantics::Elementwise(expr) = request.semantics else {
        return Err("not elementwise".to_string());
    };
    let output = &request.outputs[0];
    if output.layout == Layout::Plain {
        return Err("the result is not blocked".to_string());
    }
    let shape = fixed(output)?;
    let &[batch, channels, height, width] = &shape[..] else {
        return Err("the result is no picture".to_string());
    };
    let affine = Affine::of(expr).ok_or("no operand times another first of all")?;
    let (x, w) = match [affine.factors, [affine.factors[1], affine.factors[0]]]
        .into_iter()
        .find(|[x, _]| operand(request, *x).is_ok_and(|v| v.dims == output.dims))
    {
        Some([x, w]) => (operand(request, x)?, w),
        None => return Err("no factor has the shape of the result".to_string()),
    };
    f32_only([x.dtype, output.dtype])?;
    let weights = vector(selector, request, w, channels)?;
    let bias = affine
        .bias
        .map(|b| vector(selector, request, b, channels))
        .transpose()?;
    let rest = EpilogueRequest {
        expr: &affine.rest,
        operands: Vec::new(),
        values: Vec::new(),
    };
    let fused = epilogue::steps(&rest, output, |_| false)?;
    let geometry = ConvGeometry {
        batch,
        groups: channels,
        in_channels: channels,
        out_channels: channels,
        input: [height, width],
        kernel: [1; 2],
        strides: [1; 2],
        dilations: [1; 2],
        pads: [0; 4],
        input_placement: placement(x)?,
        output_placement: placement(output)?,
        bias: bias.is_some(),
        epilogue: fused.steps,
    };
    let plan = depthwise::plan_scale(&geometry, selector.target).map_err(|e| e.to_string())?;
    Ok(vec![Kernel::Tiled(Tiled {
        plan,
        target: selector.target,
        input: Place::from(x),
        weights,
        output: Place::from(output),
        bias: bias.unwrap_or(weights),
        residual: Place::from(output),
    })])
}

/// Where a plain vector of one number a channel lies.
fn vector(
    selector: &mut Selector,
    request: &Request,
    index: usize,
    channels: usize,
) -> Result<Place, String> {
    let view: &View = operand(request, index)?;
    let shape = fixed(view)?;
    let per_channel = match shape[..] {
        [1, c, 1, 1] | [c, 1, 1] => c == channels,
        _ => false,
    };
    if !per_channel || !view.is_dense() {
        return Err(format!("operand {index} is no plain vector of channels"));
    }
    f32_only([view.dtype])?;
    Ok(match request.values.get(index).and_then(Option::as_ref) {
        Some(constant) => Place::from(&selector.constants.plain(constant)),
        None => Place::from(view),
    })
}

/// An expression that begins with a product of two operands and perhaps the sum with a third.
struct Affine {
    factors: [usize; 2],
    bias: Option<usize>,
    /// What is done with that, as argument 0.
    rest: ScalarExpr,
}

impl Affine {
    fn of(expr: &ScalarExpr) -> Option<Affine> {
        let code = &expr.insts;
        if code.iter().any(|inst| inst.dtype != DType::F32) {
            return None;
        }
        let argument = |at: u32| match code[at as usize].op {
            ExprOp::Arg(k) => Some(k as usize),
            _ => None,
        };
        let pair = |op: ExprOp, wanted: BinaryOp| match op {
            ExprOp::Binary(found, a, b) if found == wanted => Some((a, b)),
            _ => None,
        };
        let (product, factors) = code.iter().enumerate().find_map(|(at, inst)| {
            let (a, b) = pair(inst.op, BinaryOp::Mul)?;
            Some((at as u32, [argument(a)?, argument(b)?]))
        })?;
        let sum = code.iter().enumerate().find_map(|(at, inst)| {
            let (a, b) = pair(inst.op, BinaryOp::Add)?;
            let bias = match (a == product, b == product) {
                (true, false) => argument(b)?,
                (false, true) => argument(a)?,
                _ => return None,
            };
            Some((at as u32, bias))
        });
        let (root, bias) = sum.map_or((product, None), |(at, bias)| (at, Some(bias)));
        // What leads to the root is done by the tile: neither it nor an operand may be used again.
        let mut rest = expr.clone();
        for inst in &mut rest.insts[..root as usize] {
            let own = match inst.op {
                ExprOp::Arg(k) => factors.contains(&(k as usize)) || bias == Some(k as usize),
                op => pair(op, BinaryOp::Mul).is_some(),
            };
            if own {
                inst.op = ExprOp::Lit(Literal::Float(0.0));
            }
        }
        let is_literal = |at: u32| matches!(code[at as usize].op, ExprOp::Lit(_));
        let mut later = code[root as usize + 1..]
            .iter()
            .flat_map(|inst| epilogue::operands(inst.op));
        if later.any(|at| at < root && !is_literal(at)) {
            return None;
        }
        rest.insts[root as usize].op = ExprOp::Arg(0);
        let arguments = rest.insts.iter().filter(|i| matches!(i.op, ExprOp::Arg(_)));
        (arguments.count() == 1).then_some(Affine {
            factors,
            bias,
            rest,
        })
    }
}
