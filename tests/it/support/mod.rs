//! Shared by integration tests: recorded blocks, a node that serves them, and the command itself.

#![allow(dead_code, reason = "every test file uses another part")]

pub(crate) mod anvil;
pub(crate) mod bounded;
pub(crate) mod bytes;
pub(crate) mod fake_node;
pub(crate) mod limited;
pub(crate) mod made_up;
pub(crate) mod mutate;
pub(crate) mod proofs;
pub(crate) mod proxy;
pub(crate) mod s3;
pub(crate) mod scenario;
pub(crate) mod tls;
pub(crate) mod world;

use blockrace::{
    block::{RecordedBlock, RecordedState, Witness},
    cache::{Cache, sample},
};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

/// The folder of recorded blocks: `BLOCKRACE_RECORDINGS`, or `../shared/node`.
///
/// Without recordings, a test prints a notice and passes. If `BLOCKRACE_REQUIRE_RECORDINGS` is set, as in
/// continuous integration, it fails.
pub(crate) fn recordings() -> Option<PathBuf> {
    let beside = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/node");
    let folder =
        PathBuf::from(env::var_os("BLOCKRACE_RECORDINGS").unwrap_or_else(|| beside.into()));
    if folder.join("mainnet-witness.txt").exists() {
        return Some(folder);
    }
    let required = env::var_os("BLOCKRACE_REQUIRE_RECORDINGS").is_some();
    assert!(!required, "no recorded blocks in {}", folder.display());
    eprintln!(
        "SKIPPED: no recorded blocks in {}; set BLOCKRACE_RECORDINGS to a folder that has them",
        folder.display()
    );
    None
}

/// A node that serves recordings. It ends with the test.
#[derive(Debug)]
pub(crate) struct RecordedNode {
    server: Child,
    pub(crate) url: String,
    pub(crate) numbers: Vec<u64>,
    pub(crate) list: PathBuf,
}

impl RecordedNode {
    /// Serves the blocks that have a witness, on a free loopback port.
    pub(crate) fn serve(recordings: &Path, chain: &str, arguments: &[&str]) -> Self {
        let list = recordings.join(format!("{chain}-witness.txt"));
        let text = fs::read_to_string(&list).expect("the list of blocks is readable");
        let numbers = text.lines().map(|line| line.parse().expect("a block number")).collect();
        let mut serve = Command::new("python3");
        serve.arg(recordings.join("serve")).args(["--chain", chain]).args(arguments);
        let (server, url) = started(serve);
        Self { server, url, numbers, list }
    }
}

impl Drop for RecordedNode {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// A node that plays the recorded chain that crosses into Amsterdam. It ends with the test.
#[derive(Debug)]
pub(crate) struct AmsterdamNode {
    server: Child,
    pub(crate) url: String,
    /// Path of the chain's genesis.json.
    pub(crate) genesis: String,
}

impl AmsterdamNode {
    /// Serves the chain on a free loopback port, if it is recorded beside the other [`recordings`].
    pub(crate) fn serve() -> Option<Self> {
        let folder = recordings()?.parent()?.join("amsterdam");
        let blocks = folder.join("bpo2-to-amsterdam.jsonl.gz");
        if !blocks.exists() {
            let required = env::var_os("BLOCKRACE_REQUIRE_RECORDINGS").is_some();
            assert!(!required, "no recorded chain in {}", folder.display());
            eprintln!("SKIPPED: no recorded chain in {}", folder.display());
            return None;
        }
        let mut serve = Command::new("python3");
        serve.arg(folder.join("serve")).arg(blocks).arg("560048");
        let (server, url) = started(serve);
        let genesis = folder.join("bpo2-to-amsterdam.genesis.json").display().to_string();
        Some(Self { server, url, genesis })
    }
}

impl Drop for AmsterdamNode {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Starts a node that prints its URL first.
fn started(mut command: Command) -> (Child, String) {
    let mut server = command.stdout(Stdio::piped()).spawn().expect("python3 runs");
    let mut url = String::new();
    let stdout = server.stdout.take().expect("its output is piped");
    BufReader::new(stdout).read_line(&mut url).expect("it prints its URL");
    (server, url.trim().to_owned())
}

/// Stores the first blocks of the built-in sample in a cache and returns their numbers.
pub(crate) fn cached_sample(folder: &Path, count: usize) -> Vec<u64> {
    let cache = Cache::new(folder);
    let blocks = sample().expect("the sample is valid").into_iter().take(count);
    let put = |block: RecordedBlock| {
        cache.put(&block).expect("the folder can be written");
        block.block.header.number
    };
    blocks.map(put).collect()
}

/// Runs `blockrace` with these arguments and this cache.
pub(crate) fn blockrace(cache: &Path, arguments: &[&str]) -> Output {
    command(cache, arguments).output().expect("the command starts")
}

/// Runs the command without blocking a proxy on the same runtime.
pub(crate) async fn run(cache: &tempfile::TempDir, arguments: &[&str]) -> Output {
    let cache = cache.path().to_owned();
    let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || {
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        blockrace(&cache, &arguments)
    };
    tokio::task::spawn_blocking(run).await.expect("it runs")
}

/// Starts `blockrace` with these arguments and this cache; its output is piped.
pub(crate) fn start(cache: &Path, arguments: &[&str]) -> Child {
    let piped = || Stdio::piped();
    let mut command = command(cache, arguments);
    command.stdout(piped()).stderr(piped()).spawn().expect("the command starts")
}

/// Variables that change what the command does or prints.
const SETTINGS: [&str; 8] = [
    "BLOCKRACE_CACHE_COPY_LIMIT",
    "BLOCKRACE_CACHE_DIR",
    "BLOCKRACE_COLOR",
    "BLOCKRACE_THREADS",
    "COLUMNS",
    "ETH_CONFIRM_URLS",
    "ETH_RPC_HEADERS",
    "ETH_RPC_URL",
];

/// The command with these arguments and this cache, without input and without the user's settings.
pub(crate) fn command(cache: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    command.args(arguments).arg("--cache-dir").arg(cache).stdin(Stdio::null());
    for variable in SETTINGS {
        command.env_remove(variable);
    }
    // Wide enough for every column of a table.
    command.env("COLUMNS", "200");
    command
}

/// Makes a FIFO.
pub(crate) fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo runs");
    assert!(made.success(), "the folder is writable");
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Fails with the whole output unless the command exited with this code.
#[track_caller]
pub(crate) fn assert_code(output: &Output, code: i32) {
    let (out, err) = (stdout(output), stderr(output));
    assert_eq!(output.status.code(), Some(code), "stdout:\n{out}\nstderr:\n{err}");
}

/// A cache with every recorded block of the chain that has a witness, fetched by the command.
pub(crate) fn fetched(recordings: &Path, chain: &str) -> (tempfile::TempDir, Vec<u64>) {
    let node = RecordedNode::serve(recordings, chain, &[]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = format!("@{}", node.list.display());
    let output = blockrace(cache.path(), &["fetch", &list, "--rpc-url", &node.url]);
    assert_code(&output, 0);
    (cache, node.numbers.clone())
}

/// The witness of a block that has one.
#[track_caller]
pub(crate) fn witness_of(recorded: &RecordedBlock) -> &Witness {
    match &recorded.state {
        RecordedState::Witness(witness) => witness,
        RecordedState::Flat(_) => panic!("the block has no witness"),
    }
}

/// The mutable witness of a block that has one, for damaging it.
#[track_caller]
pub(crate) fn witness_of_mut(recorded: &mut RecordedBlock) -> &mut Witness {
    match &mut recorded.state {
        RecordedState::Witness(witness) => witness,
        RecordedState::Flat(_) => panic!("the block has no witness"),
    }
}

/// The containers of a cache by their names.
pub(crate) fn containers(cache: &Path) -> BTreeMap<String, Vec<u8>> {
    let cache = Cache::new(cache);
    let chains = cache.chains().expect("the cache is readable").into_iter();
    let ids = chains.flat_map(|chain| cache.list(chain).expect("the cache is readable"));
    let file = |path: PathBuf| {
        let name = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
        (name, fs::read(path).expect("it is readable"))
    };
    ids.map(|id| file(cache.path(&id))).collect()
}
