//! One timing of one block.
//!
//! Holds what a round measured, as [`Duration`]s. Reading the clock is left to the runner, and
//! conclusions to [`stats`](crate::measure::stats). Whether the timed result was right is not known
//! here: a sample may only be shown beside a verdict that matches.

use std::time::Duration;

/// What the processor counted during one execution, over all threads that took part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Instructions retired in user mode.
    pub instructions: u64,
    /// Processor cycles in user mode.
    pub cycles: u64,
}

/// One timed round of one contender, that is, of one executor with one number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Wall-clock time from a ready block to its complete outcome. Leaves out decoding, sender
    /// recovery, verification, the state root, and dropping the outcome.
    pub execute: Duration,

    /// Wall-clock time of computing the state root of that outcome; `None` where the pre-state came
    /// without a witness, so that no root can be computed.
    pub root: Option<Duration>,

    /// Processor time of all threads during `execute`; `None` where the system does not tell.
    pub cpu: Option<Duration>,

    /// Instructions and cycles during `execute`; `None` where the system does not let us count them.
    pub counts: Option<Counts>,
}

impl Sample {
    /// Wall-clock time of executing the block and computing its state root, one after the other.
    pub fn total(&self) -> Option<Duration> {
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
            cpu: None,
            counts: None,
        };
        assert_eq!(sample.total(), Some(Duration::from_micros(4_520)));
    }

    #[test]
    fn without_a_root_there_is_no_total() {
        let sample = Sample { execute: EXECUTE, root: None, cpu: Some(EXECUTE), counts: None };
        assert_eq!(sample.total(), None);
    }
}
