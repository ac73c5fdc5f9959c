//! From a recorded block to a [`ReplayJob`], proving every step that can be proved.

use super::{
    BodyError, FlatError, MalformedCode, Proof, ReceiptStatus, ReplayJob, WitnessError,
    WitnessReadError,
    body::{Body, OmmersRule, open_body},
    flat::pre_state,
    flatten::{Recorder, Source},
    proved::Proved,
    witness::{Ancestors, check_ancestors, codes_by_hash},
};
use crate::{
    cache::{FlatState, RecordedBlock, RecordedState, Witness},
    evm::{BlockContext, Chain, FailedPhase, UnknownChain, run_block},
    state::{BlockState, NumberedState, PreState, StateError},
    trie::{NodeStore, StateTrie, TrieError},
};
use alloy_consensus::{Block, TxEnvelope, transaction::Recovered};
use std::time::Duration;

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
    let RecordedBlock { block: Block { header, body }, state, .. } = recorded;

    entering(Phase::Senders);
    let rule = OmmersRule::of_state(&state);
    let Body { transactions, ommers, withdrawals } = open_body(&chain, &header, body, rule)?;
    let env = chain.evm_env(&header);
    let context = BlockContext {
        chain: &chain,
        header: &header,
        ommers: &ommers,
        withdrawals: withdrawals.as_deref(),
        env: &env,
    };
    let walk = Walk { context, transactions: &transactions };
    entering(Phase::Witness);
    let Before { pre_state, proof, receipt_status } = match state {
        RecordedState::Witness(witness) => {
            walk.over_witness(witness, || entering(Phase::Flatten))?
        }
        RecordedState::Flat(flat) => walk.over_flat(&flat, || entering(Phase::Flatten))?,
    };
    Ok(ReplayJob {
        hash: header.hash_slow(),
        transactions,
        ommers,
        withdrawals,
        env,
        numbered_state: NumberedState::new(&pre_state),
        pre_state,
        state_latency: Duration::ZERO,
        proof,
        receipt_status,
        chain,
        header,
    })
}

/// What is known of the state before a block, and of the roots in its receipts.
struct Before {
    pre_state: PreState,
    proof: Proof,
    receipt_status: ReceiptStatus,
}

/// Executes a block once, to see what it touches.
struct Walk<'a> {
    context: BlockContext<'a>,
    transactions: &'a [Recovered<TxEnvelope>],
}

impl Walk<'_> {
    /// Whether receipts hold a status, not a state root (EIP-658).
    fn has_status(&self) -> bool {
        self.context.chain.has_status_receipts(self.context.header)
    }

    /// Proves what the block touches, and computes the roots that its receipts hold.
    fn over_witness(
        &self,
        witness: Witness,
        flattening: impl FnOnce(),
    ) -> Result<Before, PrepareError> {
        let Ancestors { parent_state_root, hashes } =
            check_ancestors(self.context.header, &witness)?;
        let codes = codes_by_hash(&witness.codes);
        let nodes = NodeStore::new(witness.nodes).map_err(PrepareError::Nodes)?;
        flattening();
        let trie = StateTrie::new(&nodes, parent_state_root);
        let recorder = Recorder::new(Proved::new(trie, &codes, hashes));
        let mut roots = Vec::new();
        let wants_roots = !self.has_status();
        self.run(&recorder, PrepareError::NotProved, |done, db| {
            if wants_roots && done > 0 {
                let post = db.post_state().map_err(PrepareError::NotProved)?;
                let trie = db.base().source().trie();
                roots.push(trie.root_after(&post).map_err(PrepareError::ReceiptRoot)?.root());
            }
            Ok(())
        })?;
        let receipt_status =
            if wants_roots { ReceiptStatus::Roots(roots) } else { ReceiptStatus::Success };
        let (pre_state, _) = recorder.into_parts();
        Ok(Before { pre_state, proof: Proof::Witness { nodes, parent_state_root }, receipt_status })
    }

    /// Finds out whether all that the block touches is there.
    fn over_flat(
        &self,
        flat: &FlatState,
        flattening: impl FnOnce(),
    ) -> Result<Before, PrepareError> {
        let known = pre_state(self.context.header, flat)?;
        flattening();
        let recorder = Recorder::new(known);
        self.run(&recorder, PrepareError::NotKnown, |_, _| Ok(()))?;
        let (pre_state, _) = recorder.into_parts();
        let receipt_status =
            if self.has_status() { ReceiptStatus::Success } else { ReceiptStatus::UnknownRoots };
        Ok(Before { pre_state, proof: Proof::None, receipt_status })
    }

    fn run<'r, S: Source>(
        &self,
        recorder: &'r Recorder<S>,
        unanswered: impl FnOnce(S::Error) -> PrepareError,
        between: impl FnMut(usize, &BlockState<&'r Recorder<S>>) -> Result<(), PrepareError>,
    ) -> Result<(), PrepareError> {
        match run_block(&self.context, self.transactions, BlockState::new(recorder), between) {
            Ok(_) => Ok(()),
            // The EVM wraps what the state said in its own words; ours name the account and slot.
            Err(error) => Err(recorder.failed().map_or(error, unanswered)),
        }
    }
}

impl From<FailedPhase> for PrepareError {
    fn from(failed: FailedPhase) -> Self {
        Self::Execution(failed)
    }
}
