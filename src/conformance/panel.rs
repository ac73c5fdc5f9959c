//! The executors that a suite is run with, each on every number of threads.
//!
//! They have to agree with each other, and with the execution in order by which the block was made
//! ready: on every receipt and every change of a valid block, and on where an invalid one fails.

use crate::{
    block::{Rehearsal, ReplayJob},
    evm::FailedPhase,
    executor::{
        BlockOutcome, ExecuteError, ExecutorKind, Guard, GuardError, PoolError, WorkerPool,
    },
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
    /// Which executor.
    pub executor: ExecutorKind,
    /// All threads that may take part.
    pub threads: NonZeroUsize,
}

impl Member {
    /// Whom the others are compared with.
    pub const BASELINE: Self =
        Self { executor: ExecutorKind::Sequential, threads: NonZeroUsize::MIN };
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {} threads", self.executor, self.threads)
    }
}

/// A bug of an executor, whatever the test says of the block.
#[derive(Debug, thiserror::Error)]
pub enum Disagreement {
    /// It gave up on a block that is executed in order without fault, or in another way than that.
    #[error("{member} gave up")]
    GaveUp {
        /// Who.
        member: Member,
        /// Why.
        source: Box<GuardError>,
    },
    /// It accepted a block that fails in order.
    #[error("{member} accepted a block that in order fails at transaction {place:?}")]
    Accepted {
        /// Who.
        member: Member,
        /// The transaction, if it was one.
        place: Option<usize>,
    },
    /// It refused a block for something else than what fails in order.
    #[error("{member} does not fail at transaction {expected:?}, as the block does in order")]
    FailedElsewhere {
        /// Who.
        member: Member,
        /// The transaction, if it was one.
        expected: Option<usize>,
        /// What it says instead.
        source: Box<GuardError>,
    },
    /// Its outcome is another.
    #[error("{member} differs from the baseline: {difference}")]
    Differs {
        /// Who.
        member: Member,
        /// In what.
        difference: Box<Difference>,
    },
    /// The state root cannot be computed from a state that is known in full: a bug of the tries.
    #[error("the state root after the block cannot be computed")]
    Root(#[from] TrieError),
}

/// What executing a block came to, as everybody agrees.
#[derive(Debug)]
pub enum Agreed {
    /// It is what its header says.
    Match(Made),
    /// It is something else.
    Mismatch(Verdict),
    /// It cannot be executed.
    Failed(FailedPhase),
}

/// What a block made, for the blocks on top of it.
#[derive(Debug)]
pub struct Made {
    /// Nodes of the tries after it.
    pub nodes: NewNodes,
    /// Codes that it left.
    pub codes: Vec<Bytes>,
}

/// Executors and their warm threads.
#[derive(Debug)]
pub struct Panel {
    others: Vec<Member>,
    guards: BTreeMap<NonZeroUsize, Guard>,
    limit: Duration,
    /// For what is not executing: one thread.
    crew: WorkerPool,
}

impl Panel {
    /// The baseline on one thread, every parallel executor on every number of them. Their threads are
    /// started when they are first needed. Whoever takes longer than `limit` for a block is left behind.
    ///
    /// # Errors
    /// If the system has no more threads to give.
    pub fn new(
        executors: &[ExecutorKind],
        threads: &[NonZeroUsize],
        limit: Duration,
    ) -> Result<Self, PoolError> {
        let (others, guards) = (others(executors, threads), BTreeMap::new());
        Ok(Self { others, guards, limit, crew: WorkerPool::new(NonZeroUsize::MIN)? })
    }

    /// Does what is not executing, on a thread of the panel's.
    pub fn crew(&self) -> &WorkerPool {
        &self.crew
    }

    /// Has the block executed by all, and compares what they say.
    ///
    /// # Errors
    /// If they do not agree.
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

    /// The outcome of a valid block, on which all agree.
    fn outcome(&mut self, job: &Arc<ReplayJob>) -> Result<BlockOutcome, Disagreement> {
        let gave_up = |member, source| Disagreement::GaveUp { member, source: Box::new(source) };
        let first = Member::BASELINE;
        let expected = self.execute(first, job).map_err(|source| gave_up(first, source))?;
        for member in self.others.clone() {
            let actual = self.execute(member, job).map_err(|source| gave_up(member, source))?;
            if let Some(difference) = first_difference(&expected, &actual) {
                return Err(Disagreement::Differs { member, difference: Box::new(difference) });
            }
        }
        Ok(expected)
    }

    /// Whether all refuse a block for the same transaction.
    fn must_fail(
        &mut self,
        job: &Arc<ReplayJob>,
        expected: &FailedPhase,
    ) -> Result<(), Disagreement> {
        for member in std::iter::once(Member::BASELINE).chain(self.others.clone()) {
            match self.execute(member, job) {
                Err(GuardError::Execute(ExecuteError::Block(failed)))
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
    ) -> Result<BlockOutcome, GuardError> {
        let guard = match self.guards.entry(member.threads) {
            Entry::Occupied(guard) => guard.into_mut(),
            Entry::Vacant(place) => place.insert(Guard::new(member.threads, self.limit)?),
        };
        Ok(guard.execute(member.executor, job)?.outcome)
    }
}

/// Every parallel executor on every number of threads, each once.
fn others(executors: &[ExecutorKind], threads: &[NonZeroUsize]) -> Vec<Member> {
    let mut others = Vec::new();
    for executor in executors.iter().copied().filter(|kind| kind.is_parallel()) {
        for threads in threads.iter().copied() {
            let member = Member { executor, threads };
            if !others.contains(&member) {
                others.push(member);
            }
        }
    }
    others
}
