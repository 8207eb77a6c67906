//! What a program demands of the processor: the levels of the x86-64 psABI, and the check against the host.
//!
//! Version 1 of the format is x86-64 only: on another architecture every level is refused. What the host has is asked of
//! `cpuid` (through std), so a program is refused before its first instruction runs, never by SIGILL.

use crate::wire::wire_enum;
use std::fmt;

/// Instruction sets a program may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CpuLevel {
    /// Every x86-64 processor.
    Baseline,
    /// x86-64-v3: AVX2, FMA, F16C.
    V3,
    /// x86-64-v4: v3 and AVX-512 F, BW, CD, DQ, VL.
    V4,
}

wire_enum!(CpuLevel "cpu level" { 0 => Baseline, 1 => V3, 2 => V4 });

impl CpuLevel {
    /// From the least to the most demanding.
    pub const ALL: [CpuLevel; 3] = [CpuLevel::Baseline, CpuLevel::V3, CpuLevel::V4];

    pub const fn name(self) -> &'static str {
        match self {
            CpuLevel::Baseline => "x86-64",
            CpuLevel::V3 => "x86-64-v3",
            CpuLevel::V4 => "x86-64-v4",
        }
    }

    /// The features the level consists of, by their names in `/proc/cpuinfo` and `is_x86_feature_detected!`.
    pub const fn features(self) -> &'static [&'static str] {
        match self {
            CpuLevel::Baseline => &["sse2"],
            CpuLevel::V3 => &[
                "sse4.2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe",
            ],
            CpuLevel::V4 => &[
                "sse4.2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt", "movbe",
                "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl",
            ],
        }
    }

    /// The features of this level that the host lacks; empty where programs of the level can run.
    pub fn missing(self) -> Vec<&'static str> {
        let features = self.features().iter().copied();
        features.filter(|feature| !host_has(feature)).collect()
    }

    /// The highest level the host offers; `None` where the host is not x86-64.
    pub fn host() -> Option<CpuLevel> {
        let mut levels = CpuLevel::ALL.into_iter().rev();
        levels.find(|level| level.missing().is_empty())
    }
}

impl fmt::Display for CpuLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

macro_rules! detect {
    ($feature:expr, $($name:tt),*) => {
        match $feature {
            $($name => std::arch::is_x86_feature_detected!($name),)*
            _ => false,
        }
    };
}

#[cfg(target_arch = "x86_64")]
fn host_has(feature: &str) -> bool {
    detect!(
        feature, "sse2", "sse4.2", "popcnt", "avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "lzcnt",
        "movbe", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"
    )
}

#[cfg(not(target_arch = "x86_64"))]
fn host_has(_feature: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_contain_each_other() {
        let [low, high] = [CpuLevel::V3, CpuLevel::V4].map(CpuLevel::features);
        assert!(low.iter().all(|feature| high.contains(feature)));
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn the_test_machine_has_the_baseline() {
        assert!(CpuLevel::host() >= Some(CpuLevel::Baseline));
        assert_eq!(CpuLevel::Baseline.missing(), Vec::<&str>::new());
    }
}
