//! The matrices of F(2x2, 3x3) and F(4x4, 3x3), Lavin and Gray's, as straight-line code.

use crate::kernel::tile::transform::{Combination, LinearMap};

/// Squares of 2x2 or 4x4 outputs at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    F2,
    F4,
}

const fn c(scale: i32, a: usize, b: usize) -> Combination {
    Combination { scale, a, b }
}

/// `Bᵀ` of F(2,3): `d0 - d2, d1 + d2, d2 - d1, d1 - d3`.
const INPUT_2: LinearMap = LinearMap {
    inputs: 4,
    combinations: &[c(-1, 2, 0), c(1, 1, 2), c(-1, 1, 2), c(-1, 3, 1)],
    outputs: &[4, 5, 6, 7],
};

/// `Aᵀ` of F(2,3): `m0 + m1 + m2, m1 - m2 - m3`.
const OUTPUT_2: LinearMap = LinearMap {
    inputs: 4,
    combinations: &[c(1, 0, 1), c(-1, 2, 1), c(1, 2, 4), c(-1, 3, 5)],
    outputs: &[6, 7],
};

/// `Bᵀ` of F(4,3): `4 d0 - 5 d2 + d4`, `e1 ± o1`, `e2 ± 2 o2`, `4 d1 - 5 d3 + d5` with `e1 = d4 - 4 d2, o1 = d3 - 4 d1,
/// e2 = d4 - d2, o2 = d3 - d1`.
const INPUT_4: LinearMap = LinearMap {
    inputs: 6,
    combinations: &[
        c(-5, 2, 4),
        c(4, 0, 6),
        c(-5, 3, 5),
        c(4, 1, 8),
        c(-4, 2, 4),
        c(-4, 1, 3),
        c(1, 11, 10),
        c(-1, 11, 10),
        c(-1, 2, 4),
        c(-1, 1, 3),
        c(2, 15, 14),
        c(-2, 15, 14),
    ],
    outputs: &[7, 12, 13, 16, 17, 9],
};

/// `Aᵀ` of F(4,3), from `s1, d1 = m1 ± m2` and `s2, d2 = m3 ± m4`: `m0 + s1 + s2, d1 + 2 d2, s1 + 4 s2, d1 + 8 d2 + m5`.
const OUTPUT_4: LinearMap = LinearMap {
    inputs: 6,
    combinations: &[
        c(1, 2, 1),
        c(-1, 2, 1),
        c(1, 4, 3),
        c(-1, 4, 3),
        c(1, 0, 6),
        c(1, 8, 10),
        c(2, 9, 7),
        c(4, 8, 6),
        c(1, 5, 7),
        c(8, 9, 14),
    ],
    outputs: &[11, 12, 13, 15],
};

/// `2 G` of F(2,3): `2 g0, g0 + g1 + g2, g0 - g1 + g2, 2 g2`.
const FILTER_2: LinearMap = LinearMap {
    inputs: 3,
    combinations: &[c(1, 0, 0), c(1, 0, 2), c(1, 1, 4), c(-1, 1, 4), c(1, 2, 2)],
    outputs: &[3, 5, 6, 7],
};

/// `24 G` of F(4,3), from `s = g0 + g2` and `q = g0 + 4 g2`: `6 g0, -4 (s + g1), -4 (s - g1), q + 2 g1, q - 2 g1, 24 g2`.
const FILTER_4: LinearMap = LinearMap {
    inputs: 3,
    combinations: &[
        c(5, 0, 0),
        c(1, 0, 2),
        c(1, 1, 4),
        c(-5, 5, 5),
        c(-1, 1, 4),
        c(-5, 7, 7),
        c(4, 2, 0),
        c(2, 1, 9),
        c(-2, 1, 9),
        c(23, 2, 2),
    ],
    outputs: &[3, 6, 8, 10, 11, 12],
};

/// `A` of F(2,3): `y0, y0 + y1, y0 - y1, -y1`.
const GRADIENT_2: LinearMap = LinearMap {
    inputs: 2,
    combinations: &[c(1, 1, 0), c(-1, 1, 0), c(-2, 1, 1)],
    outputs: &[0, 2, 3, 4],
};

/// `A` of F(4,3), from `e1, o1 = y0 + y2, y1 + y3` and `e2, o2 = y0 + 4 y2, y1 + 4 y3`:
/// `y0, e1 + o1, e1 - o1, e2 + 2 o2, e2 - 2 o2, y3`.
const GRADIENT_4: LinearMap = LinearMap {
    inputs: 4,
    combinations: &[
        c(1, 2, 0),
        c(1, 3, 1),
        c(1, 5, 4),
        c(-1, 5, 4),
        c(4, 2, 0),
        c(4, 3, 1),
        c(2, 9, 8),
        c(-2, 9, 8),
    ],
    outputs: &[0, 6, 7, 10, 11, 3],
};

/// `2 Gᵀ` of F(2,3): `2 p0 + p1 + p2, p1 - p2, p1 + p2 + 2 p3`.
const FILTER_GRADIENT_2: LinearMap = LinearMap {
    inputs: 4,
    combinations: &[c(1, 2, 1), c(2, 0, 4), c(-1, 2, 1), c(2, 3, 4)],
    outputs: &[5, 6, 7],
};

/// `24 Gᵀ` of F(4,3), from `s1, d1 = p2 ± p1` and `s2, d2 = p3 ± p4`: `6 p0 - 4 s1 + s2, 2 (2 d1 + d2), 4 (s2 - s1 + 6 p5)`.
const FILTER_GRADIENT_4: LinearMap = LinearMap {
    inputs: 6,
    combinations: &[
        c(1, 1, 2),
        c(1, 4, 3),
        c(-1, 1, 2),
        c(-1, 4, 3),
        c(-4, 6, 7),
        c(6, 0, 10),
        c(2, 8, 9),
        c(1, 12, 12),
        c(-1, 6, 7),
        c(6, 5, 14),
        c(3, 15, 15),
    ],
    outputs: &[11, 13, 16],
};

impl Algorithm {
    pub const ALL: [Algorithm; 2] = [Algorithm::F2, Algorithm::F4];

    /// The side of a square of outputs.
    pub const fn size(self) -> usize {
        match self {
            Algorithm::F2 => 2,
            Algorithm::F4 => 4,
        }
    }

    /// The side of a patch of inputs.
    pub const fn patch(self) -> usize {
        self.size() + 2
    }

    /// Multiplications a square and pair of channels.
    pub const fn components(self) -> usize {
        self.patch() * self.patch()
    }

    /// `Bᵀ`.
    pub const fn input(self) -> LinearMap {
        match self {
            Algorithm::F2 => INPUT_2,
            Algorithm::F4 => INPUT_4,
        }
    }

    /// `Aᵀ`.
    pub const fn output(self) -> LinearMap {
        match self {
            Algorithm::F2 => OUTPUT_2,
            Algorithm::F4 => OUTPUT_4,
        }
    }

    /// `A`.
    pub const fn output_gradient(self) -> LinearMap {
        match self {
            Algorithm::F2 => GRADIENT_2,
            Algorithm::F4 => GRADIENT_4,
        }
    }

    /// `Gᵀ` times [`Algorithm::denominator`].
    pub const fn filter_gradient(self) -> LinearMap {
        match self {
            Algorithm::F2 => FILTER_GRADIENT_2,
            Algorithm::F4 => FILTER_GRADIENT_4,
        }
    }

    /// What the two transforms of data read: the input's constants, then the output's.
    pub fn constants(self) -> Vec<f32> {
        let mut constants = self.input().constants();
        constants.extend(self.output().constants());
        constants
    }

    /// `G` times [`Algorithm::denominator`], which makes its entries whole.
    pub const fn filter(self) -> LinearMap {
        match self {
            Algorithm::F2 => FILTER_2,
            Algorithm::F4 => FILTER_4,
        }
    }

    pub const fn denominator(self) -> i32 {
        match self {
            Algorithm::F2 => 2,
            Algorithm::F4 => 24,
        }
    }

    /// What multiplies the two-sided product of [`Algorithm::filter`].
    pub fn filter_scale(self) -> f32 {
        1.0 / (self.denominator() * self.denominator()) as f32
    }

    /// `G`, row by row.
    pub fn filter_matrix(self) -> Vec<[f64; 3]> {
        let entry = |whole: i32| f64::from(whole) / f64::from(self.denominator());
        let rows = self.filter().matrix().into_iter();
        rows.map(|row| std::array::from_fn(|k| entry(row[k])))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `y_k = sum over r of g_r d_(k + r)` for every unit vector, exactly.
    #[test]
    fn both_algorithms_convolve_in_one_dimension() {
        for algorithm in Algorithm::ALL {
            let (input, output) = (algorithm.input().matrix(), algorithm.output().matrix());
            let filter = algorithm.filter_matrix();
            for (k, row) in output.iter().enumerate() {
                for (r, d) in (0..3).flat_map(|r| (0..algorithm.patch()).map(move |d| (r, d))) {
                    let terms = row.iter().zip(&filter).zip(&input);
                    let sum: f64 = terms
                        .map(|((a, g), b)| f64::from(*a) * g[r] * f64::from(b[d]))
                        .sum();
                    let expected = f64::from(u8::from(d == k + r));
                    assert!((sum - expected).abs() < 1e-15, "{algorithm:?} {k} {r} {d}");
                }
            }
        }
    }

    #[test]
    fn maps_of_gradients_are_transposes() {
        let transposed = |map: LinearMap| {
            let rows = map.matrix();
            let column = |k: usize| rows.iter().map(|row| row[k]).collect::<Vec<i32>>();
            (0..map.inputs).map(column).collect::<Vec<_>>()
        };
        for algorithm in Algorithm::ALL {
            let gradient = algorithm.output_gradient().matrix();
            assert_eq!(gradient, transposed(algorithm.output()));
            let filter = algorithm.filter_gradient().matrix();
            assert_eq!(filter, transposed(algorithm.filter()));
        }
    }

    #[test]
    fn maps_have_the_published_matrices() {
        let rows = |map: LinearMap| {
            map.matrix()
                .iter()
                .map(|r| format!("{r:?}"))
                .collect::<Vec<_>>()
        };
        insta::assert_snapshot!(rows(INPUT_4).join("\n"), @r"
        [4, 0, -5, 0, 1, 0]
        [0, -4, -4, 1, 1, 0]
        [0, 4, -4, -1, 1, 0]
        [0, -2, -1, 2, 1, 0]
        [0, 2, -1, -2, 1, 0]
        [0, 4, 0, -5, 0, 1]
        ");
        insta::assert_snapshot!(rows(OUTPUT_4).join("\n"), @r"
        [1, 1, 1, 1, 1, 0]
        [0, 1, -1, 2, -2, 0]
        [0, 1, 1, 4, 4, 0]
        [0, 1, -1, 8, -8, 1]
        ");
        insta::assert_snapshot!(rows(FILTER_4).join("\n"), @r"
        [6, 0, 0]
        [-4, -4, -4]
        [-4, 4, -4]
        [1, 2, 4]
        [1, -2, 4]
        [0, 0, 24]
        ");
    }
}
