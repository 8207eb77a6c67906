//! Random numbers whose whole state is one integer: SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
//! OOPSLA 2014).
//!
//! A run that resumes must draw what it would have drawn, and work that is shared by threads must not depend on who comes first. So
//! numbers are not taken from one long stream: [`Random::of`] opens a stream for a purpose, such as (seed, epoch, sample), and whoever knows
//! the purpose draws the same numbers at any time.
//!
//! Deliberately absent: cryptographic strength, and entropy from the system.

/// The odd integer nearest to 2^64 divided by the golden ratio: the step from one state to the next.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A stream of random numbers. Equal states continue alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Random {
    state: u64,
}

impl Random {
    /// The stream that continues from a [`state`](Random::state).
    pub fn from_state(state: u64) -> Random {
        Random { state }
    }

    /// The stream for a purpose, spelled as numbers; streams of different purposes are independent.
    pub fn of(purpose: &[u64]) -> Random {
        let start = mix(purpose.len() as u64);
        let state = purpose
            .iter()
            .fold(start, |h, &word| mix(h.wrapping_add(STEP) ^ mix(word)));
        Random { state }
    }

    /// All there is to remember of the stream.
    pub fn state(&self) -> u64 {
        self.state
    }

    /// Uniform over all 64-bit integers.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// Uniform in `0..bound`, 0 for an empty range. Unbiased (Lemire, "Fast random integer generation in an interval", 2019).
    pub fn below(&mut self, bound: u64) -> u64 {
        let threshold = bound.wrapping_neg().checked_rem(bound).unwrap_or(0);
        loop {
            let product = u128::from(self.next_u64()) * u128::from(bound);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Uniform in `0..bound`, for positions in a sequence.
    pub fn index(&mut self, bound: usize) -> usize {
        self.below(bound as u64) as usize
    }

    /// Uniform in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (-53f64).exp2()
    }

    /// Uniform in `[low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Heads or tails.
    pub fn coin(&mut self) -> bool {
        self.next_u64() >> 63 == 1
    }

    /// Brings the elements into an order of which each is equally likely (Fisher and Yates).
    pub fn shuffle<T>(&mut self, elements: &mut [T]) {
        for last in (1..elements.len()).rev() {
            let other = self.index(last + 1);
            elements.swap(last, other);
        }
    }
}

/// Stafford's thirteenth variant of the MurmurHash3 finaliser.
fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of the published reference implementation for seed 1234567.
    #[test]
    fn draws_what_the_reference_draws() {
        let mut random = Random::from_state(1_234_567);
        let drawn: Vec<u64> = (0..3).map(|_| random.next_u64()).collect();
        assert_eq!(
            drawn,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_state_continues_the_stream() {
        let mut a = Random::of(&[3, 1]);
        a.next_u64();
        let mut b = Random::from_state(a.state());
        assert_eq!(a.next_u64(), b.next_u64());
        assert_ne!(Random::of(&[1, 3]), Random::of(&[3, 1]));
        assert_ne!(Random::of(&[0]), Random::of(&[0, 0]));
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut random = Random::of(&[7]);
        let mut count = [0u32; 6];
        for _ in 0..60_000 {
            count[random.index(6)] += 1;
        }
        assert!(
            count.iter().all(|c| (9_600..10_400).contains(c)),
            "{count:?}"
        );
        assert_eq!(random.below(0), 0);
    }

    #[test]
    fn every_order_of_three_comes_as_often() {
        let mut random = Random::of(&[11]);
        let mut count = std::collections::BTreeMap::new();
        for _ in 0..6_000 {
            let mut order = [0, 1, 2];
            random.shuffle(&mut order);
            *count.entry(order).or_insert(0) += 1;
        }
        assert_eq!(count.len(), 6);
        assert!(
            count.values().all(|c| (880..1_120).contains(c)),
            "{count:?}"
        );
    }
}
