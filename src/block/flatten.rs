//! Finds out what a block touches, and copies it from the witness's trie into flat maps.
//!
//! A witness says which nodes it holds, seldom which accounts and slots they are for, and no two kinds
//! of node software agree on its `keys`. So the block is executed once, untimed, over the trie itself:
//! what it asks for is what it touches, and each answer, absence included, is proved as it is given.

use crate::{
    state::{PreAccount, PreState},
    trie::{StateTrie, TrieError},
};
use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{AddressMap, B256Map, HashMap},
};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use revm::{
    DatabaseRef,
    bytecode::{Bytecode, BytecodeDecodeError},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};
use std::cell::RefCell;

/// Why a witness has no answer to a read that the block makes.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum WitnessReadError {
    /// A trie node is missing or malformed; the message names account and slot.
    #[error(transparent)]
    NotProved(#[from] TrieError),
    /// The block needs a code that the witness does not hold.
    #[error("the witness lacks the code with hash {hash}")]
    CodeMissing {
        hash: B256,
        /// An account that has it.
        owner: Option<Address>,
    },
    /// The code is there, and is no code that the EVM can hold.
    #[error("the code with hash {hash} is malformed")]
    CodeMalformed { hash: B256, source: BytecodeDecodeError },
    /// `BLOCKHASH` asked for an ancestor that the witness has no header of.
    #[error("the witness lacks the header of ancestor {number}, which BLOCKHASH asks for")]
    AncestorMissing { number: u64 },
}

impl DBErrorMarker for WitnessReadError {}

/// Answers the EVM from the trie, and writes down every answer.
#[derive(Debug)]
pub(super) struct WitnessState<'a> {
    trie: StateTrie<'a>,
    codes: &'a B256Map<Bytes>,
    seen: RefCell<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    pre_state: PreState,
    storage_roots: AddressMap<B256>,
    /// The first read without an answer: what the block failed for, in our words.
    failed: Option<WitnessReadError>,
}

impl<'a> WitnessState<'a> {
    pub(super) fn new(
        trie: StateTrie<'a>,
        codes: &'a B256Map<Bytes>,
        block_hashes: HashMap<u64, B256>,
    ) -> Self {
        let pre_state = PreState { block_hashes, ..Default::default() };
        Self { trie, codes, seen: RefCell::new(Seen { pre_state, ..Default::default() }) }
    }

    pub(super) const fn trie(&self) -> &StateTrie<'a> {
        &self.trie
    }

    /// The first read that had no answer, if any.
    pub(super) fn failed(&self) -> Option<WitnessReadError> {
        self.seen.borrow().failed.clone()
    }

    /// All that was read.
    pub(super) fn into_pre_state(self) -> PreState {
        self.seen.into_inner().pre_state
    }

    fn read_account(&self, address: Address) -> Result<Option<AccountInfo>, WitnessReadError> {
        let proved = self.trie.account(address)?;
        let info = proved.as_ref().map(|account| self.account_info(account)).transpose()?;
        let storage_root = proved.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        let mut seen = self.seen.borrow_mut();
        seen.storage_roots.insert(address, storage_root);
        let rest_is_zero = storage_root == EMPTY_ROOT_HASH;
        let account = PreAccount { info: info.clone(), rest_is_zero, ..Default::default() };
        seen.pre_state.accounts.insert(address, account);
        Ok(info)
    }

    fn account_info(&self, account: &TrieAccount) -> Result<AccountInfo, WitnessReadError> {
        let code = self.code(account.code_hash)?;
        Ok(AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash: account.code_hash,
            account_id: None,
            code,
        })
    }

    /// The analysed code; `None` if the witness lacks it, which is an error only once it is run.
    fn code(&self, hash: B256) -> Result<Option<Bytecode>, WitnessReadError> {
        if hash == KECCAK256_EMPTY {
            return Ok(Some(Bytecode::default()));
        }
        let code = self.codes.get(&hash).cloned().map(Bytecode::new_raw_checked).transpose();
        code.map_err(|source| WitnessReadError::CodeMalformed { hash, source })
    }

    fn read_slot(&self, address: Address, slot: U256) -> Result<U256, WitnessReadError> {
        self.basic_ref(address)?;
        let known = self.seen.borrow().storage_roots.get(&address).copied();
        let value = self.trie.slot(address, known.unwrap_or(EMPTY_ROOT_HASH), slot)?;
        let mut seen = self.seen.borrow_mut();
        seen.pre_state.accounts.entry(address).or_default().slots.insert(slot, value);
        Ok(value)
    }

    /// An account that was read and has this code.
    fn owner_of(&self, code_hash: B256) -> Option<Address> {
        let seen = self.seen.borrow();
        let has_it = |info: &AccountInfo| info.code_hash == code_hash;
        let mut accounts = seen.pre_state.accounts.iter();
        accounts.find(|(_, account)| account.info.as_ref().is_some_and(has_it)).map(|(of, _)| *of)
    }

    fn noting_failure<T>(
        &self,
        result: Result<T, WitnessReadError>,
    ) -> Result<T, WitnessReadError> {
        result.inspect_err(|error| {
            self.seen.borrow_mut().failed.get_or_insert_with(|| error.clone());
        })
    }
}

impl DatabaseRef for WitnessState<'_> {
    type Error = WitnessReadError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, WitnessReadError> {
        if let Ok(info) = self.seen.borrow().pre_state.basic_ref(address) {
            return Ok(info);
        }
        self.noting_failure(self.read_account(address))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, WitnessReadError> {
        let owner = self.owner_of(hash);
        self.noting_failure(Err(WitnessReadError::CodeMissing { hash, owner }))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, WitnessReadError> {
        if let Ok(value) = self.seen.borrow().pre_state.storage_ref(address, slot) {
            return Ok(value);
        }
        self.noting_failure(self.read_slot(address, slot))
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, WitnessReadError> {
        let known = self.seen.borrow().pre_state.block_hashes.get(&number).copied();
        self.noting_failure(known.ok_or(WitnessReadError::AncestorMissing { number }))
    }
}
