//! Chains of convolutions and pools done strip by strip, where that is estimated to save more traffic than it computes twice.

use super::contract::Convolution;
use super::filters::Bias;
use super::pool::Pooled;
use super::{Kernel, Place, Selector, Staged, winograd};
use crate::kernel::chain::{self, Kind, Stage};
use crate::kernel::winograd::choose;
use crate::memory::view::Space;
use crate::schedule::{Block, Step};
use cnnc_ir::class::Semantics;
use cnnc_ir::{Layout, NodeId, Tensor, Value};
use std::ops::Range;

/// Most operators of a chain.
const LONGEST: usize = 4;

/// The runs of steps that become chains: of all cuts of the schedule, those with the greatest gain.
pub(super) fn runs(selector: &mut Selector, block: &Block) -> Vec<Range<usize>> {
    let links: Vec<Option<Link>> = block
        .steps
        .iter()
        .map(|step| Link::of(selector, block, step.node).ok())
        .collect();
    let wishes = selector.wishes;
    // The greatest gain of the steps before each, and where the last chain among them begins.
    let mut best: Vec<(f64, Option<usize>)> = vec![(0.0, None)];
    for end in 1..=links.len() {
        let mut choice = (best[end - 1].0, None);
        let mut stages: Vec<Stage> = Vec::new();
        for start in (end.saturating_sub(LONGEST)..end).rev() {
            let Some(link) = &links[start] else { break };
            if start + 1 < end && !follows(block, &links, start) {
                break;
            }
            stages.insert(0, link.stage.clone());
            if stages.len() > 1 {
                let gain = best[start].0 + chain::gain(&stages, wishes.target, wishes.threads);
                if gain > choice.0 && chain::plan(&stages, wishes.target, wishes.threads).is_ok() {
                    choice = (gain, Some(start));
                }
            }
        }
        best.push(choice);
    }
    let (mut runs, mut end) = (Vec::new(), links.len());
    while end > 0 {
        match best[end].1 {
            Some(start) => {
                runs.push(start..end);
                end = start;
            }
            None => end -= 1,
        }
    }
    runs.reverse();
    runs
}

/// Whether the step behind `at` reads nothing but its result and constants, and is the only one to do so.
fn follows(block: &Block, links: &[Option<Link>], at: usize) -> bool {
    let made = Value::from(block.steps[at].node);
    let user = block.graph.single_user(made);
    let ends_here = links[at]
        .as_ref()
        .is_none_or(|link| link.residual.is_some());
    user == Some((block.steps[at + 1].node, 0)) && !ends_here
}

/// The kernel of a step that joins several operators.
pub(super) fn kernels(
    selector: &mut Selector,
    block: &Block,
    step: &Step,
) -> Result<Vec<Kernel>, String> {
    let links = step
        .nodes()
        .map(|id| Link::of(selector, block, id))
        .collect::<Result<Vec<Link>, String>>()?;
    let (Some(first), Some(last)) = (links.first(), links.last()) else {
        return Err("a chain has operators".to_string());
    };
    let stages: Vec<Stage> = links.iter().map(|link| link.stage.clone()).collect();
    let chain = chain::plan(&stages, selector.target, selector.wishes.threads)
        .map_err(|e| e.to_string())?;
    let weights: Vec<Vec<f32>> = links
        .iter()
        .map(|link| link.weights.as_ref().map_or_else(Vec::new, Tensor::to_f32))
        .collect();
    let weights: Vec<&[f32]> = weights.iter().map(Vec::as_slice).collect();
    let bias: Vec<Option<&[f32]>> = links.iter().map(|link| link.bias.as_deref()).collect();
    let mut place = |values: Option<Vec<f32>>| {
        let values = values.ok_or("the weights are shorter than their shape")?;
        Ok::<Place, String>(Place {
            space: Space::Weights,
            offset: selector.constants.floats(&values),
        })
    };
    Ok(vec![Kernel::Staged(Staged {
        input: first.input,
        weights: place(chain.weights(&weights))?,
        output: last.output,
        bias: place(chain.bias(&bias))?,
        residual: last.residual.unwrap_or(last.output),
        constants: last.output,
        target: selector.target,
        plan: chain.plan,
    })])
}

/// An operator that may be part of a chain.
struct Link {
    stage: Stage,
    weights: Option<Tensor>,
    bias: Option<Vec<f32>>,
    input: Place,
    output: Place,
    residual: Option<Place>,
}

impl Link {
    fn of(selector: &mut Selector, block: &Block, id: NodeId) -> Result<Link, String> {
        let semantics = selector
            .semantics(block, id)
            .map_err(|error| error.to_string())?;
        if !matches!(semantics, Semantics::Contract(_) | Semantics::Window(_)) {
            return Err("neither a convolution nor a pool".to_string());
        }
        let request = selector.request(block, id, &semantics);
        let (geometry, kind, weights, bias, split) = match &semantics {
            Semantics::Window(_) => {
                let pool = Pooled::of(&request)?;
                let kind = Kind::Pool(pool.pooling);
                (pool.geometry, kind, None, None, pool.split)
            }
            _ => {
                let conv = Convolution::new(&request)?;
                let kind = kind(&conv)?;
                let scheme = || choose(&conv.geometry, selector.setting(false));
                if winograd::admits(selector, &conv).is_ok() && scheme().is_some() {
                    return Err("Winograd's algorithm is estimated to be quicker".to_string());
                }
                let weights = Some(conv.weights.constant()?.clone());
                let bias = match &conv.bias {
                    Some(Bias::Computed(_)) => return Err("the bias is computed".to_string()),
                    Some(Bias::Constant(values)) => Some(values.clone()),
                    None => None,
                };
                (conv.geometry, kind, weights, bias, conv.split)
            }
        };
        if split.rest {
            return Err("a tile cannot do the epilogue".to_string());
        }
        let (input, output) = (super::contract::operand(&request, 0)?, &request.outputs[0]);
        if !matches!(output.layout, Layout::Blocked { .. }) {
            return Err("the result is not blocked".to_string());
        }
        if split.fused.residual.is_some() && geometry.batch > 1 && is_part(block, id) {
            return Err("images of the residual may lie at other distances".to_string());
        }
        Ok(Link {
            stage: Stage {
                conv: geometry,
                kind,
            },
            weights,
            bias,
            input: Place::from(input),
            output: Place::from(output),
            residual: split.fused.residual,
        })
    }
}

/// Whether a node's result, or what it adds to it, may be a view of something larger.
fn is_part(block: &Block, id: NodeId) -> bool {
    let graph = block.graph;
    let moves = |id: NodeId| matches!(graph.semantics(id), Ok(Semantics::Movement(_)));
    let node = graph.node(id);
    let values = node.epilogue_inputs().iter().flatten().copied();
    values
        .chain([Value::from(id)])
        .any(|value| moves(value.node) || graph.users(value).iter().any(|(user, _)| moves(*user)))
}

fn kind(conv: &Convolution) -> Result<Kind, String> {
    let geometry = &conv.geometry;
    match geometry.groups {
        1 => Ok(Kind::Sum),
        groups if groups == geometry.in_channels && groups == geometry.out_channels => {
            Ok(Kind::Depthwise)
        }
        groups => Err(format!("{groups} groups of several channels")),
    }
}
