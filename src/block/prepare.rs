//! Converts a recorded block into a [`ReplayJob`] and checks everything that has a proof.

use super::{
    BodyError, FlatError, GasError, MalformedCode, ReplayJob, RulesError, WitnessError,
    WitnessReadError, WrongList, body::OmmersRule, gas::check_gas, open::OpenBlock, walk::Executed,
};
use crate::{
    block::{RecordedBlock, RecordedState},
    evm::{FailedPhase, FieldError, check_fields},
    state::StateError,
    trie::TrieError,
};

/// The reason that a recorded block cannot be replayed. Each variant is one step of its proof.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The rules of the block's chain are unknown.
    #[error(transparent)]
    Chain(#[from] RulesError),
    /// The header's fields are not those of the fork at its time.
    #[error(transparent)]
    Fields(#[from] FieldError),
    /// The block may use more gas than any chain allows.
    #[error(transparent)]
    Gas(#[from] GasError),
    /// The body does not match the header.
    #[error("the block's body does not belong to its header")]
    Body(#[from] BodyError),
    /// The witness does not belong to the block.
    #[error("the witness does not belong to the block")]
    Witness(#[from] WitnessError),
    /// A trie node is malformed.
    #[error("the witness holds a bad trie node")]
    Nodes(#[source] TrieError),
    /// The block reads a value that the witness does not prove.
    #[error("the witness does not prove what the block reads")]
    NotProved(#[source] WitnessReadError),
    /// The flat pre-state is inconsistent or does not belong to the block.
    #[error("the flat pre-state does not belong to the block")]
    Flat(#[from] FlatError),
    /// The block reads a value that the flat pre-state does not contain.
    #[error("the flat pre-state lacks what the block reads; fetch it again with --overwrite")]
    NotKnown(#[source] StateError),
    /// The tracer returned malformed code.
    #[error("the tracer's reply cannot be used")]
    Traced(#[source] MalformedCode),
    /// The untimed execution that finds the accessed state found the block invalid.
    #[error("the block cannot be executed")]
    Execution(#[source] FailedPhase),
    /// The node's access list is not the block's.
    #[error("the node's block access list is not the block's")]
    AccessList(#[from] WrongList),
    /// The state root after a transaction cannot be proved. Receipts contain it before Byzantium.
    #[error("the state root after a transaction cannot be computed from the witness")]
    ReceiptRoot(#[source] TrieError),
}

/// A phase of [`prepare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Checks the roots of the body and recovers the senders.
    Senders,
    /// Hashes trie nodes and codes and links headers. A flat pre-state has only codes and headers.
    Witness,
    /// Executes the block once to find the state that it accesses.
    Flatten,
}

/// Proves a recorded block and makes it ready to execute.
///
/// `entering` is called at the start of each phase, so that the caller can time the phases. Senders are
/// recovered on the current rayon pool.
///
/// # Errors
/// [`PrepareError`] names the step of the proof that failed.
pub fn prepare(
    recorded: RecordedBlock,
    entering: impl FnMut(Phase),
) -> Result<ReplayJob, PrepareError> {
    prepare_and_execute(recorded, entering).map(|(job, _)| job)
}

/// Like [`prepare`], and returns the result of the execution that finds the accessed state.
///
/// # Errors
/// As [`prepare`].
pub fn prepare_and_execute(
    recorded: RecordedBlock,
    mut entering: impl FnMut(Phase),
) -> Result<(ReplayJob, Executed), PrepareError> {
    let chain = recorded.chain()?;
    let RecordedBlock { block, state, access_list, .. } = recorded;
    check_fields(&chain, &block.header)?;
    check_gas(&block)?;

    entering(Phase::Senders);
    let block = OpenBlock::open_with(chain, block, OmmersRule::of_state(&state))?;
    entering(Phase::Witness);
    let flattening = || entering(Phase::Flatten);
    let (before, executed) = match state {
        RecordedState::Witness(witness) => block.before_by_witness(witness, flattening)?,
        RecordedState::Flat(flat) => block.before_by_flat(&flat, flattening)?,
    };
    Ok((block.into_job(before).with_access_list(&access_list)?, executed))
}

impl From<FailedPhase> for PrepareError {
    fn from(failed: FailedPhase) -> Self {
        Self::Execution(failed)
    }
}
