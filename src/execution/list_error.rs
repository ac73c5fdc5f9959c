//! Errors of a block access list that does not match its block.

use crate::{
    block::{ListDifference, ListedField},
    state::{AccountFields, StateError},
};
use alloy_primitives::{Address, U256};
use revm::{database_interface::DBErrorMarker, state::AccountInfo};

/// Why a block cannot be executed by its block access list (EIP-7928).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// The list differs from the execution.
    #[error(transparent)]
    Differs(#[from] Box<ListDifference>),
    /// A value that the list does not carry is unknown.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for ListError {}

impl ListError {
    /// The block accesses an account that the list omits, or the other way round.
    pub(crate) fn account(address: Address, is_listed: bool) -> Self {
        Self::Differs(Box::new(ListDifference::Account { address, is_listed }))
    }

    /// The same for a slot of a listed account.
    pub(crate) fn slot(address: Address, slot: U256, is_listed: bool) -> Self {
        Self::Differs(Box::new(ListDifference::Slot { address, slot, is_listed }))
    }

    /// A field changes to different values at an index, or on one side only.
    pub(crate) fn change(
        (index, address): (u64, Address),
        field: ListedField,
        (listed, executed): (Option<U256>, Option<U256>),
    ) -> Self {
        let change = ListDifference::Change { index, address, field, listed, executed };
        Self::Differs(Box::new(change))
    }

    /// An account differs after an index. `before` is the account before it. Names the first of balance, nonce and
    /// code that differs, or else the existence of the account.
    pub(crate) fn fields(
        (index, address): (u64, Address),
        before: Option<&AccountInfo>,
        listed: Option<&AccountInfo>,
        executed: Option<AccountFields>,
    ) -> Self {
        let [before, listed] = [before, listed].map(|info| info.map(AccountFields::from));
        let [old, left, right] = [before, listed, executed].map(values);
        for (place, field) in FIELDS.into_iter().enumerate() {
            if left[place] != right[place] {
                let changed =
                    |values: [U256; 3]| (values[place] != old[place]).then_some(values[place]);
                return Self::change((index, address), field, (changed(left), changed(right)));
            }
        }
        let exists = executed.is_some();
        Self::Differs(Box::new(ListDifference::Existence { index, address, exists }))
    }
}

const FIELDS: [ListedField; 3] = [ListedField::Balance, ListedField::Nonce, ListedField::Code];

/// Values of the fields. An absent account has those of an empty one.
fn values(fields: Option<AccountFields>) -> [U256; 3] {
    let fields = fields.unwrap_or_else(|| AccountFields::from(&AccountInfo::default()));
    [fields.balance, U256::from(fields.nonce), fields.code_hash.into()]
}
