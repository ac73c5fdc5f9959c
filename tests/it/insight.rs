//! Compares dependency graphs of real blocks with executions by alloy-evm that leave a transaction out. Also
//! tests the commands that report these graphs.

use crate::support::{
    RecordedNode, assert_code, blockrace, cached_sample, recordings, stderr, stdout,
};
use alloy_evm::Evm as _;
use alloy_primitives::{Address, Log, U256};
use blockrace::{
    block::RecordedBlock,
    block::{ReplayJob, prepare},
    cache::{Cache, sample},
    evm::BlockExecutor as _,
    insight::{Model, Place, Study},
    state::{BlockState, PreState},
};
use revm::{DatabaseCommit, DatabaseRef, state::Account};
use serde_json::Value;
use std::{collections::BTreeSet, fs, num::NonZeroU32};

type State<'a> = BlockState<&'a PreState>;

/// Effect of a transaction: success, logs and gas. `None` if it was left out or invalid.
type Did = Option<(bool, Vec<Log>, u64)>;

/// A run of a block from a given transaction on: the state before each transaction, and the effect of each.
struct Ran<'a> {
    before: Vec<State<'a>>,
    did: Vec<Did>,
}

/// Runs the transactions from index `from` on, over the state after the earlier ones. A transaction that is
/// left out still increments its sender's nonce. So does one that became invalid because another is missing.
fn run<'a>(job: &'a ReplayJob, state: State<'a>, from: usize, left_out: Option<usize>) -> Ran<'a> {
    let mut run = job.context().over(state, 0);
    if from == 0 && left_out.is_none() {
        job.context().begin(&mut run).expect("the block is valid");
    }
    let mut ran = Ran { before: Vec::new(), did: Vec::new() };
    for (tx, transaction) in job.transactions.iter().enumerate().skip(from) {
        ran.before.push(run.evm().db().clone());
        let gas_before = run.cumulative_tx_gas_used;
        let done =
            left_out != Some(tx) && run.execute_transaction(transaction.as_recovered_ref()).is_ok();
        if !done {
            count_up(run.evm_mut().db_mut(), transaction.signer());
        }
        let gas = run.cumulative_tx_gas_used - gas_before;
        let receipt = run.receipts.last().filter(|_| done);
        ran.did.push(receipt.map(|receipt| (receipt.success, receipt.logs.clone(), gas)));
    }
    ran
}

fn count_up(state: &mut State<'_>, sender: Address) {
    let info = state.basic_ref(sender).expect("senders are known").unwrap_or_default();
    let mut account = Account::from(info);
    account.info.nonce += 1;
    account.mark_touch();
    state.commit(std::iter::once((sender, account)).collect());
}

/// The value at a place; `None` for a whole storage.
fn value(state: &State<'_>, place: Place) -> Option<U256> {
    let info = state.basic_ref(place.address()).ok()?.unwrap_or_default();
    match place {
        Place::Balance(_) => Some(info.balance),
        Place::Nonce(_) => Some(U256::from(info.nonce)),
        Place::Code(_) => Some(info.code_hash.into()),
        Place::Slot(address, key) => state.storage_ref(address, key).ok(),
        Place::Storage(_) | Place::Account(_) => None,
    }
}

/// Whether a dependent transaction wrote to the place instead of the one left out. For example, the second
/// minter of a token does so if the first is left out.
fn stood_in(without: &Ran<'_>, on: usize, until: usize, place: Place) -> bool {
    let value_before = |tx: usize| value(&without.before[tx - on], place);
    (on + 1..until).any(|tx| value_before(tx) != value_before(tx + 1))
}

/// Leaves out each transaction in turn and checks two claims.
///
/// Every dependency on it must change a value that the dependent transaction reads. Two exceptions hold:
/// another transaction writes the same value instead, or the value is the nonce, which is incremented anyway. A
/// transaction without a direct or indirect dependency must have the same effect as before.
///
/// Returns the numbers of compared dependencies and of compared independent pairs.
fn leave_each_out(job: &ReplayJob) -> (usize, usize) {
    let study = Study::of(job, NonZeroU32::MIN).expect("the block is valid");
    let graph = study.graph(Model::Fields);
    let whole = run(job, BlockState::new(&job.pre_state), 0, None);
    let (mut dependencies, mut independent) = (0, 0);
    for on in 0..graph.len() {
        let without = run(job, whole.before[on].clone(), on, Some(on));
        let mut affected = BTreeSet::from([on]);
        for tx in on + 1..graph.len() {
            let case = format!("block {}: {tx} without {on}", job.header.number);
            let own = &graph.dependencies()[tx];
            let depends = own.iter().any(|dependency| affected.contains(&dependency.on));
            if depends || is_broke(job, &whole, &without, on, tx) {
                affected.insert(tx);
            } else {
                assert_eq!(without.did[tx - on], whole.did[tx], "{case}");
                independent += 1;
            }
            for dependency in own.iter().filter(|dependency| dependency.on == on) {
                let place = Place::of(dependency.at, &study.names).expect("it has a name");
                dependencies += usize::from(shows(job, &whole, &without, (on, tx), place));
            }
        }
    }
    (dependencies, independent)
}

/// Whether the transaction is invalid because the one left out would have provided its funds. It may spend as
/// soon as the balance suffices, in any order of payments, so it need not depend on all of them.
fn is_broke(job: &ReplayJob, whole: &Ran<'_>, without: &Ran<'_>, on: usize, tx: usize) -> bool {
    let sender = Place::Balance(job.transactions[tx].signer());
    let (left, had) = (value(&without.before[tx - on], sender), value(&whole.before[tx], sender));
    without.did[tx - on].is_none() && left < had
}

/// Asserts that `tx` reads another value at the place without `on`; `false` if this cannot be determined.
fn shows(
    job: &ReplayJob,
    whole: &Ran<'_>,
    without: &Ran<'_>,
    (on, tx): (usize, usize),
    place: Place,
) -> bool {
    let seen = value(&whole.before[tx], place);
    if place == Place::Nonce(job.transactions[on].signer())
        || seen.is_none()
        || stood_in(without, on, tx, place)
    {
        return false;
    }
    let unseen = value(&without.before[tx - on], place);
    assert_ne!(seen, unseen, "block {}: {tx} without {on}: {place:?}", job.header.number);
    true
}

fn job(block: RecordedBlock) -> ReplayJob {
    prepare(block, |_| ()).expect("the block is proved")
}

#[test]
fn only_dependent_transactions_change_if_one_is_left_out() {
    for block in sample().expect("the sample is valid").into_iter().take(2) {
        let (dependencies, independent) = leave_each_out(&job(block));
        assert!(dependencies > 20 && independent > 1_000, "{dependencies}, {independent}");
    }
}

#[test]
fn dependencies_of_recorded_blocks_match_their_executions() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let fetch = ["fetch", "15537394,17106222,24628608", "--rpc-url", &node.url];
    assert_code(&blockrace(cache.path(), &fetch), 0);
    let cache = Cache::new(cache.path());
    for id in cache.list(1).expect("the cache is readable") {
        let (dependencies, independent) =
            leave_each_out(&job(cache.get(&id).expect("the block is whole")));
        println!("block {}: {dependencies} dependencies, {independent} independent", id.number);
        assert!(dependencies > 20 && independent > 1_000, "{dependencies}, {independent}");
    }
}

#[test]
fn bounds_grow_with_threads_and_shrink_with_coarser_conflicts() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let csv = cache.path().join("analysis.csv");
    let csv_path = csv.to_str().expect("a temporary path is text");
    let arguments = ["analyze", "sample", "--iterations", "2", "--csv", csv_path];
    let output = blockrace(cache.path(), &arguments);
    assert_code(&output, 0);
    assert!(stdout(&output).contains("hottest contracts"), "{}", stdout(&output));
    let mut reader = csv::Reader::from_path(&csv).expect("the CSV is there");
    let header = reader.headers().expect("it has a header").clone();
    let mut blocks = 0;
    for row in reader.records() {
        let row = row.expect("a row");
        let number = |name: &str| -> f64 {
            let place = header.iter().position(|column| column == name).expect("it is a column");
            row[place].parse().expect("it is a number")
        };
        assert_eq!(number("bound_fields_1"), 1.0);
        for threads in [2, 4, 8, 16] {
            let bound = |kind: &str| number(&format!("bound_{kind}_{threads}"));
            assert!(bound("independent") <= f64::from(threads) + 1e-9);
            // List scheduling is not always optimal.
            assert!(bound("fields") <= bound("independent") * 1.1);
            assert!(bound("accounts") <= bound("accounts_deferred") + 1e-9);
            assert!(bound("fields") <= number("parallelism") + 1e-9);
        }
        blocks += 1;
    }
    assert_eq!(blocks, sample().expect("the sample is valid").len());
}

/// A cache with the first blocks of the sample, and their numbers.
fn cached(count: usize) -> (tempfile::TempDir, Vec<u64>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let numbers = cached_sample(folder.path(), count);
    (folder, numbers)
}

#[test]
fn the_slices_of_each_thread_in_a_trace_add_up_to_the_block() {
    let (cache, numbers) = cached(1);
    let file = cache.path().join("trace.json");
    let (path, number) = (file.to_str().expect("it is text"), numbers[0].to_string());
    for executor in ["sequential", "block-stm"] {
        let arguments = ["trace", &number, "--executor", executor, "--threads", "2", "-o", path];
        let output = blockrace(cache.path(), &arguments);
        assert_code(&output, 0);
        assert!(stdout(&output).contains("match, verified to state-root"), "{}", stdout(&output));
        let text = fs::read_to_string(&file).expect("it was written");
        let document: Value = serde_json::from_str(&text).expect("it is JSON");
        let events = document["traceEvents"].as_array().expect("it is a list");
        let slices = || events.iter().filter(|event| event["ph"] == "X");
        let number = |event: &Value, field: &str| event[field].as_f64().expect("it is a number");
        let threads: BTreeSet<_> = slices().map(|event| event["tid"].as_u64()).collect();
        let length = |thread: &Option<u64>| -> f64 {
            let own = slices().filter(|event| event["tid"].as_u64() == *thread);
            own.map(|event| number(event, "dur")).sum()
        };
        let end = slices().map(|event| number(event, "ts") + number(event, "dur"));
        let end = end.fold(0.0, f64::max);
        assert!(threads.iter().all(|thread| (length(thread) - end).abs() < 0.01), "{end}");
        let finals = events.iter().filter_map(|event| event["name"].as_str());
        let finals = finals.filter(|name| name.starts_with("final ")).count();
        assert!(finals >= 100, "{executor}: {finals} transactions became final");
    }
}

#[test]
fn a_trace_of_several_blocks_is_refused() {
    let (cache, numbers) = cached(2);
    let file = cache.path().join("trace.json");
    let blocks = format!("{},{}", numbers[0], numbers[1]);
    let path = file.to_str().expect("it is text");
    let output = blockrace(cache.path(), &["trace", &blocks, "--output", path]);
    assert_code(&output, 2);
    assert!(stderr(&output).contains("a trace needs exactly one block"), "{}", stderr(&output));
    assert!(!file.exists(), "no block was traced, so there is no file");
}
