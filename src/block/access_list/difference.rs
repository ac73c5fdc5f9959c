//! The first entry in which a block access list differs from the block's execution.

use alloy_eips::eip7928::{AccountChanges, BlockAccessIndex, BlockAccessListValidationError};
use alloy_primitives::{Address, B256, U256, keccak256};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A difference between a block access list and its block (EIP-7928). Index 0 stands for the work before the
/// transactions. Each transaction has the next index, and the last index stands for the work after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListDifference {
    /// Either the list names an account that the block does not access, or the other way round.
    Account {
        /// The account.
        address: Address,
        /// Whether the list names it.
        is_listed: bool,
    },
    /// The same for a slot. Its account is listed.
    Slot {
        /// The account.
        address: Address,
        /// Key of the slot.
        slot: U256,
        /// Whether the list names it.
        is_listed: bool,
    },
    /// A field changes to different values, or on one side only.
    Change {
        /// Position in the list.
        index: u64,
        /// The account.
        address: Address,
        /// The field of the account.
        field: ListedField,
        /// Value in the list; `None` if the list has no change there.
        listed: Option<U256>,
        /// Value by execution; `None` if the execution makes no change there.
        executed: Option<U256>,
    },
    /// The account exists after an index on one side only.
    Existence {
        /// Position in the list.
        index: u64,
        /// The account.
        address: Address,
        /// Whether it exists by execution.
        exists: bool,
    },
    /// The list is not a valid encoding, or not in the order that EIP-7928 requires.
    Malformed(MalformedList),
}

/// A field of an account that a list records the changes of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListedField {
    /// Balance in wei.
    Balance,
    /// Nonce.
    Nonce,
    /// Code. Its values are Keccak-256 hashes.
    Code,
    /// A storage slot.
    Slot(U256),
}

/// The reason that bytes are not a block access list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedList {
    /// It does not decode.
    #[error("it does not decode from RLP")]
    Rlp(#[source] alloy_rlp::Error),
    /// It decodes, and its encoding is not the canonical one.
    #[error("its RLP is not the canonical encoding")]
    NotCanonical,
    /// Entries are repeated or out of order.
    #[error(transparent)]
    Order(BlockAccessListValidationError),
    /// It has a code that no account can have.
    #[error("it has a malformed code")]
    Code,
}

impl fmt::Display for ListedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Balance => f.write_str("the balance"),
            Self::Nonce => f.write_str("the nonce"),
            Self::Code => f.write_str("the code hash"),
            Self::Slot(slot) => write!(f, "slot {slot:#x}"),
        }
    }
}

impl ListedField {
    /// A value of the field as text.
    fn text(self, value: Option<U256>) -> String {
        match (self, value) {
            (_, None) => "unchanged".to_owned(),
            (Self::Balance | Self::Nonce, Some(value)) => value.to_string(),
            (Self::Code, Some(value)) => B256::from(value).to_string(),
            (Self::Slot(_), Some(value)) => format!("{value:#x}"),
        }
    }
}

impl std::error::Error for ListDifference {}

impl fmt::Display for ListDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account { address, is_listed } => {
                write!(f, "account {address} {}", access(*is_listed))
            }
            Self::Slot { address, slot, is_listed } => {
                write!(f, "slot {slot:#x} of account {address} {}", access(*is_listed))
            }
            Self::Change { index, address, field, listed, executed } => {
                let (listed, executed) = (field.text(*listed), field.text(*executed));
                write!(
                    f,
                    "at index {index}, {field} of account {address} is {listed} in the list and \
                     {executed} by execution"
                )
            }
            Self::Existence { index, address, exists } => {
                let (listed, executed) =
                    if *exists { ("no account", "an account") } else { ("an account", "none") };
                write!(
                    f,
                    "at index {index}, {address} is {listed} in the list and {executed} by execution"
                )
            }
            Self::Malformed(malformed) => write!(f, "{malformed}"),
        }
    }
}

const fn access(is_listed: bool) -> &'static str {
    if is_listed {
        "is in the list, and the block does not access it"
    } else {
        "is not in the list, and the block accesses it"
    }
}

/// Changes of a field: the value after each index that changed it.
type Changes = BTreeMap<u64, U256>;

/// The first difference in the order of the list: by account, then slots, balance, nonce and code. Both lists are
/// in the order of EIP-7928.
pub(super) fn first_difference(
    listed: &[AccountChanges],
    executed: &[AccountChanges],
) -> Option<ListDifference> {
    let (mut left, mut right) = (listed.iter().peekable(), executed.iter().peekable());
    loop {
        let order = match (left.peek(), right.peek()) {
            (None, None) => return None,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(listed), Some(executed)) => listed.address.cmp(&executed.address),
        };
        let found = match order {
            Ordering::Less => left.next().map(|account| only(account, true)),
            Ordering::Greater => right.next().map(|account| only(account, false)),
            Ordering::Equal => {
                left.next().zip(right.next()).and_then(|(left, right)| within(left, right))
            }
        };
        if found.is_some() {
            return found;
        }
    }
}

const fn only(account: &AccountChanges, is_listed: bool) -> ListDifference {
    ListDifference::Account { address: account.address, is_listed }
}

/// The first difference between two entries of the same account.
fn within(listed: &AccountChanges, executed: &AccountChanges) -> Option<ListDifference> {
    let address = listed.address;
    let (left, right) = (slots(listed), slots(executed));
    let keys: BTreeSet<_> = left.keys().chain(right.keys()).collect();
    let slot = keys.into_iter().find_map(|slot| {
        let (left, right) = (left.get(slot), right.get(slot));
        let none = Changes::default();
        let changes = (left.unwrap_or(&none), right.unwrap_or(&none));
        change(address, ListedField::Slot(*slot), changes).or_else(|| {
            let (slot, is_listed) = (*slot, left.is_some());
            (is_listed != right.is_some()).then_some(ListDifference::Slot {
                address,
                slot,
                is_listed,
            })
        })
    });
    slot.or_else(|| {
        fields(listed)
            .into_iter()
            .zip(fields(executed))
            .find_map(|((field, left), (_, right))| change(address, field, (&left, &right)))
    })
}

/// The first index at which the changes of a field differ.
fn change(
    address: Address,
    field: ListedField,
    (listed, executed): (&Changes, &Changes),
) -> Option<ListDifference> {
    let indices: BTreeSet<_> = listed.keys().chain(executed.keys()).copied().collect();
    indices.into_iter().find_map(|index| {
        let (listed, executed) = (listed.get(&index).copied(), executed.get(&index).copied());
        (listed != executed).then_some(ListDifference::Change {
            index,
            address,
            field,
            listed,
            executed,
        })
    })
}

/// All slots of an entry with their changes. Slots that are only read have none.
fn slots(account: &AccountChanges) -> BTreeMap<U256, Changes> {
    let mut slots: BTreeMap<_, Changes> =
        account.storage_reads.iter().map(|slot| (*slot, Changes::default())).collect();
    for changed in &account.storage_changes {
        let changes = changed.changes.iter();
        let changes = changes.map(|change| (change.block_access_index.get(), change.new_value));
        slots.entry(changed.slot).or_default().extend(changes);
    }
    slots
}

/// Balance, nonce and code of an entry with their changes.
fn fields(account: &AccountChanges) -> [(ListedField, Changes); 3] {
    fn changes<T>(
        all: &[T],
        index: impl Fn(&T) -> BlockAccessIndex,
        value: impl Fn(&T) -> U256,
    ) -> Changes {
        all.iter().map(|change| (index(change).get(), value(change))).collect()
    }
    let balances = changes(
        &account.balance_changes,
        |change| change.block_access_index,
        |change| change.post_balance,
    );
    let nonces = changes(
        &account.nonce_changes,
        |change| change.block_access_index,
        |change| U256::from(change.new_nonce),
    );
    let codes = changes(
        &account.code_changes,
        |change| change.block_access_index,
        |change| keccak256(&change.new_code).into(),
    );
    [(ListedField::Balance, balances), (ListedField::Nonce, nonces), (ListedField::Code, codes)]
}
