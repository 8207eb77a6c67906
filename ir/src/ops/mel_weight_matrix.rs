//! MelWeightMatrix: triangular filters `[dft_length / 2 + 1, num_mel_bins]` whose edges are equally far apart on the mel scale
//! `2595 log10(1 + f / 700)`. <https://onnx.ai/onnx/operators/onnx__MelWeightMatrix.html>
//!
//! All operands are constants: so is the matrix.

use crate::attrs::AttrKind;
use crate::compose::Composer;
use crate::schema::{Attr, Cx, Input, OpDef, Output, Preset, TypeError, sets};
use crate::tensor::Tensor;
use crate::types::{DType, TensorType};

/// Largest number of entries of a matrix.
const MAX_ENTRIES: usize = 1 << 26;

pub static DEF: OpDef = OpDef {
    name: "MelWeightMatrix",
    since: 17,
    inputs: &[
        Input::new("num_mel_bins", "T1"),
        Input::new("dft_length", "T1"),
        Input::new("sample_rate", "T1"),
        Input::new("lower_edge_hertz", "T2"),
        Input::new("upper_edge_hertz", "T2"),
    ],
    outputs: &[Output::new("output", "T3")],
    types: &[
        ("T1", sets::INDEX),
        ("T2", sets::FLOAT),
        ("T3", sets::NUMERIC),
    ],
    attrs: &[Attr::new(
        "output_datatype",
        AttrKind::DType,
        Preset::DType(DType::F32),
    )],
    infer: |cx| {
        let filters = Filters::new(cx)?;
        Ok(vec![TensorType::new(
            dtype(cx),
            [filters.rows, filters.columns()],
        )])
    },
    semantics: |cx| {
        let filters = Filters::new(cx)?;
        let mut c = Composer::new(cx);
        let matrix = filters.matrix();
        let y = c.constant(Tensor::from_f64(
            dtype(cx),
            &[filters.rows, filters.columns()],
            &matrix,
        ));
        c.finish(&[y])
    },
    ..OpDef::NEW
};

fn dtype(cx: &Cx) -> DType {
    cx.dtype_attr("output_datatype").unwrap_or(DType::F32)
}

/// The filters: each rises from one edge to the next and falls to the one after, all in bins of the spectrum.
struct Filters {
    rows: usize,
    edges: Vec<usize>,
}

impl Filters {
    fn new(cx: &Cx) -> Result<Filters, TypeError> {
        let positive = |i: usize| {
            let value = cx.const_int(i)?;
            usize::try_from(value)
                .ok()
                .filter(|&v| v > 0)
                .ok_or_else(|| cx.error(format!("input {i} must be positive, is {value}")))
        };
        let (filters, length, rate) = (positive(0)?, positive(1)?, positive(2)?);
        let rows = length / 2 + 1;
        if rows.checked_mul(filters).is_none_or(|n| n > MAX_ENTRIES) {
            return Err(cx.unsupported(format!("a matrix of {rows} by {filters} entries")));
        }
        let mel = |i: usize| {
            let hertz = cx.constant(i)?.to_f64();
            match hertz[..] {
                [hertz] => Ok(2595.0 * (1.0 + hertz / 700.0).log10()),
                _ => Err(cx.error(format!("input {i} must be a scalar"))),
            }
        };
        let (low, high): (f64, f64) = (mel(3)?, mel(4)?);
        let step = (high - low) / (filters + 2) as f64;
        let bin = |i: usize| {
            let hertz = 700.0 * (10f64.powf((low + step * i as f64) / 2595.0) - 1.0);
            ((length + 1) as f64 * hertz / rate as f64).floor()
        };
        let edges: Vec<f64> = (0..filters + 2).map(bin).collect();
        let inside = |e: &f64| *e >= 0.0 && *e <= rows as f64;
        if !edges.iter().all(inside)
            || edges.windows(2).any(|w| w[0] > w[1])
            || edges[filters] >= rows as f64
        {
            return Err(cx.error(
                "the edges must lie between 0 and half the sample rate, the lower before the upper",
            ));
        }
        Ok(Filters {
            rows,
            edges: edges.into_iter().map(|e| e as usize).collect(),
        })
    }

    fn columns(&self) -> usize {
        self.edges.len() - 2
    }

    fn matrix(&self) -> Vec<f64> {
        let columns = self.columns();
        let mut out = vec![0.0; self.rows * columns];
        for (column, edges) in self.edges.windows(3).enumerate() {
            let [low, centre, high] = [edges[0], edges[1], edges[2]];
            for row in low..=centre {
                out[row * columns + column] = match centre - low {
                    0 => 1.0,
                    width => (row - low) as f64 / width as f64,
                };
            }
            for row in centre..high {
                out[row * columns + column] = (high - row) as f64 / (high - centre) as f64;
            }
        }
        out
    }
}
