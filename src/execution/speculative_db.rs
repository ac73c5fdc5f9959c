//! The state before a block's transactions, as a database for speculative execution.
//!
//! It contains the writes of the block's system calls and of no transaction. So an attempt sees the
//! same state whenever it runs. Only the sender's nonce comes from the transaction itself: in block
//! order the account has that nonce, or the transaction is invalid. Validation of all other reads
//! is left to the committing executor. The dependencies on balances that are collected here tell it
//! which balances matter.

use super::{
    committer::State,
    dependency::{BalanceRule, BalanceTracker, BalanceUse, Dependencies, Dependency, Loaded},
    worker::{Speculative, Starting},
};
use crate::state::StateError;
use alloy_primitives::{Address, B256, U256};
use revm::{
    Database, DatabaseRef, bytecode::Bytecode, primitives::hardfork::SpecId, state::AccountInfo,
};

/// One worker's database over that state. The sender's nonce is the one in the transaction, so that
/// several transactions of one sender can run in parallel.
#[derive(Debug)]
pub(crate) struct SpeculativeDb<'a> {
    state: &'a State<'a>,
    rule: BalanceRule,
    dependencies: Dependencies,
    starting: Option<Starting>,
}

impl<'a> SpeculativeDb<'a> {
    /// A database over `state`, by the rules of the fork.
    pub(crate) fn new(state: &'a State<'a>, spec: SpecId) -> Self {
        let (rule, dependencies) = (BalanceRule::of(spec), Dependencies::default());
        Self { state, rule, dependencies, starting: None }
    }
}

impl BalanceTracker for SpeculativeDb<'_> {
    fn note_use(&mut self, address: Address, balance_use: BalanceUse) {
        self.dependencies.note_use(address, balance_use);
    }

    fn note_emptiness_of_all(&mut self) {
        self.dependencies.note_emptiness_of_all();
    }
}

impl Speculative for SpeculativeDb<'_> {
    fn begin(&mut self, starting: Starting) {
        self.dependencies.clear();
        self.starting = Some(starting);
    }

    fn dependencies(&self) -> Vec<(Address, Dependency)> {
        match self.rule {
            BalanceRule::Existence => Vec::new(),
            BalanceRule::Emptiness => self.dependencies.iter().collect(),
        }
    }
}

/// Whether an account has neither nonce nor code.
pub(crate) fn is_bare(info: Option<&AccountInfo>) -> bool {
    info.is_none_or(|info| info.nonce == 0 && info.is_empty_code_hash())
}

impl Database for SpeculativeDb<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        let mut info = self.state.basic_ref(address)?;
        let balance = info.as_ref().map_or(U256::ZERO, |info| info.balance);
        if let (Some(starting), Some(info)) = (self.starting, &mut info)
            && starting.sender == address
        {
            info.nonce = starting.nonce;
        }
        let bare = is_bare(info.as_ref());
        self.dependencies.loaded(Loaded { address, balance, bare });
        Ok(info)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        self.state.code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.state.storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.state.block_hash_ref(number)
    }
}
