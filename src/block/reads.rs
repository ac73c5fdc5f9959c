//! Finds all values that a block reads and its witness does not prove, in one execution.
//!
//! A missing value is taken as absent or zero, and the execution continues. Later reads may then differ from those of
//! the real execution, so the list may hold too much or too little. The caller fetches the values and asks again until
//! nothing is missing. This costs as many executions as values depend on each other, not one for each value.

use super::{
    PrepareError, RecordedBlock, RecordedState, WitnessReadError,
    flatten::{Recorder, Source},
    open::OpenBlock,
    proved::Proved,
    witness::{Ancestors, check_ancestors, codes_by_hash},
};
use crate::{
    state::PreAccount,
    trie::{NodeStore, StateTrie},
};
use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use std::cell::RefCell;

/// The proved state of a witness. Missing values are noted and taken as absent.
#[derive(Debug)]
struct Lenient<'a> {
    proved: Proved<'a>,
    missing: RefCell<Vec<WitnessReadError>>,
}

/// Executes the block over its witness and returns an error for each value that the witness does not prove. Empty for
/// a flat pre-state.
///
/// # Errors
/// The block or its witness is malformed. An invalid transaction is not an error, since it may follow from a missing
/// value. The list then ends there.
pub fn missing_reads(recorded: &RecordedBlock) -> Result<Vec<WitnessReadError>, PrepareError> {
    let RecordedState::Witness(witness) = &recorded.state else { return Ok(Vec::new()) };
    let block = OpenBlock::open(recorded.chain()?, recorded.block.clone())?;
    let Ancestors { parent_state_root, hashes } = check_ancestors(block.header(), witness)?;
    let codes = codes_by_hash(&witness.codes);
    let nodes = NodeStore::new(witness.nodes.iter().cloned()).map_err(PrepareError::Nodes)?;
    let proved = Proved::new(StateTrie::new(&nodes, parent_state_root), &codes, hashes);
    let recorder = Recorder::new(Lenient { proved, missing: RefCell::default() });
    // The values read so far count, even if the execution fails.
    let _ = block.run(&recorder, PrepareError::NotProved, |_, _| Ok(()));
    let (_, Lenient { missing, .. }) = recorder.into_parts();
    Ok(missing.into_inner())
}

impl Lenient<'_> {
    /// The value, or `absent` if the witness lacks it. A malformed value stays an error.
    fn or<T>(&self, absent: T, read: Result<T, WitnessReadError>) -> Result<T, WitnessReadError> {
        match read {
            Err(error @ WitnessReadError::CodeMalformed { .. }) => Err(error),
            Err(missing) => {
                self.missing.borrow_mut().push(missing);
                Ok(absent)
            }
            Ok(value) => Ok(value),
        }
    }
}

impl Source for Lenient<'_> {
    type Error = WitnessReadError;

    fn account(&self, address: Address) -> Result<PreAccount, WitnessReadError> {
        let absent = PreAccount { rest_is_zero: true, ..Default::default() };
        self.or(absent, self.proved.account(address))
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, WitnessReadError> {
        self.or(U256::ZERO, self.proved.slot(address, slot))
    }

    fn code(&self, hash: B256) -> Result<Bytecode, WitnessReadError> {
        self.or(Bytecode::default(), self.proved.code(hash))
    }

    fn ancestor(&self, number: u64) -> Result<B256, WitnessReadError> {
        self.or(B256::ZERO, self.proved.ancestor(number))
    }
}
