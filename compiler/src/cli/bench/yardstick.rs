//! What a measured time means: the rates of the work done in it, and their share of this machine's measured peak.

use super::peak::Peak;
use crate::cli::args::Common;
use crate::cli::failure::Failure;
use crate::select;
use crate::statistics::Work;
use std::collections::HashMap;

pub struct Yardstick {
    pub peak: Peak,
    /// Operations and bytes by label.
    work: HashMap<String, [f64; 2]>,
}

pub struct Rates {
    /// 10^9 operations a second.
    pub gflops: f64,
    /// 10^9 bytes a second.
    pub gbs: f64,
    /// The larger of both rates' shares.
    pub of_peak: f64,
}

impl Yardstick {
    pub fn measure(work: &[Work], threads: usize, common: &Common) -> Result<Yardstick, Failure> {
        let counts = |w: &Work| (w.label.clone(), [w.operations as f64, w.bytes as f64]);
        Ok(Yardstick {
            peak: Peak::measure(threads, common)?,
            work: work.iter().map(counts).collect(),
        })
    }

    /// Operations of a node; none where its work is not known.
    pub fn operations(&self, label: &str) -> f64 {
        self.work
            .get(label)
            .map_or(0.0, |[operations, _]| *operations)
    }

    /// The rates of a node that took so many microseconds; zeros where its work is not known.
    pub fn rates(&self, label: &str, us: f64) -> Rates {
        let [operations, bytes] = self.of_step(label);
        let us = us.max(1e-3);
        let (gflops, gbs) = (operations / us / 1e3, bytes / us / 1e3);
        Rates {
            gflops,
            gbs,
            of_peak: (gflops / self.peak.gflops).max(gbs / self.peak.gbs),
        }
    }
    /// Operations and bytes of a step: of its node, or of all that it joins.
    fn of_step(&self, label: &str) -> [f64; 2] {
        let nodes = match self.work.contains_key(label) {
            true => vec![label],
            false => label.split(select::JOINED).collect(),
        };
        let known = nodes.iter().filter_map(|node| self.work.get(*node));
        known.fold([0.0; 2], |sum, node| [0, 1].map(|k| sum[k] + node[k]))
    }
}
