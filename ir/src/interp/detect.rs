//! Routines of object detection: NonMaxSuppression and RoiAlign.

use super::Fault;
use super::array::{Array, Data};
use super::index::resolve;
use super::run::{Operands, Run, operand, optional};

/// The attributes of [`Index::RoiAlign`](crate::class::Index::RoiAlign).
pub struct RoiAlign {
    pub mode_max: bool,
    pub half_pixel: bool,
    pub sampling_ratio: i64,
    pub spatial_scale: f64,
    pub output: [usize; 2],
}

impl Run {
    /// `boxes[batch, n, 4], scores[batch, class, n]` and three optional scalars give rows `(batch, class, box)`.
    pub fn non_max_suppression(
        &mut self,
        operands: Operands,
        center: bool,
    ) -> Result<Array, Fault> {
        let (boxes, scores) = (operand(operands, 0)?, operand(operands, 1)?);
        let (&[batch, n, 4], &[scored, classes, m]) = (&boxes.shape[..], &scores.shape[..]) else {
            return Err(misshapen(boxes, scores));
        };
        if (batch, n) != (scored, m) {
            return Err(misshapen(boxes, scores));
        }
        let scalar = |i: usize| optional(operands, i).and_then(|a| a.floats().first().copied());
        let most = scalar(2).unwrap_or(0.0).max(0.0) as usize;
        let overlap = scalar(3).unwrap_or(0.0);
        let threshold = scalar(4).unwrap_or(f64::NEG_INFINITY);
        let corners: Vec<[f64; 4]> = boxes
            .floats()
            .chunks_exact(4)
            .map(|b| corners(b, center))
            .collect();
        let scores = scores.floats();
        let mut rows = Vec::new();
        for b in 0..batch {
            for c in 0..classes {
                let score = |i: usize| scores[(b * classes + c) * n + i];
                let mut order: Vec<usize> = (0..n)
                    .filter(|&i| optional(operands, 4).is_none() || score(i) > threshold)
                    .collect();
                order.sort_by(|&i, &j| score(j).total_cmp(&score(i)));
                let mut chosen: Vec<usize> = Vec::new();
                for i in order {
                    if chosen.len() >= most {
                        break;
                    }
                    self.spend(&[chosen.len()])?;
                    if chosen.iter().all(|&j| {
                        intersection_over_union(&corners[b * n + i], &corners[b * n + j]) <= overlap
                    }) {
                        chosen.push(i);
                    }
                }
                rows.extend(
                    chosen
                        .into_iter()
                        .flat_map(|i| [b as i64, c as i64, i as i64]),
                );
            }
        }
        Ok(Array::ints(vec![rows.len() / 3, 3], rows))
    }

    /// `x[n, c, h, w], rois[r, 4], batch_indices[r]` give `[r, c, output]`.
    pub fn roi_align(
        &mut self,
        align: &RoiAlign,
        x: &Array,
        rois: &Array,
        batches: &Array,
    ) -> Result<Array, Fault> {
        let (&[n, channels, h, w], &[count, 4]) = (&x.shape[..], &rois.shape[..]) else {
            return Err(misshapen(x, rois));
        };
        let (values, corners, batches) = (x.floats(), rois.floats(), batches.integers());
        if batches.len() != count {
            return Err(Fault::Invalid(format!(
                "{} batch indices for {count} regions",
                batches.len()
            )));
        }
        let shape = vec![count, channels, align.output[0], align.output[1]];
        let mut out = Vec::with_capacity(self.elements(&shape)?);
        for (roi, &batch) in corners.chunks_exact(4).zip(&batches) {
            let batch = resolve(batch, n)?;
            let bins = align.bins(roi, [h, w]);
            let samples = |a: &[Vec<Sample>]| a.iter().map(Vec::len).sum::<usize>();
            self.spend(&[channels, samples(&bins[0]), samples(&bins[1])])?;
            for c in 0..channels {
                let plane = &values[(batch * channels + c) * h * w..][..h * w];
                for rows in &bins[0] {
                    out.extend(
                        bins[1]
                            .iter()
                            .map(|columns| align.pool(plane, w, rows, columns)),
                    );
                }
            }
        }
        Ok(Array::new(x.dtype, shape, Data::Float(out)).rounded(self.precision()))
    }
}

fn misshapen(a: &Array, b: &Array) -> Fault {
    Fault::Invalid(format!(
        "operands of shapes {:?} and {:?} do not fit",
        a.shape, b.shape
    ))
}

/// `[y1, x1, y2, x2]` with `y1 <= y2`, from two opposite corners or from `[x, y, width, height]` about the centre.
fn corners(b: &[f64], center: bool) -> [f64; 4] {
    if center {
        let (x, y, w, h) = (b[0], b[1], b[2] / 2.0, b[3] / 2.0);
        [y - h, x - w, y + h, x + w]
    } else {
        [
            b[0].min(b[2]),
            b[1].min(b[3]),
            b[0].max(b[2]),
            b[1].max(b[3]),
        ]
    }
}

fn intersection_over_union(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let area = |b: &[f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let height = a[2].min(b[2]) - a[0].max(b[0]);
    let width = a[3].min(b[3]) - a[1].max(b[1]);
    let shared = height.max(0.0) * width.max(0.0);
    let union = area(a) + area(b) - shared;
    if shared <= 0.0 || union <= 0.0 {
        0.0
    } else {
        shared / union
    }
}

/// One coordinate of a sample between two pixels: `low` weighs `1 - part`, `high` weighs `part`. `None` lies outside.
type Sample = Option<(usize, usize, f64)>;

impl RoiAlign {
    /// Samples of every bin along the rows and along the columns.
    fn bins(&self, roi: &[f64], plane: [usize; 2]) -> [Vec<Vec<Sample>>; 2] {
        let shift = if self.half_pixel { 0.5 } else { 0.0 };
        // A region is `x1, y1, x2, y2`.
        [(1, 3, 0), (0, 2, 1)].map(|(low, high, axis)| {
            let start = roi[low] * self.spatial_scale - shift;
            let mut length = roi[high] * self.spatial_scale - shift - start;
            if !self.half_pixel {
                length = length.max(1.0);
            }
            let bin = length / self.output[axis] as f64;
            let grid = match self.sampling_ratio {
                // A region far larger than the plane takes no more samples than would tell pixels apart.
                r if r <= 0 => (bin.ceil().max(0.0) as usize).min(4 * (plane[axis] + 1)),
                r => r as usize,
            };
            (0..self.output[axis])
                .map(|p| {
                    let at =
                        |i: usize| start + p as f64 * bin + (i as f64 + 0.5) * bin / grid as f64;
                    (0..grid).map(|i| sample(at(i), plane[axis])).collect()
                })
                .collect()
        })
    }

    fn pool(&self, plane: &[f64], width: usize, rows: &[Sample], columns: &[Sample]) -> f64 {
        let mut best: Option<f64> = None;
        let mut sum = 0.0;
        for row in rows {
            for column in columns {
                let corners = match (row, column) {
                    (&Some((y0, y1, fy)), &Some((x0, x1, fx))) => [
                        (1.0 - fy) * (1.0 - fx) * plane[y0 * width + x0],
                        (1.0 - fy) * fx * plane[y0 * width + x1],
                        fy * (1.0 - fx) * plane[y1 * width + x0],
                        fy * fx * plane[y1 * width + x1],
                    ],
                    _ => [0.0; 4],
                };
                sum += corners.iter().sum::<f64>();
                // ONNX takes the largest weighted corner, not the largest interpolated value.
                let largest = corners.into_iter().fold(f64::NEG_INFINITY, f64::max);
                best = Some(best.map_or(largest, |b| b.max(largest)));
            }
        }
        if self.mode_max {
            best.unwrap_or(0.0)
        } else {
            sum / (rows.len() * columns.len()).max(1) as f64
        }
    }
}

fn sample(at: f64, extent: usize) -> Sample {
    if extent == 0 || at.is_nan() || at < -1.0 || at > extent as f64 {
        return None;
    }
    let at = at.max(0.0);
    let low = at as usize;
    if low >= extent - 1 {
        return Some((extent - 1, extent - 1, 0.0));
    }
    Some((low, low + 1, at - low as f64))
}
