//! A chain of convolutions and pools, strip by strip: some rows of the last result are computed through all stages before the
//! next, so that what lies between stays in the cache (fused layers: Alwani, Chen, Ferdman and Milder, "Fused-Layer CNN
//! Accelerators", 2016).
//!
//! A stage that works lane by lane (depthwise, pool) needs of the stage before it no other channels than its own, so the two take
//! turns, bundle of channels by bundle; a stage that sums over channels waits until all of them are there:
//!
//! ```text
//! for strip of output rows:
//!     for link in chain:                          -- a sum over channels, then stages lane by lane
//!         for bundle of the link's channels:
//!             for stage in link:
//!                 the bundle of the rows that the strip needs
//! ```
//!
//! Rows that neighbouring strips both need are computed for each of them. The stages' tiles are those of [`super::conv`],
//! [`super::depthwise`] and [`super::pool`], planned for the rows of a strip as if they were the whole picture: padding above and
//! below is only the first and the last strip's. Deliberately absent: groups of several channels, residuals before the last stage.

mod cut;

use super::conv::{self, ConvGeometry};
use super::depthwise;
use super::packing::Packing;
use super::placement::Placement;
use super::plan::{Plan, PlanError, SpatialUnit};
use super::pool::{self, Pooling};
use super::staged::{Moving, Repeated, StageCall, StagedBuilder, StagedPlan};
use super::tile::{ELEMENT, Lanes, Target};
pub use cut::gain;
use std::ops::Range;

/// Channels of a block.
const BLOCK: usize = Lanes::Sixteen.count();

/// Weights and biases start at multiples of as many elements.
const ALIGN: usize = 16;

/// One operator of a chain; its batch and its placements at the chain's ends are those of memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    pub conv: ConvGeometry,
    pub kind: Kind,
}

/// What a stage computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A convolution of one group.
    Sum,
    Depthwise,
    Pool(Pooling),
}

/// A chain cut into strips.
#[derive(Clone, Debug)]
pub struct Chain {
    pub plan: StagedPlan,
    sections: Vec<Section>,
}

/// The packed weights of a stage in the chain's weights, and its bias in the chain's bias, in elements.
#[derive(Clone, Debug)]
struct Section {
    stage: usize,
    packing: Packing,
    weights: usize,
    bias: usize,
}

/// Plans a chain for a number of threads.
///
/// # Errors
/// If a stage has no plan, or if the value between two stages is not the same for both.
pub fn plan(stages: &[Stage], target: Target, threads: usize) -> Result<Chain, PlanError> {
    check(stages)?;
    let (first, last) = (&stages[0].conv, &stages[stages.len() - 1].conv);
    let mut builder = Builder {
        stages,
        target,
        sections: Vec::new(),
        staged: StagedBuilder::default(),
        scratch: 0,
    };
    let mut programs: Vec<(Vec<ConvGeometry>, Vec<Repeated>)> = Vec::new();
    for rows in cut::strips(stages, threads)? {
        let start = rows.start as i64;
        let (locals, top) = locals(stages, rows);
        if locals.iter().any(|local| local.input[0] == 0) {
            return Err(PlanError::geometry(
                "the rows a strip needs",
                "at least 1",
                0,
            ));
        }
        let program = match programs.iter().find(|(same, _)| *same == locals) {
            Some((_, program)) => program.clone(),
            None => {
                let program = builder.program(&locals)?;
                programs.push((locals, program.clone()));
                program
            }
        };
        let [input, output] = [first.input_placement, last.output_placement]
            .map(|p| [p.strides[0] * ELEMENT, p.strides[2] * ELEMENT]);
        let offsets = (0..first.batch as i64).map(|n| {
            [
                n * input[0] + top as i64 * input[1],
                n * output[0] + start * output[1],
            ]
        });
        builder.staged.strips(program, offsets);
    }
    Ok(Chain {
        plan: builder.staged.finish(builder.scratch as u64),
        sections: builder.sections,
    })
}

/// Whether the stages fit together.
fn check(stages: &[Stage]) -> Result<(), PlanError> {
    if stages.is_empty() {
        return Err(PlanError::geometry("the number of stages", "at least 1", 0));
    }
    for pair in stages.windows(2) {
        let (made, read) = (&pair[0].conv, &pair[1].conv);
        let (channels, size) = (made.out_channels, made.output()?);
        if (channels, size) != (read.in_channels, read.input) || made.batch != read.batch {
            return Err(PlanError::geometry(
                "what a stage reads",
                format!("{channels} channels of {size:?}"),
                format!("{} channels of {:?}", read.in_channels, read.input),
            ));
        }
    }
    let output = &stages[stages.len() - 1].conv.output_placement;
    if output.block != BLOCK {
        return Err(PlanError::geometry(
            "the block of the result",
            BLOCK,
            output.block,
        ));
    }
    Ok(())
}

impl Stage {
    fn is_lane_by_lane(&self) -> bool {
        self.kind != Kind::Sum
    }

    fn plan(&self, local: &ConvGeometry, target: Target) -> Result<Plan, PlanError> {
        match self.kind {
            Kind::Sum => conv::plan(local, target),
            Kind::Depthwise => depthwise::plan(local, target),
            Kind::Pool(pooling) => pool::plan(local, pooling, target),
        }
    }

    /// The input rows that rows of the output need, and the rows of padding above and below them; none where all lie in the padding.
    fn needs(&self, rows: Range<usize>) -> (Range<usize>, [usize; 2]) {
        let conv = &self.conv;
        if rows.is_empty() {
            return (0..0, [0; 2]);
        }
        let (stride, height) = (conv.strides[0], conv.input[0]);
        let first = rows.start * stride;
        let behind = (rows.end - 1) * stride + (conv.kernel[0] - 1) * conv.dilations[0] + 1;
        let above = conv.pads[0];
        let (start, end) = (first.saturating_sub(above), behind.saturating_sub(above));
        let inside = start.min(height)..end.min(height);
        let pads = [above.saturating_sub(first), end.saturating_sub(height)];
        (inside, pads)
    }
}

/// Each stage restricted to what `rows` of the result need, as a picture of its own, and the first row of the chain's input.
fn locals(stages: &[Stage], rows: Range<usize>) -> (Vec<ConvGeometry>, usize) {
    let mut locals = Vec::with_capacity(stages.len());
    let (mut wanted, mut output) = (rows, stages[stages.len() - 1].conv.output_placement);
    for (k, stage) in stages.iter().enumerate().rev() {
        let (rows, [above, below]) = stage.needs(wanted.clone());
        let [_, left, _, right] = stage.conv.pads;
        let input = [rows.len(), stage.conv.input[1]];
        let input_placement = match k {
            0 => stage.conv.input_placement,
            _ => scattered(stage.conv.in_channels, input),
        };
        locals.push(ConvGeometry {
            batch: 1,
            input,
            pads: [above, left, below, right],
            input_placement,
            output_placement: output,
            ..stage.conv.clone()
        });
        (wanted, output) = (rows, input_placement);
    }
    locals.reverse();
    (locals, wanted.start)
}

/// Dense planes an odd number of vectors apart, so that they fall into different sets of the cache.
fn scattered(channels: usize, size: [usize; 2]) -> Placement {
    let mut placement = Placement::dense(BLOCK, channels, size, [0; 4]);
    placement.strides[1] = ((placement.strides[1] / BLOCK as i64) | 1) * BLOCK as i64;
    placement
}

/// A value between two stages in the scratch memory.
#[derive(Clone, Copy)]
struct Between {
    offset: i64,
    /// Whether it holds one bundle of channels at a time.
    bundled: bool,
}

struct Builder<'a> {
    stages: &'a [Stage],
    target: Target,
    sections: Vec<Section>,
    staged: StagedBuilder,
    scratch: i64,
}

impl Builder<'_> {
    /// The program of a strip whose stages are restricted to `locals`.
    fn program(&mut self, locals: &[ConvGeometry]) -> Result<Vec<Repeated>, PlanError> {
        let plans = self
            .stages
            .iter()
            .zip(locals)
            .map(|(stage, local)| stage.plan(local, self.target))
            .collect::<Result<Vec<Plan>, _>>()?;
        let links = links(self.stages);
        let bundles: Vec<Vec<Range<usize>>> = links
            .iter()
            .map(|link| bundles(&plans[link.clone()], &locals[link.clone()]))
            .collect();
        let between = self.between(locals, &links, &bundles);
        let mut program = Vec::new();
        for (link, bundles) in links.iter().zip(&bundles) {
            for bundle in bundles {
                for stage in link.clone() {
                    let (plan, local) = (&plans[stage], &locals[stage]);
                    self.bundle(&mut program, stage, plan, local, bundle, &between);
                }
            }
        }
        Ok(program)
    }

    /// Where the values between stages lie.
    fn between(
        &mut self,
        locals: &[ConvGeometry],
        links: &[Range<usize>],
        bundles: &[Vec<Range<usize>>],
    ) -> Vec<Between> {
        let mut offset = 0;
        let mut between = Vec::new();
        for (link, bundles) in links.iter().zip(bundles) {
            for stage in link.clone().take(locals.len() - 1 - link.start) {
                let bundled = stage + 1 < link.end;
                let widest = bundles.iter().map(Range::len).max().unwrap_or(0);
                let channels = if bundled {
                    widest
                } else {
                    locals[stage].out_channels
                };
                let plane = locals[stage].output_placement.strides[1] * ELEMENT;
                between.push(Between { offset, bundled });
                offset += channels.div_ceil(BLOCK) as i64 * plane;
            }
        }
        self.scratch = self.scratch.max(offset);
        between
    }

    /// Appends a stage's calls for a bundle of its output channels.
    fn bundle(
        &mut self,
        program: &mut Vec<Repeated>,
        stage: usize,
        plan: &Plan,
        local: &ConvGeometry,
        channels: &Range<usize>,
        between: &[Between],
    ) {
        let [weights, bias] = self.section(stage, plan);
        let first_block = (channels.start / BLOCK) as i64;
        let moving =
            |value: Option<&Between>, placement: &Placement, offset: i64, step: i64| match value {
                None => Moving::operand(offset, step),
                Some(value) => {
                    let skipped = if value.bundled { first_block } else { 0 };
                    let start = value.offset - skipped * placement.strides[1] * ELEMENT;
                    Moving::scratch(start + offset, step)
                }
            };
        let from = stage.checked_sub(1).and_then(|before| between.get(before));
        let to = between.get(stage);
        for group in &plan.groups {
            if !channels.contains(&first_channel(&local.output_placement, group.output)) {
                continue;
            }
            for run in runs(&plan.spatial) {
                let tile = plan.tiles[(group.first_tile + run.unit.tile) as usize].clone();
                let (input, output) =
                    (group.input + run.unit.input, group.output + run.unit.output);
                let call = StageCall {
                    kernel: self.staged.kernel(tile),
                    input: moving(from, &local.input_placement, input, run.input),
                    weights: Moving::operand(weights + group.weights, 0),
                    output: moving(to, &local.output_placement, output, run.output),
                    bias: Moving::operand(bias + group.bias, 0),
                };
                program.push(Repeated {
                    times: run.times,
                    calls: vec![call],
                });
            }
        }
    }

    /// Byte offsets of a stage's weights and bias. Strips whose tiles have other shapes have weights of their own.
    fn section(&mut self, stage: usize, plan: &Plan) -> [i64; 2] {
        let Some(packing) = &plan.packing else {
            return [0; 2];
        };
        let same = |s: &&Section| s.stage == stage && s.packing == *packing;
        let [weights, bias] = match self.sections.iter().find(same) {
            Some(section) => [section.weights, section.bias],
            None => {
                let [weights, bias] = ends(&self.sections);
                self.sections.push(Section {
                    stage,
                    packing: packing.clone(),
                    weights,
                    bias,
                });
                [weights, bias]
            }
        };
        [weights, bias].map(|elements| elements as i64 * ELEMENT)
    }
}

/// Elements of the weights and of the bias of all sections.
fn ends(sections: &[Section]) -> [usize; 2] {
    sections.last().map_or([0; 2], |last| {
        let weights = last.weights + last.packing.len();
        let bias = last.bias + last.packing.bias_len();
        [weights, bias].map(|end| end.next_multiple_of(ALIGN))
    })
}

impl Chain {
    /// The weights of all stages as the plan reads them, each stage's as its kind has them; `None` if some are too few.
    pub fn weights(&self, stages: &[&[f32]]) -> Option<Vec<f32>> {
        let mut all = vec![0.0; ends(&self.sections)[0]];
        for section in &self.sections {
            let packed = section.packing.pack(stages.get(section.stage)?)?;
            all[section.weights..][..packed.len()].copy_from_slice(&packed);
        }
        Some(all)
    }

    /// The biases of all stages as the plan reads them.
    pub fn bias(&self, stages: &[Option<&[f32]>]) -> Option<Vec<f32>> {
        let mut all = vec![0.0; ends(&self.sections)[1]];
        for section in &self.sections {
            if let Some(bias) = stages.get(section.stage)? {
                let packed = section.packing.pack_bias(bias)?;
                all[section.bias..][..packed.len()].copy_from_slice(&packed);
            }
        }
        Some(all)
    }
}

/// Stages that go bundle by bundle together: each but the first lane by lane.
fn links(stages: &[Stage]) -> Vec<Range<usize>> {
    let mut links: Vec<Range<usize>> = Vec::new();
    for (k, stage) in stages.iter().enumerate() {
        match links.last_mut() {
            Some(link) if stage.is_lane_by_lane() => link.end = k + 1,
            _ => links.push(k..k + 1),
        }
    }
    links
}

/// The channels of a link in parts that begin with a block and with a group of every stage.
fn bundles(plans: &[Plan], locals: &[ConvGeometry]) -> Vec<Range<usize>> {
    let begins = |(plan, local): (&Plan, &ConvGeometry)| -> Vec<usize> {
        let groups = plan.groups.iter();
        groups
            .map(|group| first_channel(&local.output_placement, group.output))
            .collect()
    };
    let all: Vec<Vec<usize>> = plans.iter().zip(locals).map(begins).collect();
    let channels = locals.first().map_or(0, |local| local.out_channels);
    let mut starts: Vec<usize> = (0..channels)
        .step_by(BLOCK)
        .filter(|start| all.iter().all(|begins| begins.contains(start)))
        .collect();
    starts.push(channels);
    starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
}

/// The channel at a byte offset of a blocked value's first pixel.
fn first_channel(placement: &Placement, offset: i64) -> usize {
    let plane = placement.strides[1] * ELEMENT;
    (offset / plane) as usize * BLOCK + (offset % plane / ELEMENT) as usize
}

/// Units with the same tile at even distances.
struct Run {
    unit: SpatialUnit,
    input: i64,
    output: i64,
    times: usize,
}

fn runs(units: &[SpatialUnit]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for &unit in units {
        if let Some(run) = runs.last_mut()
            && run.unit.tile == unit.tile
        {
            let n = run.times as i64;
            let (input, output) = (unit.input - run.unit.input, unit.output - run.unit.output);
            if n == 1 {
                (run.input, run.output, run.times) = (input, output, 2);
                continue;
            }
            if (input, output) == (run.input * n, run.output * n) {
                run.times += 1;
                continue;
            }
        }
        runs.push(Run {
            unit,
            input: 0,
            output: 0,
            times: 1,
        });
    }
    runs
}
