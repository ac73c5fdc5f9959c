//! Maintains the chain of one test. Accepts valid blocks as a client does, and refuses invalid ones.

use super::{
    branches::{Accepted, Branches},
    header::{HeaderError, check_header},
    network::Network,
    ommers::{OmmerError, check_ommers},
    panel::{Agreed, Disagreement, Panel},
};
use crate::{
    block::{BodyError, FoundedAccount, FullState, OpenBlock, PrepareError},
    evm::{
        BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS, Chain,
        FailedPhase,
    },
    state::{PreAccount, PreState},
    trie::TrieError,
    verify::{Check, Verdict},
};
use alloy_consensus::{
    Block, EthereumTxEnvelope, Header, Transaction, TxEip4844, TxEnvelope, proofs,
};
use alloy_eips::{
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, U256, hex, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::TrieAccount;

/// EIP-7934: maximum length of a block's RLP in bytes, from Osaka on.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Reason that a block is refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Refusal {
    /// The RLP in the test is not hexadecimal.
    #[error("its RLP is not hexadecimal")]
    NotHex(#[from] hex::FromHexError),
    /// The bytes are not the RLP of a block.
    #[error("its bytes are not the RLP of a block")]
    NotABlock(#[from] alloy_rlp::Error),
    /// No accepted block has the hash of its parent.
    #[error("its parent {parent} is unknown")]
    Orphan { parent: B256 },
    /// EIP-7934.
    #[error("its RLP has {bytes} bytes, over the limit of {MOST_BYTES}")]
    TooLong { bytes: usize },
    /// EIP-4844.
    #[error("its transactions carry {count} blobs, above the limit of {most}")]
    TooManyBlobs { count: u64, most: u64 },
    /// The header breaks a rule.
    #[error("its header is invalid")]
    Header(#[from] HeaderError),
    /// An ommer breaks a rule.
    #[error("its ommers are invalid")]
    Ommers(#[from] OmmerError),
    /// The body does not match the header.
    #[error("its body is invalid")]
    Body(#[from] BodyError),
    /// The block cannot be executed. All executors agree.
    #[error("it cannot be executed")]
    Execution(#[from] FailedPhase),
    /// The outcome does not match the header. All executors agree.
    #[error("its outcome does not match its header: {0}")]
    Outcome(Verdict),
    /// EIP-7002, EIP-7251, EIP-8282: without this code the block is invalid.
    #[error("the system contract {address} has no code")]
    NoSystemContract { address: Address },
}

/// Category of a refusal, in the order of the checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// The encoding.
    Encoding,
    /// Header, parent, or ommers.
    Header,
    /// The roots of the body, and signatures.
    Body,
    /// The execution.
    Execution,
    /// The outcome of the execution.
    Outcome,
}

impl Ground {
    /// The name in a report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Header => "header",
            Self::Body => "body",
            Self::Execution => "execution",
            Self::Outcome => "outcome",
        }
    }
}

impl Refusal {
    /// Whether the only known fault is the transactions root.
    pub(super) const fn is_transactions_root(&self) -> bool {
        matches!(self, Self::Body(BodyError::TransactionsRoot { .. }))
    }

    /// Whether the outcome differs from the header in this field.
    pub(super) fn is_for(&self, check: Check) -> bool {
        matches!(self, Self::Outcome(Verdict::Mismatch { at, .. }) if *at == check)
    }

    /// The category of the refusal.
    pub const fn ground(&self) -> Ground {
        match self {
            Self::NotHex(_) | Self::NotABlock(_) | Self::TooLong { .. } => Ground::Encoding,
            Self::Orphan { .. } | Self::Header(_) | Self::Ommers(_) => Ground::Header,
            Self::Body(_) | Self::TooManyBlobs { .. } => Ground::Body,
            Self::Execution(_) | Self::NoSystemContract { .. } => Ground::Execution,
            Self::Outcome(_) => Ground::Outcome,
        }
    }
}

/// Reason that a block could be neither accepted nor refused. Always a bug of blockrace.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Executors disagree.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// The complete state lacks a value before the block.
    #[error("the block cannot be prepared")]
    Prepare(#[source] PrepareError),
    /// The complete state lacks a value after the block.
    #[error("the state after the block cannot be read")]
    State(#[from] TrieError),
}

/// A chain that starts at a genesis block.
#[derive(Debug)]
pub(super) struct TestChain {
    network: Network,
    branches: Branches,
    ledger: FullState,
    touched: Touched,
}

/// Kinds of accounts that the last judged block touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Only accounts as they exist on mainnet.
    Ordinary,
    /// An account with storage, but with neither nonce nor code.
    StorageWithoutCode,
}

impl Touched {
    fn by(state: &PreState) -> Self {
        let has_only_storage = |account: &PreAccount| {
            let info = account.info.as_ref();
            let is_bare = info.is_some_and(|info| info.nonce == 0 && info.is_empty_code_hash());
            is_bare && !account.rest_is_zero
        };
        if state.accounts.values().any(has_only_storage) {
            Self::StorageWithoutCode
        } else {
            Self::Ordinary
        }
    }
}

/// Treatment of a block's transactions root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionsRoot {
    /// The body must match the root in the header.
    AsGiven,
    /// The root in the header is replaced by that of the body. This shows further faults of the block.
    PutRight,
}

/// A block of a test.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given<'a> {
    /// RLP of the block in hexadecimal digits.
    pub(super) rlp: &'a str,
    /// RLP of the access list that the test carries beside the block.
    pub(super) access_list: Option<&'a [u8]>,
    pub(super) root: TransactionsRoot,
}

impl<'a> Given<'a> {
    /// The carried access list, if it is the one that the header commits to.
    fn list_of(&self, header: &Header) -> Option<&'a [u8]> {
        let stated = header.block_access_list_hash?;
        self.access_list.filter(|list| keccak256(list) == stated)
    }
}

/// A valid block that is not yet part of the chain.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) hash: B256,
    block: Accepted,
}

impl Judged {
    /// Hash of the block's access list; `None` before Amsterdam.
    pub(super) const fn access_list_hash(&self) -> Option<B256> {
        self.block.header.block_access_list_hash
    }
}

impl TestChain {
    /// A chain with this genesis block, and the root of `state`.
    pub(super) fn new(
        network: Network,
        genesis: Header,
        state: impl IntoIterator<Item = (Address, FoundedAccount)>,
    ) -> Result<(Self, B256), TrieError> {
        let mut ledger = FullState::default();
        let root = ledger.found(state)?;
        let branches = Branches::new(&network, genesis);
        Ok((Self { network, branches, ledger, touched: Touched::Ordinary }, root))
    }

    /// Kinds of accounts that the last judged block touched.
    pub(super) const fn touched(&self) -> Touched {
        self.touched
    }

    /// The hash of the head, and its state root.
    pub(super) fn head(&self) -> (B256, Option<B256>) {
        let head = self.branches.head();
        (head, self.branches.get(&head).map(|block| block.header.state_root))
    }

    /// An account of the state with this root; `None` if the account does not exist.
    ///
    /// # Errors
    /// The chain does not contain that state.
    pub(super) fn account(
        &self,
        root: B256,
        address: Address,
    ) -> Result<Option<TrieAccount>, TrieError> {
        self.ledger.account(root, address)
    }

    /// A slot of the storage with this root.
    ///
    /// # Errors
    /// The chain does not contain that storage.
    pub(super) fn slot(
        &self,
        address: Address,
        storage_root: B256,
        slot: U256,
    ) -> Result<U256, TrieError> {
        self.ledger.slot(address, storage_root, slot)
    }

    /// Adds a judged block.
    pub(super) fn add(&mut self, judged: Judged) {
        self.branches.add(judged.block);
    }

    /// Accepts or refuses a block, without adding it. `bal` executes by the access list of the test, if the block's
    /// header commits to that list.
    ///
    /// # Errors
    /// The block can be neither accepted nor refused, because of a bug of blockrace.
    pub(super) fn judge(
        &mut self,
        given: Given<'_>,
        panel: &mut Panel,
    ) -> Result<Result<Judged, Refusal>, Trouble> {
        let opened = panel.crew().install(|| self.open(given.rlp, given.root));
        let Opened { block, parent_state_root, accepted } = match opened {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let hashes = self.branches.hashes_up_to(accepted.header.parent_hash);
        let rehearse = || self.ledger.rehearse(block, parent_state_root, hashes);
        let mut rehearsal = panel.crew().install(rehearse).map_err(Trouble::Prepare)?;
        self.touched = Touched::by(&rehearsal.job.pre_state);
        // An invalid block has no list to execute by.
        let list = given.list_of(&accepted.header).filter(|_| rehearsal.result.is_ok());
        if let Some(list) = list {
            rehearsal.job.take_access_list(list).map_err(Trouble::Prepare)?;
        }
        let made = match panel.examine(rehearsal)? {
            Agreed::Match(made) => made,
            Agreed::Mismatch(verdict) => return Ok(Err(Refusal::Outcome(verdict))),
            Agreed::Failed(failed) => return Ok(Err(failed.into())),
        };
        // The nodes remain unused if the block is refused below.
        self.ledger.keep(made.nodes, made.codes);
        if let Some(address) = self.missing_contract(&accepted.header)? {
            return Ok(Err(Refusal::NoSystemContract { address }));
        }
        Ok(Ok(Judged { hash: accepted.header.hash_slow(), block: accepted }))
    }

    /// A system contract that must have code after this block, but has none. alloy-evm calls it regardless, and
    /// gets no requests.
    fn missing_contract(&self, header: &Header) -> Result<Option<Address>, TrieError> {
        // The header was checked: it has these fields exactly from Prague and from Amsterdam on.
        let since_prague =
            [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS];
        let since_amsterdam =
            [BUILDER_DEPOSIT_REQUEST_PREDEPLOY_ADDRESS, BUILDER_EXIT_REQUEST_PREDEPLOY_ADDRESS];
        let since_prague = since_prague.into_iter().filter(|_| header.requests_hash.is_some());
        let since_amsterdam = since_amsterdam.into_iter().filter(|_| header.slot_number.is_some());
        for address in since_prague.chain(since_amsterdam) {
            let account = self.ledger.account(header.state_root, address)?;
            if account.is_none_or(|account| account.code_hash == KECCAK256_EMPTY) {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    /// Performs all checks that need no state.
    fn open(&self, rlp: &str, root: TransactionsRoot) -> Result<Opened, Refusal> {
        let rlp = hex::decode(rlp)?;
        let mut block = decode(&rlp)?;
        if root == TransactionsRoot::PutRight {
            block.header.transactions_root =
                proofs::calculate_transaction_root(&block.body.transactions);
        }
        let header = &block.header;
        let parent_hash = header.parent_hash;
        let parent = self.branches.get(&parent_hash);
        let parent = parent.ok_or(Refusal::Orphan { parent: parent_hash })?;
        let chain = self.network.chain(header.number, parent.total_difficulty);
        if rlp.len() > MOST_BYTES && chain.is_active(EthereumHardfork::Osaka, header) {
            return Err(Refusal::TooLong { bytes: rlp.len() });
        }
        check_header(&chain, header, &parent.header)?;
        check_ommers(&self.network, &self.branches, header, &block.body.ommers)?;
        check_blobs(&chain, &block)?;
        let accepted = Accepted {
            header: header.clone(),
            ommers: block.body.ommers.iter().map(Header::hash_slow).collect(),
            total_difficulty: parent.total_difficulty.saturating_add(header.difficulty),
        };
        let parent_state_root = parent.header.state_root;
        Ok(Opened { block: OpenBlock::open(chain, block)?, parent_state_root, accepted })
    }
}

/// A block that passed all checks without state.
struct Opened {
    block: OpenBlock,
    parent_state_root: B256,
    accepted: Accepted,
}

/// Checks the number of blobs of the transactions. The blob gas of the header is a separate check.
fn check_blobs(chain: &Chain, block: &Block<TxEnvelope>) -> Result<(), Refusal> {
    let Some(params) = chain.blob_params(&block.header) else { return Ok(()) };
    let most = params.max_blob_count;
    let hashes = block.body.transactions.iter().filter_map(TxEnvelope::blob_versioned_hashes);
    let count = hashes.map(|hashes| hashes.len() as u64).sum();
    if count > most { Err(Refusal::TooManyBlobs { count, most }) } else { Ok(()) }
}

/// Decodes a block from its consensus encoding, in which blobs have no sidecars.
pub(super) fn decode(mut rlp: &[u8]) -> Result<Block<TxEnvelope>, alloy_rlp::Error> {
    let block = Block::<EthereumTxEnvelope<TxEip4844>>::decode(&mut rlp)?;
    if rlp.is_empty() {
        Ok(block.convert_transactions())
    } else {
        Err(alloy_rlp::Error::UnexpectedLength)
    }
}
