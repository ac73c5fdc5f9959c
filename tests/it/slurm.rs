//! `submit slurm` on a real cluster of three nodes, two of which are killed while they run a task.
//!
//! The cluster is that of `tests/programs/slurm-cluster.sh`. Continuous integration installs Slurm.

use crate::{
    outputs::{content, files, journaled, rows, text},
    support::{assert_code, blockrace, command, fetched, recordings, stdout},
};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread::sleep,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// Upper limit for everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(180);

/// Number of tasks of an array.
const TASKS: &str = "8";

/// A block whose analysis takes as long as that of all other recorded blocks together.
const SLOW: u64 = 23_879_620;

/// A cluster of three nodes on this machine. It ends with the test.
#[derive(Debug)]
struct Cluster {
    folder: TempDir,
}

impl Cluster {
    /// Starts a cluster, if one is asked for.
    fn start() -> Option<Self> {
        // Beside other tests, an array may end before the test sees that it runs.
        if env::var_os("BLOCKRACE_REQUIRE_SLURM").is_none() {
            eprintln!(
                "SKIPPED: it needs the machine for itself; BLOCKRACE_REQUIRE_SLURM=1 runs it"
            );
            return None;
        }
        let obstacle = obstacle();
        assert!(obstacle.is_none(), "{obstacle:?}");
        let cluster = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        assert_code(&cluster.script("start", &[]), 0);
        Some(cluster)
    }

    /// Calls the script of the cluster.
    fn script(&self, order: &str, arguments: &[&str]) -> Output {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs/slurm-cluster.sh");
        let mut bash = Command::new("bash");
        bash.arg(script).arg(order).arg(self.folder.path()).args(arguments);
        bash.output().expect("bash is there")
    }

    /// Makes a command use this cluster.
    fn output(&self, mut command: Command) -> Output {
        command.env("SLURM_CONF", self.folder.path().join("slurm.conf"));
        command.output().expect("the command starts")
    }

    /// What a command of Slurm prints.
    fn ask(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        command.args(arguments);
        let output = self.output(command);
        assert_code(&output, 0);
        stdout(&output)
    }

    /// Submits a job, and returns the number of its array.
    fn submit(&self, cache: &Path, job: &Job) -> String {
        let output = text(&job.merged);
        let submit = ["submit", "slurm", "--tasks", TASKS];
        let submitted = self.output(command(cache, &[&submit, &job.words(&output)[..]].concat()));
        assert_code(&submitted, 0);
        let said = stdout(&submitted);
        said.split_whitespace().nth(1).expect("the line names the job").to_owned()
    }

    /// Whether the node runs a task of the array.
    fn runs(&self, array: &str, node: &str) -> bool {
        let running = ["--noheader", "--states=R", "--jobs", array, "--nodelist", node];
        !self.ask("squeue", &running).is_empty()
    }

    /// Kills a node that runs a task of the array, after the array has its first results.
    fn kill_in_the_middle(&self, node: &str, array: &str, output: &Path) {
        loop {
            let has_results = || journaled(output) + files(output, "parquet").len() > 0;
            self.wait(|| self.runs(array, node) && has_results());
            assert_code(&self.script("kill", &[node]), 0);
            // The task may have ended before its node was killed.
            if self.runs(array, node) {
                return;
            }
            assert_code(&self.script("boot", &[node]), 0);
        }
    }

    fn wait(&self, is_met: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_met() {
            assert!(start.elapsed() < PATIENCE, "{}", self.ask("squeue", &[]));
            sleep(Duration::from_millis(20));
        }
    }

    /// How often Slurm has requeued tasks of the array.
    fn requeued(&self, array: &str) -> u64 {
        let jobs = self.ask("scontrol", &["show", "--oneliner", "job", array]);
        let counts = jobs.split_whitespace().filter_map(|word| word.strip_prefix("Restarts="));
        counts.map(|count| count.parse::<u64>().expect("a number")).sum()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = self.script("stop", &[]);
    }
}

/// A command over a list of blocks, and the folders of its results.
#[derive(Debug)]
struct Job {
    words: &'static [&'static str],
    /// Number of blocks of the list.
    count: usize,
    /// The list as an argument.
    list: String,
    /// The output of the tasks.
    merged: PathBuf,
    /// The output of one run without shards.
    whole: PathBuf,
}

impl Job {
    fn new(folder: &Path, words: &'static [&'static str], blocks: &[u64]) -> Self {
        let path = |part: &str| folder.join(format!("{} {part}", words[0]));
        let lines: String = blocks.iter().map(|number| format!("{number}\n")).collect();
        fs::write(path("blocks"), lines).expect("it is writable");
        let list = format!("@{}", text(&path("blocks")));
        Self { words, count: blocks.len(), list, merged: path("merged"), whole: path("whole") }
    }

    /// The command with an output.
    fn words<'a>(&'a self, output: &'a str) -> Vec<&'a str> {
        [self.words, &[&self.list, "--output", output]].concat()
    }
}

/// Why no cluster can be started here.
fn obstacle() -> Option<String> {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| env::split_paths(&path).any(|folder| folder.join(name).is_file());
    let programs = ["slurmctld", "slurmd", "sbatch", "munged"];
    if let Some(missing) = programs.iter().find(|name| !is_there(name)) {
        return Some(format!("{missing} is not installed"));
    }
    let user = Command::new("id").arg("-u").output().expect("id is there");
    (stdout(&user).trim() != "0").then(|| "a cluster can be started by root alone".to_owned())
}

/// The number of pairs of each hot contract and field. Which ones are hot follows from times.
fn conflict_pairs(output: &Path) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    for block in content(output).blocks {
        for row in block.tables.get("conflicts").into_iter().flatten() {
            let place = ["scope", "kind", "address", "slot"].map(|name| row[name].to_string());
            let place = format!("{} {}", block.block_number, place.join(" "));
            pairs.insert(place, row["pairs"].to_string());
        }
    }
    pairs
}

/// The rows of an output, without times and what follows from them.
fn timeless(output: &Path) -> Vec<String> {
    let rows = rows(output).into_iter();
    rows.filter(|row| row.split(' ').nth(1) != Some("conflicts")).collect()
}

/// Fails unless the tasks have the results of the run without shards, and the merge has them all.
fn assert_same(job: &Job) {
    let Job { merged, whole, count, .. } = job;
    assert_eq!(timeless(merged), timeless(whole));
    let (merged_pairs, whole_pairs) = (conflict_pairs(merged), conflict_pairs(whole));
    for (place, pairs) in &merged_pairs {
        assert_eq!(whole_pairs.get(place).unwrap_or(pairs), pairs, "{place}");
    }
    let messages = fs::read_to_string(format!("{}.slurm/merge.txt", text(merged)));
    let messages = messages.expect("the merge has run");
    let is_complete = ["blocks match", "blocks of analyze"]
        .iter()
        .any(|words| messages.contains(&format!("{count} {words}")));
    assert!(is_complete && !messages.contains("no results"), "{messages}");
}

#[test]
fn arrays_whose_nodes_are_killed_give_the_rows_of_one_run() {
    let Some(recordings) = recordings() else { return };
    let Some(cluster) = Cluster::start() else { return };
    let (cache, numbers) = fetched(&recordings, "mainnet");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fast: Vec<_> = numbers.iter().copied().filter(|&number| number != SLOW).collect();
    let analyze = &["analyze", "--iterations", "1", "--threads", "2"];
    let jobs = [
        Job::new(folder.path(), &["verify", "--jobs", "1"], &numbers),
        Job::new(folder.path(), analyze, &fast),
    ];

    let arrays = jobs.each_ref().map(|job| cluster.submit(cache.path(), job));
    for ((job, array), node) in jobs.iter().zip(&arrays).zip(["node2", "node3"]) {
        cluster.kill_in_the_middle(node, array, &job.merged);
    }
    for job in &jobs {
        let whole = blockrace(cache.path(), &job.words(&text(&job.whole)));
        assert_code(&whole, 0);
    }
    cluster.wait(|| cluster.ask("squeue", &["--noheader"]).is_empty());
    for (job, array) in jobs.iter().zip(&arrays) {
        assert!(cluster.requeued(array) > 0, "{:?}", job.words);
        assert_same(job);
    }
}
