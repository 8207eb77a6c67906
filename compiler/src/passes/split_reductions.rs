//! Statistics of channels, over images and planes, become those of planes, then over images: the first half reads blocks of channels
//! as they lie, and the second is small. Planes are summed in f32, as pools are, images in f64.

use super::{PassError, PassOptions, at};
use cnnc_ir::attrs::AttrValue;
use cnnc_ir::{DType, Graph, NodeId, OpKind, Semantics, Tensor};

/// Larger planes are summed in f64 as a whole.
const LARGEST_PLANE: usize = 1 << 14;

pub fn run(graph: &mut Graph, _: &PassOptions) -> Result<usize, PassError> {
    let mut changes = 0;
    for id in graph.order() {
        if !splits(graph, id) {
            continue;
        }
        let node = graph.node(id).clone();
        let Some(mut op) = node.op().cloned() else {
            continue;
        };
        op.attrs.insert("keepdims".to_string(), AttrValue::Int(1));
        let axes = graph.add_constant("", Tensor::ints(&[2, 3]));
        let inputs = vec![node.inputs[0], Some(axes)];
        let planes = graph.add(op, inputs, &[""], &node.label);
        let planes = planes.map_err(at("split_reductions", graph, id))?;
        graph.set_operand(id, 0, planes.into());
        changes += 1;
    }
    Ok(changes)
}

/// Whether a node sums, averages or compares over the images and planes of pictures.
fn splits(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let kinds = [
        OpKind::ReduceSum,
        OpKind::ReduceMean,
        OpKind::ReduceMax,
        OpKind::ReduceMin,
    ];
    let plain = node
        .op()
        .is_some_and(|op| kinds.contains(&op.kind) && op.epilogue.is_none());
    let Some(Some(x)) = node.inputs.first().copied().filter(|_| plain) else {
        return false;
    };
    let ty = graph.ty(x);
    let Some(&[images, _, height, width]) = ty.fixed_shape().as_deref() else {
        return false;
    };
    let plane: usize = height * width;
    let over = |axes: &[usize]| axes == [0, 2, 3];
    ty.dtype == DType::F32
        && images > 1
        && (2..=LARGEST_PLANE).contains(&plane)
        && matches!(graph.semantics(id), Ok(Semantics::Reduce(reduce)) if over(&reduce.axes))
}
