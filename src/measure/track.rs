//! Collects the samples of one contender on one block.

use super::{
    clock::Clock,
    lap::{Meter, VerifiedLap},
    plan::Contender,
    reference::{Reference, chain},
    runner::{ContenderResult, Measured, RunError},
    sample::Sample,
    warmup::is_warm,
};
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, ExecutionMode, ExecutionStats, Executor},
    threads::Watchdog,
};
use std::{sync::Arc, time::Duration};

/// Whether the times of a sample count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LapKind {
    /// Warm-up: the times only show whether the contender is warm.
    WarmUp,
    /// The times count.
    Timed,
}

/// The samples of one contender so far.
#[derive(Debug)]
pub(super) struct ContenderRun {
    pub(super) contender: Contender,
    /// The executor for this block; `None` if its creation failed.
    executor: Option<Arc<dyn Executor>>,
    mode: Option<ExecutionMode>,
    warm_up: Vec<Duration>,
    samples: Vec<Sample>,
    stats: Vec<ExecutionStats>,
    wrong: Option<String>,
}

impl ContenderRun {
    /// Creates the executor for the block, or records the error.
    pub(super) fn new(
        contender: Contender,
        watchdog: &mut Watchdog,
        prepare: impl FnOnce() -> Result<Box<dyn Executor>, ExecuteError> + Send + 'static,
    ) -> Self {
        let (executor, wrong) = match watchdog.run_on(contender.threads, move |_| prepare()) {
            Ok(Ok(executor)) => (Some(Arc::from(executor)), None),
            Ok(Err(error)) => (None, Some(chain(&error))),
            Err(error) => (None, Some(format!("before its first execution: {error}"))),
        };
        Self {
            contender,
            executor,
            mode: None,
            warm_up: Vec::new(),
            samples: Vec::new(),
            stats: Vec::new(),
            wrong,
        }
    }

    /// Takes one sample, unless an earlier outcome was wrong. The first outcome of a block is verified against
    /// the header. Later outcomes must be equal to it.
    pub(super) fn run<C: Clock + Clone + Send + 'static>(
        &mut self,
        kind: LapKind,
        meter: &mut Meter<C>,
        (job, watchdog): (&Arc<ReplayJob>, &mut Watchdog),
        reference: &mut Reference,
    ) -> Result<(), RunError> {
        let Some(executor) = self.executor.as_ref().filter(|_| self.wrong.is_none()) else {
            return Ok(());
        };
        let VerifiedLap { sample, stats, mode } =
            match meter.lap(executor, job, (watchdog, self.contender.threads), reference)? {
                Ok(lap) => lap,
                Err(wrong) => {
                    self.wrong = Some(wrong);
                    return Ok(());
                }
            };
        // A single fallback decides the mode of the row.
        if !matches!(self.mode, Some(ExecutionMode::FellBack(_))) {
            self.mode = Some(mode);
        }
        match kind {
            LapKind::WarmUp => self.warm_up.push(sample.execute),
            LapKind::Timed => {
                self.samples.push(sample);
                self.stats.push(stats);
            }
        }
        Ok(())
    }

    /// Whether further warm-up samples are useless.
    pub(super) fn is_warm(&self) -> bool {
        self.wrong.is_some() || is_warm(&self.warm_up)
    }

    /// Execution times of the timed samples; `None` after a wrong outcome.
    pub(super) fn times(&self) -> Option<Vec<Duration>> {
        let times = || self.samples.iter().map(|sample| sample.execute).collect();
        self.wrong.is_none().then(times)
    }

    /// The result of the contender. It keeps one timed sample per complete iteration.
    pub(super) fn finish(mut self, rounds: usize) -> ContenderResult {
        self.samples.truncate(rounds);
        self.stats.truncate(rounds);
        let Self { contender, mode, samples, stats, wrong, .. } = self;
        let measured = mode.map(|mode| Measured { mode, samples, stats });
        let result = match (wrong, measured) {
            (None, Some(measured)) => Ok(measured),
            (wrong, _) => Err(wrong.unwrap_or_else(|| "the executor did not run".to_owned())),
        };
        ContenderResult { contender, result }
    }
}
