//! The changes that a block made, in one canonical order.

use alloy_primitives::{Address, B256, U256};
use revm::state::AccountInfo;

/// The changes of a block, ordered by address and slot; only what differs from the pre-state.
///
/// Two executors that agree on the block build equal values, so `==` is the comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostState {
    /// Changed accounts, ascending by address.
    pub accounts: Vec<(Address, AccountChange)>,
}

impl PostState {
    /// Two lists of changes of different accounts, each in order, as one.
    pub fn merged(
        mut accounts: Vec<(Address, AccountChange)>,
        mut more: Vec<(Address, AccountChange)>,
    ) -> Self {
        if !more.is_empty() {
            accounts.append(&mut more);
            // Two ascending runs, which a stable sort merges.
            accounts.sort_by_key(|(address, _)| *address);
        }
        Self { accounts }
    }
}

/// What became of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountChange {
    /// The account after the block; `None` if it no longer exists.
    pub account: Option<AccountFields>,
    /// Whether the storage it had before the block was emptied before `slots` were written
    /// (self-destruct, re-creation).
    pub storage_cleared: bool,
    /// Slots that differ, ascending; zero means deleted.
    pub slots: Vec<(U256, U256)>,
}

impl AccountChange {
    /// What became of an account between these two, whether its storage was emptied meanwhile, and the slots that
    /// differ from what that left; `None` if it is as it was.
    pub fn between(
        before: Option<&AccountInfo>,
        after: Option<AccountFields>,
        is_emptied: bool,
        slots: Vec<(U256, U256)>,
    ) -> Option<Self> {
        let storage_cleared = is_emptied && before.is_some();
        let is_same =
            !storage_cleared && slots.is_empty() && after == before.map(AccountFields::from);
        (!is_same).then_some(Self { account: after, storage_cleared, slots })
    }
}

/// The fields of an account that the state trie commits to, but for its storage root
/// (Yellow Paper, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountFields {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Keccak-256 of the code; of the empty string where there is none.
    pub code_hash: B256,
}

impl AccountFields {
    /// What multi-version memory holds of an account that does not exist: no code hash is zero.
    pub const ABSENT: Self = Self { nonce: 0, balance: U256::ZERO, code_hash: B256::ZERO };
}

impl From<&AccountInfo> for AccountFields {
    fn from(info: &AccountInfo) -> Self {
        Self { nonce: info.nonce, balance: info.balance, code_hash: info.code_hash }
    }
}
