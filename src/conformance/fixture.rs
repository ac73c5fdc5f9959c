//! Parses the JSON of a blockchain test, as in ethereum/tests and execution-spec-tests.
//!
//! Only the fields that define the test are read. Blocks are read from their RLP. The decoded copy of their
//! content in the file is skipped.

use super::quantity::Quantity;
use crate::block::FoundedAccount;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, de};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The tests of a file by name. Each one stays text until it is selected.
///
/// # Errors
/// The file is not a JSON object.
pub fn tests(file: &[u8]) -> Result<BTreeMap<String, &RawValue>, serde_json::Error> {
    serde_json::from_slice(file)
}

/// One test: a genesis state, blocks, and the expected results.
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

/// The fields that distinguish a [`Test`] from other formats, such as a single transaction or the engine API.
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

/// Chain configuration, in newer files.
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
    /// The seals are proof of work.
    Ethash,
    /// The seals must be ignored.
    #[default]
    #[serde(other)]
    NoProof,
}

/// A header. Only its hash is read, which covers all fields.
#[derive(Debug, Deserialize)]
pub(super) struct Named {
    pub(super) hash: B256,
}

/// One block of a test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// The RLP in hexadecimal digits. It may be any text in a test of bad encodings.
    pub(super) rlp: String,
    /// The header. Only valid blocks have one.
    block_header: Option<Named>,
    expect_exception: Option<Reasons>,
}

/// Reasons that a block is invalid: names separated by `|`, or a list.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reasons {
    Text(String),
    List(Vec<String>),
}

/// The result that the test expects of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// The block is valid. Holds its hash.
    Valid(B256),
    /// The block is invalid for one of these reasons.
    Invalid(String),
}

impl Expected {
    /// Whether an invalid transaction makes the block invalid, by the names of either suite.
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

    /// The complete state after the last block, if the test has it.
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
