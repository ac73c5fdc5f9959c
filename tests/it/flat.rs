//! Blocks from a node with `prestateTracer` only. They are verified up to the receipts, and the output says so.

use crate::support::{RecordedNode, assert_code, blockrace, recordings, stderr, stdout};
use blockrace::{
    block::{FlatState, RecordedBlock, RecordedState, ReplayJob, prepare},
    cache::Cache,
    executors::ExecutorKind,
    threads::WorkerPool,
    verify::{Verdict, first_difference, verify_block},
};
use std::{collections::BTreeMap, fs, num::NonZeroUsize, path::Path};
use tempfile::TempDir;

const NO_WITNESS: [&str; 4] =
    ["--without", "debug_executionWitness", "--without", "debug_executionWitnessByBlockHash"];

fn numbers(list: &Path) -> Vec<u64> {
    let text = fs::read_to_string(list).expect("the list of blocks is readable");
    text.lines().map(|line| line.parse().expect("a block number")).collect()
}

/// A cache with every block that has a recorded trace, fetched by the command from a node without witnesses.
fn fetched_flat(recordings: &Path) -> (TempDir, Vec<u64>) {
    let node = RecordedNode::serve(recordings, "mainnet", &NO_WITNESS);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = recordings.join("mainnet-prestate.txt");
    let blocks = format!("@{}", list.display());
    let output = blockrace(cache.path(), &["fetch", &blocks, "--rpc-url", &node.url, "-v"]);
    assert_code(&output, 0);
    let said = stderr(&output);
    assert!(said.contains("block 1796867: stored, checked to the receipts only"), "{said}");
    assert!(said.contains("unpaid"), "the ommer that the node lacks is named: {said}");
    (cache, numbers(&list))
}

#[test]
fn a_proved_block_is_replaced_by_an_unproved_one_only_on_request() {
    let Some(recordings) = recordings() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (cache, number) = (Cache::new(folder.path()), 19_426_587);
    let is_proved = || {
        let block = cache.get_by_number(1, number).expect("the block is cached");
        matches!(block.state, RecordedState::Witness(_))
    };
    let fetch = |without: &[&str], arguments: &[&str]| {
        let node = RecordedNode::serve(&recordings, "mainnet", without);
        let number = number.to_string();
        let fetch = ["fetch", &number, "--overwrite", "--rpc-url", &node.url];
        blockrace(folder.path(), &[&fetch, arguments].concat())
    };
    assert_code(&fetch(&[], &[]), 0);
    assert!(is_proved());
    let refused = fetch(&NO_WITNESS, &[]);
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("so it is kept"), "{}", stderr(&refused));
    assert!(is_proved());
    assert_code(&fetch(&NO_WITNESS, &["--witness", "prestate"]), 0);
    assert!(!is_proved());
}

/// Replays the cache, checks that every row matches and returns `verified_to` of every block.
fn replayed(cache: &Path, iterations: &str) -> BTreeMap<u64, String> {
    let csv = cache.join("results.csv");
    let csv_path = csv.to_str().expect("a temporary path is text");
    let arguments = ["replay", "--executors", "sequential,block-stm", "--threads", "1,2"];
    let few = ["--iterations", iterations, "--warmup", "0", "--csv", csv_path];
    assert_code(&blockrace(cache, &[&arguments[..], &few[..]].concat()), 0);

    let mut reader = csv::Reader::from_path(&csv).expect("the CSV is there");
    let headers = reader.headers().expect("it has a header").clone();
    let column = |name| headers.iter().position(|header| header == name).expect(name);
    let mut verified_to = BTreeMap::new();
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    for row in &rows {
        assert_eq!(&row[column("verdict")], "match", "{row:?}");
        let has_root = !row[column("root_ns_median")].is_empty();
        assert_eq!(has_root, &row[column("verified_to")] == "state-root", "{row:?}");
        let number = row[column("block_number")].parse().expect("a block number");
        verified_to.insert(number, row[column("verified_to")].to_owned());
    }
    assert_eq!(rows.len(), 3 * verified_to.len());
    verified_to
}

#[test]
fn every_traced_block_matches_up_to_the_receipts() {
    let Some(recordings) = recordings() else { return };
    let (cache, numbers) = fetched_flat(&recordings);
    let verified_to = replayed(cache.path(), "2");
    assert_eq!(verified_to.keys().copied().collect::<Vec<_>>(), numbers);
    assert!(verified_to.values().all(|depth| depth == "receipts"), "{verified_to:?}");

    let checked = stdout(&blockrace(cache.path(), &["cache", "check"]));
    assert!(checked.contains("headers, verified to the receipts only"), "{checked}");
    let output = blockrace(cache.path(), &["verify", "--executor", "block-stm"]);
    assert_code(&output, 0);
    let expected = "41 of 41 blocks match their headers, verified to the receipts only";
    assert!(stdout(&output).contains(expected), "{}", stdout(&output));
}

#[test]
fn auto_selects_the_best_method_for_each_block() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let flat = numbers(&recordings.join("mainnet-prestate.txt"));
    let all: Vec<_> = node.numbers.iter().chain(&flat).map(ToString::to_string).collect();
    let output = blockrace(cache.path(), &["fetch", &all.join(","), "--rpc-url", &node.url]);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("91 of 91 blocks"), "{}", stdout(&output));
    assert!(stdout(&output).contains("41 of them came without a witness"), "{}", stdout(&output));

    let verified_to = replayed(cache.path(), "1");
    for (blocks, expected) in [(&node.numbers, "state-root"), (&flat, "receipts")] {
        assert!(blocks.iter().all(|number| verified_to[number] == expected), "{verified_to:?}");
    }
    assert_eq!(verified_to.len(), 91);
}

#[test]
fn a_witnessed_block_can_be_fetched_flat_but_a_missing_witness_is_an_error() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let fetch = |block, method| {
        let arguments = ["fetch", block, "--rpc-url", &node.url, "--witness", method];
        blockrace(cache.path(), &arguments)
    };
    assert_code(&fetch("15537394,2675000", "prestate"), 0);
    let refused = fetch("14396881", "execution-witness");
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("block 14396881"), "{}", stderr(&refused));
}

#[test]
fn block_stm_gives_the_same_outcome_on_a_flat_state_on_any_number_of_threads() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched_flat(&recordings);
    let pools = [1, 2, 4, 8].map(|threads| {
        let threads = NonZeroUsize::new(threads).expect("not zero");
        WorkerPool::new(threads).expect("threads are available")
    });
    let run = |kind: ExecutorKind, job: &ReplayJob, pool: &WorkerPool| {
        let executor = kind.prepare(job, pool.threads()).expect("the block is valid");
        executor.execute(job, pool).expect("the block is valid").outcome
    };
    let repetitions = std::env::var("BLOCKRACE_REPEAT").ok().and_then(|text| text.parse().ok());
    for recorded in all_of(cache.path()) {
        let job = prepare(recorded, |_| ()).expect("the block is complete");
        let expected = run(ExecutorKind::SEQUENTIAL, &job, &pools[0]);
        for pool in &pools {
            for repetition in 0..repetitions.unwrap_or(3) {
                let actual = run(ExecutorKind::BLOCK_STM, &job, pool);
                let case = (job.header.number, pool.threads(), repetition);
                assert_eq!(first_difference(&expected, &actual), None, "{case:?}");
            }
        }
    }
}

fn all_of(cache: &Path) -> Vec<RecordedBlock> {
    let cache = Cache::new(cache);
    let ids = cache.list(1).expect("the cache is readable");
    ids.iter().map(|id| cache.get(id).expect("the block is whole")).collect()
}

fn flat(recorded: &mut RecordedBlock) -> &mut FlatState {
    match &mut recorded.state {
        RecordedState::Flat(flat) => flat,
        RecordedState::Witness(_) => panic!("the block was fetched without a witness"),
    }
}

/// The error that prevents a replay of the block, with its causes.
fn refusal(recorded: RecordedBlock) -> String {
    let error = prepare(recorded, |_| ()).expect_err("something is missing");
    format!("{:#}", eyre::Report::from(error))
}

#[test]
fn values_missing_from_a_flat_state_are_errors_and_never_zero() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched_flat(&recordings);
    let cache = Cache::new(folder.path());
    let get = || cache.get_by_number(1, 19_933_597).expect("the block is cached");

    let mut less = get();
    let address = flat(&mut less).assumed.absent.remove(0);
    assert!(refusal(less).contains(&format!("account {address} is not in")));

    let mut less = get();
    let accounts = &mut flat(&mut less).accounts;
    let at = accounts.iter().position(|account| !account.slots.is_empty()).expect("one has slots");
    let (address, (slot, _)) = (accounts[at].address, accounts[at].slots.remove(0));
    assert!(refusal(less).contains(&format!("slot {slot:#x} of account {address} is not in")));

    let mut less = get();
    flat(&mut less).codes.clear();
    assert!(refusal(less).contains("is missing"));

    let mut twice = get();
    let address = flat(&mut twice).accounts[0].address;
    flat(&mut twice).assumed.absent.insert(0, address);
    assert!(refusal(twice).contains(&format!("account {address} is given twice")));
}

#[test]
fn a_wrong_value_changes_the_receipts_or_is_harmless() {
    let Some(recordings) = recordings() else { return };
    let (folder, _) = fetched_flat(&recordings);
    let cache = Cache::new(folder.path());
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread is available");
    let get = || cache.get_by_number(1, 13_217_637).expect("the block is cached");
    let accounts = flat(&mut get()).accounts.len();
    let mut refused = 0;
    for at in (0..accounts).step_by(accounts / 20) {
        let mut wrong = get();
        let Some(fields) = &mut flat(&mut wrong).accounts[at].fields else { continue };
        fields.nonce ^= 1;
        let executor = ExecutorKind::SEQUENTIAL;
        let verified = verify_block(wrong, executor, &pool, |_| ());
        refused += u32::from(!matches!(verified, Ok((_, Verdict::Match))));
    }
    assert!(refused > 10, "a wrong nonce invalidates its transactions: {refused} of 21");
}
