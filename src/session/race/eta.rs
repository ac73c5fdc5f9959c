//! Estimates the completed share of a replay, for the estimated time left.
//!
//! Blocks differ in length a hundredfold, so a count of blocks or samples is not enough. Each block has a weight from
//! its [`BlockSource`](crate::session::BlockSource), known before the block is read. The number of samples per block is
//! estimated from the earlier blocks, since automatic warm-up varies.

use crate::measure::{Iterations, Plan, Warmup};

/// Assumed numbers of iterations per block for the estimated time left, if the settings say `auto`.
const USUAL_WARM_UP: u64 = 4;
const USUAL_ROUNDS: u64 = 20;

/// Assumed number of samples per block, used until a block has ended. The exact number is unknown with `auto`.
pub(super) fn samples_per_block(plan: &Plan) -> u64 {
    let warmup = match plan.rounds.warmup {
        Warmup::Rounds(rounds) => rounds.into(),
        Warmup::UntilSteady => USUAL_WARM_UP,
    };
    let timed = match plan.rounds.iterations {
        Iterations::Rounds(rounds) => rounds.get().into(),
        Iterations::UntilPrecise { .. } => USUAL_ROUNDS,
    };
    (warmup + timed) * plan.entrants().len() as u64
}

/// Completed and remaining work of a replay.
#[derive(Clone, Debug)]
pub(super) struct Eta {
    /// Weights of the blocks that have not started, in order.
    weights: std::vec::IntoIter<u64>,
    total: u64,
    done: u64,
    /// Weight of the running block.
    current: u64,
    laps: u64,
    /// Number of samples of all ended blocks, and the number of these blocks.
    seen: (u64, u64),
    /// Assumed number of samples per block while no block has ended.
    guess: u64,
}

impl Eta {
    /// Creates the estimate for blocks with these weights. `guess` is the assumed number of samples per block.
    pub(super) fn new(weights: Vec<u64>, guess: u64) -> Self {
        // A weight of zero, such as that of a missing file, must not hide the block.
        let weights: Vec<_> = weights.into_iter().map(|weight| weight.max(1)).collect();
        let total = weights.iter().sum();
        let weights = weights.into_iter();
        Self { weights, total, done: 0, current: 0, laps: 0, seen: (0, 0), guess: guess.max(1) }
    }

    /// Starts the next block. The previous one counts as completed, even after an error.
    pub(super) fn begin_block(&mut self) {
        self.done += self.current;
        if self.laps > 0 {
            self.seen = (self.seen.0 + self.laps, self.seen.1 + 1);
        }
        self.current = self.weights.next().unwrap_or_default();
        self.laps = 0;
    }

    /// Adds a sample of the running block.
    pub(super) const fn lap(&mut self) {
        self.laps += 1;
    }

    /// Completed share of the whole work, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        let (laps, blocks) = self.seen;
        let expected = laps.checked_div(blocks).unwrap_or(self.guess).max(1);
        let of_block = (self.laps as f64 / expected as f64).min(1.0);
        (self.done as f64 + self.current as f64 * of_block) / self.total.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_follow_weights_and_sample_counts_of_earlier_blocks() {
        let mut ahead = Eta::new(vec![10, 80, 10], 5);
        ahead.begin_block();
        assert_eq!(ahead.share(), 0.0);
        (0..20).for_each(|_| ahead.lap());
        assert_eq!(ahead.share(), 0.1, "a block counts at most its own weight");
        ahead.begin_block();
        assert_eq!(ahead.share(), 0.1);
        (0..10).for_each(|_| ahead.lap());
        assert_eq!(ahead.share(), 0.5, "half of the 20 samples that the first block took");
        ahead.begin_block();
        ahead.begin_block();
        assert_eq!(ahead.share(), 1.0, "a block without samples counts as completed");
    }

    #[test]
    fn without_blocks_the_share_is_zero() {
        assert_eq!(Eta::new(vec![], 0).share(), 0.0);
    }
}
