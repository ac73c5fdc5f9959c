//! A block and its pre-state as a `prestateTracer` reported them. Plain data; nothing in it is verified.

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, ChainId, U256};
use std::collections::{HashMap, hash_map::Entry};

/// A block, and a tracer's state before its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedBlock {
    /// The id of the block's chain (EIP-155).
    pub chain_id: ChainId,
    /// Header, transactions, ommers, and from Shanghai withdrawals.
    pub block: Block<TxEnvelope>,
    /// Hashes of the block's ommers, if the node does not have all of them. The block then holds no
    /// ommers.
    pub unknown_ommers: Vec<B256>,
    /// Encoding of the rules of the block's chain. Empty if they are those of the known chain id.
    pub rules: Bytes,
    /// The tracer's answer.
    pub state: TracedState,
    /// RLP of the block access list (EIP-7928) as the node answered it. Empty if it answered none.
    pub access_list: Bytes,
}

/// The state before a block's transactions from a tracer's answer, first occurrences only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedState {
    /// Accounts by address.
    pub accounts: HashMap<Address, TracedAccount>,
}

/// The first occurrence of an account in the tracer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedAccount {
    /// The index, from 0, of the transaction before which the account had these fields.
    pub since: usize,
    /// Nonce, balance and code at that point.
    pub fields: AccountFields,
    /// Slots by key.
    pub slots: HashMap<U256, TracedSlot>,
}

/// The first occurrence of a slot in the tracer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedSlot {
    /// The index, from 0, of the transaction before which the slot had this value.
    pub since: usize,
    /// The value at that point.
    pub value: U256,
}

/// An account without its storage, as a node answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFields {
    /// Number of transactions sent, or of contracts that a contract created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Empty if the account has no code.
    pub code: Bytes,
}

impl AccountFields {
    /// Whether the account is empty, so that it may not exist at all.
    pub fn is_nothing(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.is_empty()
    }
}

impl TracedState {
    /// Adds the account as it was before transaction `since`. Known values are not replaced.
    pub(crate) fn add(
        &mut self,
        since: usize,
        address: Address,
        fields: AccountFields,
        slots: impl IntoIterator<Item = (U256, U256)>,
    ) {
        let account = self.accounts.entry(address).or_insert_with(|| TracedAccount {
            since,
            fields,
            slots: HashMap::new(),
        });
        for (key, value) in slots {
            if let Entry::Vacant(free) = account.slots.entry(key) {
                free.insert(TracedSlot { since, value });
            }
        }
    }
}
