//! Interrupted fetches: no stored block is lost or wrong, and the same command completes the fetch.

#![cfg(unix)]

use crate::support::{RecordedNode, assert_code, blockrace, recordings, start, stderr, stdout};
use blockrace::cache::Cache;
use rand::{RngExt, SeedableRng, rngs::Xoshiro256PlusPlus};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Output},
    thread::sleep,
    time::Duration,
};

fn slow_node(recordings: &Path) -> RecordedNode {
    RecordedNode::serve(recordings, "mainnet", &["--latency-ms", "5"])
}

fn fetch_arguments(node: &RecordedNode) -> [String; 4] {
    let list = format!("@{}", node.list.display());
    ["fetch".to_owned(), list, "--rpc-url".to_owned(), node.url.clone()]
}

fn start_fetch(cache: &Path, node: &RecordedNode) -> Child {
    let arguments = fetch_arguments(node);
    start(cache, &arguments.each_ref().map(String::as_str))
}

fn fetch(cache: &Path, node: &RecordedNode) -> Output {
    let arguments = fetch_arguments(node);
    blockrace(cache, &arguments.each_ref().map(String::as_str))
}

fn stored(cache: &Path) -> usize {
    Cache::new(cache).list(1).expect("the cache is readable").len()
}

fn interrupt(child: &Child) {
    send("-INT", child);
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "the process is there");
}

/// Waits until a block is stored, so that the interrupt hits a running fetch.
fn wait_for_blocks(cache: &Path) {
    for _ in 0..1_200 {
        if stored(cache) > 0 {
            return;
        }
        sleep(Duration::from_millis(50));
    }
    panic!("no block was stored within a minute");
}

/// Waits until `goal` blocks are stored or the fetch has ended.
fn wait_until_stored(cache: &Path, goal: usize, child: &mut Child) {
    while stored(cache) < goal && child.try_wait().expect("the test owns it").is_none() {
        sleep(Duration::from_millis(2));
    }
}

/// Number of moments to kill at: 10, or a quarter of `BLOCKRACE_REPEAT` if that is more.
fn moments() -> u32 {
    let asked = std::env::var("BLOCKRACE_REPEAT").ok().and_then(|text| text.parse().ok());
    asked.map_or(10, |repeat: u32| (repeat / 4).max(10))
}

#[test]
fn a_fetch_killed_at_any_moment_loses_no_stored_block() {
    let Some(recordings) = recordings() else { return };
    let node = slow_node(&recordings);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    let mut cache = tempfile::tempdir().expect("a temporary folder");
    for moment in 0..moments() {
        let before = stored(cache.path());
        if before == node.numbers.len() {
            cache = tempfile::tempdir().expect("a temporary folder");
        }
        // Some blocks are still missing at that moment, so the fetch is running. Its current step is random.
        let missing = node.numbers.len() - stored(cache.path());
        let goal = node.numbers.len() - rng.random_range(1..=missing);
        let mut child = start_fetch(cache.path(), &node);
        wait_until_stored(cache.path(), goal, &mut child);
        sleep(Duration::from_millis(rng.random_range(0..30)));
        child.kill().expect("the test owns it");
        child.wait().expect("the test owns it");

        let check = blockrace(cache.path(), &["cache", "check"]);
        assert_code(&check, 0);
        let expected = format!("{0} of {0} block", stored(cache.path()));
        assert!(stdout(&check).starts_with(&expected), "moment {moment}: {}", stdout(&check));
        assert!(before == node.numbers.len() || stored(cache.path()) >= before);
    }

    let before = stored(cache.path());
    let rest = fetch(cache.path(), &node);
    assert_code(&rest, 0);
    let fetched = format!("{0} of {0} blocks fetched", node.numbers.len() - before);
    assert!(stdout(&rest).contains(&fetched), "{}", stdout(&rest));
    let check = blockrace(cache.path(), &["cache", "check"]);
    assert_code(&check, 0);
    assert!(stdout(&check).starts_with("50 of 50 blocks"), "{}", stdout(&check));
}

#[test]
fn ctrl_c_ends_a_fetch_with_a_summary_and_the_same_command_completes_it() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &["--latency-ms", "100"]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let child = start_fetch(cache.path(), &node);
    wait_for_blocks(cache.path());
    interrupt(&child);
    let output = child.wait_with_output().expect("the test owns it");
    assert_code(&output, 130);
    let said = stdout(&output);
    assert!(said.contains("blocks fetched, proved and stored"), "{said}");
    assert!(said.contains("interrupted: "), "{said}");
    let noted = stderr(&output);
    assert!(noted.starts_with("interrupted: ") && noted.lines().count() == 1, "{noted}");

    assert!((1..node.numbers.len()).contains(&stored(cache.path())), "it ended early");
    let leftovers = Cache::new(cache.path()).leftovers(1).expect("the cache is readable");
    assert_eq!(leftovers, [], "a fetch that ends normally removes its temporary files");

    let rest = fetch(cache.path(), &node);
    assert_code(&rest, 0);
    assert!(stdout(&rest).contains("already cached"), "{}", stdout(&rest));
    assert_eq!(stored(cache.path()), node.numbers.len());
}

#[test]
fn a_terminated_fetch_ends_as_an_interrupted_one() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &["--latency-ms", "100"]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let child = start_fetch(cache.path(), &node);
    wait_for_blocks(cache.path());
    send("-TERM", &child);
    let output = child.wait_with_output().expect("the test owns it");
    assert_code(&output, 143);
    assert!(stdout(&output).contains("interrupted: "), "{}", stdout(&output));
    assert!(stderr(&output).starts_with("terminated: "), "{}", stderr(&output));
    let leftovers = Cache::new(cache.path()).leftovers(1).expect("the cache is readable");
    assert_eq!(leftovers, [], "a fetch that ends normally removes its temporary files");
}

#[test]
fn ctrl_c_ends_a_fetch_from_a_node_that_hangs() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &["--hang-every", "1"]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let child = start_fetch(cache.path(), &node);
    sleep(Duration::from_millis(1_500));
    interrupt(&child);
    let output = child.wait_with_output().expect("the test owns it");
    assert_code(&output, 130);
    assert!(stderr(&output).contains("interrupted before the first block"), "{}", stderr(&output));
}

#[test]
fn two_fetches_into_one_cache_both_succeed() {
    let Some(recordings) = recordings() else { return };
    let node = slow_node(&recordings);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let both = [(); 2].map(|()| start_fetch(cache.path(), &node));
    for child in both {
        assert_code(&child.wait_with_output().expect("the test owns it"), 0);
    }
    let check = blockrace(cache.path(), &["cache", "check"]);
    assert_code(&check, 0);
    assert!(stdout(&check).starts_with("50 of 50 blocks"), "{}", stdout(&check));
    assert_eq!(Cache::new(cache.path()).leftovers(1).expect("the cache is readable"), []);
}

#[test]
fn a_fetch_removes_what_killed_ones_left_and_nothing_else() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let chain = cache.path().join("1");
    fs::create_dir(&chain).expect("it is writable");
    let [dead, alive] = [".put-aaaaaa.tmp", ".put-bbbbbb.tmp"].map(|name| chain.join(name));
    fs::write(&dead, "half a block").expect("it is writable");
    let writer = fs::File::create(&alive).expect("it is writable");
    writer.lock().expect("the file system has locks");
    let number = node.numbers[0].to_string();
    assert_code(&blockrace(cache.path(), &["fetch", &number, "--rpc-url", &node.url]), 0);
    assert!(!dead.exists() && alive.exists());
}

#[test]
fn a_cached_file_that_is_damaged_is_fetched_again() {
    let Some(recordings) = recordings() else { return };
    let (cache, numbers) = crate::support::fetched(&recordings, "mainnet");
    let whole = Cache::new(cache.path());
    let damaged = whole.find(1, numbers[20]).expect("it is cached");
    let mut bytes = std::fs::read(whole.path(&damaged)).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(whole.path(&damaged), bytes).expect("it is writable");
    // The file is well formed with a valid checksum, but the body does not match the header.
    let robbed = whole.find(1, 4_370_000).expect("it is cached");
    let mut block = whole.get(&robbed).expect("it is whole");
    block.block.body.transactions.pop();
    whole.put(&block).expect("any block can be stored");

    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let again = fetch(cache.path(), &node);
    assert_code(&again, 0);
    assert!(stdout(&again).starts_with("2 of 2 blocks fetched"), "{}", stdout(&again));
    assert!(stdout(&again).contains("48 blocks were already cached"), "{}", stdout(&again));
    assert_code(&blockrace(cache.path(), &["cache", "check"]), 0);
}

#[test]
fn a_resumed_fetch_reads_no_file_that_is_as_it_was_checked() {
    let Some(recordings) = recordings() else { return };
    let (folder, numbers) = crate::support::fetched(&recordings, "mainnet");
    let cache = Cache::new(folder.path());
    let ids = cache.list(1).expect("the cache is readable");
    let [changed, touched] = [&ids[3], &ids[4]];
    for id in &ids {
        let path = cache.path(id);
        let before = fs::metadata(&path).and_then(|data| data.modified()).expect("it is there");
        let length = fs::metadata(&path).expect("it is there").len();
        // Content that no reader accepts shows which files are read.
        let bytes =
            vec![0; usize::try_from(length).expect("a small file") + usize::from(id == changed)];
        fs::write(&path, bytes).expect("it is writable");
        if id != touched {
            let file = fs::File::options().write(true).open(&path).expect("it is writable");
            file.set_modified(before).expect("the time can be set");
        }
    }
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let again = fetch(folder.path(), &node);
    assert_code(&again, 0);
    assert!(stdout(&again).starts_with("2 of 2 blocks fetched"), "{}", stdout(&again));
    let kept = format!("{} blocks were already cached", numbers.len() - 2);
    assert!(stdout(&again).contains(&kept), "{}", stdout(&again));
}

#[test]
fn failures_are_reported_by_block_at_the_end() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let arguments = ["fetch", "116525,46402,99,46147", "--rpc-url", &node.url];
    let arguments = [&arguments[..], &["--witness", "execution-witness"]].concat();
    let output = blockrace(cache.path(), &arguments);
    assert_code(&output, 2);
    let errors = stderr(&output);
    let blocks: Vec<_> = errors.lines().map(|line| line.split(':').nth(1)).collect();
    assert_eq!(blocks, [Some(" block 99"), Some(" block 116525")], "{errors}");
    assert!(stdout(&output).starts_with("2 of 4 blocks"), "{}", stdout(&output));
}
