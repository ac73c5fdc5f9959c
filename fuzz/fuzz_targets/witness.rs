//! Fuzzes whole blocks that are executed over arbitrary witnesses.
//!
//! A fuzzer cannot find hashes. So this target makes the header commit to the body and a parent, and the parent
//! to a node. Everything else comes from the input.

#![no_main]

use alloy_consensus::{Header, proofs};
use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable as _;
use blockrace::{
    block::{RecordedBlock, RecordedState, ReplayJob, Witness, prepare},
    execution::Executor as _,
    executors::{BlockStm, Sequential},
    threads::WorkerPool,
};
use blockrace_fuzz::block;
use libfuzzer_sys::fuzz_target;
use std::{num::NonZeroUsize, sync::LazyLock};

/// Enough gas for every instruction, but too little for a long loop.
const MOST_GAS: u64 = 3_000_000;

static POOL: LazyLock<WorkerPool> =
    LazyLock::new(|| WorkerPool::new(NonZeroUsize::MIN).expect("a thread can be started"));

fuzz_target!(|content: &[u8]| {
    let Some(mut recorded) = block(content) else { return };
    commit_to_body(&mut recorded);
    if let RecordedState::Witness(mut witness) = recorded.state {
        commit_to_witness(&mut recorded.block.header, &mut witness);
        recorded.state = RecordedState::Witness(witness);
    }
    let Ok(job) = POOL.install(|| prepare(recorded, |_| ())) else { return };
    run(&job);
});

fn commit_to_body(recorded: &mut RecordedBlock) {
    let block = &mut recorded.block;
    block.header.transactions_root = proofs::calculate_transaction_root(&block.body.transactions);
    block.header.ommers_hash = proofs::calculate_ommers_root(&block.body.ommers);
    let withdrawals = block.body.withdrawals.as_deref();
    block.header.withdrawals_root =
        withdrawals.map(|list| proofs::calculate_withdrawals_root(list));
    block.header.gas_limit = block.header.gas_limit.min(MOST_GAS);
}

fn commit_to_witness(header: &mut Header, witness: &mut Witness) {
    let parent = witness.headers.pop().and_then(|rlp| Header::decode(&mut rlp.as_ref()).ok());
    let mut parent = parent.unwrap_or_default();
    parent.number = header.number.saturating_sub(1);
    let roots: Vec<_> = witness.nodes.iter().map(keccak256).collect();
    if !roots.contains(&parent.state_root) {
        parent.state_root = roots.first().copied().unwrap_or(B256::ZERO);
    }
    header.parent_hash = parent.hash_slow();
    witness.headers.push(alloy_rlp::encode(&parent).into());
}

/// Both executors must agree, and the root may fail but not panic.
fn run(job: &ReplayJob) {
    let in_order = Sequential.execute(job, &POOL);
    let parallel = BlockStm::Always.execute(job, &POOL);
    match (in_order, parallel) {
        (Ok(in_order), Ok(parallel)) => {
            assert_eq!(in_order.outcome, parallel.outcome);
            let _ = job.trie_after(&in_order.outcome.post_state);
        }
        (Err(_), Err(_)) => {}
        (in_order, parallel) => panic!("{in_order:?} in order, and {parallel:?}"),
    }
}
