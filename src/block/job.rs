//! What every executor gets.

use crate::{
    evm::{BlockContext, Chain, EvmEnv},
    state::{NumberedState, PostState, PreState, Storage},
    trie::{Guess, NodeStore, StateTrie, TrieError, UpdatedTrie},
};
use alloy_consensus::{Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::EthereumHardfork;
use alloy_primitives::B256;
use std::{sync::Arc, time::Duration};

/// A block ready to execute: all that is left is the work that executors are timed for.
#[derive(Debug)]
pub struct ReplayJob {
    /// Whose rules hold.
    pub chain: Chain,
    /// Keccak-256 of the header.
    pub hash: B256,
    /// The block's header.
    pub header: Header,
    /// Transactions in block order, with their senders.
    pub transactions: Vec<Recovered<TxEnvelope>>,
    /// Headers of ommers.
    pub ommers: Vec<Header>,
    /// Withdrawals (EIP-4895); `None` before Shanghai.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// The EVM's environment at this header.
    pub env: EvmEnv,
    /// All that the block reads.
    pub pre_state: PreState,
    /// The same, numbered.
    pub numbered_state: NumberedState,
    /// How long a first read of the pre-state takes; zero where it is not to be slowed.
    pub state_latency: Duration,
    /// What proves the pre-state.
    pub proof: Proof,
    /// What receipts say of how their transaction ended.
    pub receipt_status: ReceiptStatus,
}

/// What proves a pre-state, and the state root after the block with it.
#[derive(Debug)]
pub enum Proof {
    /// The tries that it is part of.
    Witness {
        /// Their nodes.
        nodes: Arc<NodeStore>,
        /// State root of the parent.
        parent_state_root: B256,
    },
    /// Nothing: the pre-state came flat, and no root can be computed.
    None,
}

/// What receipts hold beside gas and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptStatus {
    /// Success or failure (EIP-658, from Byzantium).
    Success,
    /// Before: the state root after each transaction.
    Roots {
        /// In block order.
        roots: Vec<B256>,
        /// What had to be guessed for them. If the receipts do not match, then one of these may be why.
        guesses: Vec<Guess>,
    },
    /// The same, where no root can be computed, so that receipts cannot be compared.
    UnknownRoots,
}

impl ReplayJob {
    /// What the block's phases need besides its transactions.
    pub fn context(&self) -> BlockContext<'_> {
        BlockContext {
            chain: &self.chain,
            header: &self.header,
            ommers: &self.ommers,
            withdrawals: self.withdrawals.as_deref(),
            env: &self.env,
        }
    }

    /// The pre-state for one execution: nothing of it has been read yet.
    pub fn storage(&self) -> Storage<'_> {
        Storage::slow(&self.pre_state, &self.numbered_state, self.state_latency)
    }

    /// The pre-state without its latency, for what is not timed.
    pub const fn instant_storage(&self) -> Storage<'_> {
        Storage::instant(&self.pre_state)
    }

    /// The newest fork that is active in this block.
    pub fn fork(&self) -> EthereumHardfork {
        self.chain.fork(&self.header)
    }

    /// The state trie that follows from the pre-state and these changes; `None` where the pre-state has
    /// no proof. Storage tries are computed
    /// in parallel on the rayon pool that this is called in. The tries come along, so that they can be
    /// dropped outside a timer.
    ///
    /// # Errors
    /// Where the witness lacks a node that the new root depends on.
    pub fn trie_after(&self, post: &PostState) -> Result<Option<UpdatedTrie<'_>>, TrieError> {
        match &self.proof {
            Proof::Witness { nodes, parent_state_root } => {
                StateTrie::new(nodes, *parent_state_root).root_after(post).map(Some)
            }
            Proof::None => Ok(None),
        }
    }

    /// The root of [`ReplayJob::trie_after`] alone, where nobody times it.
    ///
    /// # Errors
    /// As there.
    pub fn root_after(&self, post: &PostState) -> Result<Option<B256>, TrieError> {
        Ok(self.trie_after(post)?.as_ref().map(UpdatedTrie::root))
    }
}
