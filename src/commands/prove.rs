//! Proves a fetched block by executing it, and completes its witness where that shows a gap.
//!
//! Execution names the first thing that is missing; it is asked for, and the block executed again, a
//! bounded number of times. Nothing is stored here.

use crate::{
    block::{PrepareError, WitnessReadError, check_reach},
    cache::{RecordedBlock, RecordedState},
    executor::{ExecutorKind, WorkerPool},
    fetch::{Completion, FetchError, Missing, Node, Sibling},
    trie::{Guess, TrieError},
    verify::{Verdict, VerifyError, guesses, verify_block},
};
use eyre::eyre;
use std::{collections::BTreeSet, num::NonZeroUsize, sync::Arc};

/// How often a witness is completed before the block is given up. More than the accounts that the DAO
/// fork touches by rule, which no tracer tells.
const MOST_ROUNDS: u32 = 200;

/// After so many single things, all that a tracer can tell is asked for at once.
const ROUND_BY_TRACE: u32 = 6;

/// Proves blocks.
pub(super) struct Prover {
    pub(super) node: Node,
    pool: WorkerPool,
}

/// What kept a block out of the cache.
pub(super) enum Refused {
    /// It could not be fetched, proved or stored.
    Failed(eyre::Report),
    /// It was executed, and is not what its header says.
    Mismatch(Verdict),
}

/// What came of executing a block over its witness.
enum Proof {
    Holds,
    /// It is refused for this reason, unless what is missing can be had.
    Lacks(Missing, Refused),
    Refused(Refused),
}

impl<E: Into<eyre::Report>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

impl Prover {
    pub(super) fn new(node: Node) -> eyre::Result<Self> {
        Ok(Self { node, pool: WorkerPool::new(NonZeroUsize::MIN)? })
    }

    /// The block with a witness that proves it, completed if need be; or with a flat state that holds,
    /// completed by ancestors at most.
    pub(super) async fn prove(
        self: &Arc<Self>,
        mut recorded: RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        let mut round = 0;
        loop {
            let (prover, candidate) = (self.clone(), recorded.clone());
            let proof = tokio::task::spawn_blocking(move || prover.prove_as_it_is(candidate));
            let (missing, refused) = match proof.await? {
                Proof::Holds => return Ok(recorded),
                Proof::Refused(refused) => return Err(refused),
                Proof::Lacks(missing, refused) => (missing, refused),
            };
            round += 1;
            match self.complete(&mut recorded, &missing, round).await {
                Ok(Completion::Added) if round < MOST_ROUNDS => {}
                Ok(_) => return Err(refused),
                Err(error) => return Err(refused.for_want_of(error)),
            }
        }
    }

    /// The same for a witness that a node made. Nothing in it may be of another state, needed or not;
    /// if something is, then that is why it does not prove the block.
    pub(super) async fn prove_whole(
        self: &Arc<Self>,
        recorded: RecordedBlock,
    ) -> Result<RecordedBlock, Refused> {
        let given = recorded.clone();
        match self.prove(recorded).await {
            Ok(proved) => check_all_is_reached(proved).await,
            Err(refused) => check_all_is_reached(given).await.and(Err(refused)),
        }
    }

    fn prove_as_it_is(&self, recorded: RecordedBlock) -> Proof {
        let executor = ExecutorKind::Sequential;
        let (job, mismatch) = match verify_block(recorded, executor, &self.pool, |_| ()) {
            Ok((_, Verdict::Match)) => return Proof::Holds,
            Ok((job, mismatch)) => (job, mismatch),
            Err(error) => {
                return match missing(&error) {
                    Some(missing) => Proof::Lacks(missing, error.into()),
                    None => Proof::Refused(error.into()),
                };
            }
        };
        match guesses(&job, &self.pool) {
            Ok(guesses) if guesses.is_empty() => Proof::Refused(Refused::Mismatch(mismatch)),
            Ok(guesses) => {
                Proof::Lacks(siblings(&guesses), Refused::for_guesses(&guesses, mismatch))
            }
            Err(error) => Proof::Refused(error.into()),
        }
    }

    async fn complete(
        &self,
        recorded: &mut RecordedBlock,
        missing: &Missing,
        round: u32,
    ) -> Result<Completion, FetchError> {
        if round == ROUND_BY_TRACE {
            // Where the tracer fails, single questions may still do.
            if let Ok(Completion::Added) = self.node.complete_by_trace(recorded).await {
                return Ok(Completion::Added);
            }
        }
        self.node.complete(recorded, missing).await
    }
}

/// A completed witness is checked as a whole: what it lacked may be what leads to the rest.
async fn check_all_is_reached(recorded: RecordedBlock) -> Result<RecordedBlock, Refused> {
    let check = move || {
        if let RecordedState::Witness(witness) = &recorded.state {
            check_reach(&recorded.block.header, witness)?;
        }
        Ok::<_, PrepareError>(recorded)
    };
    Ok(tokio::task::spawn_blocking(check).await??)
}

impl Refused {
    /// Whether a block matches cannot be told where a deletion leads to nodes that the witness lacks.
    fn for_guesses(guesses: &[Guess], mismatch: Verdict) -> Self {
        let nodes: BTreeSet<_> = guesses.iter().map(|guess| guess.hash.to_string()).collect();
        let nodes = Vec::from_iter(nodes).join(", ");
        Self::Failed(eyre!(
            "the block cannot be proved, as the witness lacks trie nodes that deletions lead to ({nodes}); without \
             them {mismatch}"
        ))
    }

    /// Says also why what is missing could not be had. A mismatch remains the more telling fact.
    fn for_want_of(self, error: FetchError) -> Self {
        match self {
            Self::Failed(report) => {
                let error = eyre::Report::new(error).wrap_err("it cannot be completed");
                Self::Failed(error.wrap_err(format!("{report:#}")))
            }
            Self::Mismatch(_) => self,
        }
    }
}

/// What the block could not be proved for, if it is something that a node can be asked for.
fn missing(error: &VerifyError) -> Option<Missing> {
    match error {
        VerifyError::Prepare(PrepareError::NotProved(error)) => missing_read(error),
        VerifyError::Prepare(PrepareError::ReceiptRoot(error)) | VerifyError::Root(error) => {
            missing_node(error)
        }
        _ => None,
    }
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
