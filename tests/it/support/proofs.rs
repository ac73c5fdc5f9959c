//! A node without execution witnesses: recorded blocks, proved by `eth_getProof`.
//!
//! The proofs come from complete recorded witnesses. alloy-trie's hash builder computes them, not the tries of
//! this crate. The state before a block is recorded, and the state after it includes the block's changes. Both
//! roots are compared with the headers, so the proofs equal those of an archive node.

use alloy_consensus::Header;
use alloy_eips::{
    eip2935::HISTORY_STORAGE_ADDRESS, eip4788::BEACON_ROOTS_ADDRESS,
    eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    eip7251::CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
};
use alloy_primitives::{
    Address, B256, Bytes, U64, U256, keccak256,
    map::{AddressMap, B256Map, HashMap},
};
use alloy_rlp::Decodable;
use alloy_trie::{
    EMPTY_ROOT_HASH, HashBuilder, Nibbles, TrieAccount,
    nodes::{RlpNode, TrieNode},
    proof::{ProofNodes, ProofRetainer},
};
use blockrace::{
    block::{Proof, RecordedBlock, ReplayJob, prepare},
    execution::Executor as _,
    executors::Sequential,
    state::PostState,
    threads::WorkerPool,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

use crate::support::witness_of;

/// An entry of a trie: the value of a key, or the hash of a subtree.
#[derive(Clone)]
enum Entry {
    Leaf(Vec<u8>),
    Hash(B256),
}

type Entries = BTreeMap<Nibbles, Entry>;

/// Proofs of one state.
#[derive(Default)]
struct State {
    root: B256,
    accounts: ProofNodes,
    leaves: AddressMap<TrieAccount>,
    storages: AddressMap<ProofNodes>,
    values: HashMap<(Address, U256), U256>,
}

/// Answers calls about one block, its parent's state and its own state.
pub(crate) struct ProvedBlock {
    number: u64,
    headers: Vec<Header>,
    codes: B256Map<Bytes>,
    trace: Value,
    before: State,
    after: State,
}

impl ProvedBlock {
    pub(crate) fn new(recorded: RecordedBlock, pool: &WorkerPool) -> Self {
        let number = recorded.block.header.number;
        let witness = witness_of(&recorded);
        let nodes: B256Map<_> =
            witness.nodes.iter().map(|rlp| (keccak256(rlp), rlp.clone())).collect();
        let codes = witness.codes.iter().map(|code| (keccak256(code), code.clone())).collect();
        let headers = witness.headers.iter();
        let headers = headers.map(|rlp| Header::decode(&mut rlp.as_ref()).expect("a header"));
        let headers = headers.collect();
        let job = prepare(recorded, |_| ()).expect("the recorded block is proved");
        let post = Sequential.execute(&job, pool).expect("it executes").outcome.post_state;
        let (before, after) = states(&nodes, &job, &post);
        Self { number, headers, codes, trace: trace(&job), before, after }
    }

    pub(crate) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the tag refers to this block instead of its parent.
    pub(crate) fn is_own(&self, at: &Value) -> bool {
        tag(at) == Some(self.number)
    }

    /// Answers a call about this block.
    pub(crate) fn answer(&self, method: &str, params: &Value) -> Option<Value> {
        match method {
            "debug_traceBlockByNumber" => {
                (tag(&params[0]) == Some(self.number)).then(|| self.trace.clone())
            }
            "eth_getProof" => self.state(&params[2]).map(|state| state.proof(params)),
            "eth_getCode" => self.state(&params[1]).map(|state| {
                let hash = state.leaves.get(&address(&params[0])).map(|account| account.code_hash);
                json!(hash.and_then(|hash| self.codes.get(&hash).cloned()).unwrap_or_default())
            }),
            "eth_getBlockByHash" | "eth_getBlockByNumber" => {
                let is_it = |header: &&Header| {
                    tag(&params[0]) == Some(header.number) || json!(header.hash_slow()) == params[0]
                };
                (params[1] == false).then(|| self.headers.iter().find(is_it).map(|h| json!(h)))?
            }
            _ => None,
        }
    }

    fn state(&self, at: &Value) -> Option<&State> {
        match tag(at)? {
            number if number == self.number => Some(&self.after),
            number if number + 1 == self.number => Some(&self.before),
            _ => None,
        }
    }
}

impl State {
    fn proof(&self, params: &Value) -> Value {
        let address = address(&params[0]);
        let account = self.leaves.get(&address).copied().unwrap_or_default();
        let slots: Vec<U256> = serde_json::from_value(params[1].clone()).expect("slots");
        let storage = self.storages.get(&address).cloned().unwrap_or_default();
        let slot_proofs = slots.iter().map(|slot| {
            let value = self.values.get(&(address, *slot)).copied().unwrap_or_default();
            json!({"key": slot, "value": value, "proof": path(&storage, B256::from(*slot))})
        });
        json!({
            "address": address,
            "codeHash": account.code_hash,
            "storageHash": account.storage_root,
            "accountProof": path(&self.accounts, address),
            "storageProof": slot_proofs.collect::<Vec<_>>(),
        })
    }
}

fn tag(tag: &Value) -> Option<u64> {
    serde_json::from_value::<U64>(tag.clone()).ok().map(|number| number.to())
}

fn address(address: &Value) -> Address {
    serde_json::from_value(address.clone()).expect("an address")
}

fn path(proofs: &ProofNodes, key: impl AsRef<[u8]>) -> Vec<Bytes> {
    let nodes = proofs.matching_nodes_sorted(&Nibbles::unpack(keccak256(key)));
    nodes.into_iter().map(|(_, rlp)| rlp).collect()
}

/// The reply of a tracer. It lists accounts that exist, but not those that only system calls or the
/// beneficiary's reward touch.
fn trace(job: &ReplayJob) -> Value {
    let left_out = [
        BEACON_ROOTS_ADDRESS,
        HISTORY_STORAGE_ADDRESS,
        WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
        CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
        job.header.beneficiary,
    ];
    let accounts = job.pre_state.accounts.iter();
    let accounts =
        accounts.filter(|(of, account)| account.info.is_some() && !left_out.contains(of));
    let state: serde_json::Map<_, _> = accounts
        .map(|(address, account)| {
            let slot = |(slot, value): (&U256, &U256)| {
                (B256::from(*slot).to_string(), json!(B256::from(*value)))
            };
            let slots: serde_json::Map<_, _> = account.slots.iter().map(slot).collect();
            (address.to_string(), json!({"storage": slots}))
        })
        .collect();
    json!([{"result": state}])
}

/// The states before and after a block, with proofs of all accessed state.
fn states(nodes: &B256Map<Bytes>, job: &ReplayJob, post: &PostState) -> (State, State) {
    let mut accounts = Entries::new();
    let Proof::Witness { parent_state_root, .. } = job.proof else { panic!("it has a witness") };
    collect(nodes, parent_state_root, &mut accounts);
    let touched: Vec<_> = job.pre_state.accounts.keys().map(account_key).collect();
    let before = state_before(nodes, job, &accounts, touched.clone());
    let after = state_after(nodes, &before, post, &mut accounts, touched);
    assert_eq!(before.root, parent_state_root);
    assert_eq!(after.root, job.header.state_root, "block {}", job.header.number);
    (before, after)
}

fn state_before(
    nodes: &B256Map<Bytes>,
    job: &ReplayJob,
    accounts: &Entries,
    touched: Vec<Nibbles>,
) -> State {
    let (root, proofs) = prove(accounts, touched);
    let mut state = State { root, accounts: proofs, ..State::default() };
    for (address, account) in &job.pre_state.accounts {
        let Some(Entry::Leaf(leaf)) = accounts.get(&account_key(address)) else { continue };
        let leaf = TrieAccount::decode(&mut leaf.as_slice()).expect("an account");
        let mut slots = Entries::new();
        collect(nodes, leaf.storage_root, &mut slots);
        let (root, proofs) =
            prove(&slots, account.slots.keys().map(|slot| slot_key(*slot)).collect());
        assert_eq!(root, leaf.storage_root, "storage of {address}");
        state.leaves.insert(*address, leaf);
        state.storages.insert(*address, proofs);
        state.values.extend(account.slots.iter().map(|(slot, value)| ((*address, *slot), *value)));
    }
    state
}

fn state_after(
    nodes: &B256Map<Bytes>,
    before: &State,
    post: &PostState,
    accounts: &mut Entries,
    touched: Vec<Nibbles>,
) -> State {
    let mut state = State { leaves: before.leaves.clone(), ..State::default() };
    for (address, change) in &post.accounts {
        let Some(fields) = change.account else {
            accounts.remove(&account_key(address));
            state.leaves.remove(address);
            continue;
        };
        let root = match before.leaves.get(address) {
            Some(leaf) if !change.storage_cleared => leaf.storage_root,
            _ => EMPTY_ROOT_HASH,
        };
        let (storage_root, proofs) = storage_after(nodes, root, &change.slots);
        state.storages.insert(*address, proofs);
        let leaf = TrieAccount::new(fields.nonce, fields.balance, storage_root, fields.code_hash);
        accounts.insert(account_key(address), Entry::Leaf(alloy_rlp::encode(leaf)));
        state.leaves.insert(*address, leaf);
    }
    (state.root, state.accounts) = prove(accounts, touched);
    state
}

fn storage_after(
    nodes: &B256Map<Bytes>,
    root: B256,
    changed: &[(U256, U256)],
) -> (B256, ProofNodes) {
    let mut slots = Entries::new();
    collect(nodes, root, &mut slots);
    for (slot, value) in changed {
        match value.is_zero() {
            true => slots.remove(&slot_key(*slot)),
            false => slots.insert(slot_key(*slot), Entry::Leaf(alloy_rlp::encode(value))),
        };
    }
    prove(&slots, changed.iter().map(|(slot, _)| slot_key(*slot)).collect())
}

fn account_key(address: &Address) -> Nibbles {
    Nibbles::unpack(keccak256(address))
}

fn slot_key(slot: U256) -> Nibbles {
    Nibbles::unpack(keccak256(B256::from(slot)))
}

/// The root over these entries and the nodes on the paths to `keys`.
fn prove(entries: &Entries, keys: Vec<Nibbles>) -> (B256, ProofNodes) {
    let mut builder = HashBuilder::default().with_proof_retainer(ProofRetainer::new(keys));
    for (path, entry) in entries {
        match entry {
            Entry::Leaf(value) => builder.add_leaf(*path, value),
            Entry::Hash(hash) => builder.add_branch(*path, *hash, false),
        }
    }
    (builder.root(), builder.take_proof_nodes())
}

/// Everything that a witness contains of the trie with this root.
fn collect(nodes: &B256Map<Bytes>, root: B256, entries: &mut Entries) {
    if root != EMPTY_ROOT_HASH {
        collect_below(nodes, &RlpNode::word_rlp(&root), Nibbles::new(), entries);
    }
}

fn collect_below(nodes: &B256Map<Bytes>, node: &RlpNode, path: Nibbles, entries: &mut Entries) {
    let rlp = match node.as_hash() {
        None => Bytes::copy_from_slice(node),
        Some(hash) => match nodes.get(&hash) {
            Some(rlp) => rlp.clone(),
            None => {
                entries.insert(path, Entry::Hash(hash));
                return;
            }
        },
    };
    match TrieNode::decode(&mut rlp.as_ref()).expect("a node") {
        TrieNode::Leaf(leaf) => {
            entries.insert(path.join(&leaf.key), Entry::Leaf(leaf.value));
        }
        TrieNode::Extension(extension) => {
            collect_below(nodes, &extension.child, path.join(&extension.key), entries);
        }
        TrieNode::Branch(branch) => {
            let occupied = (0..16).filter(|nibble| branch.state_mask.is_bit_set(*nibble));
            for (nibble, child) in occupied.zip(&branch.stack) {
                let path = path.join(&Nibbles::from_nibbles([nibble]));
                collect_below(nodes, child, path, entries);
            }
        }
        TrieNode::EmptyRoot => {}
    }
}
