//! Which executors race on how many threads, how often, in which order.

use crate::executor::ExecutorKind;
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use std::num::{NonZeroU32, NonZeroUsize};

/// An executor on a number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// Which executor.
    pub executor: ExecutorKind,
    /// All threads that take part.
    pub threads: NonZeroUsize,
}

impl Contestant {
    /// What all others are compared with.
    pub const BASELINE: Self =
        Self { executor: ExecutorKind::Sequential, threads: NonZeroUsize::MIN };
}

/// What to measure on every block.
#[derive(Clone, Debug)]
pub struct Plan {
    contestants: Vec<Contestant>,
    /// Rounds before the timed ones; their laps are verified, and their times dropped.
    pub warmup: u32,
    /// Timed rounds.
    pub iterations: NonZeroU32,
    /// Decides the order within rounds, and the resampling of intervals.
    pub seed: u64,
}

impl Plan {
    /// Every parallel executor on every number of threads, after the baseline, which always runs and
    /// always on one thread. Repetitions are dropped.
    pub fn new(
        executors: &[ExecutorKind],
        threads: &[NonZeroUsize],
        warmup: u32,
        iterations: NonZeroU32,
        seed: u64,
    ) -> Self {
        let mut contestants = vec![Contestant::BASELINE];
        for executor in executors.iter().copied().filter(|kind| kind.is_parallel()) {
            for threads in threads.iter().copied() {
                let contestant = Contestant { executor, threads };
                if !contestants.contains(&contestant) {
                    contestants.push(contestant);
                }
            }
        }
        Self { contestants, warmup, iterations, seed }
    }

    /// Who races; the baseline is the first.
    pub fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }

    /// The order of the contestants in each round, warm-up rounds first: shuffled anew every round, so
    /// that none always runs after the same other, and drift falls on all alike.
    pub fn rounds(&self) -> impl Iterator<Item = Vec<usize>> + use<> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut order: Vec<usize> = (0..self.contestants.len()).collect();
        let rounds = u64::from(self.warmup) + u64::from(self.iterations.get());
        (0..rounds).map(move |_| {
            order.shuffle(&mut rng);
            order.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(executors: &[ExecutorKind], threads: &[usize]) -> Plan {
        let threads: Vec<_> = threads.iter().filter_map(|n| NonZeroUsize::new(*n)).collect();
        Plan::new(executors, &threads, 1, NonZeroU32::MIN.saturating_add(9), 7)
    }

    #[test]
    fn the_baseline_always_runs_once_and_first() {
        for executors in [&[][..], &[ExecutorKind::Sequential], &ExecutorKind::ALL] {
            let plan = plan(executors, &[1, 2, 2]);
            assert_eq!(plan.contestants()[0], Contestant::BASELINE);
            let sequential = |contestant: &&Contestant| !contestant.executor.is_parallel();
            assert_eq!(plan.contestants().iter().filter(sequential).count(), 1);
        }
        assert_eq!(plan(&ExecutorKind::ALL, &[1, 2, 2]).contestants().len(), 3);
    }

    #[test]
    fn every_round_runs_everybody_once_in_an_order_that_changes() {
        let plan = plan(&ExecutorKind::ALL, &[1, 2, 4]);
        let rounds: Vec<_> = plan.rounds().collect();
        assert_eq!(rounds.len(), 11);
        for round in &rounds {
            let mut sorted = round.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
        assert!(rounds.iter().any(|round| *round != rounds[0]), "the order changes");
        assert_eq!(rounds, plan.rounds().collect::<Vec<_>>(), "the seed decides it");
    }
}
