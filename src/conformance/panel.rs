//! Runs all executors on every number of threads, and compares their results.
//!
//! They must agree with each other, and with the execution in block order that prepared the block. For a valid
//! block they must agree on every receipt and every change. For an invalid block they must agree on the
//! transaction that fails. An executor that executes by a false access list must refuse the block.

use crate::{
    block::{Rehearsal, ReplayJob},
    evm::FailedPhase,
    execution::{BlockOutcome, ExecuteError},
    executors::{ContainedError, ExecutorKind, execute_contained},
    threads::{PoolError, Watchdog, WorkerPool},
    trie::{NewNodes, TrieError, UpdatedTrie},
    verify::{Difference, Verdict, check, first_difference},
};
use alloy_primitives::Bytes;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    num::NonZeroUsize,
    sync::Arc,
    time::Duration,
};

/// An executor on a number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member {
    /// The executor.
    pub executor: ExecutorKind,
    /// Number of threads, the calling one included.
    pub threads: NonZeroUsize,
}

impl Member {
    /// The baseline, with which the others are compared.
    pub const BASELINE: Self =
        Self { executor: ExecutorKind::SEQUENTIAL, threads: NonZeroUsize::MIN };
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} threads", self.executor, self.threads)
    }
}

/// A difference between executors. It is always a bug, independent of the expectation of the test.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    /// The executor failed on a block that is valid in block order.
    #[error("{member} failed")]
    GaveUp {
        /// The executor.
        member: Member,
        /// The error.
        source: Box<ContainedError>,
    },
    /// The executor accepted a block that fails in block order.
    #[error("{member} accepted a block that fails in block order {}", at(*place))]
    Accepted {
        /// The executor.
        member: Member,
        /// Index of the failed transaction; `None` if another phase failed.
        place: Option<usize>,
    },
    /// The executor fails elsewhere than the execution in block order.
    #[error("{member} does not fail {}, where the block fails in block order", at(*expected))]
    FailedElsewhere {
        /// The executor.
        member: Member,
        /// Index of the failed transaction in block order; `None` if another phase failed.
        expected: Option<usize>,
        /// The error of the executor.
        source: Box<ContainedError>,
    },
    /// The executor accepted a false access list, by which it executes.
    #[error("{member} accepted a false block access list")]
    AcceptedList {
        /// The executor.
        member: Member,
    },
    /// The outcome of the executor differs.
    #[error("{member} differs from the baseline: {difference}")]
    Differs {
        /// The executor.
        member: Member,
        /// The difference.
        difference: Box<Difference>,
    },
    /// The state root cannot be computed although the state is complete. This is a bug of the tries.
    #[error("the state root after the block cannot be computed")]
    Root(#[from] TrieError),
}

/// The place at which a block fails.
fn at(transaction: Option<usize>) -> String {
    transaction.map_or_else(
        || "outside its transactions".to_owned(),
        |index| format!("at transaction {index}"),
    )
}

/// The result of a block on which all executors agree.
#[derive(Debug)]
pub enum Agreed {
    /// The outcome matches the header.
    Match(Made),
    /// The outcome does not match the header.
    Mismatch(Verdict),
    /// The block cannot be executed.
    Failed(FailedPhase),
}

/// Results of a block that later blocks need.
#[derive(Debug)]
pub struct Made {
    /// New nodes of the tries after the block.
    pub nodes: NewNodes,
    /// New codes.
    pub codes: Vec<Bytes>,
}

/// Executors and their running threads.
#[derive(Debug)]
pub struct Panel {
    others: Vec<Member>,
    guards: BTreeMap<NonZeroUsize, Watchdog>,
    limit: Duration,
    /// A single thread for all other work.
    crew: WorkerPool,
}

impl Panel {
    /// A panel with the baseline on one thread and every parallel executor on every number of threads. The
    /// threads start when they are first needed. They free their memory after each execution, because most of them
    /// wait most of the time. An executor that takes longer than `limit` for a block fails,
    /// and its threads are abandoned.
    ///
    /// # Errors
    /// The system cannot start a thread.
    pub fn new(
        executors: &[ExecutorKind],
        threads: &[NonZeroUsize],
        limit: Duration,
    ) -> Result<Self, PoolError> {
        let (others, guards) = (others(executors, threads), BTreeMap::new());
        Ok(Self { others, guards, limit, crew: WorkerPool::new(NonZeroUsize::MIN)? })
    }

    /// The pool for work other than execution.
    pub fn crew(&self) -> &WorkerPool {
        &self.crew
    }

    /// Executes the block with all executors, and compares the results.
    ///
    /// # Errors
    /// The executors disagree.
    pub fn examine(&mut self, rehearsal: Rehearsal) -> Result<Agreed, Disagreement> {
        let job = Arc::new(rehearsal.job);
        let codes = match rehearsal.result {
            Ok(codes) => codes,
            Err(failed) => {
                self.must_fail(&job, &failed)?;
                return Ok(Agreed::Failed(failed));
            }
        };
        let outcome = self.outcome(&job)?;
        let trie = self.crew.install(|| job.trie_after(&outcome.post_state))?;
        Ok(match check(&job, &outcome, trie.as_ref().map(UpdatedTrie::root)) {
            Verdict::Match => {
                let nodes = trie.as_ref().map(UpdatedTrie::new_nodes).unwrap_or_default();
                Agreed::Match(Made { nodes, codes })
            }
            mismatch @ Verdict::Mismatch { .. } => Agreed::Mismatch(mismatch),
        })
    }

    /// The outcome of a valid block on which all executors agree.
    fn outcome(&mut self, job: &Arc<ReplayJob>) -> Result<BlockOutcome, Disagreement> {
        let gave_up = |member, source| Disagreement::GaveUp { member, source: Box::new(source) };
        let first = Member::BASELINE;
        let expected = self.execute(first, job).map_err(|source| gave_up(first, source))?;
        let is_false = job.own_list().is_some_and(|own| own.difference.is_some());
        for member in self.others.clone() {
            if is_false && member.executor == ExecutorKind::BAL {
                self.must_refuse_list(member, job)?;
                continue;
            }
            let actual = self.execute(member, job).map_err(|source| gave_up(member, source))?;
            if let Some(difference) = first_difference(&expected, &actual) {
                return Err(Disagreement::Differs { member, difference: Box::new(difference) });
            }
        }
        Ok(expected)
    }

    /// Checks that an executor refuses the block, whose list it executes by.
    fn must_refuse_list(
        &mut self,
        member: Member,
        job: &Arc<ReplayJob>,
    ) -> Result<(), Disagreement> {
        match self.execute(member, job) {
            Err(ContainedError::Execute(_)) => Ok(()),
            Ok(_) => Err(Disagreement::AcceptedList { member }),
            Err(source) => Err(Disagreement::GaveUp { member, source: Box::new(source) }),
        }
    }

    /// Checks that all executors fail at the same transaction.
    fn must_fail(
        &mut self,
        job: &Arc<ReplayJob>,
        expected: &FailedPhase,
    ) -> Result<(), Disagreement> {
        for member in std::iter::once(Member::BASELINE).chain(self.others.clone()) {
            match self.execute(member, job) {
                Err(ContainedError::Execute(ExecuteError::Block(failed)))
                    if failed.transaction() == expected.transaction() => {}
                Ok(_) => {
                    let place = expected.transaction();
                    return Err(Disagreement::Accepted { member, place });
                }
                Err(source) => {
                    let (expected, source) = (expected.transaction(), Box::new(source));
                    return Err(Disagreement::FailedElsewhere { member, expected, source });
                }
            }
        }
        Ok(())
    }

    fn execute(
        &mut self,
        member: Member,
        job: &Arc<ReplayJob>,
    ) -> Result<BlockOutcome, ContainedError> {
        let guard = match self.guards.entry(member.threads) {
            Entry::Occupied(guard) => guard.into_mut(),
            Entry::Vacant(place) => place.insert(Watchdog::freeing(member.threads, self.limit)?),
        };
        Ok(execute_contained(guard, member.executor, job)?.outcome)
    }
}

/// Every executor on its numbers of threads, without duplicates and without the first member.
fn others(executors: &[ExecutorKind], threads: &[NonZeroUsize]) -> Vec<Member> {
    let mut others = Vec::new();
    for executor in executors.iter().copied() {
        let threads = if executor.is_parallel() { threads } else { &[NonZeroUsize::MIN] };
        for threads in threads.iter().copied() {
            let member = Member { executor, threads };
            if member != Member::BASELINE && !others.contains(&member) {
                others.push(member);
            }
        }
    }
    others
}
