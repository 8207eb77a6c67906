//! Which layers of a network are looked at where nothing is said.

use super::StyleError;
use cnnc_ir::{Dim, Graph, OpKind, Semantics, Value};

/// Names of layers: of values, or of nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    pub content: Vec<String>,
    pub style: Vec<String>,
}

/// Most resolutions whose style is taken by default.
const MOST: usize = 4;

/// For style what the first and the last convolution wider than 1x1 of each resolution come to, of the first four resolutions; for content
/// that of the last one of the last resolution but one. The last ones are, in VGG-16, those of Johnson, Alahi and Fei-Fei, "Perceptual
/// losses for real-time style transfer and super-resolution", 2016.
///
/// # Errors
/// If the network has no such convolution.
pub fn default_layers(network: &Graph) -> Result<Layers, StyleError> {
    // First and last convolution, height and width.
    let mut stages: Vec<([Value; 2], Vec<u64>)> = Vec::new();
    for (value, plane) in wide(network) {
        match stages.last_mut() {
            Some(([_, last], known)) if *known == plane => *last = value,
            // A decoder's planes grow again.
            Some((_, known)) if *known < plane => break,
            _ => stages.push(([value; 2], plane)),
        }
    }
    stages.truncate(MOST);
    let name = |value: Value| network.value_name(finished(network, value)).to_string();
    let stages: Vec<[String; 2]> = stages.into_iter().map(|(ends, _)| ends.map(name)).collect();
    let content = stages.get(stages.len().saturating_sub(2));
    let content = content.ok_or(StyleError::NoConvolutions)?[1].clone();
    let mut style: Vec<String> = stages.into_iter().flatten().collect();
    style.dedup();
    Ok(Layers {
        content: vec![content],
        style,
    })
}

/// Names of what the network's convolutions come to, in order: candidates for layers.
pub fn convolutions(network: &Graph) -> Vec<String> {
    let order = network.order().into_iter();
    let convolutions = order.filter(|id| network.node(*id).op_kind() == Some(OpKind::Conv));
    convolutions
        .map(|id| network.value_name(finished(network, id.into())).to_string())
        .collect()
}

/// Two-dimensional convolutions wider than 1x1, with height and width of their results.
fn wide(network: &Graph) -> Vec<(Value, Vec<u64>)> {
    let wide = network.order().into_iter().filter_map(|id| {
        let node = network.node(id);
        let kernel = node.inputs.get(1).copied().flatten()?;
        let kernel = network.ty(kernel).fixed_shape()?;
        let plane = network.ty(id.into()).shape.get(2..)?;
        let plane: Vec<u64> = plane.iter().map(Dim::fixed).collect::<Option<_>>()?;
        let is_wide = kernel.len() == 4 && kernel[2..] != [1, 1];
        let found = is_wide && node.op_kind() == Some(OpKind::Conv);
        found.then(|| (id.into(), plane))
    });
    wide.collect()
}

/// Where a value ends up that is only normalised, activated, added to others or stacked on them.
fn finished(network: &Graph, mut value: Value) -> Value {
    while let Some((user, _)) = network.single_user(value) {
        let is_part = matches!(
            (network.node(user).op_kind(), network.semantics(user)),
            (Some(OpKind::BatchNormalization | OpKind::Concat), _)
                | (_, Ok(Semantics::Elementwise(_)))
        );
        if !is_part || network.is_output(value) {
            break;
        }
        value = user.into();
    }
    value
}
