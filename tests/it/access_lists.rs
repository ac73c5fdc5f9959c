//! Real block access lists (EIP-7928) with one random change: every way to verify refuses each of them.

use crate::support::{
    AmsterdamNode, assert_code, blockrace, containers,
    mutate::{Mutated, mutate},
    proxy::{Batches, Proxy},
    run, stdout,
};
use alloy_consensus::Header;
use alloy_eips::eip7928::{AccountChanges, compute_block_access_list_hash};
use alloy_primitives::{B256, Bytes, keccak256};
use blockrace::{
    block::{PrepareError, ReplayJob, derive_access_list, prepare},
    cache::sample,
    execution::{BlockOutcome, ExecuteError, Executor},
    executors::{Bal, ExecutorKind},
    threads::WorkerPool,
    verify::{Check, Verdict, check, wrong_list},
};
use flate2::read::GzDecoder;
use rand::{SeedableRng, rngs::StdRng};
use serde_json::Value;
use std::{
    env,
    error::Error,
    fs::File,
    io::{BufRead, BufReader},
    iter::successors,
    num::NonZeroUsize,
};

/// Number of changed lists. `BLOCKRACE_LISTS` sets another one, as 1,000 before a release.
fn count() -> usize {
    env::var("BLOCKRACE_LISTS").map_or(200, |text| text.parse().expect("a number"))
}

fn pool() -> WorkerPool {
    WorkerPool::new(NonZeroUsize::new(2).expect("not zero")).expect("the threads start")
}

/// A block with its list, its root, and the outcomes of all executors that do not use the list.
struct Block {
    job: ReplayJob,
    list: Vec<AccountChanges>,
    root: Option<B256>,
    outcomes: Vec<(ExecutorKind, BlockOutcome)>,
}

impl Block {
    /// Gives the block this list, and its header the hash.
    fn take(&mut self, list: &Vec<AccountChanges>) {
        let rlp = alloy_rlp::encode(list);
        self.job.header.block_access_list_hash = Some(keccak256(&rlp));
        self.job.take_access_list(&rlp).expect("the list has the header's hash");
    }

    /// Executes the block by its own list, with the state root beside it.
    fn execute_by_list(&self, pool: &WorkerPool) -> Result<BlockOutcome, ExecuteError> {
        let bal = Bal::prepare(&self.job, pool.threads())?;
        let (executed, _) = bal.execute_with_root(&self.job, pool)?;
        Ok(executed.outcome)
    }
}

/// Blocks of the sample with the lists that they would have under Amsterdam's rules for headers.
fn blocks(pool: &WorkerPool) -> Vec<Block> {
    let block = |recorded| {
        let job = prepare(recorded, |_| ()).expect("the sample is valid");
        let list = derive_access_list(&job).expect("the sample is valid").into_canonical();
        let outcome = |kind: ExecutorKind| {
            let executor = kind.prepare(&job, pool.threads()).expect("the block is valid");
            (kind, executor.execute(&job, pool).expect("the block is valid").outcome)
        };
        let others = ExecutorKind::BUILT_IN.into_iter().filter(|kind| *kind != ExecutorKind::BAL);
        let outcomes: Vec<_> = others.map(outcome).collect();
        let root = job.root_after(&outcomes[0].1.post_state).expect("the witness is complete");
        Block { job, list, root, outcomes }
    };
    sample().expect("the sample is valid").into_iter().take(6).map(block).collect()
}

/// An error with its causes.
fn chain(error: &dyn Error) -> String {
    let causes = successors(error.source(), |error| (*error).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Fails unless the message names account, slot and index of the change.
fn assert_names(message: &str, mutated: &Mutated) {
    let Mutated { account, slot, index, what, .. } = mutated;
    let names = |words: String| assert!(message.contains(&words), "{what}, {words}: {message}");
    names(account.to_string());
    slot.iter().for_each(|slot| names(format!("slot {slot:#x}")));
    index.iter().for_each(|index| names(format!("index {index},")));
}

#[test]
fn every_changed_list_is_refused_by_every_executor_and_named() {
    let pool = pool();
    let mut blocks = blocks(&pool);
    let mut random = StdRng::seed_from_u64(1);
    let (mut done, mut at) = (0, 0);
    while done < count() {
        at = (at + 1) % blocks.len();
        let block = &mut blocks[at];
        let last = block.job.transactions.len() as u64 + 1;
        let Some(mutated) = mutate(&block.list, last, &mut random) else { continue };
        if mutated.list == block.list {
            continue;
        }
        block.take(&mutated.list);
        for (kind, outcome) in &block.outcomes {
            let verdict = check(&block.job, outcome, block.root);
            let is_refused = matches!(verdict, Verdict::Mismatch { at: Check::AccessListHash, .. });
            assert!(is_refused, "{kind}, {}: {verdict}", mutated.what);
            assert_names(&verdict.to_string(), &mutated);
        }
        let error = block.execute_by_list(&pool).expect_err(mutated.what);
        assert_names(&chain(&error), &mutated);
        let verdict = wrong_list(&block.job, &error).expect("the list is the reason");
        assert_names(&verdict.to_string(), &mutated);
        done += 1;
    }
}

#[test]
fn every_block_is_executed_by_its_own_list() {
    let pool = pool();
    for mut block in blocks(&pool) {
        let list = block.list.clone();
        block.take(&list);
        let outcome = block.execute_by_list(&pool).expect("the list is the block's");
        for threads in [1, 2, 3] {
            let pool = WorkerPool::new(NonZeroUsize::new(threads).expect("not zero"));
            let pool = pool.expect("the threads start");
            let bal = Bal::prepare(&block.job, pool.threads()).expect("the list is well-formed");
            let (alone, beside) = (
                Executor::execute(&bal, &block.job, &pool).expect("the list is the block's"),
                bal.execute_with_root(&block.job, &pool).expect("the list is the block's"),
            );
            assert_eq!((&alone.outcome, &beside.0.outcome), (&outcome, &outcome));
            let trie = beside.1.expect("the witness is complete");
            assert_eq!(trie.map(|trie| trie.root()), block.root);
        }
        for (_, expected) in &block.outcomes {
            assert_eq!(&outcome, expected);
        }
        assert_eq!(check(&block.job, &outcome, block.root), Verdict::Match);
    }
}

#[test]
fn a_list_that_is_not_the_headers_is_an_error_of_the_node_and_named() {
    let pool = pool();
    let mut random = StdRng::seed_from_u64(2);
    for mut block in blocks(&pool) {
        block.job.header.block_access_list_hash = Some(compute_block_access_list_hash(&block.list));
        let last = block.job.transactions.len() as u64 + 1;
        let Some(mutated) = mutate(&block.list, last, &mut random) else { continue };
        let error = block.job.take_access_list(&alloy_rlp::encode(&mutated.list));
        let error = error.expect_err("the list is not the block's");
        assert!(matches!(error, PrepareError::AccessList(_)), "{error:?}");
        assert_names(&chain(&error), &mutated);
    }
}

/// The recorded blocks of a chain that crosses into Amsterdam: the file `BLOCKRACE_AMSTERDAM_CHAIN`, or that in
/// `../shared/amsterdam`.
fn amsterdam() -> Option<Vec<Value>> {
    let beside = "/../shared/amsterdam/bpo2-to-amsterdam.jsonl.gz";
    let beside = || env!("CARGO_MANIFEST_DIR").to_owned() + beside;
    let path = env::var("BLOCKRACE_AMSTERDAM_CHAIN").unwrap_or_else(|_| beside());
    let Ok(file) = File::open(&path) else {
        let required = env::var_os("BLOCKRACE_REQUIRE_RECORDINGS").is_some();
        assert!(!required, "there is no {path}");
        eprintln!("SKIPPED: there is no {path}; set BLOCKRACE_AMSTERDAM_CHAIN to another file");
        return None;
    };
    let lines = BufReader::new(GzDecoder::new(file)).lines();
    let parse = |line: String| serde_json::from_str(&line).expect("each line is JSON");
    Some(lines.map(|line| parse(line.expect("the file is complete"))).collect())
}

#[test]
fn recorded_lists_have_the_headers_hash_in_both_forms() {
    let Some(blocks) = amsterdam() else { return };
    let mut with_hash = 0;
    for block in &blocks {
        let raw: Bytes = serde_json::from_value(block["balRaw"].clone()).expect("it is RLP");
        let list: Vec<AccountChanges> =
            serde_json::from_value(block["bal"].clone()).expect("it is a list");
        assert_eq!(Bytes::from(alloy_rlp::encode(&list)), raw, "block {}", block["number"]);
        let header: Header = serde_json::from_value(block["block"].clone()).expect("a header");
        if let Some(hash) = header.block_access_list_hash {
            assert_eq!(keccak256(&raw), hash, "block {}", header.number);
            with_hash += 1;
        }
    }
    assert_eq!((blocks.len(), with_hash), (18, 8));
}

#[test]
fn the_nodes_list_is_kept_shown_and_used_by_bal_without_oracle_knowledge() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let cache = tempfile::tempdir().expect("a temporary folder");
    let fetch = ["fetch", "10,13,18", "--rpc-url", &node.url, "--chain-config", &node.genesis];
    let fetched = blockrace(cache.path(), &fetch);
    assert_code(&fetched, 0);
    assert!(!stdout(&fetched).contains("without the block access list"), "{}", stdout(&fetched));

    let listed = stdout(&blockrace(cache.path(), &["cache", "list"]));
    let sources = |word: &str| {
        let rows = listed.lines().filter(|line| line.contains("560048"));
        rows.filter(|row| row.split_whitespace().any(|cell| cell == word)).count()
    };
    assert_eq!((sources("stored"), sources("derived")), (2, 0), "{listed}");

    let rounds = ["--threads", "2", "--iterations", "1", "--warmup", "0"];
    for (blocks, words) in [
        ("13,18", "bal has no oracle knowledge. Every block carries it"),
        ("10,13,18", "wrote. 2 blocks carry it."),
    ] {
        let replay = ["replay", blocks, "--executors", "sequential,bal"];
        let replayed = blockrace(cache.path(), &[&replay[..], &rounds].concat());
        assert_code(&replayed, 0);
        let text = stdout(&replayed).split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_access_lists_leads_to_the_same_files() {
    let Some(node) = AmsterdamNode::serve() else { return };
    let without =
        |method: &str, _: &Value| method.contains("BlockAccessList").then_some(Err(-32601));
    let proxy = Proxy::before(&node.url, Batches::Taken, without).await;
    let [plain, other] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let fetch = async |cache, url: &str| {
        let fetch = ["fetch", "10,13,18", "--rpc-url", url, "--chain-config", &node.genesis];
        let fetched = run(cache, &fetch).await;
        assert_code(&fetched, 0);
        stdout(&fetched)
    };
    fetch(&plain, &node.url).await;
    let said = fetch(&other, &proxy.url).await;
    assert!(said.contains("2 of them came without the block access list"), "{said}");
    assert!(containers(other.path()) == containers(plain.path()), "the files differ");
}
