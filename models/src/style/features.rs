//! A network cut behind the layers that are looked at, for pictures of another size.

use super::StyleError;
use crate::loss::map;
use cnnc_ir::graph::Node;
use cnnc_ir::spelling::hint;
use cnnc_ir::{
    AttrValue, Attrs, DType, Dim, Ex, Graph, NodeId, NodeKind, OpKind, Tensor, TypeError, Value,
};
use std::collections::{HashMap, HashSet};

/// What a network was shown in training, of red, green and blue from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normalization {
    /// The values themselves.
    None,
    /// Less (0.485, 0.456, 0.406), by (0.229, 0.224, 0.225): torchvision's networks.
    ImageNet,
    /// Blue, green, red; levels 0 to 255 less (104, 117, 123): Caffe's networks.
    Caffe,
}

impl Normalization {
    /// Factor and offset of red, green and blue, and whether they are turned round.
    fn parts(self) -> Option<([f64; 3], [f64; 3], bool)> {
        match self {
            Normalization::None => None,
            Normalization::ImageNet => {
                let [mean, deviation] = [[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]];
                let offset = [0, 1, 2].map(|c| -mean[c] / deviation[c]);
                Some((deviation.map(|d| 1.0 / d), offset, false))
            }
            Normalization::Caffe => Some(([255.0; 3], [-123.0, -117.0, -104.0], true)),
        }
    }

    /// Appends it: f32\[1, 3, H, W\] to the same.
    fn append(self, graph: &mut Graph, image: Value) -> Result<Value, TypeError> {
        let Some((factor, offset, turned)) = self.parts() else {
            return Ok(image);
        };
        let mut column = |values: &[f64; 3]| {
            graph.add_constant("", Tensor::from_f64(DType::F32, &[1, 3, 1, 1], values))
        };
        let operands = [image, column(&factor), column(&offset)];
        let [x, factor, offset] = [0, 1, 2].map(|k| Ex::arg(k, DType::F32));
        let value = map(graph, &(x * factor + offset), &operands)?;
        if !turned {
            return Ok(value);
        }
        // From the last channel to before the first.
        let mut one = |v: i64| graph.add_constant("", Tensor::ints(&[v]));
        let slice = [value, one(2), one(-4), one(1), one(-1)];
        graph.op(OpKind::Slice, &slice, Attrs::default())
    }
}

/// Appends the network from its picture to the named layers, each a value's or a node's name; their features, f32\[1, C, H, W\].
pub(super) fn append(
    graph: &mut Graph,
    image: Value,
    network: &Graph,
    names: &[String],
    normalization: Normalization,
) -> Result<Vec<Value>, StyleError> {
    let mut layers = Vec::with_capacity(names.len());
    for name in names {
        layers.push((name.as_str(), find(network, name)?));
    }
    let needed = needed(network, &layers);
    let input = input(network, &layers)?;
    let shape = graph.ty(image).fixed_shape().unwrap_or_default();
    let [height, width] = [2, 3].map(|axis| shape.get(axis).copied().unwrap_or(0));
    let wrong = |node: &str, source| StyleError::Type {
        height,
        width,
        node: node.to_string(),
        source,
    };
    let picture = normalization.append(graph, image);
    let picture = picture.and_then(|picture| mirrored(graph, picture, [height, width]));
    let picture = picture.map_err(|e| wrong("", e))?;
    let mut values = HashMap::from([(input, picture)]);
    for id in network.order().into_iter().filter(|id| needed.contains(id)) {
        let node = network.node(id);
        copy(graph, node, &mut values).map_err(|e| wrong(node.title(), e))?;
    }
    let features = layers.into_iter().map(|(name, old)| {
        let new = values.get(&old).copied().unwrap_or(picture);
        let ty = graph.ty(new);
        match ty.fixed_shape().as_deref() {
            Some([1, _, h, w]) if *h > 0 && *w > 0 && ty.dtype == DType::F32 => Ok(new),
            _ => Err(StyleError::Features {
                name: name.to_string(),
                ty: ty.to_string(),
            }),
        }
    });
    features.collect()
}

/// Pixels of mirrored picture around the picture. A network without padding, or with strides that leave a rest, hardly sees its border: there
/// the gradient would be small, and what Adam makes of it large.
const MIRRORED: usize = 16;

fn mirrored(graph: &mut Graph, picture: Value, size: [usize; 2]) -> Result<Value, TypeError> {
    let [down, across] = size.map(|n| MIRRORED.min(n.saturating_sub(1)) as i64);
    let pads = Tensor::ints(&[0, 0, down, across, 0, 0, down, across]);
    let pads = graph.add_constant("", pads);
    let mode = ("mode".to_string(), AttrValue::Str("reflect".into()));
    graph.op(OpKind::Pad, &[picture, pads], Attrs::from([mode]))
}

/// The value of that name, or the first of the node that has it.
fn find(network: &Graph, name: &str) -> Result<Value, StyleError> {
    let mut labelled = None;
    for node in network.nodes().filter(|n| n.op().is_some()) {
        if let Some(slot) = node.outputs.iter().position(|o| o.name == name) {
            let slot = slot as u32;
            return Ok(Value {
                node: node.id,
                slot,
            });
        }
        if node.label == name && labelled.is_none() {
            labelled = Some(Value::from(node.id));
        }
    }
    labelled.ok_or_else(|| {
        let operators = network.nodes().filter(|n| n.op().is_some());
        let known = operators.flat_map(|n| n.outputs.iter().map(|o| o.name.as_str()));
        StyleError::NoLayer {
            name: name.to_string(),
            hint: hint(name, known),
        }
    })
}

/// The nodes that the layers are computed from, and themselves.
fn needed(network: &Graph, layers: &[(&str, Value)]) -> HashSet<NodeId> {
    let mut needed = HashSet::new();
    let mut stack: Vec<NodeId> = layers.iter().map(|(_, v)| v.node).collect();
    while let Some(id) = stack.pop() {
        if needed.insert(id) {
            stack.extend(network.node(id).inputs.iter().flatten().map(|v| v.node));
        }
    }
    needed
}

/// The one input that every layer depends on: the picture.
fn input(network: &Graph, layers: &[(&str, Value)]) -> Result<Value, StyleError> {
    let mut found = None;
    for layer in layers {
        let needed = needed(network, &[*layer]);
        let inputs = network.inputs().iter().filter(|id| needed.contains(id));
        let inputs: Vec<Value> = inputs.map(|&id| id.into()).collect();
        let names: Vec<&str> = inputs.iter().map(|v| network.value_name(*v)).collect();
        let is_alone = inputs.len() == 1 && found.is_none_or(|v| v == inputs[0]);
        if !is_alone {
            return Err(StyleError::Input {
                layer: layer.0.to_string(),
                problem: match names[..] {
                    [] => "it depends on no input".to_string(),
                    _ => format!("it depends on {}", names.join(", ")),
                },
            });
        }
        found = Some(inputs[0]);
    }
    let input = found.ok_or(StyleError::NoLayers("content or style"))?;
    let ty = network.ty(input);
    let is_picture = ty.dtype == DType::F32 && ty.rank() == 4 && ty.shape[1] == Dim::Fixed(3);
    match is_picture {
        true => Ok(input),
        false => Err(StyleError::Picture {
            name: network.value_name(input).to_string(),
            ty: ty.to_string(),
        }),
    }
}

/// Copies a node, its types inferred anew.
fn copy(
    graph: &mut Graph,
    node: &Node,
    values: &mut HashMap<Value, Value>,
) -> Result<(), TypeError> {
    match &node.kind {
        NodeKind::Input => {}
        NodeKind::Constant(tensor) => {
            let value = graph.add_constant(&node.outputs[0].name, tensor.clone());
            values.insert(node.id.into(), value);
        }
        NodeKind::Op(op) => {
            let known = |v: &Option<Value>| v.and_then(|v| values.get(&v).copied());
            let inputs: Vec<Option<Value>> = node.inputs.iter().map(known).collect();
            let names: Vec<&str> = node.outputs.iter().map(|o| o.name.as_str()).collect();
            let new = graph.add(op.clone(), inputs, &names, &node.label)?;
            for slot in 0..names.len() as u32 {
                let old = Value {
                    node: node.id,
                    slot,
                };
                values.insert(old, Value { node: new, slot });
            }
        }
    }
    Ok(())
}
