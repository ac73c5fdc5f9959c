//! Proves a fetched block by executing it, and completes its witness if a value is missing.
//!
//! Each execution reports the missing values. The prover fetches them and executes the block again, a bounded
//! number of times. `verify` compares the result with the header, and reduces the witness to what the block needs. The
//! caller stores the block.

use crate::{
    block::{
        PrepareError, RecordedBlock, RecordedState, WitnessReadError, check_reach, missing_reads,
    },
    fetch::{Completion, FetchError, Missing, Node, Sibling},
    threads::{ExecutionLimit, Watchdog, WorkerPool},
    trie::{Guess, TrieError},
    verify::{Verdict, VerifyError, guesses, verify_and_reduce},
};
use eyre::eyre;
use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

/// Maximum number of completions of a witness before the block is refused. One completion fetches all values that are
/// known to be missing, so only values that depend on each other take several.
const MOST_ROUNDS: u32 = 2_000;

/// Completion in which the state of a tracer's reply is fetched at once.
const ROUND_BY_TRACE: u32 = 6;

/// Proves blocks.
pub(super) struct Prover {
    pub(super) node: Node,
    limit: ExecutionLimit,
}

/// The reason that a block is not stored.
#[derive(Debug)]
pub enum Refused {
    /// The block could not be fetched, proved or stored.
    Failed(eyre::Report),
    /// The block was executed, and the result does not match its header.
    Mismatch(Verdict),
}

/// The result of executing a block over its witness.
enum Proof {
    /// The block matches its header. Its witness is reduced.
    Holds(Box<RecordedBlock>),
    /// A value is missing. The block is refused for this reason if the value cannot be fetched.
    Lacks(Missing, Refused),
    Refused(Refused),
}

impl Refused {
    /// The reason as an error.
    pub(super) fn into_report(self) -> eyre::Report {
        match self {
            Self::Failed(report) => report,
            Self::Mismatch(verdict) => eyre!("the block does not match: {verdict}"),
        }
    }
}

impl<E: Into<eyre::Report>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Prover {
    /// Creates a prover that fetches missing values from the node. Each execution has the limit.
    pub(super) const fn new(node: Node, limit: ExecutionLimit) -> Self {
        Self { node, limit }
    }

    /// Runs work that executes a block on a watchdog with one thread.
    pub(super) async fn guarded<R: Send + 'static>(
        &self,
        work: impl FnOnce(&WorkerPool) -> R + Send + 'static,
    ) -> Result<R, Refused> {
        let limit = self.limit.clone();
        let run = move || Watchdog::new(NonZeroUsize::MIN, limit)?.run(work);
        Ok(tokio::task::spawn_blocking(run).await??)
    }

    /// Returns the block with a witness that proves it and holds nothing else, completed if necessary. A flat state is
    /// checked instead, and only its ancestors are completed.
    pub(super) async fn prove(
        self: &Arc<Self>,
        mut recorded: RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        self.prove_completed(&mut recorded).await
    }

    /// As [`prove`](Self::prove). `recorded` keeps what the block does not need.
    async fn prove_completed(
        self: &Arc<Self>,
        recorded: &mut RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        let mut round = 0;
        loop {
            let candidate = recorded.clone();
            let proof = self.guarded(move |pool| prove_as_it_is(candidate, pool));
            let (missing, refused) = match proof.await? {
                Proof::Holds(reduced) => return Ok(*reduced),
                Proof::Refused(refused) => return Err(refused),
                Proof::Lacks(missing, refused) => (missing, refused),
            };
            round += 1;
            match self.complete(recorded, &missing, round).await {
                Ok(Completion::Added) if round < MOST_ROUNDS => {}
                Ok(_) => return Err(refused),
                Err(error) => return Err(refused.for_want_of(error)),
            }
        }
    }

    /// As [`prove`](Self::prove), for a witness from a node. All trie nodes of the witness must belong to the block's
    /// pre-state, even those that execution does not need. If one does not, this error replaces the other.
    pub(super) async fn prove_whole(
        self: &Arc<Self>,
        recorded: RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        let mut completed = recorded.clone();
        match self.prove_completed(&mut completed).await {
            Ok(reduced) if completed == recorded => {
                check_all_is_reached(completed).await.and(Ok(reduced))
            }
            Ok(reduced) => self.check_completed(completed).await.and(Ok(reduced)),
            Err(refused) => check_all_is_reached(recorded).await.and(Err(refused)),
        }
    }

    /// Checks a completed witness. A node that the block does not need may have lost its parent, which the completion
    /// did not fetch. The trace of the block names more, so its proofs may lead to that node.
    async fn check_completed(self: &Arc<Self>, completed: RecordedBlock) -> Result<(), Refused> {
        let Err(refused) = check_all_is_reached(completed.clone()).await else { return Ok(()) };
        let mut wider = completed;
        match self.node.complete_by_trace(&mut wider).await {
            Ok(Completion::Added) => check_all_is_reached(wider).await,
            _ => Err(refused),
        }
    }

    async fn complete(
        &self,
        recorded: &mut RecordedBlock,
        missing: &Missing,
        round: u32,
    ) -> Result<Completion, FetchError> {
        if round == ROUND_BY_TRACE {
            // If the tracer fails, requests for single values may still succeed.
            if let Ok(Completion::Added) = self.node.complete_by_trace(recorded).await {
                return Ok(Completion::Added);
            }
        }
        self.node.complete(recorded, missing).await
    }
}

fn prove_as_it_is(recorded: RecordedBlock, pool: &WorkerPool) -> Proof {
    let (job, mismatch) = match verify_and_reduce(recorded.clone(), pool, |_| ()) {
        Ok((_, Verdict::Match, reduced)) => return Proof::Holds(Box::new(reduced.recorded)),
        Ok((job, mismatch, _)) => (job, mismatch),
        Err(error) => {
            return match missing(&error) {
                Some(first) => Proof::Lacks(all_missing(&recorded, first), error.into()),
                None => Proof::Refused(error.into()),
            };
        }
    };
    match guesses(&job, pool) {
        Ok(guesses) if guesses.is_empty() => Proof::Refused(Refused::Mismatch(mismatch)),
        Ok(guesses) => Proof::Lacks(siblings(&guesses), Refused::for_guesses(&guesses, mismatch)),
        Err(error) => Proof::Refused(error.into()),
    }
}

/// Checks that all nodes of a witness are reachable from the state root. The check follows the completion, since an
/// added node may be the parent of others.
async fn check_all_is_reached(recorded: RecordedBlock) -> Result<(), Refused> {
    let check = move || {
        if let RecordedState::Witness(witness) = &recorded.state {
            check_reach(&recorded.block.header, witness)?;
        }
        Ok::<_, PrepareError>(())
    };
    Ok(tokio::task::spawn_blocking(check).await??)
}

impl Refused {
    /// Builds the error for a witness without the trie nodes that deletions need. The state root is unknown without
    /// these nodes, so a mismatch is not certain.
    fn for_guesses(guesses: &[Guess], mismatch: Verdict) -> Self {
        let nodes: BTreeSet<_> = guesses.iter().map(|guess| guess.hash.to_string()).collect();
        let nodes = Vec::from_iter(nodes).join(", ");
        Self::Failed(eyre!(
            "the block cannot be proved, since the witness lacks trie nodes that deletions need ({nodes}); without \
             them: {mismatch}"
        ))
    }

    /// Adds the errors of the other nodes, if there are any. A mismatch stays unchanged, since it says more.
    pub(super) fn by_all(self, others: &[String]) -> Self {
        match self {
            Self::Failed(report) if !others.is_empty() => {
                let (count, others) = (others.len() + 1, others.join("; "));
                Self::Failed(report.wrap_err(format!("all {count} nodes failed ({others})")))
            }
            refused => refused,
        }
    }

    /// Adds the error of the failed completion. A mismatch stays unchanged, since it says more.
    fn for_want_of(self, error: FetchError) -> Self {
        match self {
            Self::Failed(report) => {
                let error = eyre::Report::new(error).wrap_err("the witness cannot be completed");
                Self::Failed(error.wrap_err(format!("{report:#}")))
            }
            Self::Mismatch(_) => self,
        }
    }
}

/// The missing value of a failed proof, if a node may have it.
fn missing(error: &VerifyError) -> Option<Missing> {
    match error {
        VerifyError::Prepare(PrepareError::NotProved(error)) => missing_read(error),
        VerifyError::Prepare(PrepareError::ReceiptRoot(error)) | VerifyError::Root(error) => {
            missing_node(error)
        }
        _ => None,
    }
}

/// All values that the block reads and its witness lacks, `first` among them.
fn all_missing(recorded: &RecordedBlock, first: Missing) -> Missing {
    let Ok(errors) = missing_reads(recorded) else { return first };
    let mut all: Vec<_> = errors.iter().filter_map(missing_read).collect();
    if !all.contains(&first) {
        all.push(first);
    }
    Missing::Several(all)
}

fn missing_read(error: &WitnessReadError) -> Option<Missing> {
    match error {
        WitnessReadError::NotProved(error) => missing_node(error),
        WitnessReadError::CodeMissing { owner, .. } => owner.map(Missing::Code),
        WitnessReadError::AncestorMissing { number } => Some(Missing::Ancestor(*number)),
        WitnessReadError::CodeMalformed { .. } => None,
    }
}

fn missing_node(error: &TrieError) -> Option<Missing> {
    match error {
        TrieError::Account { address, .. } => Some(Missing::Account(*address)),
        TrieError::Slot { address, slot, .. } => Some(Missing::Slot(*address, *slot)),
        TrieError::OversizedNode { .. } => None,
    }
}

fn siblings(guesses: &[Guess]) -> Missing {
    let sibling = |Guess { address, slot, hash }: &Guess| Sibling {
        address: *address,
        slot: *slot,
        hash: *hash,
    };
    Missing::Siblings(guesses.iter().map(sibling).collect())
}
