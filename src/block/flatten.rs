//! Executes a block once over a state source and records everything that it reads.
//!
//! No node reports exactly which accounts and slots a block accesses. A witness holds trie nodes, a tracer
//! omits some accesses, and a flat file may hold too much. So the block is executed once, untimed, and its
//! reads are its access set. A code counts as read only if the EVM asks for it. The [`Source`] decides which values are proved, known or assumed.

use crate::state::{PreAccount, PreState};
use alloy_primitives::{Address, B256, U256, map::B256Map};
use revm::{
    DatabaseRef, bytecode::Bytecode, database_interface::DBErrorMarker, state::AccountInfo,
};
use std::{cell::RefCell, fmt::Debug};

/// The state before a block, as a [`Recorder`] reads it. Each value is requested once.
pub(super) trait Source: Debug {
    /// The reason for a missing value.
    type Error: DBErrorMarker + std::error::Error + Clone + Send + Sync + 'static;

    /// An account with its code, and whether its storage is known to be empty.
    fn account(&self, address: Address) -> Result<PreAccount, Self::Error>;

    /// A slot of an account that was requested before.
    fn slot(&self, address: Address, slot: U256) -> Result<U256, Self::Error>;

    /// Code that was not returned with its account.
    fn code(&self, hash: B256) -> Result<Bytecode, Self::Error>;

    /// The hash of an ancestor, for `BLOCKHASH`.
    fn ancestor(&self, number: u64) -> Result<B256, Self::Error>;
}

/// A revm database over a source that records every value it returns.
#[derive(Debug)]
pub(super) struct Recorder<S: Source> {
    source: S,
    seen: RefCell<Seen<S::Error>>,
}

#[derive(Debug)]
struct Seen<E> {
    pre_state: PreState,
    /// Codes that were not returned with their accounts, by hash.
    codes: B256Map<Bytecode>,
    /// Error of the first failed read, which made the block fail.
    failed: Option<E>,
}

impl<S: Source> Recorder<S> {
    pub(super) fn new(source: S) -> Self {
        let seen = Seen { pre_state: PreState::default(), codes: B256Map::default(), failed: None };
        Self { source, seen: RefCell::new(seen) }
    }

    pub(super) const fn source(&self) -> &S {
        &self.source
    }

    /// The error of the first failed read, if any.
    pub(super) fn failed(&self) -> Option<S::Error> {
        self.seen.borrow().failed.clone()
    }

    /// The recorded reads and the source. An account has its code if the code of this hash was read.
    pub(super) fn into_parts(self) -> (PreState, S) {
        let Seen { mut pre_state, codes, .. } = self.seen.into_inner();
        for info in pre_state.accounts.values_mut().filter_map(|account| account.info.as_mut()) {
            if info.code.is_none() {
                info.code = codes.get(&info.code_hash).cloned();
            }
        }
        (pre_state, self.source)
    }

    fn read_account(&self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        let account = self.source.account(address)?;
        let info = account.info.clone();
        self.seen.borrow_mut().pre_state.accounts.insert(address, account);
        Ok(info)
    }

    fn read_slot(&self, address: Address, slot: U256) -> Result<U256, S::Error> {
        self.basic_ref(address)?;
        let value = self.source.slot(address, slot)?;
        let mut seen = self.seen.borrow_mut();
        seen.pre_state.accounts.entry(address).or_default().slots.insert(slot, value);
        Ok(value)
    }

    fn read_code(&self, hash: B256) -> Result<Bytecode, S::Error> {
        let code = self.source.code(hash)?;
        self.seen.borrow_mut().codes.insert(hash, code.clone());
        Ok(code)
    }

    fn read_ancestor(&self, number: u64) -> Result<B256, S::Error> {
        let hash = self.source.ancestor(number)?;
        self.seen.borrow_mut().pre_state.block_hashes.insert(number, hash);
        Ok(hash)
    }

    fn noting_failure<T>(&self, result: Result<T, S::Error>) -> Result<T, S::Error> {
        result.inspect_err(|error| {
            self.seen.borrow_mut().failed.get_or_insert_with(|| error.clone());
        })
    }
}

impl<S: Source> DatabaseRef for Recorder<S> {
    type Error = S::Error;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, S::Error> {
        if let Ok(info) = self.seen.borrow().pre_state.basic_ref(address) {
            return Ok(info);
        }
        self.noting_failure(self.read_account(address))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, S::Error> {
        if let Some(code) = self.seen.borrow().codes.get(&hash) {
            return Ok(code.clone());
        }
        self.noting_failure(self.read_code(hash))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, S::Error> {
        if let Ok(value) = self.seen.borrow().pre_state.storage_ref(address, slot) {
            return Ok(value);
        }
        self.noting_failure(self.read_slot(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, S::Error> {
        if let Ok(hash) = self.seen.borrow().pre_state.block_hash_ref(number) {
            return Ok(hash);
        }
        self.noting_failure(self.read_ancestor(number))
    }
}
