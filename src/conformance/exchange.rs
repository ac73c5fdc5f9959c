//! Converts between recorded blocks and blockchain tests that carry an execution witness, as stateless clients use
//! them.
//!
//! A block becomes a test with one block on top of its parent. Its state is in the witness, so that `pre` is empty.
//! A test becomes its valid blocks with a witness. Nothing is verified here, as in other recorded blocks.

use super::{
    chain::decode,
    fixture::Config,
    json_header::header_json,
    network::{self, Network, NetworkError},
};
use crate::{
    block::{RecordedBlock, RecordedState, RulesError, Witness},
    evm::ChainRules,
};
use alloy_consensus::{Block, BlockBody, Header, TxEnvelope};
use alloy_eips::{eip4895::Withdrawals, eip7928::BlockAccessList};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{B256, Bytes, U256, hex, keccak256};
use alloy_rlp::Decodable as _;
use serde::{Deserialize, Serialize, de::IgnoredAny};
use serde_json::{Value, json, value::RawValue};

/// Reason that a block is not part of the exchange.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The pre-state has no proof.
    #[error("its pre-state is flat, and a test needs a witness")]
    Flat,
    /// The witness has no header of the parent.
    #[error("its witness lacks the header of its parent")]
    NoParent,
    /// Bytes are not the RLP that they should be.
    #[error("it has bytes that are not RLP of a block, a header or an access list")]
    Rlp(#[from] alloy_rlp::Error),
    /// The RLP of the block is not hexadecimal.
    #[error("its RLP is not hexadecimal")]
    Hex(#[from] hex::FromHexError),
    /// The rules of the block are unknown.
    #[error(transparent)]
    Rules(#[from] RulesError),
    /// The network of the test is not supported.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The cache takes the rules of a block from its chain id.
    #[error(
        "it follows the rules of {network:?}, but chain {chain} has {own:?} at its number and time"
    )]
    OtherRules {
        /// The fork of the test.
        network: EthereumHardfork,
        /// The chain id of the test.
        chain: u64,
        /// The fork that the chain id gives.
        own: EthereumHardfork,
    },
    /// The test does not follow the format.
    #[error("the test cannot be read")]
    Unreadable(#[from] serde_json::Error),
}

/// The witness of a block as tests have it.
#[derive(Debug, Serialize, Deserialize)]
struct TestWitness {
    state: Vec<Bytes>,
    codes: Vec<Bytes>,
    #[serde(default)]
    keys: Vec<Bytes>,
    headers: Vec<Bytes>,
}

/// The fields of a test that recorded blocks are made of.
#[derive(Debug, Deserialize)]
struct WitnessedTest {
    network: String,
    #[serde(default)]
    config: Config,
    #[serde(rename = "genesisRLP")]
    genesis: Option<Bytes>,
    blocks: Vec<WitnessedBlock>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WitnessedBlock {
    rlp: String,
    expect_exception: Option<IgnoredAny>,
    execution_witness: Option<TestWitness>,
    block_access_list: Option<BlockAccessList>,
}

/// The name of the test that [`test_of`] makes of a block.
pub fn name_of(recorded: &RecordedBlock) -> String {
    let id = recorded.id();
    format!("block_{}_{:#x}", id.number, id.hash)
}

/// The block as a test.
///
/// # Errors
/// The block has no witness, or its chain is unknown.
pub fn test_of(recorded: &RecordedBlock) -> Result<Value, ExchangeError> {
    let RecordedState::Witness(witness) = &recorded.state else { return Err(ExchangeError::Flat) };
    let Witness { nodes, codes, headers, keys } = witness;
    let (parent, header) = (headers.last().ok_or(ExchangeError::NoParent)?, &recorded.block.header);
    let parent = Header::decode(&mut parent.as_ref())?;
    let fork = recorded.chain()?.fork(header);
    let (network, hash) = (network::name(fork), header.hash_slow());
    let mut block = json!({
        "rlp": Bytes::from(alloy_rlp::encode(&recorded.block)),
        "blockHeader": header_json(header),
        "executionWitness": { "state": nodes, "codes": codes, "keys": keys, "headers": headers },
    });
    if let Some(list) = access_list(&recorded.access_list)? {
        block["blockAccessList"] = serde_json::to_value(list)?;
    }
    Ok(json!({
        "_info": { "comment": "a block of a chain; its state is in its execution witness" },
        "network": network,
        "config": { "network": network, "chainid": U256::from(recorded.chain_id) },
        "genesisBlockHeader": header_json(&parent),
        "genesisRLP": Bytes::from(alloy_rlp::encode(empty_block(parent))),
        "pre": {},
        "blocks": [block],
        "lastblockhash": hash,
        "postStateHash": header.state_root,
        "sealEngine": "NoProof",
    }))
}

fn access_list(rlp: &Bytes) -> Result<Option<BlockAccessList>, alloy_rlp::Error> {
    if rlp.is_empty() { Ok(None) } else { BlockAccessList::decode(&mut rlp.as_ref()).map(Some) }
}

/// A block without transactions. Only its header matters, because it is the start of a test.
fn empty_block(header: Header) -> Block<TxEnvelope> {
    let withdrawals = header.withdrawals_root.map(|_| Withdrawals::default());
    Block::new(header, BlockBody { withdrawals, ..Default::default() })
}

/// The valid blocks of a test that carry a witness. `rules` are those of the chain with their id.
///
/// # Errors
/// The test does not follow the format, or its network is not supported.
pub fn blocks_of(
    test: &RawValue,
    rules: Option<&ChainRules>,
) -> Result<Vec<Result<RecordedBlock, ExchangeError>>, ExchangeError> {
    let test: WitnessedTest = serde_json::from_str(test.get())?;
    let network = Network::new(&test.network, &test.config, &[])?;
    let genesis = test.genesis.as_ref().map(|rlp| decode(rlp)).transpose()?;
    let mut earlier: Vec<_> = genesis.map(|block| block.header).into_iter().collect();
    let mut blocks = Vec::new();
    for given in test.blocks.into_iter().filter(|block| block.expect_exception.is_none()) {
        let block = hex::decode(&given.rlp)?;
        let block = decode(&block)?;
        let header = block.header.clone();
        if let Some(witness) = given.execution_witness {
            let list = given.block_access_list.map(|list| alloy_rlp::encode(&list).into());
            let recorded = recorded(network.chain_id(), block, witness, &earlier);
            let ruled = recorded.map_err(Into::into).and_then(|recorded| {
                let recorded = RecordedBlock { access_list: list.unwrap_or_default(), ..recorded };
                with_rules(&network, recorded, rules)
            });
            blocks.push(ruled);
        }
        earlier.push(header);
    }
    Ok(blocks)
}

/// `earlier` holds the headers of earlier blocks of the test.
fn recorded(
    chain: u64,
    block: Block<TxEnvelope>,
    witness: TestWitness,
    earlier: &[Header],
) -> Result<RecordedBlock, alloy_rlp::Error> {
    let TestWitness { state: nodes, codes, keys, headers } = witness;
    let headers = ancestors(headers, block.header.parent_hash, earlier)?;
    let witness = Witness { nodes, codes, headers, keys };
    Ok(RecordedBlock::new(chain, block, RecordedState::Witness(witness)))
}

/// Gives the block its rules, and checks that they are those of the network.
fn with_rules(
    network: &Network,
    recorded: RecordedBlock,
    rules: Option<&ChainRules>,
) -> Result<RecordedBlock, ExchangeError> {
    let recorded = match rules {
        Some(rules) => recorded.with_rules(rules),
        None => recorded,
    };
    let header = &recorded.block.header;
    // A fork by total difficulty is taken as active. No test of such a network has a witness.
    let fork = network.chain(header.number, U256::MAX).fork(header);
    let own = recorded.chain()?.fork(header);
    if own == fork {
        return Ok(recorded);
    }
    Err(ExchangeError::OtherRules { network: fork, chain: recorded.chain_id, own })
}

/// The headers of a witness by number. The parent is added if the test has it elsewhere.
fn ancestors(
    headers: Vec<Bytes>,
    parent: B256,
    earlier: &[Header],
) -> Result<Vec<Bytes>, alloy_rlp::Error> {
    let number = |rlp: Bytes| Header::decode(&mut rlp.as_ref()).map(|header| (header.number, rlp));
    let mut headers = headers.into_iter().map(number).collect::<Result<Vec<_>, _>>()?;
    headers.sort_by_key(|(number, _)| *number);
    let mut headers: Vec<_> = headers.into_iter().map(|(_, rlp)| rlp).collect();
    let known = headers.last().is_some_and(|last| keccak256(last) == parent);
    let missing = earlier.iter().find(|header| !known && header.hash_slow() == parent);
    headers.extend(missing.map(|header| alloy_rlp::encode(header).into()));
    Ok(headers)
}
