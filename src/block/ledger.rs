//! States that are known in full, and jobs made of blocks on top of them.
//!
//! A [`Ledger`] keeps the trie nodes and codes of every state it was told of, as one heap: a state is
//! its root, and blocks that fork off anywhere find theirs. So a test's block becomes a
//! [`ReplayJob`] by the very way of a real one, over a witness that lacks nothing: what it touches is
//! proved, listed and flattened, and absence is proved as presence is.

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

/// An account of a state that is founded, not reached by blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundedAccount {
    /// Transactions sent, or contracts created by a contract.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Empty where there is none.
    pub code: Bytes,
    /// Slots in any order, each once; a zero is as good as none.
    pub slots: Vec<(U256, U256)>,
}

/// Nodes and codes of states that are known in full.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    nodes: Arc<NodeStore>,
    codes: B256Map<Bytes>,
}

/// A block ready to execute, and what executing it once in order showed.
#[derive(Debug)]
pub struct Rehearsal {
    /// For the executors. Of an invalid block it lists what was touched until the block failed.
    pub job: ReplayJob,
    /// Codes that the block leaves behind, or why it is invalid.
    pub result: Result<Vec<Bytes>, FailedPhase>,
}

impl Ledger {
    /// Adds the state of these accounts, of which no address may come twice. Returns its root.
    ///
    /// # Errors
    /// Never, in practice: a trie that is made from nothing lacks no node.
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

    /// Adds what a block made: new nodes of the tries after it, and the codes it left.
    pub fn keep(&mut self, made: NewNodes, codes: impl IntoIterator<Item = Bytes>) {
        Arc::make_mut(&mut self.nodes).absorb(made);
        self.codes.extend(codes.into_iter().map(|code| (keccak256(&code), code)));
    }

    /// An account of the state with this root; `None` if it has none there.
    ///
    /// # Errors
    /// If the ledger was never told of that state.
    pub fn account(&self, root: B256, of: Address) -> Result<Option<TrieAccount>, TrieError> {
        StateTrie::new(&self.nodes, root).account(of)
    }

    /// Makes a job of a block whose parent has this state root, executing it once. `ancestors` are hashes
    /// by block number. Roots are computed on the rayon pool that this is called in.
    ///
    /// # Errors
    /// If the block reads what the ledger was never told of. That it is invalid is a result.
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
        Ok(Rehearsal { job, result })
    }
}
