//! Malicious witnesses, and executors that panic or hang. Each gives a clear error in bounded time, and the
//! next block is still executed.

use crate::support::world;

use alloy_consensus::{Block, BlockBody, EMPTY_OMMER_ROOT_HASH, Header};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::{Encodable, Header as RlpHeader};
use blockrace::{
    block::{PrepareError, RecordedBlock, RecordedState, ReplayJob, Witness, check_reach, prepare},
    execution::{ExecuteError, Execution, Executor},
    executors::{ExecutorKind, execute_contained},
    threads::{Watchdog, WatchdogError, WorkerPool},
    trie::{MAX_NODE_BYTES, Malformed, NodeError, NodeStore, StateTrie, TrieError},
};
use std::{
    num::NonZeroUsize,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};
use world::{Deed, Place, Tx, World};

const ALICE: Address = Address::repeat_byte(0xa1);

/// An RLP list of encoded items.
fn list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut out = Vec::new();
    RlpHeader { list: true, payload_length: payload.len() }.encode(&mut out);
    out.extend(payload);
    out
}

fn string(bytes: &[u8]) -> Vec<u8> {
    alloy_rlp::encode(bytes)
}

/// A branch with the same child at every nibble.
fn branch(child: &[u8]) -> Vec<u8> {
    let mut items = vec![string(child); 16];
    items.push(string(&[]));
    list(&items)
}

/// A leaf with the rest of Alice's key after `depth` nibbles as its path.
fn leaf(depth: usize, value: &[u8]) -> Vec<u8> {
    let key = keccak256(ALICE);
    let nibbles = key.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).skip(depth);
    let nibbles: Vec<_> = nibbles.collect();
    let mut path = match nibbles.len() % 2 {
        0 => vec![0x20],
        _ => vec![0x30 | nibbles[0]],
    };
    let rest = &nibbles[nibbles.len() % 2..];
    path.extend(rest.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    list(&[string(&path), string(value)])
}

/// Looks up Alice in a trie of these nodes. The first node is the root.
fn alice(nodes: Vec<Vec<u8>>) -> Result<(), NodeError> {
    let root = keccak256(&nodes[0]);
    let store = NodeStore::new(nodes.into_iter().map(Bytes::from)).expect("no node is too large");
    match StateTrie::new(&store, root).account(ALICE) {
        Ok(_) => Ok(()),
        Err(TrieError::Account { source, .. }) => Err(*source),
        Err(other) => panic!("{other}"),
    }
}

#[track_caller]
fn assert_malformed(nodes: Vec<Vec<u8>>, expected: impl Fn(&Malformed) -> bool) {
    match alice(nodes) {
        Err(NodeError::Malformed { source, .. }) if expected(&source) => {}
        other => panic!("{other:?}"),
    }
}

/// A node cannot contain its own hash, so paths are finite. The longest path, with one child for every nibble
/// of a branch, ends at the depth where keys end.
#[test]
fn a_chain_of_nodes_ends_at_the_depth_of_keys() {
    let mut nodes = vec![branch(&[0x11; 32])];
    for _ in 0..200 {
        let child = keccak256(nodes.last().expect("there is one"));
        nodes.push(branch(child.as_slice()));
    }
    nodes.reverse();
    assert_malformed(nodes, |reason| matches!(reason, Malformed::BranchTooDeep));
}

#[test]
fn huge_values_and_wrong_parities_and_embedded_nodes_are_refused() {
    assert_malformed(vec![leaf(0, &vec![7; 60_000])], |reason| {
        matches!(reason, Malformed::Account(_))
    });
    // A leaf for depth 1 at depth 0, and a leaf for depth 0 at depth 1.
    assert_malformed(vec![leaf(1, &[1])], |reason| matches!(reason, Malformed::PathLength { .. }));
    let below = leaf(0, &[1; 40]);
    let above = branch(keccak256(&below).as_slice());
    assert_malformed(vec![above, below], |reason| matches!(reason, Malformed::PathLength { .. }));
    // A node of 32 bytes or more that is embedded in its parent.
    let mut items = vec![leaf(1, &[1; 40]); 16];
    items.push(string(&[]));
    assert_malformed(vec![list(&items)], |reason| {
        matches!(reason, Malformed::EmbeddedTooLong { .. })
    });
    // Extensions embedded in extensions on Alice's path, as many as fit. The leaf ends too early.
    let mut nested = list(&[string(&[0x20]), string(&[1])]);
    for depth in (0..8).rev() {
        let byte = keccak256(ALICE)[depth / 2];
        let nibble = if depth % 2 == 0 { byte >> 4 } else { byte & 0xf };
        nested = list(&[string(&[0x10 | nibble]), nested]);
    }
    assert_malformed(vec![nested], |reason| matches!(reason, Malformed::PathLength { .. }));
}

/// If a witness has two leaves for one path, the leaf with the hash in its parent counts.
#[test]
fn the_leaf_referred_to_by_hash_counts_for_its_path() {
    let account = |nonce: u64| {
        let account = alloy_trie::TrieAccount { nonce, ..Default::default() };
        leaf(0, &alloy_rlp::encode(account))
    };
    let (one, other) = (account(1), account(2));
    for (root, nonce) in [(&one, 1), (&other, 2)] {
        let nodes = [one.clone(), other.clone()].map(Bytes::from);
        let store = NodeStore::new(nodes).expect("no node is too large");
        let found = StateTrie::new(&store, keccak256(root)).account(ALICE);
        assert_eq!(found.expect("it is proved").map(|account| account.nonce), Some(nonce));
    }
}

/// A block without transactions on a parent with this state root.
fn empty_block(state_root: B256, nodes: Vec<Bytes>) -> RecordedBlock {
    let parent = Header { number: 99, state_root, ..Default::default() };
    let header = Header {
        number: 100,
        parent_hash: parent.hash_slow(),
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        transactions_root: alloy_trie::EMPTY_ROOT_HASH,
        ..Default::default()
    };
    let headers = vec![alloy_rlp::encode(&parent).into()];
    let witness = Witness { nodes, headers, ..Default::default() };
    let block = Block { header, body: BlockBody::default() };
    RecordedBlock::new(1, block, RecordedState::Witness(witness))
}

#[test]
fn an_oversized_node_is_refused() {
    let recorded = empty_block(B256::ZERO, vec![vec![0; MAX_NODE_BYTES + 1].into()]);
    let error = prepare(recorded, |_| ()).expect_err("it is too large");
    assert!(matches!(error, PrepareError::Nodes(TrieError::OversizedNode { index: 0, .. })));
}

#[test]
fn a_million_unneeded_nodes_take_seconds_and_are_reported() {
    let junk = (0..1_000_000_u32).map(|index| Bytes::copy_from_slice(&index.to_be_bytes()));
    let recorded = empty_block(alloy_trie::EMPTY_ROOT_HASH, junk.collect());
    let start = Instant::now();
    let RecordedState::Witness(witness) = &recorded.state else { panic!("it has a witness") };
    let error = check_reach(&recorded.block.header, witness).expect_err("no path reaches them");
    assert!(error.to_string().contains("does not belong"), "{error}");
    prepare(recorded, |_| ()).expect("no path reaches them");
    assert!(start.elapsed() < Duration::from_secs(60), "{:?}", start.elapsed());
}

fn call(from: u8, contract: u8) -> Tx {
    Tx { from, deed: Deed::Call(Place::Contract(contract), 0), tip: 0 }
}

/// An executor that panics on its calling thread.
#[derive(Debug)]
struct Panics;

impl Executor for Panics {
    fn execute(&self, _: &ReplayJob, _: &WorkerPool) -> Result<Execution, ExecuteError> {
        panic!("on purpose")
    }
}

/// An executor with one worker that never returns.
#[derive(Debug)]
struct Hangs;

impl Executor for Hangs {
    fn execute(&self, _: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        pool.run_on_all(|| {
            loop {
                thread::park();
            }
        });
        Err(ExecuteError::Engine { executor: "hangs" })
    }
}

/// The work for a guard to watch.
fn on(
    executor: &'static dyn Executor,
    job: &Arc<ReplayJob>,
) -> impl FnOnce(&WorkerPool) -> Result<Execution, ExecuteError> + Send + 'static {
    let job = job.clone();
    move |pool| executor.execute(&job, pool)
}

#[test]
fn an_executor_that_panics_or_hangs_fails_its_block_only() {
    let world = World { txs: vec![call(0, 0)], ..World::default() };
    let job = Arc::new(world.rehearse().job);
    let threads = NonZeroUsize::new(2).expect("not zero");
    // On a busy machine, even a panic with its backtrace takes a while.
    let mut guard = Watchdog::new(threads, Duration::from_secs(5)).expect("threads are available");
    let baseline = ExecutorKind::SEQUENTIAL;

    let panicked = guard.run(on(&Panics, &job)).expect_err("it panics");
    let said = matches!(&panicked, WatchdogError::Panicked { message } if message == "on purpose");
    assert!(said, "{panicked}");
    execute_contained(&mut guard, baseline, &job).expect("the next block is executed");

    let hung = guard.run(on(&Hangs, &job)).expect_err("it hangs");
    assert!(matches!(hung, WatchdogError::TimedOut { .. }), "{hung}");
    execute_contained(&mut guard, baseline, &job).expect("the next block is executed");
}

#[test]
fn accounts_with_oversized_numbers_are_refused() {
    let mut value = Vec::new();
    U256::MAX.encode(&mut value);
    assert_malformed(vec![leaf(0, &value)], |reason| matches!(reason, Malformed::Account(_)));
}
