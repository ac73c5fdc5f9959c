//! The state before a block, read from its witness.
//!
//! Every value is proved against the given parent state root, including absent accounts and slots.

use super::flatten::Source;
use crate::{
    state::PreAccount,
    trie::{StateTrie, TrieError},
};
use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{AddressMap, B256Map, HashMap},
};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use revm::{
    bytecode::{Bytecode, BytecodeDecodeError},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};
use std::cell::RefCell;

/// The reason that a witness cannot answer a read of the block.
#[derive(Clone, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum WitnessReadError {
    /// A trie node is missing or malformed. The message names the account and slot.
    #[error(transparent)]
    NotProved(#[from] TrieError),
    /// The block needs a code that the witness does not contain.
    #[error("the witness lacks the code with hash {hash}")]
    CodeMissing {
        hash: B256,
        /// An account with this code, so that its code can be requested.
        owner: Option<Address>,
    },
    /// The witness contains the code, but the EVM cannot load it.
    #[error("the code with hash {hash} is malformed")]
    CodeMalformed { hash: B256, source: BytecodeDecodeError },
    /// `BLOCKHASH` needs an ancestor header that the witness lacks.
    #[error("the witness lacks the header of ancestor {number}, which BLOCKHASH asks for")]
    AncestorMissing { number: u64 },
}

impl DBErrorMarker for WitnessReadError {}

/// Trie, codes and ancestor hashes of a witness.
#[derive(Debug)]
pub(super) struct Proved<'a> {
    trie: StateTrie<'a>,
    codes: &'a B256Map<Bytes>,
    block_hashes: HashMap<u64, B256>,
    /// Storage roots of accounts already read. A slot then needs no second lookup in the account trie.
    storage_roots: RefCell<AddressMap<B256>>,
    /// One account for each code, so that a missing code can be requested.
    owners: RefCell<B256Map<Address>>,
}

impl<'a> Proved<'a> {
    pub(super) fn new(
        trie: StateTrie<'a>,
        codes: &'a B256Map<Bytes>,
        block_hashes: HashMap<u64, B256>,
    ) -> Self {
        let (storage_roots, owners) = Default::default();
        Self { trie, codes, block_hashes, storage_roots, owners }
    }

    pub(super) const fn trie(&self) -> &StateTrie<'a> {
        &self.trie
    }
}

/// The account without its code, which the EVM requests by hash. So only codes that the block needs are read.
fn account_info(account: &TrieAccount) -> AccountInfo {
    let TrieAccount { nonce, balance, code_hash, .. } = *account;
    let code = (code_hash == KECCAK256_EMPTY).then(Bytecode::default);
    AccountInfo { balance, nonce, code_hash, account_id: None, code }
}

/// The analysed code; `None` if it is missing. A missing code is an error only if it is executed.
pub(super) fn known_code(
    codes: &B256Map<Bytes>,
    hash: B256,
) -> Option<Result<Bytecode, BytecodeDecodeError>> {
    if hash == KECCAK256_EMPTY {
        return Some(Ok(Bytecode::default()));
    }
    codes.get(&hash).cloned().map(Bytecode::new_raw_checked)
}

impl Source for Proved<'_> {
    type Error = WitnessReadError;

    fn account(&self, address: Address) -> Result<PreAccount, WitnessReadError> {
        let proved = self.trie.account(address)?;
        let info = proved.as_ref().map(account_info);
        if let Some(AccountInfo { code: None, code_hash, .. }) = info {
            self.owners.borrow_mut().insert(code_hash, address);
        }
        let storage_root = proved.map_or(EMPTY_ROOT_HASH, |account| account.storage_root);
        self.storage_roots.borrow_mut().insert(address, storage_root);
        let rest_is_zero = storage_root == EMPTY_ROOT_HASH;
        Ok(PreAccount { info, rest_is_zero, ..Default::default() })
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, WitnessReadError> {
        let known = self.storage_roots.borrow().get(&address).copied();
        Ok(self.trie.slot(address, known.unwrap_or(EMPTY_ROOT_HASH), slot)?)
    }

    fn code(&self, hash: B256) -> Result<Bytecode, WitnessReadError> {
        let owner = || self.owners.borrow().get(&hash).copied();
        known_code(self.codes, hash)
            .ok_or_else(|| WitnessReadError::CodeMissing { hash, owner: owner() })?
            .map_err(|source| WitnessReadError::CodeMalformed { hash, source })
    }

    fn ancestor(&self, number: u64) -> Result<B256, WitnessReadError> {
        let known = self.block_hashes.get(&number).copied();
        known.ok_or(WitnessReadError::AncestorMissing { number })
    }
}
