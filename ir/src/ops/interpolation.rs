//! One-dimensional resampling tables, as Resize needs them: where an output cell lies in the input, and which input cells it
//! mixes. Pure arithmetic on numbers; shapes, types and graphs are the caller's.

/// How a coordinate of the output becomes one of the input (`coordinate_transformation_mode`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    /// Opset 11 only.
    TfHalfPixelForNn,
    /// The region of interest, in shares of the input's extent.
    TfCropAndResize {
        start: f64,
        end: f64,
    },
}

/// One axis to be resampled. `width` is the output's extent before rounding, `scale * input`.
#[derive(Clone, Copy, Debug)]
pub struct Axis {
    pub input: usize,
    pub output: usize,
    pub scale: f64,
    pub width: f64,
    pub coordinates: Coordinates,
}

impl Axis {
    /// Position of output cell `y` in the input.
    pub fn position(&self, y: usize) -> f64 {
        let (y, last) = (y as f64, self.input as f64 - 1.0);
        let half_pixel = (y + 0.5) / self.scale - 0.5;
        match self.coordinates {
            Coordinates::HalfPixel => half_pixel,
            Coordinates::PytorchHalfPixel if self.width <= 1.0 => 0.0,
            Coordinates::PytorchHalfPixel => half_pixel,
            Coordinates::HalfPixelSymmetric => {
                let center = self.input as f64 / 2.0;
                center * (1.0 - self.output as f64 / self.width) + half_pixel
            }
            Coordinates::AlignCorners if self.width == 1.0 => 0.0,
            Coordinates::AlignCorners => y * last / (self.width - 1.0),
            Coordinates::Asymmetric => y / self.scale,
            Coordinates::TfHalfPixelForNn => (y + 0.5) / self.scale,
            Coordinates::TfCropAndResize { start, end } if self.width > 1.0 => {
                start * last + y * (end - start) * last / (self.width - 1.0)
            }
            Coordinates::TfCropAndResize { start, end } => 0.5 * (start + end) * last,
        }
    }

    /// Whether output cell `y` lies outside of the input and gets the extrapolation value.
    pub fn extrapolated(&self, y: usize) -> bool {
        let x = self.position(y);
        matches!(self.coordinates, Coordinates::TfCropAndResize { .. })
            && (x < 0.0 || x > self.input as f64 - 1.0)
    }

    /// Whether nothing happens along this axis.
    pub fn is_identity(&self) -> bool {
        let whole = match self.coordinates {
            Coordinates::TfCropAndResize { start, end } => start == 0.0 && end == 1.0,
            _ => true,
        };
        whole && self.output == self.input && (self.scale - 1.0).abs() < 1e-9
    }

    fn clamp(&self, index: i64) -> i64 {
        index.clamp(0, self.input as i64 - 1)
    }

    /// The one cell that each output cell copies. Positions are rounded to f32 first: a scale such as 1/3 is an f32 itself, and
    /// its error must not move a position across an integer.
    pub fn nearest(&self, rounding: Nearest) -> Vec<i64> {
        (0..self.output)
            .map(|y| {
                let x = f64::from(self.position(y) as f32);
                self.clamp(match rounding {
                    Nearest::RoundPreferFloor => (x - 0.5).ceil(),
                    Nearest::RoundPreferCeil => (x + 0.5).floor(),
                    Nearest::Floor => x.floor(),
                    Nearest::Ceil => x.ceil(),
                } as i64)
            })
            .collect()
    }

    /// The cells that each output cell mixes and their weights.
    pub fn taps(&self, filter: Filter, antialias: bool, exclude_outside: bool) -> Taps {
        let squeeze = if antialias { self.scale.min(1.0) } else { 1.0 };
        let first = (-filter.radius() / squeeze).floor() as i64 + 1;
        let count = (2 - 2 * first) as usize;
        let mut taps = Taps {
            count,
            indices: Vec::with_capacity(self.output * count),
            weights: Vec::with_capacity(self.output * count),
        };
        for y in 0..self.output {
            let x = self.position(y);
            let base = x.floor();
            let start = taps.weights.len();
            for i in first..first + count as i64 {
                let index = (base as i64).saturating_add(i);
                let inside = index == self.clamp(index);
                let weight = filter.weight(squeeze * (i as f64 - (x - base)));
                taps.weights.push(if inside || !exclude_outside {
                    weight
                } else {
                    0.0
                });
                taps.indices.push(self.clamp(index));
            }
            if antialias || exclude_outside {
                normalize(&mut taps.weights[start..]);
            }
        }
        taps
    }
}

fn normalize(weights: &mut [f64]) {
    let sum: f64 = weights.iter().sum();
    if sum != 0.0 {
        weights.iter_mut().for_each(|w| *w /= sum);
    }
}

/// `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

/// An interpolation kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Filter {
    Linear,
    /// Keys' cubic convolution with coefficient `a`, IEEE Trans. ASSP 29 (1981).
    Cubic {
        a: f64,
    },
}

impl Filter {
    fn radius(self) -> f64 {
        match self {
            Filter::Linear => 1.0,
            Filter::Cubic { .. } => 2.0,
        }
    }

    /// Weight at a distance from the centre.
    pub fn weight(self, distance: f64) -> f64 {
        let d = distance.abs();
        match self {
            Filter::Linear => (1.0 - d).max(0.0),
            Filter::Cubic { a } if d <= 1.0 => ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0,
            Filter::Cubic { a } if d < 2.0 => ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a,
            Filter::Cubic { .. } => 0.0,
        }
    }
}

/// `count` taps for each output cell, one cell after the other.
pub struct Taps {
    pub count: usize,
    pub indices: Vec<i64>,
    pub weights: Vec<f64>,
}

impl Taps {
    /// Tap `t` of every output cell: its index and weight.
    pub fn column(&self, t: usize) -> (Vec<i64>, Vec<f64>) {
        let every = |v: usize| v % self.count == t;
        let indices = self.indices.iter().enumerate();
        let weights = self.weights.iter().enumerate();
        (
            indices
                .filter(|(i, _)| every(*i))
                .map(|(_, &v)| v)
                .collect(),
            weights
                .filter(|(i, _)| every(*i))
                .map(|(_, &v)| v)
                .collect(),
        )
    }

    /// The taps as a dense matrix `[output, input]`.
    pub fn matrix(&self, input: usize) -> Vec<f64> {
        let rows = self.indices.len() / self.count;
        let mut dense = vec![0.0; rows * input];
        for (i, (&index, &weight)) in self.indices.iter().zip(&self.weights).enumerate() {
            dense[i / self.count * input + index as usize] += weight;
        }
        dense
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(input: usize, output: usize, coordinates: Coordinates) -> Axis {
        Axis {
            input,
            output,
            scale: output as f64 / input as f64,
            width: output as f64,
            coordinates,
        }
    }

    #[test]
    fn doubling_repeats_every_cell() {
        let a = axis(3, 6, Coordinates::HalfPixel);
        assert_eq!(a.nearest(Nearest::RoundPreferFloor), [0, 0, 1, 1, 2, 2]);
        assert_eq!(
            axis(3, 6, Coordinates::Asymmetric).nearest(Nearest::Floor),
            [0, 0, 1, 1, 2, 2]
        );
    }

    #[test]
    fn aligned_corners_meet() {
        let a = axis(4, 7, Coordinates::AlignCorners);
        assert_eq!((a.position(0), a.position(6)), (0.0, 3.0));
    }

    #[test]
    fn weights_sum_to_one() {
        for filter in [Filter::Linear, Filter::Cubic { a: -0.75 }] {
            for antialias in [false, true] {
                let taps = axis(11, 4, Coordinates::HalfPixel).taps(filter, antialias, false);
                for cell in taps.weights.chunks(taps.count) {
                    assert!((cell.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{cell:?}");
                }
            }
        }
    }
}
