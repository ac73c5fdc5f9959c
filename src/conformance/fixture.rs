//! Parses the JSON of a blockchain test, as in ethereum/tests and execution-spec-tests.
//!
//! Only the fields that define the test are read. Blocks are read from their RLP. The decoded copy of their
//! content in the file is skipped.

use super::{
    blobs::Blobs,
    json_header::{Named, Whole},
    quantity::Quantity,
};
use crate::block::FoundedAccount;
use alloy_consensus::{Block, Header, TxEnvelope};
use alloy_eips::eip7928::BlockAccessList;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rlp::Decodable as _;
use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess},
};
use serde_json::value::RawValue;
use std::{collections::BTreeMap, fmt};

/// The tests of a file with their names, in the order of the file. Each one stays text until it is selected. A file
/// can have several tests of one name.
///
/// # Errors
/// The file is not a JSON object.
pub fn tests(file: &[u8]) -> Result<Vec<(String, &RawValue)>, serde_json::Error> {
    serde_json::from_slice(file).map(|Entries(entries)| entries)
}

/// All entries of an object, repeated names included.
struct Entries<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor).map(Self)
    }
}

struct EntriesVisitor;

impl<'de> de::Visitor<'de> for EntriesVisitor {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tests by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}

/// One test: a genesis state, blocks, and the expected results.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    pub(super) network: String,
    #[serde(default)]
    pub(super) config: Config,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Option<Bytes>,
    genesis_block_header: Box<RawValue>,
    pre: BTreeMap<Address, Account>,
    pub(super) blocks: Vec<Entry>,
    #[serde(rename = "lastblockhash")]
    pub(super) last_block_hash: B256,
    /// Accounts after the last block; `None` for an account that must not exist.
    pub(super) post_state: Option<BTreeMap<Address, Option<PostAccount>>>,
    pub(super) post_state_hash: Option<B256>,
    #[serde(default)]
    pub(super) seal_engine: SealEngine,
}

/// The genesis block of a test.
#[derive(Debug)]
pub(super) struct Genesis {
    pub(super) header: Header,
    /// The header as the test describes it.
    pub(super) named: Named,
}

/// Reason that a test has no genesis block.
#[derive(Debug, thiserror::Error)]
pub enum GenesisError {
    /// The RLP cannot be decoded.
    #[error("the genesis block is not the RLP of a block")]
    Rlp(#[from] alloy_rlp::Error),
    /// The JSON of the header cannot be read, or lacks a field that is needed without the RLP.
    #[error("the header of the genesis block cannot be read")]
    Json(#[from] serde_json::Error),
}

/// The fields that distinguish a [`Test`] from other formats, such as a single transaction or the engine API.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Kind {
    blocks: Option<de::IgnoredAny>,
    #[serde(rename = "genesisRLP")]
    genesis_rlp: Option<de::IgnoredAny>,
    genesis_block_header: Option<de::IgnoredAny>,
}

impl Kind {
    pub(super) const fn is_blockchain_test(&self) -> bool {
        self.blocks.is_some() && (self.genesis_rlp.is_some() || self.genesis_block_header.is_some())
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

/// One block of a test.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Entry {
    /// The RLP in hexadecimal digits. It may be any text in a test of bad encodings.
    pub(super) rlp: String,
    /// The header. Only valid blocks have one.
    block_header: Option<Named>,
    expect_exception: Option<Reasons>,
    /// The block access list of a valid block (EIP-7928). It is not part of the block's RLP.
    block_access_list: Option<Box<RawValue>>,
    execution_witness: Option<de::IgnoredAny>,
    /// The content of an invalid block.
    #[serde(rename = "rlp_decoded")]
    decoded: Option<Box<RawValue>>,
}

/// The content of an invalid block, as far as it is not in its RLP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Decoded {
    block_access_list: Option<BlockAccessList>,
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

/// The words of the test.
impl fmt::Display for Expected {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Valid(hash) => write!(out, "a valid block with hash {hash}"),
            Self::Invalid(why) => out.write_str(why),
        }
    }
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
    /// The header, if the block is valid.
    pub(super) const fn valid_header(&self) -> Option<&Named> {
        match self.expect_exception {
            Some(_) => None,
            None => self.block_header.as_ref(),
        }
    }

    /// RLP of the access list that the test carries beside the block; `None` without one. The list of an invalid block
    /// may have any form, and counts if it can be read.
    ///
    /// # Errors
    /// The list of a valid block cannot be read.
    pub(super) fn access_list(&self) -> Result<Option<Bytes>, serde_json::Error> {
        let list: Option<BlockAccessList> = match (&self.block_access_list, &self.decoded) {
            (Some(list), _) => Some(serde_json::from_str(list.get())?),
            (None, Some(decoded)) => {
                let decoded = serde_json::from_str::<Decoded>(decoded.get());
                decoded.ok().and_then(|decoded| decoded.block_access_list)
            }
            (None, None) => None,
        };
        Ok(list.map(|list| alloy_rlp::encode(&list).into()))
    }

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

/// The fields of an account that a test expects after its last block.
#[derive(Debug, Default, Deserialize)]
pub(super) struct PostAccount {
    pub(super) nonce: Option<Quantity>,
    pub(super) balance: Option<Quantity>,
    pub(super) code: Option<Bytes>,
    #[serde(default)]
    pub(super) storage: BTreeMap<Quantity, Quantity>,
}

impl Test {
    /// The genesis block, from its RLP, or from the JSON of its header in files without the RLP.
    ///
    /// # Errors
    /// Neither can be read.
    pub(super) fn genesis(&self) -> Result<Genesis, GenesisError> {
        let json = self.genesis_block_header.get();
        let header = match &self.genesis_rlp {
            Some(rlp) => Block::<TxEnvelope>::decode(&mut rlp.as_ref())?.header,
            None => serde_json::from_str::<Whole>(json)?.into(),
        };
        Ok(Genesis { header, named: serde_json::from_str(json)? })
    }

    /// The state before the first block.
    pub(super) fn pre(&self) -> impl Iterator<Item = (Address, FoundedAccount)> {
        self.pre.iter().map(founded)
    }

    /// Whether the state before the first block is in the witness of each block alone.
    pub(super) fn has_witnesses_alone(&self) -> bool {
        let has_witness = |block: &Entry| block.execution_witness.is_some();
        self.pre.is_empty() && !self.blocks.is_empty() && self.blocks.iter().all(has_witness)
    }

    /// Whether the account has code before the first block.
    pub(super) fn has_code(&self, address: &Address) -> bool {
        self.pre.get(address).is_some_and(|account| !account.code.is_empty())
    }
}

fn founded((address, account): (&Address, &Account)) -> (Address, FoundedAccount) {
    let Account { nonce, balance, code, storage } = account;
    let slots =
        storage.iter().map(|(slot, value)| (slot.0, value.0)).collect::<Vec<(U256, U256)>>();
    let nonce = nonce.0.saturating_to();
    (*address, FoundedAccount { nonce, balance: balance.0, code: code.clone(), slots })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_a_repeated_name_is_kept() {
        let entries = tests(br#"{"a": 1, "b": 2, "a": 3}"#).expect("an object");
        let entries: Vec<_> =
            entries.iter().map(|(name, text)| (name.as_str(), text.get())).collect();
        assert_eq!(entries, [("a", "1"), ("b", "2"), ("a", "3")]);
        assert!(tests(b"[]").is_err() && tests(b"{").is_err());
    }
}
