//! The weights of Winograd's products: `U = G g Gᵀ`, group by group of output channels and component by component.
//!
//! Constants are transformed in f64 when the program is compiled. Computed weights are transformed by a plan of their own whenever
//! the step runs: first copies gather the filters of sixteen output channels side by side, `[blocks][rows][9][16]`, then a
//! [`Transform`] with the integer matrix [`Algorithm::filter`] and its scale makes the components of one input channel (a row) at a
//! time. Whether such weights are finite nobody can ask beforehand: one that is not spreads over its squares.

use super::{Algorithm, BLOCK, VECTOR};
use crate::kernel::blocking::even;
use crate::kernel::packing::{BlockCopy, CopyAxis};
use crate::kernel::plan::Plan;
use crate::kernel::staged::{Moving, Repeated, StageCall, StagedBuilder, StagedPlan};
use crate::kernel::tile::transform::{Between, Patch, Transform};
use crate::kernel::tile::{ELEMENT, Step};
use rayon::prelude::*;

/// Elements of a filter.
const TAPS: usize = 9;

/// Rows that one unit of parallel work transforms.
const ROWS: usize = 32;

/// Where the filter of a pair of channels begins in its source, in elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterOrder {
    pub output: usize,
    pub input: usize,
    /// Whether its elements stand in reverse order.
    pub turned: bool,
}

impl FilterOrder {
    /// `[out_channels, in_channels, 3, 3]`: of a convolution.
    pub fn convolution(in_channels: usize) -> FilterOrder {
        FilterOrder {
            output: in_channels * TAPS,
            input: TAPS,
            turned: false,
        }
    }

    /// `[in_channels, out_channels, 3, 3]`, turned: of a transposed convolution of stride 1.
    pub fn transposed(out_channels: usize) -> FilterOrder {
        FilterOrder {
            output: TAPS,
            input: out_channels * TAPS,
            turned: true,
        }
    }
}

/// What is known of the weights when the program is compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filters {
    pub order: FilterOrder,
    /// Whether they are known at run time only.
    pub computed: bool,
}

/// How `U` lies in memory.
#[derive(Clone, Debug)]
pub struct PackedFilters {
    algorithm: Algorithm,
    order: FilterOrder,
    in_channels: usize,
    out_channels: usize,
    groups: Vec<Group>,
    len: usize,
}

/// Output channels side by side. Positions count elements.
#[derive(Clone, Debug)]
struct Group {
    first: usize,
    channels: usize,
    width: usize,
    at: usize,
    /// From one component to the next.
    component: usize,
}

impl PackedFilters {
    /// For the groups of a product.
    pub(super) fn new(
        algorithm: Algorithm,
        order: FilterOrder,
        [in_channels, out_channels]: [usize; 2],
        product: &Plan,
    ) -> PackedFilters {
        let mut len = 0;
        let blocks = product.packing.iter().flat_map(|p| p.blocks());
        let groups = blocks.map(|block| {
            // An odd number of vectors apart, components fall into different sets of the cache.
            let component = ((in_channels * block.width).div_ceil(BLOCK) | 1) * BLOCK;
            let at = len;
            len += component * algorithm.components();
            Group {
                first: block.first_channel,
                channels: block.channels,
                width: block.width,
                at,
                component,
            }
        });
        PackedFilters {
            algorithm,
            order,
            in_channels,
            out_channels,
            groups: groups.collect(),
            len,
        }
    }

    /// Elements of `U`.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes to the first component of a group, and from one component to the next.
    pub(super) fn group(&self, index: usize) -> [i64; 2] {
        let group = &self.groups[index];
        [group.at, group.component].map(|n| n as i64 * ELEMENT)
    }

    /// `U` of constants; `None` if they are too few.
    pub fn pack(&self, weights: &[f32]) -> Option<Vec<f32>> {
        let rows = self.in_channels;
        if weights.len() != rows * self.out_channels * TAPS {
            return None;
        }
        let matrix = self.algorithm.filter_matrix();
        let mut packed = vec![0.0; self.len];
        let mut rest = &mut packed[..];
        let mut groups = Vec::new();
        for group in &self.groups {
            let (own, behind) = rest.split_at_mut(group.component * self.algorithm.components());
            groups.push((group, own));
            rest = behind;
        }
        groups.into_par_iter().for_each(|(group, own)| {
            for (lane, row) in (0..group.channels).flat_map(|l| (0..rows).map(move |r| (l, r))) {
                let at = (group.first + lane) * self.order.output + row * self.order.input;
                let u = transformed(&matrix, self.filter(&weights[at..at + TAPS]));
                for (component, value) in u.into_iter().enumerate() {
                    own[component * group.component + row * group.width + lane] = value;
                }
            }
        });
        Some(packed)
    }

    fn filter(&self, source: &[f32]) -> [f64; TAPS] {
        let tap = |k: usize| if self.order.turned { TAPS - 1 - k } else { k };
        std::array::from_fn(|k| f64::from(source[tap(k)]))
    }

    /// Elements of the gathered filters.
    pub fn gathered_len(&self) -> usize {
        self.out_channels.div_ceil(BLOCK) * self.in_channels * TAPS * BLOCK
    }

    /// What gathers computed filters. Lanes behind the last channel are left as they are.
    pub fn copies(&self) -> Vec<BlockCopy> {
        let (whole, rest) = (self.out_channels / BLOCK, self.out_channels % BLOCK);
        let block = self.in_channels * TAPS * BLOCK;
        let axis = |count, source, target| CopyAxis {
            count,
            source,
            target,
        };
        let copy = |first: usize, blocks: usize, lanes: usize| BlockCopy {
            source: first * BLOCK * self.order.output,
            target: first * block,
            axes: vec![
                axis(blocks, BLOCK * self.order.output, block),
                axis(self.in_channels, self.order.input, TAPS * BLOCK),
                axis(TAPS, 1, BLOCK),
                axis(lanes, self.order.output, 1),
            ],
        };
        let parts = [(0, whole, BLOCK), (whole, 1, rest)];
        let parts = parts
            .into_iter()
            .filter(|(_, blocks, lanes)| blocks * lanes > 0);
        parts
            .map(|(first, blocks, lanes)| copy(first, blocks, lanes))
            .collect()
    }

    /// What [`PackedFilters::transform`] reads beside the filters.
    pub fn constants(&self) -> Vec<f32> {
        self.algorithm.filter().constants()
    }

    /// `U` of gathered filters.
    pub fn transform(&self) -> StagedPlan {
        let mut staged = StagedBuilder::default();
        for block in 0..self.out_channels.div_ceil(BLOCK) {
            let channel = block * BLOCK;
            let groups = self.groups.iter();
            let Some(group) = groups.rev().find(|group| group.first <= channel) else {
                continue;
            };
            for rows in even(self.in_channels, ROWS) {
                let kernel = staged.kernel(self.rows(group, rows.len()));
                let from = (block * self.in_channels + rows.start) * TAPS * BLOCK;
                let to = group.at + rows.start * group.width + channel - group.first;
                let program = vec![Repeated {
                    times: 1,
                    calls: vec![StageCall {
                        kernel,
                        input: Moving::operand(if self.order.turned { TURNED } else { 0 }, 0),
                        weights: Moving::constants(0),
                        output: Moving::operand(0, 0),
                        bias: Moving::operand(0, 0),
                    }],
                }];
                staged.strips(program, [[from, to].map(|n| n as i64 * ELEMENT)]);
            }
        }
        staged.finish(0)
    }

    /// What transforms so many rows of sixteen channels of a group.
    fn rows(&self, group: &Group, count: usize) -> Transform {
        let size = self.algorithm.patch();
        let component = group.component as i64 * ELEMENT;
        let sign = if self.order.turned { -1 } else { 1 };
        Transform {
            map: self.algorithm.filter(),
            input: Patch {
                row: sign * 3 * VECTOR as i32,
                column: sign * VECTOR as i32,
                next: TAPS as i32 * VECTOR as i32,
                rows: 0..3,
                columns: 0..3,
            },
            output: Patch {
                row: (component * size as i64) as i32,
                column: component as i32,
                next: (group.width as i64 * ELEMENT) as i32,
                rows: 0..size,
                columns: 0..size,
            },
            between: Between::Output,
            patches: count as u32,
            below: 0,
            bias: false,
            epilogue: vec![Step::Scale(self.algorithm.filter_scale().into())],
        }
    }
}

/// Bytes to a filter's last element, the first of a turned one.
const TURNED: i64 = (TAPS as i64 - 1) * VECTOR;

/// `G g Gᵀ`, row by row.
fn transformed(matrix: &[[f64; 3]], g: [f64; TAPS]) -> Vec<f32> {
    let mut components = Vec::with_capacity(matrix.len() * matrix.len());
    for left in matrix {
        let half: [f64; 3] =
            std::array::from_fn(|k| left[0] * g[k] + left[1] * g[3 + k] + left[2] * g[6 + k]);
        let row = matrix
            .iter()
            .map(|right| (half[0] * right[0] + half[1] * right[1] + half[2] * right[2]) as f32);
        components.extend(row);
    }
    components
}
