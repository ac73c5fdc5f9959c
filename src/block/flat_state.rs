//! The state before a block as plain values, for nodes that cannot prove it.
//!
//! Plain data, like the rest of what the cache holds. Nothing here can be checked against the header:
//! that the values are right shows only in the receipts of a block that is executed on them. What no
//! node told, and was assumed so that the block can be executed, is kept apart in [`Assumed`] and
//! nowhere else, so that nobody takes it for knowledge.

use std::fmt;

use alloy_primitives::{Address, B256, BlockNumber, Bytes, U256};

/// Accounts, slots, codes and ancestors that a block reads, and what was assumed about the rest.
///
/// Every list is in ascending order, without repetition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlatState {
    /// Accounts that are known, by address; known absence included.
    pub accounts: Vec<FlatAccount>,

    /// Contract bytecode, each once, in the order of byte strings; accounts name it by its hash.
    pub codes: Vec<Bytes>,

    /// RLP of ancestors' headers, by ascending number; the last one is the parent. Often empty: the
    /// parent's hash is in the block's own header.
    pub headers: Vec<Bytes>,

    /// What the node did not tell.
    pub assumed: Assumed,
}

/// One account before the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlatAccount {
    /// Whose.
    pub address: Address,
    /// `None` if the account is known not to exist.
    pub fields: Option<FlatFields>,
    /// Known slots, zero included, by key.
    pub slots: Vec<(U256, U256)>,
}

/// What an account that exists holds, but for its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlatFields {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Keccak-256 of the code; of the empty string where there is none.
    pub code_hash: B256,
}

/// What a block reads and no node told, with the value that was assumed instead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assumed {
    /// Accounts taken not to exist.
    pub absent: Vec<Address>,
    /// Accounts taken to exist with nothing in them, which matters before EIP-161.
    pub empty: Vec<Address>,
    /// Slots taken to be zero.
    pub zero: Vec<(Address, U256)>,
    /// Ancestors whose hash is taken to be zero.
    pub unknown_hash: Vec<BlockNumber>,
    /// Hashes of ommers that nobody had, in the block's order: all of its ommers, which are then
    /// missing from its body and not paid. No receipt depends on them.
    pub ommers: Vec<B256>,
}

impl Assumed {
    /// Whether the node told everything.
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
    fn no_assumption_is_said_to_be_none() {
        assert!(Assumed::default().is_nothing());
        assert_eq!(Assumed::default().to_string(), "nothing");
    }
}
