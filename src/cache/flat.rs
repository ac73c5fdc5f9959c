//! The pre-state of a block as plain values, for nodes that cannot prove it.
//!
//! This is plain data, like everything that the cache holds. Nothing here can be checked against
//! the header. Only the receipts of the executed block show that the values are right. A value that
//! no node answered is assumed, so that the block can be executed. Such values are only in
//! [`Assumed`], so that they are not mistaken for known values.

use std::fmt;

use alloy_primitives::{Address, B256, BlockNumber, Bytes, U256};

/// Accounts, slots, codes and ancestors that a block reads, with the assumptions about the rest.
///
/// Every list is in ascending order, without repetition. Only the ommers keep the block's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlatState {
    /// Known accounts, by address. Accounts that are known not to exist are included.
    pub accounts: Vec<FlatAccount>,

    /// Contract bytecode, each once, in the order of byte strings. Accounts refer to it by its
    /// hash.
    pub codes: Vec<Bytes>,

    /// RLP of ancestors' headers, by ascending number. The last one is the parent. Often empty,
    /// because the block's own header has the parent's hash.
    pub headers: Vec<Bytes>,

    /// Values that the node did not answer.
    pub assumed: Assumed,
}

/// One account before the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatAccount {
    /// Address of the account.
    pub address: Address,
    /// `None` if the account is known not to exist.
    pub fields: Option<FlatFields>,
    /// Known slots, zero included, by key.
    pub slots: Vec<(U256, U256)>,
}

/// An existing account without its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatFields {
    /// Number of transactions sent, or of contracts that a contract created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Keccak-256 of the code, or of the empty string if there is no code.
    pub code_hash: B256,
}

/// Values that a block reads and no node answered, each with the assumed value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Accounts that are assumed not to exist.
    pub absent: Vec<Address>,
    /// Accounts that are assumed to exist and be empty. The difference matters before EIP-161.
    pub empty: Vec<Address>,
    /// Slots that are assumed to be zero.
    pub zero: Vec<(Address, U256)>,
    /// Ancestors with a hash that is assumed to be zero.
    pub unknown_hash: Vec<BlockNumber>,
    /// Hashes of ommers that no node had, in the block's order. The list has all ommers of the
    /// block or none. The block's body then has no ommers, and they are not paid. No receipt
    /// depends on them.
    pub ommers: Vec<B256>,
}

impl Assumed {
    /// Whether there are no assumptions.
    pub const fn is_nothing(&self) -> bool {
        let Self { absent, empty, zero, unknown_hash, ommers } = self;
        let no_account = absent.is_empty() && empty.is_empty() && zero.is_empty();
        no_account && unknown_hash.is_empty() && ommers.is_empty()
    }
}

/// Names every assumption.
impl fmt::Display for Assumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { absent, empty, zero, unknown_hash, ommers } = self;
        let absent = absent.iter().map(|address| format!("account {address} absent"));
        let empty = empty.iter().map(|address| format!("account {address} empty"));
        let zero = zero.iter().map(|(address, slot)| format!("slot {slot:#x} of {address} zero"));
        let unknown = unknown_hash.iter().map(|number| format!("hash of block {number} zero"));
        let ommers = ommers.iter().map(|hash| format!("ommer {hash} unpaid"));
        let all: Vec<_> = absent.chain(empty).chain(zero).chain(unknown).chain(ommers).collect();
        if all.is_empty() { f.write_str("nothing") } else { f.write_str(&all.join(", ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_assumption_is_named() {
        let address = Address::repeat_byte(0xa1);
        let assumed = Assumed {
            absent: vec![address],
            empty: vec![],
            zero: vec![(address, U256::from(16))],
            unknown_hash: vec![7],
            ommers: vec![],
        };
        let expected =
            format!("account {address} absent, slot 0x10 of {address} zero, hash of block 7 zero");
        assert_eq!(assumed.to_string(), expected);
        assert!(!assumed.is_nothing());
    }

    #[test]
    fn no_assumptions_are_displayed_as_nothing() {
        assert!(Assumed::default().is_nothing());
        assert_eq!(Assumed::default().to_string(), "nothing");
    }
}
