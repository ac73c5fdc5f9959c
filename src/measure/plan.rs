//! Defines the contenders, the number of iterations and their order.

use crate::{executors::ExecutorKind, threads::Pinning};
use alloy_primitives::{B64, B256};
use rand::{SeedableRng, rngs::Xoshiro256PlusPlus, seq::SliceRandom};
use std::{
    collections::BTreeSet,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

/// An executor on a number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contender {
    /// The executor.
    pub executor: ExecutorKind,
    /// Number of threads, the calling one included.
    pub threads: NonZeroUsize,
}

impl Contender {
    /// An executor that is not parallel, such as the baseline.
    pub const fn on_one_thread(executor: ExecutorKind) -> Self {
        Self { executor, threads: NonZeroUsize::MIN }
    }

    /// Whether this entry stands for several concurrent baselines, one on each thread.
    pub(super) fn is_side_by_side(self) -> bool {
        !self.executor.is_parallel() && self.threads > NonZeroUsize::MIN
    }
}

/// Number of warm-up iterations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// A fixed number.
    Rounds(u32),
    /// Until no contender gets faster.
    UntilSteady,
}

/// Number of timed iterations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Iterations {
    /// A fixed number.
    Rounds(NonZeroU32),
    /// Until the interval of every speedup is narrow enough, or the time limit of the block is reached.
    UntilPrecise {
        /// Wall-clock limit for all samples of one block.
        limit: Duration,
    },
}

/// Whether the plan contains an A/A run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SelfCheck {
    /// No A/A run.
    Off,
    /// An A/A run of the baseline in each iteration measures the noise floor. Several concurrent baselines
    /// measure the effective cores. Their numbers are the contenders' thread counts, as far as there are cores.
    On {
        /// Cores of the machine.
        cores: NonZeroUsize,
    },
}

/// State of the workers when a sample starts. The calling thread, which is the only one of the baseline, is
/// always awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The workers spin and wait for the block, as in a client that executes one block after the other.
    Awake,
    /// The workers sleep, as in a client that waits long for the next block. The sample then includes the time
    /// to wake them.
    Asleep,
}

/// Settings of the iterations of each block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// Warm-up iterations. Their outcomes are verified, and their times are dropped.
    pub warmup: Warmup,
    /// Timed iterations.
    pub iterations: Iterations,
    /// Whether the plan contains an A/A run.
    pub self_check: SelfCheck,
    /// Whether each thread is pinned to one core.
    pub pinning: Pinning,
    /// State of the workers when a sample starts.
    pub readiness: Readiness,
    /// Seed of the order within iterations, and of the resampling.
    pub seed: u64,
}

/// The contenders and settings for every block.
#[derive(Clone, Debug)]
pub struct Plan {
    baseline: ExecutorKind,
    contenders: Vec<Contender>,
    /// Settings of the iterations.
    pub rounds: Rounds,
}

impl Plan {
    /// A plan with every parallel executor on every number of threads, and the others on one. `baseline`, which is
    /// not parallel, always comes first. Duplicates are dropped.
    pub fn new(
        baseline: ExecutorKind,
        executors: &[ExecutorKind],
        threads: &[NonZeroUsize],
        rounds: Rounds,
    ) -> Self {
        let mut contenders = vec![Contender::on_one_thread(baseline)];
        for executor in executors.iter().copied() {
            let threads = if executor.is_parallel() { threads } else { &[NonZeroUsize::MIN] };
            for threads in threads.iter().copied() {
                let contender = Contender { executor, threads };
                if !contenders.contains(&contender) {
                    contenders.push(contender);
                }
            }
        }
        Self { baseline, contenders, rounds }
    }

    /// The executor that all speedups are relative to.
    pub fn baseline(&self) -> ExecutorKind {
        self.baseline
    }

    /// The contenders; the baseline is the first.
    pub fn contenders(&self) -> &[Contender] {
        &self.contenders
    }

    /// All entries of an iteration. With an A/A run, the baseline once more and the concurrent baselines follow
    /// the contenders.
    pub fn entrants(&self) -> Vec<Contender> {
        let mut entrants = self.contenders.clone();
        if let SelfCheck::On { cores } = self.rounds.self_check {
            let threads = self.contenders.iter().map(|contender| contender.threads);
            let all: BTreeSet<_> = threads.filter(|threads| *threads <= cores).collect();
            let executor = self.baseline;
            entrants.extend(all.into_iter().map(|threads| Contender { executor, threads }));
        }
        entrants
    }

    /// The order of the entries in each iteration of a block, warm-up iterations first. The iterator is
    /// endless. Each iteration is shuffled, so that no contender always follows the same other one, and drift
    /// affects all alike. The orders also depend on the block, so that an effect of the order is not the same
    /// on all blocks.
    pub fn orders(&self, block: B256) -> impl Iterator<Item = Vec<usize>> + use<> {
        let block = u64::from(B64::from_slice(&block[24..]));
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.rounds.seed ^ block);
        let mut order: Vec<usize> = (0..self.entrants().len()).collect();
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
        Plan::new(ExecutorKind::SEQUENTIAL, executors, &threads, rounds)
    }

    const BASELINE: Contender = Contender::on_one_thread(ExecutorKind::SEQUENTIAL);
    const STM: [ExecutorKind; 2] = [ExecutorKind::SEQUENTIAL, ExecutorKind::BLOCK_STM];

    #[test]
    fn the_baseline_is_the_first_contender_and_occurs_once() {
        for executors in [&[][..], &[ExecutorKind::SEQUENTIAL], &STM] {
            let plan = plan(executors, &[1, 2, 2], SelfCheck::Off);
            assert_eq!(plan.contenders()[0], BASELINE);
            let sequential = |contender: &&Contender| !contender.executor.is_parallel();
            assert_eq!(plan.contenders().iter().filter(sequential).count(), 1);
        }
        assert_eq!(plan(&STM, &[1, 2, 2], SelfCheck::Off).contenders().len(), 3);
    }

    #[test]
    fn executors_that_are_not_parallel_run_once_on_one_thread() {
        let tuned = ExecutorKind::SEQUENTIAL_TUNED;
        let executors = [ExecutorKind::SEQUENTIAL, tuned, ExecutorKind::BLOCK_STM];
        let threads = [1, 2].map(|n| NonZeroUsize::new(n).unwrap());
        let rounds = plan(&[], &[], SelfCheck::Off).rounds;
        let plan = Plan::new(tuned, &executors, &threads, rounds);
        let stm = threads.map(|threads| Contender { executor: STM[1], threads });
        let expected = [Contender::on_one_thread(tuned), BASELINE, stm[0], stm[1]];
        assert_eq!(plan.contenders(), expected);
    }

    #[test]
    fn each_iteration_runs_every_contender_once_in_a_changing_order() {
        let plan = plan(&STM, &[1, 2, 4], SelfCheck::Off);
        let orders = |block| plan.orders(block).take(11).collect::<Vec<_>>();
        let rounds = orders(B256::ZERO);
        for round in &rounds {
            let mut sorted = round.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
        }
        assert!(rounds.iter().any(|round| *round != rounds[0]), "the order changes");
        assert_eq!(rounds, orders(B256::ZERO), "the same seed gives the same order");
        assert_ne!(rounds, orders(B256::with_last_byte(1)), "another block has another order");
    }

    #[test]
    fn an_a_a_run_adds_baselines_up_to_the_core_count_and_no_contender() {
        let cores = NonZeroUsize::new(4).unwrap();
        let plan = plan(&STM, &[4, 2, 8], SelfCheck::On { cores });
        assert_eq!(plan.contenders().len(), 4);
        let entrants = plan.entrants();
        let (contenders, checks) = entrants.split_at(4);
        assert_eq!(contenders, plan.contenders());
        let baselines =
            [1, 2, 4].map(|n| Contender { threads: NonZeroUsize::new(n).unwrap(), ..BASELINE });
        assert_eq!(checks, baselines);
        assert_eq!(plan.orders(B256::ZERO).next().map(|round| round.len()), Some(7));
    }
}
