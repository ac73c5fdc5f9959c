//! Runs a block through a plan: the only place where executors are timed.
//!
//! What is inside the timer is [`lap`], one function for every executor, the baseline included: from a
//! ready [`ReplayJob`] to a complete outcome. The state root is timed apart. Verification and dropping
//! what was built are not timed. A contestant whose outcome is wrong once has no times at all.

use super::{
    clock::{timed, timed_with_cpu},
    plan::{Contestant, Plan},
    sample::Sample,
};
use crate::{
    block::ReplayJob,
    executor::{
        BlockOutcome, Execution, ExecutionMode, ExecutionStats, Executor, PoolError, WorkerPool,
    },
    trie::{TrieError, UpdatedTrie},
    verify::{self, Verdict},
};
use alloy_primitives::B256;
use std::{collections::BTreeMap, num::NonZeroUsize};

/// Why a block has no result at all.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Its outcome could be right, and nobody can tell.
    #[error("the state root after the block cannot be computed from the witness")]
    Root(#[from] TrieError),
}

/// How one contestant ended on one block.
#[derive(Clone, Debug)]
pub struct Finish {
    /// Who.
    pub contestant: Contestant,
    /// The times of a contestant that was right in every lap, or what was wrong.
    pub result: Result<Measured, String>,
}

/// What the laps of one contestant took.
#[derive(Clone, Debug)]
pub struct Measured {
    /// What really ran.
    pub mode: ExecutionMode,
    /// Timed laps, in the order of the rounds.
    pub samples: Vec<Sample>,
    /// Work of the timed laps, in the same order.
    pub stats: Vec<ExecutionStats>,
}

/// Warm thread pools, and the plan that they serve.
#[derive(Debug)]
pub struct Runner {
    plan: Plan,
    pools: BTreeMap<NonZeroUsize, WorkerPool>,
}

impl Runner {
    /// Starts a pool for every number of threads in the plan.
    ///
    /// # Errors
    /// If the system has no more threads to give.
    pub fn new(plan: Plan) -> Result<Self, PoolError> {
        let mut pools = BTreeMap::new();
        for threads in plan.contestants().iter().map(|contestant| contestant.threads) {
            pools.insert(threads, WorkerPool::new(threads)?);
        }
        Ok(Self { plan, pools })
    }

    /// What is being measured.
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Races all contestants over one block. `after_lap` is called between laps.
    ///
    /// # Errors
    /// If the block's state root has no proof, so that no outcome can be verified.
    pub fn race(
        &self,
        job: &ReplayJob,
        mut after_lap: impl FnMut(),
    ) -> Result<Vec<Finish>, RunError> {
        let mut tracks: Vec<_> =
            self.plan.contestants().iter().map(|contestant| Track::new(*contestant, job)).collect();
        let mut verified = None;
        for (round, order) in self.plan.rounds().enumerate() {
            let warm_up = round < self.plan.warmup as usize;
            for index in order {
                let track = &mut tracks[index];
                if let Some(pool) = self.pools.get(&track.contestant.threads) {
                    track.run(job, pool, &mut verified, warm_up)?;
                }
                after_lap();
            }
        }
        Ok(tracks.into_iter().map(Track::finish).collect())
    }
}

/// What one timed execution gave.
struct Lap {
    execution: Execution,
    /// `None` where the pre-state has no proof.
    root: Option<B256>,
    sample: Sample,
}

/// Executes once, timed, and computes the state root, timed apart. `Err` inside if the executor gave
/// up on the block.
fn lap(
    executor: &dyn Executor,
    job: &ReplayJob,
    pool: &WorkerPool,
) -> Result<Result<Lap, String>, RunError> {
    let (execution, execute, cpu) = timed_with_cpu(|| executor.execute(job, pool));
    let execution = match execution {
        Ok(execution) => execution,
        // The block was executed when it was prepared, so it is valid: the executor is wrong.
        Err(error) => return Ok(Err(chain(&error))),
    };
    let post_state = &execution.outcome.post_state;
    let (trie, root) = pool.install(|| timed(|| job.trie_after(post_state)));
    let trie = trie?;
    let sample = Sample { execute, root: trie.as_ref().map(|_| root), cpu };
    Ok(Ok(Lap { root: trie.as_ref().map(UpdatedTrie::root), execution, sample }))
}

/// An error and its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// One contestant's way through the rounds.
struct Track {
    contestant: Contestant,
    /// Made for the block; `None` if it could not be.
    executor: Option<Box<dyn Executor>>,
    mode: Option<ExecutionMode>,
    samples: Vec<Sample>,
    stats: Vec<ExecutionStats>,
    wrong: Option<String>,
}

impl Track {
    /// Makes the contestant's executor for the block, untimed.
    fn new(contestant: Contestant, job: &ReplayJob) -> Self {
        let prepared = contestant.executor.prepare(job, contestant.threads);
        let (executor, wrong) = match prepared {
            Ok(executor) => (Some(executor), None),
            Err(error) => (None, Some(chain(&error))),
        };
        Self { contestant, executor, mode: None, samples: Vec::new(), stats: Vec::new(), wrong }
    }

    /// Runs one lap, unless an earlier one was wrong. An outcome is verified against the header once,
    /// and others of the same block by being equal to it.
    fn run(
        &mut self,
        job: &ReplayJob,
        pool: &WorkerPool,
        verified: &mut Option<(BlockOutcome, Option<B256>)>,
        warm_up: bool,
    ) -> Result<(), RunError> {
        let Some(executor) = self.executor.as_deref().filter(|_| self.wrong.is_none()) else {
            return Ok(());
        };
        let Lap { execution, root, sample } = match lap(executor, job, pool)? {
            Ok(lap) => lap,
            Err(gave_up) => {
                self.wrong = Some(gave_up);
                return Ok(());
            }
        };
        let known = verified.as_ref().is_some_and(|(outcome, known_root)| {
            *outcome == execution.outcome && *known_root == root
        });
        if !known {
            match verify::check(job, &execution.outcome, root) {
                Verdict::Match => *verified = Some((execution.outcome, root)),
                mismatch @ Verdict::Mismatch { .. } => {
                    self.wrong = Some(mismatch.to_string());
                    return Ok(());
                }
            }
        }
        self.mode = Some(execution.mode);
        if !warm_up {
            self.samples.push(sample);
            self.stats.push(execution.stats);
        }
        Ok(())
    }

    fn finish(self) -> Finish {
        let Self { contestant, mode, samples, stats, wrong, .. } = self;
        let measured = mode.map(|mode| Measured { mode, samples, stats });
        let result = match (wrong, measured) {
            (None, Some(measured)) => Ok(measured),
            (wrong, _) => Err(wrong.unwrap_or_else(|| "it never ran".to_owned())),
        };
        Finish { contestant, result }
    }
}
