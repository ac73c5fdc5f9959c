//! Runs one test: from its genesis block to what its file says must come of it.

use super::{
    chain::{Ground, Refusal, TestChain, Touched, TransactionsRoot, Trouble},
    fixture::{Entry, Expected, Kind, SealEngine, Test},
    network::{Network, NetworkError},
    panel::Panel,
};
use crate::{block::Ledger, trie::TrieError};
use alloy_consensus::{Block, Header, TxEnvelope};
use alloy_primitives::B256;
use alloy_rlp::Decodable;
use serde_json::value::RawValue;

/// What blocks came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// How many were valid, and accepted by all executors, to the state root.
    pub accepted: u64,
    /// Those that were invalid, and refused.
    pub refused: Vec<Refused>,
    /// How many were invalid in a way that is not looked at.
    pub out_of_scope: u64,
}

/// An invalid block that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its position in the test, from 0.
    pub position: usize,
    /// What the refusal rests on.
    pub ground: Ground,
    /// Why, as it was found here.
    pub because: String,
    /// Why, as the test has it.
    pub expected: String,
}

/// How a test ended.
#[derive(Debug)]
pub enum Ending {
    /// All blocks came out as the test says.
    Passed,
    /// Something did not.
    Failed(Failure),
    /// It needs rules that are not here.
    OutOfScope(OutOfScope),
}

/// A test that was run.
#[derive(Debug)]
pub struct Run {
    /// As the file writes it; empty where it has none.
    pub network: String,
    /// Of the blocks up to the first that failed.
    pub blocks: Blocks,
    /// How it ended.
    pub ending: Ending,
}

/// Why a test is not run.
#[derive(Debug, thiserror::Error)]
pub enum OutOfScope {
    /// Its network.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// What differs is a block that touches an account with storage and neither nonce nor code, which
    /// mainnet has none of. revm lets a contract be created there, EIP-7610 does not.
    #[error("it needs EIP-7610, which revm does not have")]
    CreationOverStorage,
    /// A test of transactions, of the engine API, or of something else again.
    #[error("it is no blockchain test")]
    OtherFormat,
}

/// The first thing in which a test and its run differ.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Failure {
    /// The file is not as the format has it.
    #[error("the test cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// Its genesis block is no block.
    #[error("the genesis block's RLP is not a block's")]
    Genesis(#[from] alloy_rlp::Error),
    /// Its genesis block has another hash.
    #[error("the genesis block has hash {actual}, the test says {expected}")]
    GenesisHash { expected: B256, actual: B256 },
    /// The state before the first block has another root.
    #[error(
        "the state before the first block has root {actual}, its genesis block says {expected}"
    )]
    PreState { expected: B256, actual: B256 },
    /// Something of ours is broken.
    #[error("block {position} could not be judged")]
    Trouble { position: usize, source: Box<Trouble> },
    /// A valid block was refused.
    #[error("block {position} is valid, and was refused")]
    Refused { position: usize, touched: Touched, source: Box<Refusal> },
    /// An invalid block was accepted.
    #[error("block {position} is invalid, and was accepted; the test says why: {because}")]
    Accepted { position: usize, because: String },
    /// A transaction was executed that must not be.
    #[error("block {position} has a transaction that is invalid, and was executed: {because}")]
    Executed { position: usize, because: String },
    /// A valid block has another hash.
    #[error("block {position} has hash {actual}, the test says {expected}")]
    Hash { position: usize, expected: B256, actual: B256 },
    /// Another block leads.
    #[error("block {actual} leads in the end, the test says {expected}")]
    Head { expected: B256, actual: B256 },
    /// The state in the end has another root.
    #[error("the state in the end has root {actual}, the test says {expected}")]
    PostState { expected: B256, actual: B256 },
    /// A state from the file makes no trie.
    #[error("the root of a state in the test cannot be computed")]
    State(#[from] TrieError),
}

impl Failure {
    /// Whether the difference is one that a missing rule makes.
    const fn is_for_want_of_eip7610(&self) -> bool {
        match self {
            Self::Refused { touched, .. } => matches!(touched, Touched::StorageWithoutCode),
            _ => false,
        }
    }
}

/// Runs a test with all executors of the panel.
pub fn run(text: &RawValue, panel: &mut Panel) -> Run {
    let mut blocks = Blocks::default();
    let is_test =
        serde_json::from_str(text.get()).is_ok_and(|kind: Kind| kind.is_blockchain_test());
    if !is_test {
        let ending = Ending::OutOfScope(OutOfScope::OtherFormat);
        return Run { network: String::new(), blocks, ending };
    }
    let test: Test = match serde_json::from_str(text.get()) {
        Ok(test) => test,
        Err(error) => {
            let ending = Ending::Failed(error.into());
            return Run { network: String::new(), blocks, ending };
        }
    };
    let ending = match Network::new(&test.network, &test.config) {
        Err(error) => Ending::OutOfScope(error.into()),
        Ok(network) => match run_on(network, &test, panel, &mut blocks) {
            Ok(()) => Ending::Passed,
            Err(failure) if failure.is_for_want_of_eip7610() => {
                Ending::OutOfScope(OutOfScope::CreationOverStorage)
            }
            Err(failure) => Ending::Failed(failure),
        },
    };
    Run { network: test.network, blocks, ending }
}

fn run_on(
    network: Network,
    test: &Test,
    panel: &mut Panel,
    counts: &mut Blocks,
) -> Result<(), Failure> {
    let mut chain = panel.crew().install(|| found(network, test))?;
    for (position, entry) in test.blocks.iter().enumerate() {
        take(&mut chain, position, entry, test.seal_engine, panel, counts)?;
    }
    let (actual, state_root) = chain.head();
    let expected = test.last_block_hash;
    if actual != expected {
        return Err(Failure::Head { expected, actual });
    }
    panel.crew().install(|| check_post_state(test, state_root.unwrap_or_default()))
}

/// The chain with the test's genesis block and state.
fn found(network: Network, test: &Test) -> Result<TestChain, Failure> {
    let genesis = Block::<TxEnvelope>::decode(&mut test.genesis_rlp.as_ref())?.header;
    let (expected, actual) = (test.genesis_block_header.hash, genesis.hash_slow());
    if expected != actual {
        return Err(Failure::GenesisHash { expected, actual });
    }
    let Header { state_root: expected, .. } = genesis;
    let (chain, actual) = TestChain::new(network, genesis, test.pre())?;
    if expected != actual {
        return Err(Failure::PreState { expected, actual });
    }
    Ok(chain)
}

/// Takes one block, and compares what comes of it with what the test expects.
fn take(
    chain: &mut TestChain,
    position: usize,
    entry: &Entry,
    seals: SealEngine,
    panel: &mut Panel,
    counts: &mut Blocks,
) -> Result<(), Failure> {
    let trouble = |source| Failure::Trouble { position, source: Box::new(source) };
    let (expected, root) = (entry.expected(), TransactionsRoot::AsGiven);
    let mut judged = chain.judge(&entry.rlp, root, panel).map_err(trouble)?;
    // Those who made the tests left invalid transactions out of the header, so that their root is wrong
    // besides. They still have to be refused for what they are.
    let hides = judged.as_ref().is_err_and(Refusal::is_transactions_root);
    if hides && expected.is_for_a_transaction() {
        let root = TransactionsRoot::PutRight;
        judged = chain.judge(&entry.rlp, root, panel).map_err(trouble)?;
        if !judged.as_ref().is_err_and(|refusal| refusal.ground() < Ground::Outcome) {
            let because = format!("{expected:?}");
            return Err(Failure::Executed { position, because });
        }
    }
    match (judged, expected) {
        (Ok(judged), Expected::Valid(expected)) if judged.hash == expected => {
            chain.add(judged);
            counts.accepted += 1;
        }
        (Ok(judged), Expected::Valid(expected)) => {
            return Err(Failure::Hash { position, expected, actual: judged.hash });
        }
        (Err(refusal), Expected::Invalid(expected)) => {
            let (ground, because) = (refusal.ground(), chain_of_causes(&refusal));
            counts.refused.push(Refused { position, ground, because, expected });
        }
        (Err(refusal), Expected::Valid(_)) => {
            let touched = chain.touched();
            return Err(Failure::Refused { position, touched, source: Box::new(refusal) });
        }
        // What is left to be wrong with it is its proof of work.
        (Ok(_), Expected::Invalid(_)) if seals == SealEngine::Ethash => counts.out_of_scope += 1,
        (Ok(_), Expected::Invalid(because)) => {
            return Err(Failure::Accepted { position, because });
        }
    }
    Ok(())
}

/// Compares the state in the end, where the test gives it, with the head's root.
fn check_post_state(test: &Test, actual: B256) -> Result<(), Failure> {
    let given = test.post().map(|accounts| Ledger::default().found(accounts)).transpose()?;
    for expected in given.into_iter().chain(test.post_state_hash) {
        if expected != actual {
            return Err(Failure::PostState { expected, actual });
        }
    }
    Ok(())
}

/// An error and its causes on one line.
fn chain_of_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
