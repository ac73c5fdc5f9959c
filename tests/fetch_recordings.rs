//! Fetches every recorded block with a witness from a node that plays recordings of real ones, well
//! and with the faults that providers show.
//!
//! The recordings are outside the repository: in the folder that `BLOCKRACE_RECORDINGS` names, or in
//! `../shared/node`. Without them there is nothing to test, and these tests pass.

use std::{
    fs,
    io::{BufRead, BufReader},
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use alloy_consensus::proofs::calculate_transaction_root;
use alloy_primitives::keccak256;
use blockrace::{
    cache::RecordedBlock,
    fetch::{Client, Limits, Node},
};
use futures::StreamExt;

/// A node that plays recordings; ends with the test.
struct Recordings {
    server: Child,
    url: String,
    numbers: Vec<u64>,
}

impl Recordings {
    fn serve(chain: &str, arguments: &str) -> Option<Self> {
        let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/node");
        let folder = std::env::var_os("BLOCKRACE_RECORDINGS").unwrap_or_else(|| beside.into());
        let folder = PathBuf::from(folder);
        let list = fs::read_to_string(folder.join(format!("{chain}-witness.txt"))).ok()?;
        let numbers = list.lines().map(|line| line.parse().unwrap()).collect();

        let mut command = Command::new("python3");
        command.arg(folder.join("serve")).args(["--chain", chain]);
        let mut server =
            command.args(arguments.split_whitespace()).stdout(Stdio::piped()).spawn().ok()?;
        let mut url = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut url).ok()?;
        Some(Self { server, url, numbers })
    }
}

impl Drop for Recordings {
    fn drop(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }
}

fn limits() -> Limits {
    Limits { timeout: Duration::from_secs(2), ..Limits::default() }
}

/// Fetches all that the node has witnesses for, and looks whether each block holds together.
async fn all_blocks_arrive(chain: &str, arguments: &str, limits: Limits) {
    let Some(recordings) = Recordings::serve(chain, arguments) else {
        return eprintln!(
            "no recordings, nothing tested; name their folder in BLOCKRACE_RECORDINGS"
        );
    };
    let client = Client::new(&recordings.url.parse().unwrap(), &[], limits).unwrap();
    let node = Node::connect(client).await.unwrap();

    let in_flight = NonZeroUsize::new(8).unwrap();
    let fetched = node.fetch_many(recordings.numbers.clone(), in_flight);
    let fetched: Vec<_> = fetched.collect().await;
    let mut numbers: Vec<_> = fetched
        .into_iter()
        .map(|(number, block)| {
            holds_together(number, &block.unwrap_or_else(|error| panic!("{error:#?}")));
            number
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, recordings.numbers);
}

fn holds_together(number: u64, recorded: &RecordedBlock) {
    let RecordedBlock { block, witness, .. } = recorded;
    assert_eq!(block.header.number, number);
    let root = calculate_transaction_root(&block.body.transactions);
    assert_eq!(root, block.header.transactions_root, "block {number}");
    let ommers_hash = block.body.calculate_ommers_root();
    assert_eq!(ommers_hash, block.header.ommers_hash, "block {number}");
    assert!(!witness.nodes.is_empty(), "block {number}");
    assert_eq!(witness.headers.last().map(keccak256), Some(block.header.parent_hash));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_arrives_from_a_good_node() {
    all_blocks_arrive("mainnet", "", limits()).await;
    all_blocks_arrive("hoodi", "", limits()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_arrives_from_a_busy_and_broken_gateway() {
    let faults = "--requests-per-second 50 --fail-every 7 --truncate-every 11 --latency-ms 20";
    all_blocks_arrive("mainnet", faults, limits()).await;
    all_blocks_arrive("hoodi", faults, limits()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_arrives_within_a_budget() {
    let limits = Limits { requests_per_second: NonZeroU32::new(40), ..limits() };
    all_blocks_arrive("mainnet", "--requests-per-second 50", limits).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_arrives_from_a_node_that_hangs() {
    all_blocks_arrive("mainnet", "--hang-every 5", limits()).await;
    all_blocks_arrive("hoodi", "--hang-every 5", limits()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_block_arrives_by_the_other_method() {
    all_blocks_arrive("mainnet", "--without debug_executionWitness", limits()).await;
}
