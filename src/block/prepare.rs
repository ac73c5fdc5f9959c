//! From a recorded block to a [`ReplayJob`], proving every step that can be proved.

use super::{
    BodyError, FlatError, MalformedCode, ReplayJob, WitnessError, WitnessReadError,
    body::OmmersRule, open::OpenBlock,
};
use crate::{
    cache::{RecordedBlock, RecordedState},
    evm::{Chain, FailedPhase, UnknownChain},
    state::StateError,
    trie::TrieError,
};

/// Why a recorded block cannot be replayed: the link of its proof that broke.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Nobody told us the rules of its chain.
    #[error(transparent)]
    Chain(#[from] UnknownChain),
    /// The body is not the header's.
    #[error("the block's body does not belong to its header")]
    Body(#[from] BodyError),
    /// The witness is not the block's.
    #[error("the witness does not belong to the block")]
    Witness(#[from] WitnessError),
    /// The trie nodes are no trie.
    #[error("the witness holds a bad trie node")]
    Nodes(#[source] TrieError),
    /// The block reads what the witness does not prove.
    #[error("the witness does not prove what the block reads")]
    NotProved(#[source] WitnessReadError),
    /// The flat pre-state contradicts itself or the block.
    #[error("the flat pre-state does not belong to the block")]
    Flat(#[from] FlatError),
    /// The block reads what the flat pre-state does not hold.
    #[error("the flat pre-state lacks what the block reads; fetch it again with --overwrite")]
    NotKnown(#[source] StateError),
    /// A tracer gave a code that is none.
    #[error("the tracer's reply cannot be used")]
    Traced(#[source] MalformedCode),
    /// The block, executed once to see what it touches, is invalid.
    #[error("the block cannot be executed")]
    Execution(#[source] FailedPhase),
    /// The state root after a transaction, which receipts hold before Byzantium, has no proof.
    #[error("the state root after a transaction cannot be computed from the witness")]
    ReceiptRoot(#[source] TrieError),
}

/// A phase of [`prepare`], as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Roots of the body, and recovering senders.
    Senders,
    /// Hashing trie nodes and codes, chaining headers; for a flat pre-state, codes and headers.
    Witness,
    /// Executing once to find out what the block touches, over the trie if there is one.
    Flatten,
}

/// Proves a recorded block and makes it ready to execute. `entering` is told of each phase, so that a
/// caller may time them. Senders are recovered on the rayon pool that this is called in.
///
/// # Errors
/// [`PrepareError`] names the link of the proof that broke.
pub fn prepare(
    recorded: RecordedBlock,
    mut entering: impl FnMut(Phase),
) -> Result<ReplayJob, PrepareError> {
    let chain = Chain::from_id(recorded.chain_id)?;
    let RecordedBlock { block, state, .. } = recorded;

    entering(Phase::Senders);
    let block = OpenBlock::open_with(chain, block, OmmersRule::of_state(&state))?;
    entering(Phase::Witness);
    let flattening = || entering(Phase::Flatten);
    let before = match state {
        RecordedState::Witness(witness) => block.before_by_witness(witness, flattening)?,
        RecordedState::Flat(flat) => block.before_by_flat(&flat, flattening)?,
    };
    Ok(block.into_job(before))
}

impl From<FailedPhase> for PrepareError {
    fn from(failed: FailedPhase) -> Self {
        Self::Execution(failed)
    }
}
