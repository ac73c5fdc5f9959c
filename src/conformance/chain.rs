//! The chain of one test: takes blocks as a client does, and refuses what is invalid.

use super::{
    branches::{Accepted, Branches},
    header::{HeaderError, check_header},
    network::Network,
    ommers::{OmmerError, check_ommers},
    panel::{Agreed, Disagreement, Panel},
};
use crate::{
    block::{BodyError, FoundedAccount, Ledger, OpenBlock, PrepareError},
    evm::{Chain, FailedPhase},
    state::{PreAccount, PreState},
    trie::TrieError,
    verify::Verdict,
};
use alloy_consensus::{
    Block, EthereumTxEnvelope, Header, Transaction, TxEip4844, TxEnvelope, proofs,
};
use alloy_eips::{
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::{Address, B256, KECCAK256_EMPTY, hex};
use alloy_rlp::Decodable;

/// EIP-7934: how long a block's RLP may be, from Osaka on.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// Why a block is refused.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum Refusal {
    /// The test writes it in something else than hexadecimal digits.
    #[error("its RLP is not even written in hexadecimal digits")]
    NotHex(#[from] hex::FromHexError),
    /// Not a block's RLP.
    #[error("its RLP is not a block's")]
    NotABlock(#[from] alloy_rlp::Error),
    /// No block with the hash of its parent was accepted.
    #[error("its parent {parent} is not known")]
    Orphan { parent: B256 },
    /// EIP-7934.
    #[error("its RLP has {bytes} bytes, over the limit of {MOST_BYTES}")]
    TooLong { bytes: usize },
    /// EIP-4844.
    #[error("its transactions carry {count} blobs, and may carry {most}")]
    TooManyBlobs { count: u64, most: u64 },
    /// Its header breaks a rule.
    #[error("its header is invalid")]
    Header(#[from] HeaderError),
    /// An ommer breaks a rule.
    #[error("its ommers are invalid")]
    Ommers(#[from] OmmerError),
    /// Its body is not its header's.
    #[error("its body is invalid")]
    Body(#[from] BodyError),
    /// It cannot be executed, as all executors say.
    #[error("it cannot be executed")]
    Execution(#[from] FailedPhase),
    /// Executing it does not lead to what its header says, as all executors agree.
    #[error("it does not come out as its header says: {0}")]
    Outcome(Verdict),
    /// EIP-7002, EIP-7251: without that code the block is invalid.
    #[error("the system contract {address} has no code")]
    NoSystemContract { address: Address },
}

/// What a refusal rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ground {
    /// Its encoding.
    Encoding,
    /// Header, parent, or ommers.
    Header,
    /// The roots of its body, and signatures.
    Body,
    /// Executing it.
    Execution,
    /// What came of executing it.
    Outcome,
}

impl Ground {
    /// In a report.
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
    /// Whether all that is known to be wrong is the transactions root.
    pub(super) const fn is_transactions_root(&self) -> bool {
        matches!(self, Self::Body(BodyError::TransactionsRoot { .. }))
    }

    /// What it rests on.
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

/// Why a block could be neither accepted nor refused: a bug of ours.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// Executors do not agree.
    #[error(transparent)]
    Disagreement(#[from] Disagreement),
    /// A state that was known in full is not.
    #[error("the block cannot be made ready")]
    Prepare(#[source] PrepareError),
    /// The same, after the block.
    #[error("the state after the block cannot be read")]
    State(#[from] TrieError),
}

/// A chain that grows from a genesis block.
#[derive(Debug)]
pub(super) struct TestChain {
    network: Network,
    branches: Branches,
    ledger: Ledger,
    touched: Touched,
}

/// What the block that was judged last touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Only such accounts as mainnet has.
    Ordinary,
    /// An account with storage and neither nonce nor code.
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

/// What to do about a block's transactions root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TransactionsRoot {
    /// Hold the body against it.
    AsGiven,
    /// Replace it by that of the body, to see what else is wrong with the block.
    PutRight,
}

/// A block that may be added.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) hash: B256,
    block: Accepted,
}

impl TestChain {
    /// A chain with this genesis block, and the root of its state.
    pub(super) fn new(
        network: Network,
        genesis: Header,
        state: impl IntoIterator<Item = (Address, FoundedAccount)>,
    ) -> Result<(Self, B256), TrieError> {
        let mut ledger = Ledger::default();
        let root = ledger.found(state)?;
        let branches = Branches::new(&network, genesis);
        Ok((Self { network, branches, ledger, touched: Touched::Ordinary }, root))
    }

    /// What the block that was judged last touched.
    pub(super) const fn touched(&self) -> Touched {
        self.touched
    }

    /// The block that leads, and its state root.
    pub(super) fn head(&self) -> (B256, Option<B256>) {
        let head = self.branches.head();
        (head, self.branches.get(&head).map(|block| block.header.state_root))
    }

    /// Adds a block that was accepted.
    pub(super) fn add(&mut self, judged: Judged) {
        self.branches.add(judged.block);
    }

    /// Accepts a block or refuses it, without adding it.
    ///
    /// # Errors
    /// If that cannot be told, through a fault of our own.
    pub(super) fn judge(
        &mut self,
        rlp: &str,
        root: TransactionsRoot,
        panel: &mut Panel,
    ) -> Result<Result<Judged, Refusal>, Trouble> {
        let opened = panel.crew().install(|| self.open(rlp, root));
        let Opened { block, parent_state_root, accepted } = match opened {
            Ok(opened) => opened,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let hashes = self.branches.hashes_up_to(accepted.header.parent_hash);
        let rehearse = || self.ledger.rehearse(block, parent_state_root, hashes);
        let rehearsal = panel.crew().install(rehearse).map_err(Trouble::Prepare)?;
        self.touched = Touched::by(&rehearsal.job.pre_state);
        let made = match panel.examine(rehearsal)? {
            Agreed::Match(made) => made,
            Agreed::Mismatch(verdict) => return Ok(Err(Refusal::Outcome(verdict))),
            Agreed::Failed(failed) => return Ok(Err(failed.into())),
        };
        // The nodes of a block that is refused after all lie there unused.
        self.ledger.keep(made.nodes, made.codes);
        if let Some(address) = self.missing_contract(&accepted.header)? {
            return Ok(Err(Refusal::NoSystemContract { address }));
        }
        Ok(Ok(Judged { hash: accepted.header.hash_slow(), block: accepted }))
    }

    /// A system contract that must have code after this block, and has none. alloy-evm calls it all the
    /// same, and gets no requests.
    fn missing_contract(&self, header: &Header) -> Result<Option<Address>, TrieError> {
        // Only from Prague on does a header have this field, which was checked.
        if header.requests_hash.is_none() {
            return Ok(None);
        }
        for address in
            [WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS]
        {
            let account = self.ledger.account(header.state_root, address)?;
            if account.is_none_or(|account| account.code_hash == KECCAK256_EMPTY) {
                return Ok(Some(address));
            }
        }
        Ok(None)
    }

    /// All checks that need no state.
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

/// A block that broke no rule so far.
struct Opened {
    block: OpenBlock,
    parent_state_root: B256,
    accepted: Accepted,
}

/// A block's transactions may carry so many blobs only, whatever its header counts.
fn check_blobs(chain: &Chain, block: &Block<TxEnvelope>) -> Result<(), Refusal> {
    let Some(params) = chain.blob_params(&block.header) else { return Ok(()) };
    let most = params.max_blob_count;
    let hashes = block.body.transactions.iter().filter_map(TxEnvelope::blob_versioned_hashes);
    let count = hashes.map(|hashes| hashes.len() as u64).sum();
    if count > most { Err(Refusal::TooManyBlobs { count, most }) } else { Ok(()) }
}

/// A block from its consensus encoding, in which blobs have no sidecars.
fn decode(mut rlp: &[u8]) -> Result<Block<TxEnvelope>, alloy_rlp::Error> {
    let block = Block::<EthereumTxEnvelope<TxEip4844>>::decode(&mut rlp)?;
    if rlp.is_empty() {
        Ok(block.convert_transactions())
    } else {
        Err(alloy_rlp::Error::UnexpectedLength)
    }
}
