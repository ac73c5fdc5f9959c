//! From a recorded block to a [`ReplayJob`], proving every step.

use super::{
    BodyError, ReplayJob, WitnessError, WitnessReadError,
    body::{SignatureRule, check_body, recover_senders},
    flatten::WitnessState,
    witness::{Ancestors, check_ancestors, codes_by_hash},
};
use crate::{
    cache::RecordedBlock,
    evm::{BlockContext, Chain, FailedPhase, UnknownChain, run_block},
    state::{BlockState, NumberedState},
    trie::{NodeStore, StateTrie, TrieError},
};
use alloy_consensus::{TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::B256;

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
    /// Hashing trie nodes and codes, chaining headers.
    Witness,
    /// Executing once over the trie to flatten what the block touches.
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
    let RecordedBlock { block, witness, .. } = recorded;
    let (header, body) = (block.header, block.body);

    entering(Phase::Senders);
    check_body(&header, &body)?;
    let rule =
        if chain.requires_low_s(&header) { SignatureRule::LowS } else { SignatureRule::AnyS };
    let transactions = recover_senders(body.transactions, rule)?;

    entering(Phase::Witness);
    let Ancestors { parent_state_root, hashes } = check_ancestors(&header, &witness)?;
    let codes = codes_by_hash(&witness);
    let nodes = NodeStore::new(witness.nodes).map_err(PrepareError::Nodes)?;

    entering(Phase::Flatten);
    let env = chain.evm_env(&header);
    let withdrawals = body.withdrawals.map(Withdrawals::into_inner);
    let context = BlockContext {
        chain: &chain,
        header: &header,
        ommers: &body.ommers,
        withdrawals: withdrawals.as_deref(),
        env: &env,
    };
    let trie = StateTrie::new(&nodes, parent_state_root);
    let state = WitnessState::new(trie, &codes, hashes);
    let receipt_roots = walk(&context, &transactions, &state)?;
    let pre_state = state.into_pre_state();
    Ok(ReplayJob {
        hash: header.hash_slow(),
        transactions,
        ommers: body.ommers,
        withdrawals,
        env,
        numbered_state: NumberedState::new(&pre_state),
        pre_state,
        nodes,
        parent_state_root,
        receipt_roots,
        chain,
        header,
    })
}

/// Executes the block over the witness, and returns the roots that its receipts hold.
fn walk(
    context: &BlockContext<'_>,
    transactions: &[Recovered<TxEnvelope>],
    state: &WitnessState<'_>,
) -> Result<Vec<B256>, PrepareError> {
    let mut roots = Vec::new();
    let wants_roots = !context.chain.has_status_receipts(context.header);
    let after_each = |db: &BlockState<&WitnessState<'_>>| {
        if wants_roots {
            let post = db.post_state().map_err(PrepareError::NotProved)?;
            let after = state.trie().root_after(&post).map_err(PrepareError::ReceiptRoot)?;
            roots.push(after.root());
        }
        Ok(())
    };
    match run_block(context, transactions, BlockState::new(state), after_each) {
        Ok(_) => Ok(roots),
        // The EVM wraps what the state said in its own words; ours name the account and slot.
        Err(error) => Err(state.failed().map_or(error, PrepareError::NotProved)),
    }
}

impl From<FailedPhase> for PrepareError {
    fn from(failed: FailedPhase) -> Self {
        Self::Execution(failed)
    }
}
