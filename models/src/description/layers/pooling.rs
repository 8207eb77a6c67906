//! Pools, and the windows that they share with convolutions.

use super::super::call::Call;
use super::super::value::Fault;
use super::Built;
use cnnc_ir::graph::Value;
use cnnc_ir::{AttrValue, OpKind, Tensor};

/// What slides over the spatial axes.
pub struct Window {
    pub kernel: Vec<u64>,
    strides: Vec<u64>,
    dilations: Vec<u64>,
    /// Before every axis, then behind every axis.
    pads: Vec<i64>,
}

impl Window {
    /// From the arguments `kernel`, `stride` (where not given `stride`, or the kernel where that is 0), `dilation` and `pad`.
    pub fn read(call: &Call, x: Value, stride: u64) -> Result<Window, Fault> {
        let rank = call.ty(x).rank().saturating_sub(2);
        if rank == 0 {
            let ty = call.ty(x);
            let message = format!("needs N x channels x height x width, its operand is {ty}");
            return Err(call.fault(message));
        }
        let Some(kernel) = call.extents("kernel", rank)? else {
            return Err(call.fault("needs a kernel such as 3x3"));
        };
        let strides = match (call.extents("stride", rank)?, stride) {
            (Some(strides), _) => strides,
            (None, 0) => kernel.clone(),
            (None, stride) => vec![stride; rank],
        };
        let dilations = call.extents("dilation", rank)?.unwrap_or(vec![1; rank]);
        let mut window = Window {
            kernel,
            strides,
            dilations,
            pads: vec![0; 2 * rank],
        };
        window.pads = window.padding(call, x, rank)?;
        Ok(window)
    }

    /// `pad=valid`, `same`, a number, one an axis (`1x2`), or a list of all (`[top, left, bottom, right]`).
    fn padding(&self, call: &Call, x: Value, rank: usize) -> Result<Vec<i64>, Fault> {
        if call.is_word("pad", "same") {
            return self.same(call, x, rank);
        }
        if call.is_word("pad", "valid") {
            return Ok(vec![0; 2 * rank]);
        }
        let pads = match call.ints("pad")?.unwrap_or(vec![0]) {
            pads if pads.len() == 1 => vec![pads[0]; 2 * rank],
            pads if pads.len() == rank => [&pads[..], &pads].concat(),
            pads => pads,
        };
        match pads.len() == 2 * rank && pads.iter().all(|&p| p >= 0) {
            true => Ok(pads),
            false => Err(call.fault(format!(
                "pad must be 'same', 'valid', or one, {rank} or {} whole numbers from 0",
                2 * rank
            ))),
        }
    }

    /// As many outputs as steps fit into the operand; what cannot be halved goes to the end.
    fn same(&self, call: &Call, x: Value, rank: usize) -> Result<Vec<i64>, Fault> {
        let (mut before, mut behind) = (Vec::new(), Vec::new());
        for axis in 0..rank {
            let [kernel, stride, dilation] =
                [&self.kernel, &self.strides, &self.dilations].map(|v| v[axis]);
            let reach = (kernel - 1).saturating_mul(dilation).saturating_add(1);
            let total = match stride {
                1 => reach - 1,
                _ => {
                    let extent = call.extent(x, axis + 2)?;
                    let last = (extent.div_ceil(stride).max(1) - 1).saturating_mul(stride);
                    last.saturating_add(reach).saturating_sub(extent)
                }
            };
            before.push((total / 2) as i64);
            behind.push(total.div_ceil(2) as i64);
        }
        Ok([before, behind].concat())
    }

    /// As ONNX has them.
    pub fn attrs(&self) -> [(&'static str, AttrValue); 4] {
        let ints = |v: &[u64]| AttrValue::Ints(v.iter().map(|&n| n as i64).collect());
        [
            ("kernel_shape", ints(&self.kernel)),
            ("strides", ints(&self.strides)),
            ("dilations", ints(&self.dilations)),
            ("pads", AttrValue::Ints(self.pads.clone())),
        ]
    }
}

pub fn max_pool(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let [kernel, strides, _, pads] = Window::read(call, x, 0)?.attrs();
    call.op(OpKind::MaxPool, &[x], [kernel, strides, pads])
}

pub fn avg_pool(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let [kernel, strides, _, pads] = Window::read(call, x, 0)?.attrs();
    let counted = call.flag("count_pad", false)?;
    let count = ("count_include_pad", AttrValue::Int(counted.into()));
    call.op(OpKind::AveragePool, &[x], [kernel, strides, pads, count])
}

/// N x channels, or with `keep=true` N x channels x 1 x 1.
pub fn global_avg_pool(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let y = call.op(OpKind::GlobalAveragePool, &[x], [])?;
    match call.flag("keep", false)? {
        true => Ok(y),
        false => call.op(OpKind::Flatten, &[y], []),
    }
}

/// N x channels, or with `keep=true` N x channels x 1 x 1.
pub fn global_max_pool(call: &mut Call) -> Built {
    let x = call.tensor("x")?;
    let axes: Vec<i64> = (2..call.ty(x).rank() as i64).collect();
    let axes = call.constant(Tensor::ints(&axes));
    let keepdims = AttrValue::Int(call.flag("keep", false)?.into());
    call.op(OpKind::ReduceMax, &[x, axes], [("keepdims", keepdims)])
}
