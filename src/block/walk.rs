//! Executes a block once, untimed, to find the state that it accesses. The result of that execution is kept, so that a
//! check needs no second one.

use super::{
    PrepareError, Proof, ReceiptStatus,
    flat::pre_state,
    flatten::{Recorder, Source},
    open::{Before, OpenBlock},
    proved::Proved,
    witness::{Ancestors, check_ancestors, codes_by_hash},
};
use crate::{
    block::{FlatState, Witness},
    evm::{BlockExecutionResult, FailedPhase, Receipt, run_block},
    state::{BlockState, PostState, PreState},
    trie::{NodeStore, StateTrie},
};
use alloy_primitives::{B256, Bytes};
use std::sync::Arc;

/// The result of executing a block in order with alloy-evm's block executor.
#[derive(Debug)]
pub struct Executed {
    /// Receipts, gas and requests.
    pub result: BlockExecutionResult<Receipt>,
    /// State changes of the block.
    pub post_state: PostState,
    /// Codes that the block deploys.
    pub codes: Vec<Bytes>,
}

/// The result of executing a block over its proved state.
pub(super) struct Walked {
    pub(super) pre_state: PreState,
    pub(super) receipt_status: ReceiptStatus,
    /// The result of the block, or the reason that it is invalid.
    pub(super) result: Result<Executed, FailedPhase>,
}

impl OpenBlock {
    /// Proves the accessed state and computes the roots that the receipts contain.
    pub(super) fn before_by_witness(
        &self,
        witness: Witness,
        flattening: impl FnOnce(),
    ) -> Result<(Before, Executed), PrepareError> {
        let Ancestors { parent_state_root, hashes } = check_ancestors(self.header(), &witness)?;
        let codes = codes_by_hash(&witness.codes);
        let nodes = NodeStore::new(witness.nodes).map_err(PrepareError::Nodes)?;
        flattening();
        let trie = StateTrie::new(&nodes, parent_state_root);
        let Walked { pre_state, receipt_status, result } =
            self.walk(Proved::new(trie, &codes, hashes))?;
        let executed = result?;
        let proof = Proof::Witness { nodes: Arc::new(nodes), parent_state_root };
        Ok((Before { pre_state, proof, receipt_status }, executed))
    }

    /// Checks that the flat pre-state contains all accessed state.
    pub(super) fn before_by_flat(
        &self,
        flat: &FlatState,
        flattening: impl FnOnce(),
    ) -> Result<(Before, Executed), PrepareError> {
        let known = pre_state(self.header(), flat)?;
        flattening();
        let recorder = Recorder::new(known);
        let executed = self.run(&recorder, PrepareError::NotKnown, |_, _| Ok(()))?;
        let (pre_state, _) = recorder.into_parts();
        let receipt_status =
            if self.has_status() { ReceiptStatus::Success } else { ReceiptStatus::UnknownRoots };
        Ok((Before { pre_state, proof: Proof::None, receipt_status }, executed))
    }

    /// Executes the block over tries. An invalid block is part of the result; a failed read is an error.
    pub(super) fn walk(&self, proved: Proved<'_>) -> Result<Walked, PrepareError> {
        let recorder = Recorder::new(proved);
        let (mut roots, mut guesses, mut siblings) = (Vec::<B256>::new(), Vec::new(), Vec::new());
        let wants_roots = !self.has_status();
        let run = self.run(&recorder, PrepareError::NotProved, |done, db| {
            if wants_roots && done > 0 {
                let post = db.post_state().map_err(PrepareError::NotProved)?;
                let trie = db.base().source().trie();
                let after = trie.root_after(&post).map_err(PrepareError::ReceiptRoot)?;
                roots.push(after.root());
                guesses.extend_from_slice(after.guesses());
                siblings.extend(after.siblings());
            }
            Ok(())
        });
        let result = match run {
            Ok(executed) => Ok(executed),
            Err(PrepareError::Execution(failed)) => Err(failed),
            Err(error) => return Err(error),
        };
        let (pre_state, _) = recorder.into_parts();
        let receipt_status = match wants_roots {
            true => ReceiptStatus::Roots { roots, guesses, siblings },
            false => ReceiptStatus::Success,
        };
        Ok(Walked { pre_state, receipt_status, result })
    }

    /// Executes the block over a source of its pre-state. `unanswered` converts the error of a failed read.
    pub(super) fn run<'r, S: Source>(
        &self,
        recorder: &'r Recorder<S>,
        unanswered: fn(S::Error) -> PrepareError,
        between: impl FnMut(usize, &BlockState<&'r Recorder<S>>) -> Result<(), PrepareError>,
    ) -> Result<Executed, PrepareError> {
        let state = BlockState::new(recorder);
        // The EVM hides the error of the state behind its own; the recorded error names the account and slot.
        let (result, state) = run_block(&self.context(), self.transactions(), state, between)
            .map_err(|error| recorder.failed().map_or(error, unanswered))?;
        let post_state = state.post_state().map_err(unanswered)?;
        Ok(Executed { result, post_state, codes: state.codes().collect() })
    }
}
