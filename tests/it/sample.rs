//! The built-in sample: its documented properties and its verification.

use crate::support::{assert_code, blockrace, cached_sample, stderr, stdout};
use alloy_consensus::{Transaction as _, TxType};
use alloy_primitives::{B256, Log, TxKind, keccak256};
use blockrace::{
    block::{RecordedBlock, ReplayJob, prepare},
    cache::sample,
    execution::{BlockOutcome, Executor as _},
    executors::{ExecutorKind, Sequential},
    threads::WorkerPool,
    verify::{Verdict, verify_and_reduce, verify_block},
};
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    path::Path,
    process::{Command, Output, Stdio},
};

fn blocks() -> Vec<RecordedBlock> {
    sample().expect("the sample is valid")
}

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("not zero");
    WorkerPool::new(threads).expect("threads are available")
}

/// Every block with the outcome of its execution.
fn executed() -> Vec<(ReplayJob, BlockOutcome)> {
    let (executor, pool) = (&Sequential, pool(1));
    let run = |recorded| {
        let job = prepare(recorded, |_| ()).expect("the block is proved");
        let outcome = executor.execute(&job, &pool).expect("the block is valid").outcome;
        (job, outcome)
    };
    blocks().into_iter().map(run).collect()
}

#[test]
fn every_block_matches_to_the_state_root_with_every_executor() {
    let pool = pool(4);
    for kind in ExecutorKind::BUILT_IN {
        for recorded in blocks() {
            let number = recorded.block.header.number;
            let (_, verdict) =
                verify_block(recorded, kind, &pool, |_| ()).expect("the block is proved");
            assert_eq!(verdict, Verdict::Match, "block {number} with {kind}");
        }
    }
}

#[test]
fn the_sample_holds_what_its_blocks_need_in_the_order_of_stored_blocks() {
    let pool = pool(2);
    for recorded in blocks() {
        let verified = verify_and_reduce(recorded.clone(), &pool, |_| ());
        let (_, _, reduced) = verified.expect("the block is proved");
        assert!(reduced.recorded == recorded, "block {}", recorded.block.header.number);
    }
}

#[test]
fn the_sample_is_a_chain_of_at_least_24_blocks_of_100_to_300_transactions() {
    let blocks = blocks();
    assert!(blocks.len() >= 24, "{} blocks", blocks.len());
    for pair in blocks.windows(2) {
        assert_eq!(pair[1].block.header.parent_hash, pair[0].block.header.hash_slow());
    }
    for RecordedBlock { block, .. } in &blocks {
        let (number, gas) = (block.header.number, block.header.gas_used);
        let transactions = block.body.transactions.len();
        assert!((100..=300).contains(&transactions), "block {number}: {transactions}");
        assert!((9_000_000..=30_000_000).contains(&gas), "block {number}: {gas} gas");
    }
}

/// Whether the log is this event of a contract in `data/sample/contracts`.
fn emits(log: &Log, event: &str) -> bool {
    log.topics().first() == Some(&keccak256(event))
}

#[test]
fn the_sample_has_a_mix_of_transactions_like_mainnet() {
    let executed = executed();
    let count = |is: &dyn Fn(&Log) -> bool| {
        let receipts = executed.iter().flat_map(|(_, outcome)| &outcome.receipts);
        receipts.flat_map(|receipt| &receipt.logs).filter(|log| is(log)).count()
    };
    let token_transfer = |log: &Log| emits(log, "Transfer(address,address,uint256)");
    let from_zero_address = |log: &Log| log.topics().get(1) == Some(&B256::ZERO);
    assert!(count(&|log| token_transfer(log) && log.topics().len() == 3) > 2_000, "ERC-20");
    assert!(count(&|log| token_transfer(log) && from_zero_address(log)) > 300, "NFT mints");
    assert!(count(&|log| emits(log, "Swap(address,address,bool,uint256,uint256)")) > 1_000);
    assert!(count(&|log| emits(log, "Opened(address,address)")) > 50, "CREATE2");
    assert!(count(&|log| emits(log, "Settled(bytes32,address,address)")) > 300);

    let transactions = || executed.iter().flat_map(|(job, _)| &job.transactions);
    let typed = |kind| transactions().filter(|tx| tx.tx_type() == kind).count();
    assert!(typed(TxType::Eip7702) > 50);
    assert!(typed(TxType::Legacy) > 300);
    assert!(transactions().filter(|tx| tx.kind() == TxKind::Create).count() > 5);
    let plain = transactions().filter(|tx| tx.input().is_empty()).count();
    assert!((800..2_000).contains(&plain), "{plain} plain transfers");
    let receipts = || executed.iter().flat_map(|(_, outcome)| &outcome.receipts);
    let failed = receipts().filter(|receipt| !receipt.success).count();
    assert!(receipts().count() / failed < 50, "{failed} of {} fail", receipts().count());
}

#[test]
fn the_sample_calls_many_precompiles() {
    let executed = executed();
    let receipts = executed.iter().flat_map(|(_, outcome)| &outcome.receipts);
    let logs = receipts.flat_map(|receipt| &receipt.logs);
    let proved = logs.filter(|log| emits(log, "Proved(address,bytes32)"));
    let precompiles: BTreeSet<_> = proved.filter_map(|log| log.topics().get(1)).collect();
    assert!(precompiles.len() >= 9, "{precompiles:?}");
}

/// Runs `blockrace` without `--cache-dir`, for a user with this empty home.
fn at_home(home: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    command.args(arguments).env("HOME", home).env("XDG_CACHE_HOME", home.join("caches"));
    command.env_remove("BLOCKRACE_CACHE_DIR").stdin(Stdio::null());
    command.output().expect("the command starts")
}

#[test]
fn an_empty_cache_selects_the_sample_with_a_notice() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let json = home.path().join("results.json");
    let path = json.to_str().expect("a temporary path is text");
    let few = ["--iterations", "1", "--warmup", "0", "--threads", "2", "--json", path];
    let output = at_home(home.path(), &[&["replay"], &few[..]].concat());
    assert_code(&output, 0);
    for part in ["built-in sample", "anvil", "blockrace fetch"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    let report = std::fs::read_to_string(&json).expect("the results are there");
    let report: serde_json::Value = serde_json::from_str(&report).expect("the results are JSON");
    let blocks = report["settings"]["blocks"].as_str().expect("the settings name the blocks");
    assert!(blocks.starts_with("built-in sample: 24 blocks"), "{blocks}");
}

#[test]
fn verify_checks_the_sample_if_the_cache_is_empty() {
    let home = tempfile::tempdir().expect("a temporary folder");
    let output = at_home(home.path(), &["verify"]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("24 of 24 blocks match"), "{}", stdout(&output));
    assert!(stderr(&output).contains("built-in sample"), "{}", stderr(&output));
}

#[test]
fn an_empty_or_missing_folder_that_is_named_is_an_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for cache in [folder.path().to_owned(), folder.path().join("mistyped")] {
        for command in ["replay", "verify", "analyze"] {
            let output = blockrace(&cache, &[command]);
            assert_code(&output, 2);
            let message = stderr(&output);
            for part in ["no blocks are cached", "blockrace fetch", "sample"] {
                assert!(message.contains(part), "{command}: {message}");
            }
        }
    }
    let path = folder.path().to_str().expect("a temporary path is text");
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    let output = command.arg("verify").env("BLOCKRACE_CACHE_DIR", path).output();
    assert_code(&output.expect("the command starts"), 2);
}

#[test]
fn blocks_of_the_sample_are_selected_by_name_whatever_is_cached() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (blocks, count) in [("sample", "24 of 24 blocks match"), ("sample:7,9-10", "3 of 3 blocks")]
    {
        let output = blockrace(folder.path(), &["verify", blocks]);
        assert_code(&output, 0);
        assert!(stdout(&output).contains(count), "{}", stdout(&output));
    }
    let output = blockrace(folder.path(), &["verify", "sample:7,1000"]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("its blocks are 5 to 28"), "{}", stderr(&output));
    for arguments in
        [&["cache", "list", "sample"][..], &["verify", "sample:"], &["verify", "samples"]]
    {
        assert_code(&blockrace(folder.path(), arguments), 2);
    }
}

#[test]
fn quiet_output_mentions_no_single_block() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [first, ..] = cached_sample(folder.path(), 2)[..] else { panic!("there are two") };
    for arguments in [
        &["verify"][..],
        &["cache", "list"],
        &["cache", "check"],
        &["analyze", "--iterations", "1"],
        &["replay", "--iterations", "1", "--warmup", "0", "--threads", "1", "--executors", "bal"],
    ] {
        let quiet = blockrace(folder.path(), &[arguments, &["-q"]].concat());
        assert_code(&quiet, 0);
        let said = stdout(&quiet);
        let of_block = |line: &&str| line.trim_start().starts_with(&first.to_string());
        assert_eq!(said.lines().find(of_block), None, "{arguments:?}");
        assert!(
            ["2 blocks", "2 of 2", "(2)"].iter().any(|words| said.contains(words)),
            "{arguments:?}: {said}"
        );
    }
}
