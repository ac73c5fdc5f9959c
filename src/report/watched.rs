//! What the threads of executors did while somebody watched, summed over blocks.
//!
//! After a block's rounds every executor runs it once more on as many threads as there were at most, and
//! tells what its threads do. Such a run is verified like any other and counts in no time; it says what the
//! threads' time went into, and so what a speedup lacks. All shares are of threads times the block's time.

use super::{Contender, contenders_of};
use crate::insight::{Latency, Spent};
use alloy_primitives::{B256, BlockNumber};
use std::{num::NonZeroUsize, time::Duration};

/// One run under watch.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Block number.
    pub number: BlockNumber,
    /// Block hash.
    pub hash: B256,
    /// Name of the executor.
    pub executor: String,
    /// All threads that may take part.
    pub threads: NonZeroUsize,
    /// How long the run took, telling included.
    pub total: Duration,
    /// What the same transactions take one after the other on one thread; `None` where reading state takes
    /// time, which that does not hold.
    pub alone: Option<Duration>,
    /// What the threads' time went into.
    pub spent: Spent,
    /// When results became final; `None` for a block without transactions.
    pub latency: Option<Latency>,
}

impl Watched {
    /// Who ran.
    pub fn contender(&self) -> Contender<'_> {
        Contender { executor: &self.executor, threads: self.threads }
    }

    /// The threads' time in the parts that reports show; they add up to the time of all threads.
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

/// How many parts the threads' time has.
pub const PARTS: usize = 8;

/// The parts in a word or two.
pub const SHORT_NAMES: [&str; PARTS] =
    ["executing", "slower", "again", "waiting", "searching", "tail", "checking", "outside"];

/// The parts, so that nobody has to ask.
pub const LONG_NAMES: [&str; PARTS] = [
    "executing, at the pace of one thread alone",
    "executing slower than alone",
    "executing what was thrown away, or only warmed up",
    "waiting for another transaction",
    "looking for work",
    "idling with nothing left to do",
    "checking and committing",
    "what comes before and after the transactions",
];

/// What one contender's threads did over all blocks.
#[derive(Clone, Debug, PartialEq)]
pub struct Lost<'a> {
    /// Who.
    pub contender: Contender<'a>,
    /// Runs that were watched, one for each block.
    pub runs: usize,
    /// Shares of the threads' time of all runs together, adding up to 1.
    pub shares: [f64; PARTS],
    /// When results became final: the medians over the blocks, each figure by itself.
    pub latency: Option<Latency>,
}

impl Lost<'_> {
    /// The parts of the time that are not executing at the pace of one thread alone, by name, the largest first.
    pub fn losses(&self) -> Vec<(f64, &'static str)> {
        let mut losses: Vec<_> = self.shares.into_iter().zip(LONG_NAMES).skip(1).collect();
        losses.sort_by(|a, b| b.0.total_cmp(&a.0));
        losses
    }
}

/// The sums of each contender that was watched, in the order in which they first appear.
pub fn lost(watched: &[Watched]) -> Vec<Lost<'_>> {
    let contenders = contenders_of(watched.iter().map(Watched::contender));
    contenders.into_iter().filter_map(|contender| of_contender(watched, contender)).collect()
}

fn of_contender<'a>(watched: &'a [Watched], contender: Contender<'a>) -> Option<Lost<'a>> {
    let own: Vec<_> = watched.iter().filter(|run| run.contender() == contender).collect();
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

/// Of two values in the middle the greater.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn shares_of_all_runs_add_up_and_long_runs_count_more() {
        let watched = [testing::watched(1, 1), testing::watched(2, 9)];
        let lost = lost(&watched);
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].runs, 2);
        assert!((lost[0].shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{lost:?}");
        // All threads together have 10 and 90 ms. Alone, each run takes 1 of its 5 and 45 useful ones.
        assert!((lost[0].shares[0] - 0.02).abs() < 1e-9, "{lost:?}");
        assert!((lost[0].shares[1] - 0.48).abs() < 1e-9, "{lost:?}");
    }

    #[test]
    fn where_nobody_knows_the_time_alone_nothing_is_called_slow() {
        let watched = [Watched { alone: None, ..testing::watched(1, 1) }];
        assert_eq!(lost(&watched)[0].shares[1], 0.0);
    }
}
