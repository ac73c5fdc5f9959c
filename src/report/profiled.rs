//! Sums up profiled runs over blocks.
//!
//! After the iterations of a block, each parallel executor with correct results runs it again, on the largest
//! thread count with enough cores. The profiled run records the activity of every thread. It is verified like
//! any other run, and its time is in no figure of a row. The parts of the threads' time explain the losses
//! behind a speedup. All shares are relative to threads × the run's time.

use super::{Contender, contenders_of};
use crate::insight::{Latency, Spent};
use alloy_primitives::{B256, BlockNumber};
use std::{num::NonZeroUsize, time::Duration};

/// One profiled run.
#[derive(Clone, Debug, PartialEq)]
pub struct ProfiledRun {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// Name of the executor.
    pub executor: String,
    /// Maximum number of threads.
    pub threads: NonZeroUsize,
    /// Time of the run, recording included.
    pub total: Duration,
    /// Time of the same transactions on one thread in block order. `None` if state reads have an artificial
    /// latency, because this time does not include it.
    pub alone: Option<Duration>,
    /// Parts of the threads' time.
    pub spent: Spent,
    /// Times at which results became final; `None` for a block without transactions.
    pub latency: Option<Latency>,
}

impl ProfiledRun {
    /// The contender of the run.
    pub fn contender(&self) -> Contender<'_> {
        Contender { executor: &self.executor, threads: self.threads }
    }

    /// The threads' time in the parts that reports show. The parts add up to the time of all threads.
    fn parts(&self) -> [Duration; PARTS] {
        let spent = &self.spent;
        let as_alone = self.alone.map_or(spent.useful, |alone| alone.min(spent.useful));
        [
            as_alone,
            spent.useful - as_alone,
            spent.wasted + spent.warming,
            spent.waiting,
            spent.searching,
            spent.tail,
            spent.checking + spent.committing,
            spent.outside + spent.idle_outside,
        ]
    }
}

/// Number of parts of the threads' time.
pub const PARTS: usize = 8;

/// Short names of the parts, for column titles.
pub const SHORT_NAMES: [&str; PARTS] =
    ["useful", "slowdown", "wasted", "waiting", "idle", "tail", "validate", "outside"];

/// Full names of the parts, for legends and sentences.
pub const LONG_NAMES: [&str; PARTS] = [
    "useful execution at single-thread speed",
    "slowdown of useful execution",
    "aborted incarnations and prefetching",
    "waiting for a dependency",
    "idle time between transactions",
    "idle time at the end (tail)",
    "validation and commit",
    "time before and after the transactions",
];

/// Parts of one contender's thread time over all blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost<'a> {
    /// The contender.
    pub contender: Contender<'a>,
    /// Number of profiled runs, one for each block.
    pub runs: usize,
    /// Shares of the threads' time over all runs. They add up to 1.
    pub shares: [f64; PARTS],
    /// Times at which results became final. Each figure is a median over the blocks.
    pub latency: Option<Latency>,
}

impl Lost<'_> {
    /// The losses: all parts but useful execution at single-thread speed, largest first.
    pub fn losses(&self) -> Vec<(f64, &'static str)> {
        let mut losses: Vec<_> = self.shares.into_iter().zip(LONG_NAMES).skip(1).collect();
        losses.sort_by(|a, b| b.0.total_cmp(&a.0));
        losses
    }
}

/// The sums of each contender with profiled runs, in the order of their first run.
pub fn lost(profiled: &[ProfiledRun]) -> Vec<Lost<'_>> {
    let contenders = contenders_of(profiled.iter().map(ProfiledRun::contender));
    contenders.into_iter().filter_map(|contender| of_contender(profiled, contender)).collect()
}

fn of_contender<'a>(profiled: &'a [ProfiledRun], contender: Contender<'a>) -> Option<Lost<'a>> {
    let own: Vec<_> = profiled.iter().filter(|run| run.contender() == contender).collect();
    let mut sums = [Duration::ZERO; PARTS];
    for run in &own {
        sums.iter_mut().zip(run.parts()).for_each(|(sum, part)| *sum += part);
    }
    let all: Duration = sums.iter().sum();
    if all.is_zero() {
        return None;
    }
    let middle = |of: fn(&Latency) -> f64| {
        median(own.iter().filter_map(|run| run.latency.as_ref()).map(of).collect())
    };
    Some(Lost {
        contender,
        runs: own.len(),
        shares: sums.map(|sum| sum.div_duration_f64(all)),
        latency: Option::zip(
            Option::zip(middle(|latency| latency.first), middle(|latency| latency.p50)),
            Option::zip(middle(|latency| latency.p90), middle(|latency| latency.p99)),
        )
        .map(|((first, p50), (p90, p99))| Latency { first, p50, p90, p99 }),
    })
}

/// The median. For an even count it is the greater of the two middle values.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn shares_add_up_to_one_and_long_runs_weigh_more() {
        let profiled = [testing::profiled(1, 1), testing::profiled(2, 9)];
        let lost = lost(&profiled);
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].runs, 2);
        assert!((lost[0].shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{lost:?}");
        // All threads together have 10 and 90 ms. On one thread each run takes 1 ms.
        assert!((lost[0].shares[0] - 0.02).abs() < 1e-9, "{lost:?}");
        assert!((lost[0].shares[1] - 0.48).abs() < 1e-9, "{lost:?}");
    }

    #[test]
    fn without_the_time_on_one_thread_there_is_no_slowdown() {
        let profiled = [ProfiledRun { alone: None, ..testing::profiled(1, 1) }];
        assert_eq!(lost(&profiled)[0].shares[1], 0.0);
    }
}
