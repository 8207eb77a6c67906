//! [NonMaxSuppression](https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html).

use crate::error::KernelError;
use crate::operands::Operands;
use crate::portable::shape;
use crate::wire::wire_struct;

/// Boxes that survive, by class and falling score, as i64 `[count, 3]` of (batch, class, box). Inputs: boxes
/// `[batch, boxes, 4]`, scores `[batch, classes, boxes]`, and as optional scalars the most boxes a class (i64, default 0), the IoU
/// threshold (f32, default 0) and the score threshold (f32, default: none).
#[derive(Clone, Debug, PartialEq)]
pub struct NonMaxSuppression {
    /// Boxes are (x centre, y centre, width, height) rather than (y1, x1, y2, x2) of two opposite corners.
    pub center_point_box: bool,
}

wire_struct!(NonMaxSuppression { center_point_box });

impl NonMaxSuppression {
    pub(super) fn run(&self, operands: &mut Operands<'_>) -> Result<(), KernelError> {
        let (boxes, scores) = (operands.input::<f32>(0)?, operands.input::<f32>(1)?);
        let most = operands.scalar::<i64>(2)?.unwrap_or(0).max(0) as usize;
        let iou_threshold = operands.scalar::<f32>(3)?.unwrap_or(0.0);
        let score_threshold = operands.scalar::<f32>(4)?;
        let &[batches, classes, count] = &scores.dims[..] else {
            return Err(shape(
                "the tensor of scores",
                "three dimensions",
                &scores.dims,
            ));
        };
        if boxes.dims != [batches, count, 4] {
            let expected = format!("[{batches}, {count}, 4]");
            return Err(shape("the tensor of boxes", expected, &boxes.dims));
        }
        let corners: Vec<Corners> = boxes
            .data
            .chunks_exact(4)
            .map(|b| self.corners(b))
            .collect();
        let mut selected: Vec<[i64; 3]> = Vec::new();
        for batch in 0..batches {
            let corners = &corners[batch * count..][..count];
            for class in 0..classes {
                let scores = &scores.data[(batch * classes + class) * count..][..count];
                let kept = suppress(corners, scores, most, iou_threshold, score_threshold);
                selected.extend(
                    kept.iter()
                        .map(|&kept| [batch as i64, class as i64, kept as i64]),
                );
            }
        }
        operands.output::<i64>(0, &[selected.len(), 3], |out| {
            out.copy_from_slice(selected.as_flattened());
            Ok(())
        })
    }

    fn corners(&self, numbers: &[f32]) -> Corners {
        let [a, b, c, d] = [numbers[0], numbers[1], numbers[2], numbers[3]];
        match self.center_point_box {
            true => Corners {
                x: [a - c / 2.0, a + c / 2.0],
                y: [b - d / 2.0, b + d / 2.0],
            },
            false => Corners {
                x: [b.min(d), b.max(d)],
                y: [a.min(c), a.max(c)],
            },
        }
    }
}

/// A box as low and high ends.
struct Corners {
    x: [f32; 2],
    y: [f32; 2],
}

impl Corners {
    fn area(&self) -> f32 {
        (self.x[1] - self.x[0]) * (self.y[1] - self.y[0])
    }

    /// Intersection over union; 0 where either box is empty.
    fn iou(&self, other: &Corners) -> f32 {
        let common = |a: [f32; 2], b: [f32; 2]| (a[1].min(b[1]) - a[0].max(b[0])).max(0.0);
        let intersection = common(self.x, other.x) * common(self.y, other.y);
        let union = self.area() + other.area() - intersection;
        match self.area() > 0.0 && other.area() > 0.0 && union > 0.0 {
            true => intersection / union,
            false => 0.0,
        }
    }
}

/// The boxes of one class that are kept: by falling score (the lower number first among equals), none that overlaps a better one.
fn suppress(
    corners: &[Corners],
    scores: &[f32],
    most: usize,
    iou_threshold: f32,
    score_threshold: Option<f32>,
) -> Vec<usize> {
    let passes = |&i: &usize| score_threshold.is_none_or(|threshold| scores[i] > threshold);
    let mut candidates: Vec<usize> = (0..scores.len()).filter(passes).collect();
    candidates.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut kept: Vec<usize> = Vec::new();
    for candidate in candidates {
        if kept.len() >= most {
            break;
        }
        if kept
            .iter()
            .all(|&better| corners[better].iou(&corners[candidate]) <= iou_threshold)
        {
            kept.push(candidate);
        }
    }
    kept
}
