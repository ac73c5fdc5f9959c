//! How much of a replay is done, for the time that is left.
//!
//! Blocks differ in length a hundredfold, so that neither blocks nor laps tell how much is left. Each block
//! weighs what its [`Source`](crate::commands::cached::Source) says, known before it is read; how many laps
//! it takes is guessed from the blocks before it, as warm-up ends when nobody gets faster.

/// What is done, and what is still to do.
#[derive(Clone, Debug)]
pub(super) struct Ahead {
    /// Of blocks that are not done, in order; the first is being run.
    weights: std::vec::IntoIter<u64>,
    total: u64,
    done: u64,
    /// Of the block that is being run.
    current: u64,
    laps: u64,
    /// Laps of all blocks that were run to their end, and how many those are.
    seen: (u64, u64),
    /// Laps of a block, as long as none was seen.
    guess: u64,
}

impl Ahead {
    /// Nothing is done of blocks with these weights, each thought to take about `guess` laps.
    pub(super) fn new(weights: Vec<u64>, guess: u64) -> Self {
        // A block without weight still is one.
        let weights: Vec<_> = weights.into_iter().map(|weight| weight.max(1)).collect();
        let total = weights.iter().sum();
        let weights = weights.into_iter();
        Self { weights, total, done: 0, current: 0, laps: 0, seen: (0, 0), guess: guess.max(1) }
    }

    /// The next block is begun; the one before has ended, however it did.
    pub(super) fn begin_block(&mut self) {
        self.done += self.current;
        if self.laps > 0 {
            self.seen = (self.seen.0 + self.laps, self.seen.1 + 1);
        }
        self.current = self.weights.next().unwrap_or_default();
        self.laps = 0;
    }

    /// One more lap of the block is run.
    pub(super) const fn lap(&mut self) {
        self.laps += 1;
    }

    /// The part of the whole that is done, from 0 to 1.
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
    fn long_blocks_count_more_and_laps_are_learned_from_those_before() {
        let mut ahead = Ahead::new(vec![10, 80, 10], 5);
        ahead.begin_block();
        assert_eq!(ahead.share(), 0.0);
        (0..20).for_each(|_| ahead.lap());
        assert_eq!(ahead.share(), 0.1, "more laps than expected are no more than the block");
        ahead.begin_block();
        assert_eq!(ahead.share(), 0.1);
        (0..10).for_each(|_| ahead.lap());
        assert_eq!(ahead.share(), 0.5, "half of the 20 laps that the first took");
        ahead.begin_block();
        ahead.begin_block();
        assert_eq!(ahead.share(), 1.0, "a block that could not be run is done as well");
    }

    #[test]
    fn nothing_to_do_is_no_share() {
        assert_eq!(Ahead::new(vec![], 0).share(), 0.0);
    }
}
