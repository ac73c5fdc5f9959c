//! The input of every executor: a [`ReplayJob`] holds a block and its pre-state.

use super::{BlockAccessList, OwnList, PrepareError};
use crate::{
    evm::{BlockContext, Chain, EvmEnv},
    state::{IndexedState, PostState, PreState, Storage},
    trie::{EarlyStorages, Guess, NodeStore, StateTrie, TrieError, UpdatedTrie},
};
use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::B256;
use std::{sync::Arc, time::Duration};

/// The state trie after a block; `None` if the pre-state has no proof.
pub type TrieAfter<'a> = Result<Option<UpdatedTrie<'a>>, TrieError>;

/// A block ready to execute. Only the work that executors are timed for remains.
#[derive(Debug)]
pub struct ReplayJob {
    /// Rules of the block's chain.
    pub chain: Chain,
    /// Keccak-256 of the header.
    pub hash: B256,
    /// The block's header.
    pub header: Header,
    /// Transactions in block order, with their senders.
    pub transactions: Vec<Recovered<TxEnvelope>>,
    /// Headers of the ommers.
    pub ommers: Vec<Header>,
    /// Withdrawals (EIP-4895); `None` before Shanghai.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// The EVM environment of this header.
    pub env: EvmEnv,
    /// Everything that the block reads.
    pub pre_state: PreState,
    /// The same pre-state with dense indices for accounts and slots.
    pub indexed_state: IndexedState,
    /// Simulated latency of a first read of the pre-state; zero for no delay.
    pub state_latency: Duration,
    /// Proof of the pre-state.
    pub proof: Proof,
    /// The outcome field of the block's receipts.
    pub receipt_status: ReceiptStatus,
    /// Facts of the access list that the block has by its execution; `None` before Amsterdam (EIP-7928).
    pub access_list: Option<BlockAccessList>,
}

/// The proof of a pre-state. The state root after the block is computed from it.
#[derive(Debug)]
pub enum Proof {
    /// Merkle Patricia tries that contain the pre-state.
    Witness {
        /// Nodes of the tries.
        nodes: Arc<NodeStore>,
        /// State root of the parent.
        parent_state_root: B256,
    },
    /// No proof: the pre-state is flat, and no root can be computed.
    None,
    /// No proof, since the block is merged from several. Only a sequential run gives the expected outcome.
    SequentialRun,
}

/// The outcome field of a receipt, beside gas and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// Success or failure (EIP-658, from Byzantium).
    Success,
    /// State root after each transaction, before Byzantium.
    Roots {
        /// Roots in block order.
        roots: Vec<B256>,
        /// Guesses that the roots depend on. A wrong guess can explain receipts that do not match.
        guesses: Vec<Guess>,
        /// Hashes of the trie nodes beside the paths of changes that the roots depend on.
        siblings: Vec<B256>,
    },
    /// State roots that cannot be computed, so receipts cannot be compared.
    UnknownRoots,
}

impl ReplayJob {
    /// As [`ReplayJob::take_access_list`].
    pub(super) fn with_access_list(mut self, given: &[u8]) -> Result<Self, PrepareError> {
        self.take_access_list(given)?;
        Ok(self)
    }

    /// Derives the access list where the header commits to one, and compares the list of a node with it. `given` is
    /// the RLP of that list, or empty.
    ///
    /// # Errors
    /// The block is invalid, the pre-state lacks a value that it reads, or the given list is not the block's.
    pub fn take_access_list(&mut self, given: &[u8]) -> Result<(), PrepareError> {
        if let Some(stated) = self.header.block_access_list_hash {
            self.access_list = Some(BlockAccessList::of(self, stated, given)?);
        }
        Ok(())
    }

    /// The block's own access list: the one with the header's hash.
    pub fn own_list(&self) -> Option<&OwnList> {
        self.access_list.as_ref()?.own.as_ref()
    }

    /// The inputs of the block's phases beside its transactions.
    pub fn context(&self) -> BlockContext<'_> {
        BlockContext {
            chain: &self.chain,
            header: &self.header,
            ommers: &self.ommers,
            withdrawals: self.withdrawals.as_deref(),
            env: &self.env,
        }
    }

    /// The pre-state for one execution, with every read still counted as a first read.
    pub fn storage(&self) -> Storage<'_> {
        Storage::slow(&self.pre_state, &self.indexed_state, self.state_latency)
    }

    /// The pre-state for one execution that loads all of it at once.
    pub fn storage_at_once(&self) -> Storage<'_> {
        Storage::at_once(&self.pre_state, &self.indexed_state, self.state_latency)
    }

    /// The pre-state without simulated latency, for untimed work.
    pub const fn instant_storage(&self) -> Storage<'_> {
        Storage::instant(&self.pre_state)
    }

    /// The newest fork that is active in this block.
    pub fn fork(&self) -> EthereumHardfork {
        self.chain.fork(&self.header)
    }

    /// Computes the state trie after these changes; `None` if the pre-state has no proof.
    ///
    /// Storage tries are computed in parallel on the current rayon pool. The result contains the tries, so that
    /// the caller can drop them outside a timer.
    ///
    /// # Errors
    /// The witness lacks a node that the new root depends on.
    pub fn trie_after(&self, post: &PostState) -> TrieAfter<'_> {
        self.trie_after_early(post, EarlyStorages::new())
    }

    /// As [`ReplayJob::trie_after`], with storage tries that were updated while the block ran.
    ///
    /// # Errors
    /// As [`ReplayJob::trie_after`].
    pub fn trie_after_early<'a>(
        &'a self,
        post: &PostState,
        early: EarlyStorages<'a>,
    ) -> TrieAfter<'a> {
        let trie = self.proved_state();
        trie.map(|trie| trie.root_after_early(post, early)).transpose()
    }

    /// The proved state before the block; `None` without a proof.
    pub fn proved_state(&self) -> Option<StateTrie<'_>> {
        match &self.proof {
            Proof::Witness { nodes, parent_state_root } => {
                Some(StateTrie::new(nodes, *parent_state_root))
            }
            Proof::None | Proof::SequentialRun => None,
        }
    }

    /// The root of [`ReplayJob::trie_after`], for untimed code.
    ///
    /// # Errors
    /// The errors of [`ReplayJob::trie_after`].
    pub fn root_after(&self, post: &PostState) -> Result<Option<B256>, TrieError> {
        Ok(self.trie_after(post)?.as_ref().map(UpdatedTrie::root))
    }
}
