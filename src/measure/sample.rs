//! Defines a sample: one timed execution of one block.
//!
//! A sample holds [`Duration`]s and counts. The runner reads the clock, and [`stats`](crate::measure::stats)
//! evaluates the samples. A sample does not know whether its outcome was right. It may be shown only with a
//! verdict that matches.

use std::time::Duration;

/// Counts of the hardware counters during one execution, over all threads that took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Instructions retired in user mode.
    pub instructions: u64,
    /// CPU cycles in user mode.
    pub cycles: u64,
}

/// One timed execution by one contender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Wall-clock time from a prepared block to its complete outcome. Decoding, sender recovery, verification,
    /// the state root and dropping the outcome are not included.
    pub execute: Duration,

    /// Wall-clock time to compute the state root of the outcome; `None` if the pre-state has no witness.
    pub root: Option<Duration>,

    /// Wall-clock time of another execution that computes the state root at the same time; `None` if the executor
    /// computes it after the execution.
    pub whole: Option<Duration>,

    /// CPU time of all threads during `execute`; `None` if the system does not report it.
    pub cpu: Option<Duration>,

    /// Instructions and cycles during `execute`; `None` if hardware counters are unavailable.
    pub counts: Option<Counts>,

    /// Energy of the processor packages during `execute`, in microjoules; `None` if the system does not tell it.
    pub energy_uj: Option<u64>,
}

impl Sample {
    /// Wall-clock time to execute the block and to compute its state root, at the same time if the executor does so.
    pub fn total(&self) -> Option<Duration> {
        self.whole.or_else(|| self.in_turn())
    }

    /// Wall-clock time to execute the block, and to compute its state root after that.
    pub fn in_turn(&self) -> Option<Duration> {
        self.root.map(|root| self.execute.saturating_add(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXECUTE: Duration = Duration::from_micros(4_512);

    #[test]
    fn the_total_adds_the_root_to_the_execution() {
        let sample = Sample {
            execute: EXECUTE,
            root: Some(Duration::from_micros(8)),
            whole: None,
            cpu: None,
            counts: None,
            energy_uj: None,
        };
        assert_eq!(sample.total(), Some(Duration::from_micros(4_520)));
        let beside = Sample { whole: Some(Duration::from_micros(4_515)), ..sample };
        assert_eq!(beside.total(), beside.whole);
        assert_eq!(beside.in_turn(), sample.total());
    }

    #[test]
    fn without_a_root_there_is_no_total() {
        let sample = Sample {
            execute: EXECUTE,
            root: None,
            whole: None,
            cpu: Some(EXECUTE),
            counts: None,
            energy_uj: None,
        };
        assert_eq!(sample.total(), None);
    }
}
