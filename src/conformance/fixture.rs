//! The JSON of a blockchain test, as ethereum/tests and execution-spec-tests write it.
//!
//! Only what a test means is read: blocks count by their RLP, and what the file says about their content
//! in other words is passed over.

use super::quantity::Quantity;
use crate::block::FoundedAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The tests of a file by name, each still as text: not every one may be wanted.
///
/// # Errors
/// If the file is no JSON object.
pub fn tests(file: &[u8]) -> Result<BTreeMap<String, &RawValue>, serde_json::Error> {
    serde_json::from_slice(file)
}

/// One test: a genesis state, blocks, and what must come of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    pub(super) network: String,
    #[serde(default)]
    pub(super) config: Config,
    #[serde(rename = "genesisRLP")]
    pub(super) genesis_rlp: Bytes,
    pub(super) genesis_block_header: Named,
    pre: BTreeMap<Address, Account>,
    pub(super) blocks: Vec<Entry>,
    #[serde(rename = "lastblockhash")]
    pub(super) last_block_hash: B256,
    post_state: Option<BTreeMap<Address, Account>>,
    pub(super) post_state_hash: Option<B256>,
    #[serde(default)]
    pub(super) seal_engine: SealEngine,
}

/// A test of another format, such as one of a single transaction or of the engine API: it has none of
/// the fields that make a [`Test`].
#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    blocks: Option<de::IgnoredAny>,
    #[serde(rename = "genesisRLP")]
    genesis: Option<de::IgnoredAny>,
}

impl Kind {
    pub(super) const fn is_blockchain_test(&self) -> bool {
        self.blocks.is_some() && self.genesis.is_some()
    }
}

/// What newer files say about the chain.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(alias = "chainId")]
    pub(super) chainid: Option<Quantity>,
    #[serde(rename = "blobSchedule", default)]
    pub(super) blob_schedule: BTreeMap<String, Blobs>,
}

/// Blob parameters of one fork (EIP-7840).
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Blobs {
    pub(super) target: Quantity,
    pub(super) max: Quantity,
    pub(super) base_fee_update_fraction: Quantity,
}

/// Whether the seals of blocks are real.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum SealEngine {
    /// Proof of work.
    Ethash,
    /// They are not to be looked at.
    #[default]
    #[serde(other)]
    NoProof,
}

/// A header, of which the hash says it all.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) hash: B256,
}

/// One block of a test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// Hexadecimal. In a test of bad encodings it may be anything.
    pub(super) rlp: String,
    /// Only valid blocks have one.
    block_header: Option<Named>,
    expect_exception: Option<Reasons>,
}

/// Why a block is invalid: names with `|` between, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reasons {
    Text(String),
    List(Vec<String>),
}

/// What a client should do with a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Accept it; its hash.
    Valid(B256),
    /// Refuse it, for one of these reasons.
    Invalid(String),
}

impl Expected {
    /// Whether a transaction is what makes the block invalid, by the names of either suite.
    pub(super) fn is_for_a_transaction(&self) -> bool {
        let names = ["TransactionException.", "TR_"];
        match self {
            Self::Valid(_) => false,
            Self::Invalid(why) => {
                why.split('|').all(|why| names.iter().any(|name| why.starts_with(name)))
            }
        }
    }
}

impl Entry {
    pub(super) fn expected(&self) -> Expected {
        match (&self.expect_exception, &self.block_header) {
            (Some(Reasons::Text(text)), _) => Expected::Invalid(text.clone()),
            (Some(Reasons::List(list)), _) => Expected::Invalid(list.join("|")),
            (None, Some(header)) => Expected::Valid(header.hash),
            (None, None) => Expected::Invalid("no reason given".to_owned()),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Account {
    nonce: Quantity,
    balance: Quantity,
    code: Bytes,
    storage: BTreeMap<Quantity, Quantity>,
}

impl Test {
    /// The state before the first block.
    pub(super) fn pre(&self) -> impl Iterator<Item = (Address, FoundedAccount)> {
        self.pre.iter().map(founded)
    }

    /// The state after the last block, where it is given in full.
    pub(super) fn post(&self) -> Option<impl Iterator<Item = (Address, FoundedAccount)>> {
        self.post_state.as_ref().map(|accounts| accounts.iter().map(founded))
    }
}

fn founded((address, account): (&Address, &Account)) -> (Address, FoundedAccount) {
    let Account { nonce, balance, code, storage } = account;
    let slots =
        storage.iter().map(|(slot, value)| (slot.0, value.0)).collect::<Vec<(U256, U256)>>();
    let nonce = nonce.0.saturating_to();
    (*address, FoundedAccount { nonce, balance: balance.0, code: code.clone(), slots })
}
