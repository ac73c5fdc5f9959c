//! Which executors race on how many threads, how often, in which order.

use crate::executor::{ExecutorKind, Pinning};
use alloy_primitives::{B64, B256};
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// An executor on a number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contestant {
    /// Which executor.
    pub executor: ExecutorKind,
    /// All threads that may take part.
    pub threads: NonZeroUsize,
}

impl Contestant {
    /// What all others are compared with.
    pub const BASELINE: Self = Self::baselines(NonZeroUsize::MIN);

    /// So many baselines at once, one on each thread.
    pub const fn baselines(threads: NonZeroUsize) -> Self {
        Self { executor: ExecutorKind::Sequential, threads }
    }

    /// Whether it is several baselines at once.
    pub(super) fn is_side_by_side(self) -> bool {
        self.executor == ExecutorKind::Sequential && self != Self::BASELINE
    }
}

/// How often a block is run before its laps count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// This often.
    Rounds(u32),
    /// Until no contestant gets faster any more.
    UntilSteady,
}

/// How many rounds are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iterations {
    /// This many.
    Rounds(NonZeroU32),
    /// Until the interval of every speedup is narrow enough, or a block has taken this long.
    UntilPrecise {
        /// Wall-clock time of all laps of one block.
        limit: Duration,
    },
}

/// Whether the baseline races against itself as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfCheck {
    /// It does not.
    Off,
    /// In every round it runs once more, which shows what difference is noise; and several run at once, as many as
    /// contenders have threads and there are cores, which shows what the cores are worth together.
    On {
        /// Of the machine.
        cores: NonZeroUsize,
    },
}

/// What an executor's threads do when a lap begins. The baseline's, which is the calling one, is always awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// They look out for the block, as those of a client do that has one block after the other to execute.
    Awake,
    /// They sleep, as where the next block is long in coming, so that waking them is part of the lap.
    Asleep,
}

/// How the rounds of every block are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// Rounds before the timed ones; their laps are verified, and their times dropped.
    pub warmup: Warmup,
    /// Timed rounds.
    pub iterations: Iterations,
    /// Whether the baseline races against itself.
    pub self_check: SelfCheck,
    /// Whether threads are kept on one core each.
    pub pinning: Pinning,
    /// What threads do when a lap begins.
    pub readiness: Readiness,
    /// Decides the order within rounds, and the resampling of intervals.
    pub seed: u64,
}

/// What to measure on every block.
#[derive(Clone, Debug)]
pub struct Plan {
    contestants: Vec<Contestant>,
    /// How the rounds are run.
    pub rounds: Rounds,
}

impl Plan {
    /// Every parallel executor on every number of threads, after the baseline, which always runs and
    /// always on one thread. Repetitions are dropped.
    pub fn new(executors: &[ExecutorKind], threads: &[NonZeroUsize], rounds: Rounds) -> Self {
        let mut contestants = vec![Contestant::BASELINE];
        for executor in executors.iter().copied().filter(|kind| kind.is_parallel()) {
            for threads in threads.iter().copied() {
                let contestant = Contestant { executor, threads };
                if !contestants.contains(&contestant) {
                    contestants.push(contestant);
                }
            }
        }
        Self { contestants, rounds }
    }

    /// Who races; the baseline is the first.
    pub fn contestants(&self) -> &[Contestant] {
        &self.contestants
    }

    /// Who runs in every round: the contestants, and after them, if the baseline is to be checked against itself, the
    /// baseline once more and several of it at once.
    pub fn starters(&self) -> Vec<Contestant> {
        let mut starters = self.contestants.clone();
        if let SelfCheck::On { cores } = self.rounds.self_check {
            let threads = self.contestants.iter().map(|contestant| contestant.threads);
            let all: BTreeSet<_> = threads.filter(|threads| *threads <= cores).collect();
            starters.extend(all.into_iter().map(Contestant::baselines));
        }
        starters
    }

    /// The order of the starters in each round of a block, warm-up rounds first: shuffled anew every round, so
    /// that none always runs after the same other, and drift falls on all alike. It never ends. Another block has
    /// other orders, so that what an order does to a round is not the same on all blocks.
    pub fn orders(&self, block: B256) -> impl Iterator<Item = Vec<usize>> + use<> {
        let block = u64::from(B64::from_slice(&block[24..]));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.rounds.seed ^ block);
        let mut order: Vec<usize> = (0..self.starters().len()).collect();
        std::iter::repeat_with(move || {
            order.shuffle(&mut rng);
            order.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(executors: &[ExecutorKind], threads: &[usize], self_check: SelfCheck) -> Plan {
        let threads: Vec<_> = threads.iter().filter_map(|n| NonZeroUsize::new(*n)).collect();
        let rounds = Rounds {
            warmup: Warmup::Rounds(1),
            iterations: Iterations::Rounds(NonZeroU32::MIN),
            self_check,
            pinning: Pinning::Free,
            readiness: Readiness::Awake,
            seed: 7,
        };
        Plan::new(executors, &threads, rounds)
    }

    const STM: [ExecutorKind; 2] = [ExecutorKind::Sequential, ExecutorKind::BlockStm];

    #[test]
    fn the_baseline_always_runs_once_and_first() {
        for executors in [&[][..], &[ExecutorKind::Sequential], &STM] {
            let plan = plan(executors, &[1, 2, 2], SelfCheck::Off);
            assert_eq!(plan.contestants()[0], Contestant::BASELINE);
            let sequential = |contestant: &&Contestant| !contestant.executor.is_parallel();
            assert_eq!(plan.contestants().iter().filter(sequential).count(), 1);
        }
        assert_eq!(plan(&STM, &[1, 2, 2], SelfCheck::Off).contestants().len(), 3);
    }

    #[test]
    fn every_round_runs_everybody_once_in_an_order_that_changes() {
        let plan = plan(&STM, &[1, 2, 4], SelfCheck::Off);
        let orders = |block| plan.orders(block).take(11).collect::<Vec<_>>();
        let rounds = orders(B256::ZERO);
        for round in &rounds {
            let mut sorted = round.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
        assert!(rounds.iter().any(|round| *round != rounds[0]), "the order changes");
        assert_eq!(rounds, orders(B256::ZERO), "the seed decides it");
        assert_ne!(rounds, orders(B256::with_last_byte(1)), "and the block");
    }

    #[test]
    fn a_self_check_lets_the_baseline_start_again_and_on_all_cores_and_is_no_contestant() {
        let cores = NonZeroUsize::new(4).unwrap();
        let plan = plan(&STM, &[4, 2, 8], SelfCheck::On { cores });
        assert_eq!(plan.contestants().len(), 4);
        let starters = plan.starters();
        let (contestants, checks) = starters.split_at(4);
        assert_eq!(contestants, plan.contestants());
        let baselines = [1, 2, 4].map(|n| Contestant::baselines(NonZeroUsize::new(n).unwrap()));
        assert_eq!(checks, baselines);
        assert_eq!(plan.orders(B256::ZERO).next().map(|round| round.len()), Some(7));
    }
}
