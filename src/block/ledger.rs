//! Fully known states, and jobs for blocks on top of them.
//!
//! A [`FullState`] stores the trie nodes and codes of all its states in one heap. A state is identified by its
//! root, so blocks can fork from any of them. A test's block becomes a [`ReplayJob`] by the same steps as a
//! recorded block. Its witness is complete, so every access is proved and flattened, including absent accounts
//! and slots.

use super::{
    PrepareError, Proof, ReplayJob,
    open::{Before, OpenBlock},
    proved::Proved,
    walk::Walked,
};
use crate::{
    evm::FailedPhase,
    state::{AccountChange, AccountFields, PostState},
    trie::{NewNodes, NodeStore, StateTrie, TrieError},
};
use alloy_primitives::{
    Address, B256, Bytes, U256, keccak256,
    map::{B256Map, HashMap},
};
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use std::sync::Arc;

/// An account of a state that is defined directly, without executing blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundedAccount {
    /// Number of transactions sent, or of contracts that this contract created.
    pub nonce: u64,
    /// Balance in wei.
    pub balance: U256,
    /// Code, or empty if the account has none.
    pub code: Bytes,
    /// Slots in any order, each at most once. A zero value means that the slot is not set.
    pub slots: Vec<(U256, U256)>,
}

/// Trie nodes and codes of fully known states.
#[derive(Clone, Debug, Default)]
pub struct FullState {
    nodes: Arc<NodeStore>,
    codes: B256Map<Bytes>,
}

/// A block ready to execute, and the result of executing it once in block order.
#[derive(Debug)]
pub struct Rehearsal {
    /// Input for the executors. For an invalid block its pre-state covers the accesses before the failure.
    pub job: ReplayJob,
    /// Codes that the block deploys, or the reason that it is invalid.
    pub result: Result<Vec<Bytes>, FailedPhase>,
}

impl FullState {
    /// Adds the state with these accounts and returns its root. No address may occur twice.
    ///
    /// # Errors
    /// None in practice: a trie that is built from an empty one lacks no nodes.
    pub fn found(
        &mut self,
        accounts: impl IntoIterator<Item = (Address, FoundedAccount)>,
    ) -> Result<B256, TrieError> {
        let mut post = PostState::default();
        let mut codes = Vec::new();
        for (address, FoundedAccount { nonce, balance, code, mut slots }) in accounts {
            slots.sort_unstable();
            let account = Some(AccountFields { nonce, balance, code_hash: keccak256(&code) });
            post.accounts.push((address, AccountChange { account, storage_cleared: false, slots }));
            codes.push(code);
        }
        post.accounts.sort_unstable_by_key(|(address, _)| *address);
        let nothing = NodeStore::default();
        let trie = StateTrie::new(&nothing, EMPTY_ROOT_HASH).root_after(&post)?;
        let (root, made) = (trie.root(), trie.new_nodes());
        self.keep(made, codes);
        Ok(root)
    }

    /// Adds the results of a block: new trie nodes and deployed codes.
    pub fn keep(&mut self, made: NewNodes, codes: impl IntoIterator<Item = Bytes>) {
        Arc::make_mut(&mut self.nodes).absorb(made);
        self.codes.extend(codes.into_iter().map(|code| (keccak256(&code), code)));
    }

    /// An account of the state with this root; `None` if the account does not exist.
    ///
    /// # Errors
    /// The ledger does not contain that state.
    pub fn account(&self, root: B256, of: Address) -> Result<Option<TrieAccount>, TrieError> {
        StateTrie::new(&self.nodes, root).account(of)
    }

    /// A slot of the storage with this root; zero if it is not set. `of` is used in errors only.
    ///
    /// # Errors
    /// The ledger does not contain that storage.
    pub fn slot(&self, of: Address, storage_root: B256, slot: U256) -> Result<U256, TrieError> {
        // The state root is not needed, because the root of the storage is known.
        StateTrie::new(&self.nodes, EMPTY_ROOT_HASH).slot(of, storage_root, slot)
    }

    /// Executes a block once on the state with this root and makes a job of it. `ancestors` holds hashes by
    /// block number. Roots are computed on the current rayon pool.
    ///
    /// # Errors
    /// The block reads a value that the ledger does not contain. An invalid block is not an error: see
    /// [`Rehearsal::result`].
    pub fn rehearse(
        &self,
        block: OpenBlock,
        parent_state_root: B256,
        ancestors: HashMap<u64, B256>,
    ) -> Result<Rehearsal, PrepareError> {
        let trie = StateTrie::new(&self.nodes, parent_state_root);
        let Walked { pre_state, receipt_status, result } =
            block.walk(Proved::new(trie, &self.codes, ancestors))?;
        let proof = Proof::Witness { nodes: self.nodes.clone(), parent_state_root };
        let job = block.into_job(Before { pre_state, proof, receipt_status });
        // An invalid block has no list to compare.
        let job = if result.is_ok() { job.with_access_list(&[])? } else { job };
        Ok(Rehearsal { job, result: result.map(|executed| executed.codes) })
    }
}
