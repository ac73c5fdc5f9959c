//! Runs one test from its genesis block to its expected results.

use super::{
    chain::{Given, Ground, Judged, Refusal, TestChain, Touched, TransactionsRoot, Trouble},
    draft::Draft,
    fixture::{Entry, Expected, Genesis, GenesisError, Kind, SealEngine, Test},
    network::{Network, NetworkError},
    panel::Panel,
    post_state::{self, PostStateError},
    reason,
    rules::NetworkRules,
};
use crate::trie::TrieError;
use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use serde_json::value::RawValue;

/// Counts of blocks by result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocks {
    /// Number of valid blocks that all executors accepted, up to the state root.
    pub accepted: u64,
    /// Invalid blocks that were refused.
    pub refused: Vec<Refused>,
    /// Number of invalid blocks with a fault that is not checked.
    pub out_of_scope: u64,
}

/// An invalid block that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Its position in the test, from 0.
    pub position: usize,
    /// Category of the refusal.
    pub ground: Ground,
    /// The fault that was found.
    pub because: String,
    /// The fault that the test names.
    pub expected: String,
}

/// Result of a test.
#[derive(Debug)]
pub enum Ending {
    /// All blocks had the expected result.
    Passed,
    /// A result differs from the expectation.
    Failed(Failure),
    /// The test needs rules that are not supported.
    OutOfScope(OutOfScope),
}

/// A test that was run.
#[derive(Debug)]
pub struct Run {
    /// Name of the network; empty without one.
    pub network: String,
    /// Counts of the blocks before the first failure.
    pub blocks: Blocks,
    /// The result.
    pub ending: Ending,
}

/// Reason that a test is not run.
#[derive(Debug, thiserror::Error)]
pub enum OutOfScope {
    /// The network is not supported.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The test was filled for a draft of its fork.
    #[error(transparent)]
    Draft(#[from] Draft),
    /// The state before the first block is incomplete.
    #[error("its state is in execution witnesses alone; run `cache import` on its file")]
    WitnessesAlone,
    /// A block that differs touches an account with storage but with neither nonce nor code. revm creates a
    /// contract at such an account, which EIP-7610 forbids. Mainnet has no such account.
    #[error("it needs EIP-7610, which revm does not support")]
    CreationOverStorage,
    /// The test is of another format, such as a transaction or the engine API.
    #[error("it is not a blockchain test")]
    OtherFormat,
}

/// The first difference between a test and its run.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Failure {
    /// The test does not follow the format.
    #[error("the test cannot be read")]
    Unreadable(#[from] serde_json::Error),
    /// The genesis block cannot be decoded.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The genesis block has another hash.
    #[error("the genesis block has hash {actual}, the test says {expected}")]
    GenesisHash { expected: B256, actual: B256 },
    /// The state before the first block has another root.
    #[error(
        "the state before the first block has root {actual}, its genesis block says {expected}"
    )]
    PreState { expected: B256, actual: B256 },
    /// A bug of blockrace.
    #[error("block {position} could not be judged")]
    Trouble { position: usize, source: Box<Trouble> },
    /// A valid block was refused.
    #[error("block {position} is valid, but was refused")]
    Refused { position: usize, touched: Touched, source: Box<Refusal> },
    /// An invalid block was accepted.
    #[error("block {position} is invalid, but was accepted; the test expects: {because}")]
    Accepted { position: usize, because: String },
    /// An invalid block was refused for another reason than the test names.
    #[error(
        "block {position} was refused for another reason: {because}; the test expects: {expected}"
    )]
    OtherReason { position: usize, because: String, expected: String },
    /// An invalid transaction was executed.
    #[error("an invalid transaction of block {position} was executed; the test expects: {because}")]
    Executed { position: usize, because: String },
    /// A valid block has another hash.
    #[error("block {position} has hash {actual}, the test says {expected}")]
    Hash { position: usize, expected: B256, actual: B256 },
    /// The test carries another access list than the valid block has.
    #[error("the access list of block {position} has hash {actual}, its header says {expected}")]
    List { position: usize, expected: B256, actual: B256 },
    /// Another block is the head.
    #[error("the head is block {actual}, the test says {expected}")]
    Head { expected: B256, actual: B256 },
    /// The final state differs.
    #[error(transparent)]
    PostState(#[from] PostStateError),
    /// The root of a state in the test cannot be computed.
    #[error("the root of a state in the test cannot be computed")]
    State(#[from] TrieError),
}

impl Failure {
    /// Whether the failure comes from the missing rule of EIP-7610.
    const fn is_for_want_of_eip7610(&self) -> bool {
        match self {
            Self::Refused { touched, .. } => matches!(touched, Touched::StorageWithoutCode),
            _ => false,
        }
    }
}

/// Runs a test with all executors of the panel. `rules` replaces the rules of some networks.
pub fn run(text: &RawValue, rules: &[NetworkRules], panel: &mut Panel) -> Run {
    let blocks = Blocks::default();
    let is_test =
        serde_json::from_str(text.get()).is_ok_and(|kind: Kind| kind.is_blockchain_test());
    if !is_test {
        let ending = Ending::OutOfScope(OutOfScope::OtherFormat);
        return Run { network: String::new(), blocks, ending };
    }
    match serde_json::from_str(text.get()) {
        Ok(test) => run_test(test, rules, panel),
        Err(error) => {
            let ending = Ending::Failed(Failure::Unreadable(error));
            Run { network: String::new(), blocks, ending }
        }
    }
}

fn run_test(test: Test, rules: &[NetworkRules], panel: &mut Panel) -> Run {
    let mut blocks = Blocks::default();
    let ending = match opened(&test, rules) {
        Err(ending) => ending,
        Ok((network, genesis)) => match run_on(network, genesis, &test, panel, &mut blocks) {
            Ok(()) => Ending::Passed,
            Err(failure) if failure.is_for_want_of_eip7610() => {
                Ending::OutOfScope(OutOfScope::CreationOverStorage)
            }
            Err(failure) => Ending::Failed(failure),
        },
    };
    Run { network: test.network, blocks, ending }
}

/// The network and the genesis block of a test, or the reason that it is not run.
fn opened(test: &Test, rules: &[NetworkRules]) -> Result<(Network, Header), Ending> {
    let out_of_scope = |error| Ending::OutOfScope(OutOfScope::Network(error));
    let network = Network::new(&test.network, &test.config, rules).map_err(out_of_scope)?;
    let failed = |error| Ending::Failed(Failure::Genesis(error));
    let Genesis { header, named } = test.genesis().map_err(failed)?;
    if let Some(draft) = Draft::of(&network, test, &named) {
        return Err(Ending::OutOfScope(OutOfScope::Draft(draft)));
    }
    if test.has_witnesses_alone() {
        return Err(Ending::OutOfScope(OutOfScope::WitnessesAlone));
    }
    let (expected, actual) = (named.hash, header.hash_slow());
    if expected != actual {
        return Err(Ending::Failed(Failure::GenesisHash { expected, actual }));
    }
    Ok((network, header))
}

fn run_on(
    network: Network,
    genesis: Header,
    test: &Test,
    panel: &mut Panel,
    counts: &mut Blocks,
) -> Result<(), Failure> {
    let mut chain = panel.crew().install(|| found(network, genesis, test))?;
    for (position, entry) in test.blocks.iter().enumerate() {
        take(&mut chain, position, entry, test.seal_engine, panel, counts)?;
    }
    let (actual, state_root) = chain.head();
    let expected = test.last_block_hash;
    if actual != expected {
        return Err(Failure::Head { expected, actual });
    }
    Ok(post_state::check(test, &chain, state_root.unwrap_or_default())?)
}

/// Creates the chain with the genesis block and state of the test.
fn found(network: Network, genesis: Header, test: &Test) -> Result<TestChain, Failure> {
    let Header { state_root: expected, .. } = genesis;
    let (chain, actual) = TestChain::new(network, genesis, test.pre())?;
    if expected != actual {
        return Err(Failure::PreState { expected, actual });
    }
    Ok(chain)
}

/// Judges one block, and compares the result with the expectation of the test.
fn take(
    chain: &mut TestChain,
    position: usize,
    entry: &Entry,
    seals: SealEngine,
    panel: &mut Panel,
    counts: &mut Blocks,
) -> Result<(), Failure> {
    let trouble = |source| Failure::Trouble { position, source: Box::new(source) };
    let (expected, access_list) = (entry.expected(), entry.access_list()?);
    let (access_list, root) =
        (access_list.as_ref().map(|list| &list[..]), TransactionsRoot::AsGiven);
    let given = Given { rlp: &entry.rlp, access_list, root };
    let mut judged = chain.judge(given, panel).map_err(trouble)?;
    // The headers of some tests leave out invalid transactions, so that their transactions root is wrong as
    // well. Such a block must still be refused because of the transaction.
    let hides = judged.as_ref().is_err_and(Refusal::is_transactions_root);
    if hides && expected.is_for_a_transaction() {
        let given = Given { root: TransactionsRoot::PutRight, ..given };
        judged = chain.judge(given, panel).map_err(trouble)?;
        if !judged.as_ref().is_err_and(|refusal| refusal.ground() < Ground::Outcome) {
            let because = expected.to_string();
            return Err(Failure::Executed { position, because });
        }
    }
    match (judged, expected) {
        (Ok(judged), Expected::Valid(expected)) if judged.hash == expected => {
            check_list(position, access_list, &judged)?;
            chain.add(judged);
            counts.accepted += 1;
        }
        (Ok(judged), Expected::Valid(expected)) => {
            return Err(Failure::Hash { position, expected, actual: judged.hash });
        }
        (Err(refusal), Expected::Invalid(expected)) => {
            let (ground, because) = (refusal.ground(), chain_of_causes(&refusal));
            if !reason::fits(&expected, &refusal) {
                return Err(Failure::OtherReason { position, because, expected });
            }
            counts.refused.push(Refused { position, ground, because, expected });
        }
        (Err(refusal), Expected::Valid(_)) => {
            let touched = chain.touched();
            return Err(Failure::Refused { position, touched, source: Box::new(refusal) });
        }
        // The only remaining fault of such a block is its proof of work.
        (Ok(_), Expected::Invalid(_)) if seals == SealEngine::Ethash => counts.out_of_scope += 1,
        (Ok(_), Expected::Invalid(because)) => {
            return Err(Failure::Accepted { position, because });
        }
    }
    Ok(())
}

/// Compares the hash of the access list that the test carries with that of a valid block.
fn check_list(position: usize, list: Option<&[u8]>, block: &Judged) -> Result<(), Failure> {
    let (Some(list), Some(expected)) = (list, block.access_list_hash()) else { return Ok(()) };
    let actual = keccak256(list);
    if actual == expected { Ok(()) } else { Err(Failure::List { position, expected, actual }) }
}

/// Formats an error and its causes on one line.
fn chain_of_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
