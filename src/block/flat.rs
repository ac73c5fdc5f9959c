//! Converts a flat pre-state between its file form and the form that the EVM reads.
//!
//! A flat pre-state has no proof, so this module only checks that the file is consistent. Codes must match
//! their hashes, and headers must lead up to the block. No account or slot may be both known and assumed.

use super::{
    WitnessError,
    flatten::Source,
    proved::known_code,
    witness::{codes_by_hash, link_ancestors},
};
use crate::{
    block::{Assumed, FlatAccount, FlatFields, FlatState},
    state::{PreAccount, PreState, StateError},
};
use alloy_consensus::Header;
use alloy_primitives::{
    Address, B256, Bytes, KECCAK256_EMPTY, U256,
    map::{B256Map, HashMap},
};
use revm::{
    DatabaseRef,
    bytecode::{Bytecode, BytecodeDecodeError},
    database_interface::DBErrorMarker,
    state::AccountInfo,
};

/// Why a flat pre-state cannot be used.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum FlatError {
    /// The code of an account is not in the file.
    #[error("the code of account {address}, with hash {hash}, is missing")]
    CodeMissing { address: Address, hash: B256 },
    /// The file holds the code, but the EVM cannot load it.
    #[error(transparent)]
    CodeMalformed(#[from] MalformedCode),
    /// An account is both known and assumed, or assumed twice with different contents.
    #[error("account {address} is given twice: once as known, once as assumed")]
    Contradiction { address: Address },
    /// A slot is assumed for an account that the file does not contain.
    #[error("a slot of account {address} is assumed, and the account itself is missing")]
    OrphanSlot { address: Address },
    /// The ancestor headers do not lead up to the block.
    #[error(transparent)]
    Ancestors(#[from] WitnessError),
}

/// A code that the EVM cannot load.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the code of account {address} is malformed")]
pub struct MalformedCode {
    pub(super) address: Address,
    pub(super) source: BytecodeDecodeError,
}

impl DBErrorMarker for MalformedCode {}

/// Converts the file form into the pre-state that the EVM reads.
pub(super) fn pre_state(block: &Header, flat: &FlatState) -> Result<PreState, FlatError> {
    let codes = codes_by_hash(&flat.codes);
    let mut state = PreState { block_hashes: block_hashes(block, flat)?, ..Default::default() };
    for account in &flat.accounts {
        let info =
            account.fields.map(|fields| info(account.address, fields, &codes)).transpose()?;
        let slots = account.slots.iter().copied().collect();
        // The EVM never reads storage of an account without nonce and code: a contract created there starts
        // with empty storage.
        let rest_is_zero =
            info.as_ref().is_none_or(|info| info.nonce == 0 && info.is_empty_code_hash());
        let account = (account.address, PreAccount { rest_is_zero, info, slots });
        insert(&mut state, account)?;
    }
    let Assumed { absent, empty, zero, .. } = &flat.assumed;
    for address in absent {
        let account = PreAccount { rest_is_zero: true, ..Default::default() };
        insert(&mut state, (*address, account))?;
    }
    for address in empty {
        insert(&mut state, (*address, empty_account()))?;
    }
    for (address, slot) in zero {
        let account = state.accounts.get_mut(address);
        let account = account.ok_or(FlatError::OrphanSlot { address: *address })?;
        if account.slots.insert(*slot, U256::ZERO).is_some() {
            return Err(FlatError::Contradiction { address: *address });
        }
    }
    Ok(state)
}

fn insert(
    state: &mut PreState,
    (address, account): (Address, PreAccount),
) -> Result<(), FlatError> {
    match state.accounts.insert(address, account) {
        None => Ok(()),
        Some(_) => Err(FlatError::Contradiction { address }),
    }
}

/// An account that exists but is empty.
pub(super) fn empty_account() -> PreAccount {
    PreAccount { info: Some(AccountInfo::default()), rest_is_zero: true, ..Default::default() }
}

fn info(
    address: Address,
    fields: FlatFields,
    codes: &B256Map<Bytes>,
) -> Result<AccountInfo, FlatError> {
    let FlatFields { nonce, balance, code_hash: hash } = fields;
    let code = known_code(codes, hash).ok_or(FlatError::CodeMissing { address, hash })?;
    let code = code.map_err(|source| MalformedCode { address, source })?;
    Ok(AccountInfo { balance, nonce, code_hash: hash, account_id: None, code: Some(code) })
}

fn block_hashes(block: &Header, flat: &FlatState) -> Result<HashMap<u64, B256>, FlatError> {
    let (mut hashes, _) = link_ancestors(block, &flat.headers)?;
    hashes.extend(block.number.checked_sub(1).map(|parent| (parent, block.parent_hash)));
    for number in &flat.assumed.unknown_hash {
        hashes.entry(*number).or_default();
    }
    Ok(hashes)
}

/// Converts the values that a block read into the file form. Assumed values are stored in `assumed` only.
pub(super) fn flat_state(read: PreState, headers: Vec<Bytes>, mut assumed: Assumed) -> FlatState {
    assumed.absent.sort_unstable();
    assumed.empty.sort_unstable();
    assumed.zero.sort_unstable();
    assumed.unknown_hash.sort_unstable();
    let mut codes = Vec::new();
    let mut accounts = Vec::new();
    for (address, account) in read.accounts {
        let is_assumed = |list: &[Address]| list.binary_search(&address).is_ok();
        if is_assumed(&assumed.absent) || is_assumed(&assumed.empty) {
            continue;
        }
        let info = account.info.as_ref().filter(|info| info.code_hash != KECCAK256_EMPTY);
        codes.extend(info.and_then(|info| info.code.as_ref()).map(Bytecode::original_bytes));
        let is_known = |slot: &U256| assumed.zero.binary_search(&(address, *slot)).is_err();
        accounts.push(flat_account(address, account, is_known));
    }
    accounts.sort_unstable_by_key(|account| account.address);
    codes.sort_unstable();
    codes.dedup();
    FlatState { accounts, codes, headers, assumed }
}

fn flat_account(
    address: Address,
    account: PreAccount,
    is_known: impl Fn(&U256) -> bool,
) -> FlatAccount {
    let Some(info) = account.info else {
        return FlatAccount { address, fields: None, slots: Vec::new() };
    };
    let mut slots: Vec<_> = account.slots.into_iter().filter(|(slot, _)| is_known(slot)).collect();
    slots.sort_unstable();
    let AccountInfo { nonce, balance, code_hash, .. } = info;
    FlatAccount { address, fields: Some(FlatFields { nonce, balance, code_hash }), slots }
}

impl Source for PreState {
    type Error = StateError;

    fn account(&self, address: Address) -> Result<PreAccount, StateError> {
        let account = self.accounts.get(&address).ok_or(StateError::UnknownAccount { address })?;
        let PreAccount { info, rest_is_zero, .. } = account;
        Ok(PreAccount { info: info.clone(), rest_is_zero: *rest_is_zero, ..Default::default() })
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.storage_ref(address, slot)
    }

    fn code(&self, hash: B256) -> Result<Bytecode, StateError> {
        self.code_by_hash_ref(hash)
    }

    fn ancestor(&self, number: u64) -> Result<B256, StateError> {
        self.block_hash_ref(number)
    }
}
