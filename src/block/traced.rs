//! A block and its pre-state as a `prestateTracer` reported them. Plain data; nothing in it is verified.

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, ChainId, U256};
use std::collections::{HashMap, hash_map::Entry};

/// A block, and what a tracer says of the state before its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedBlock {
    /// The chain that the block belongs to (EIP-155).
    pub chain_id: ChainId,
    /// Header, transactions, ommers, and from Shanghai withdrawals.
    pub block: Block<TxEnvelope>,
    /// Hashes of the block's ommers, where the node has not all of them; the block then holds none.
    pub unknown_ommers: Vec<B256>,
    /// What the tracer says.
    pub state: TracedState,
}

/// What a tracer says of the state before a block's transactions, first occurrences only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedState {
    /// Accounts by address.
    pub accounts: HashMap<Address, TracedAccount>,
}

/// An account as the tracer saw it first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedAccount {
    /// The transaction, from 0, before which it was so.
    pub since: usize,
    /// What it held.
    pub fields: AccountFields,
    /// Slots by key.
    pub slots: HashMap<U256, TracedSlot>,
}

/// A slot as the tracer saw it first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedSlot {
    /// The transaction, from 0, before which it was so.
    pub since: usize,
    /// What it held.
    pub value: U256,
}

/// What an account holds, but for its storage, as a node tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFields {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Empty where there is none.
    pub code: Bytes,
}

impl AccountFields {
    /// Whether there is nothing in it, so that it may not exist at all.
    pub fn is_nothing(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.is_empty()
    }
}

impl TracedState {
    /// Adds what the tracer saw before transaction `since`; what was there already stays.
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
