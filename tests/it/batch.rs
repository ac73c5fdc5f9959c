//! `submit` and `status`: a command split over the tasks of a batch system, and what is done of it.

#![cfg(unix)]

use crate::{
    outputs::{rows, text},
    support::{
        assert_code, blockrace, cached_sample, command, fetched, recordings, stderr, stdout,
    },
};
use serde_json::{Value, json};
use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// Four blocks in four chunks.
const BLOCKS: &str = "46147,4370000,19426587,24628608";

/// Stands for `sbatch`: stores arguments and script of each job, and prints its number.
const SBATCH: &str = "#!/bin/sh\n\
    for script; do :; done\n\
    cd \"$(dirname \"$0\")\" || exit 1\n\
    id=1\n\
    while [ -e \"$id.args\" ]; do id=$((id + 1)); done\n\
    printf '%s\\n' \"$@\" > \"$id.args\"\n\
    cp \"$script\" \"$id.sh\"\n\
    echo \"$id;cluster\"\n";

/// A folder with a stand-in for `sbatch`.
fn cluster() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let sbatch = folder.path().join("sbatch");
    fs::write(&sbatch, SBATCH).expect("it is writable");
    fs::set_permissions(&sbatch, fs::Permissions::from_mode(0o755)).expect("it is ours");
    folder
}

/// Runs `blockrace submit slurm` on the cluster.
fn submit(cluster: &TempDir, cache: &Path, arguments: &[&str]) -> Output {
    let path = env::var("PATH").expect("there is a path");
    let mut command = command(cache, &[&["submit", "slurm"], arguments].concat());
    command.env("PATH", format!("{}:{path}", cluster.path().display()));
    command.output().expect("the command starts")
}

/// The arguments of a job.
fn arguments(cluster: &TempDir, id: u32) -> Vec<String> {
    let said = fs::read_to_string(cluster.path().join(format!("{id}.args")));
    said.expect("the job was submitted").lines().map(str::to_owned).collect()
}

/// Runs the script of a job, as task `index` of `count` if it is an array.
fn run_job(cluster: &TempDir, id: u32, task: Option<(u32, u32)>) -> Output {
    let mut shell = Command::new("sh");
    shell.arg(cluster.path().join(format!("{id}.sh")));
    if let Some((index, count)) = task {
        shell.env("SLURM_ARRAY_TASK_ID", index.to_string());
        shell.env("SLURM_ARRAY_TASK_MIN", "0");
        shell.env("SLURM_ARRAY_TASK_COUNT", count.to_string());
    }
    shell.output().expect("a shell is there")
}

#[test]
fn the_tasks_of_an_array_give_the_rows_of_one_run() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "mainnet");
    let (cluster, folder) = (cluster(), tempfile::tempdir().expect("a temporary folder"));
    let [whole, output] = ["whole", "my output"].map(|name| folder.path().join(name));
    let verify = |output: &Path| {
        ["verify", BLOCKS, "--output"].map(str::to_owned).into_iter().chain([text(output)])
    };
    let whole_run: Vec<_> = verify(&whole).collect();
    let whole_run =
        blockrace(cache.path(), &whole_run.iter().map(String::as_str).collect::<Vec<_>>());
    assert_code(&whole_run, 0);

    let words: Vec<_> = ["--tasks", "3", "--constraint", "big"]
        .map(str::to_owned)
        .into_iter()
        .chain(verify(&output))
        .collect();
    let submitted =
        submit(&cluster, cache.path(), &words.iter().map(String::as_str).collect::<Vec<_>>());
    assert_code(&submitted, 0);
    assert!(
        stdout(&submitted).contains("job 1 has 3 tasks, and job 2 merges"),
        "{}",
        stdout(&submitted)
    );
    for option in ["--array=0-2", "--constraint=big", "--requeue"] {
        assert!(arguments(&cluster, 1).iter().any(|argument| argument == option), "{option}");
    }
    assert!(arguments(&cluster, 2).contains(&"--dependency=afterany:1".to_owned()));

    assert_code(&run_job(&cluster, 1, Some((2, 3))), 0);
    let early = run_job(&cluster, 2, None);
    assert_code(&early, 2);
    assert!(stderr(&early).contains("no results of blocks 46147"), "{}", stderr(&early));
    for index in [0, 1] {
        assert_code(&run_job(&cluster, 1, Some((index, 3))), 0);
    }
    let merged = run_job(&cluster, 2, None);
    assert_code(&merged, 0);
    assert!(stdout(&merged).contains("4 of 4 blocks match"), "{}", stdout(&merged));
    assert_eq!(rows(&output), rows(&whole));
    assert_eq!(rows(&output).len(), 4);
}

#[test]
fn jobs_that_tasks_cannot_share_are_refused() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    cached_sample(cache.path(), 1);
    let cluster = cluster();
    for (words, said) in [
        (&["replay", "--output", "o"][..], "add --exclusive"),
        (&["verify"], "name it with --output"),
        (&["verify", "--output", "o", "--shard", "0/2"], "its own --shard"),
        (&["verify", "--output", "o", "--json", "r.json"], "write the same file"),
        (&["verify", "@-", "--output", "o"], "standard input"),
        (&["fetch", "1"], "only verify, analyze and replay"),
        (&["verify", "--no-such-option"], "--no-such-option"),
        (&["--constraint", "a b", "verify", "--output", "o"], "no spaces"),
    ] {
        let refused = submit(&cluster, cache.path(), words);
        assert_code(&refused, 2);
        assert!(stderr(&refused).contains(said), "{words:?}: {}", stderr(&refused));
    }
    assert!(!cluster.path().join("1.args").exists());
}

#[test]
fn a_dry_run_prints_the_job_and_writes_nothing() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let cluster = cluster();
    let output = text(&cache.path().join("out"));
    let words = ["--exclusive", "--dry-run", "replay", "1-9", "--output", &output];
    let printed = submit(&cluster, cache.path(), &words);
    assert_code(&printed, 0);
    let said = stdout(&printed);
    for part in
        ["--shard env\n", "--array=0-15", "--exclusive", "--dependency=afterany:JOB", "merge "]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(
        !cluster.path().join("1.args").exists()
            && !PathBuf::from(format!("{output}.slurm")).exists()
    );
}

#[test]
fn a_missing_sbatch_is_named() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let output = text(&cache.path().join("out"));
    let mut command = command(cache.path(), &["submit", "slurm", "verify", "--output", &output]);
    let refused = command.env("PATH", "/nowhere").output().expect("the command starts");
    assert_code(&refused, 2);
    assert!(stderr(&refused).contains("there is no sbatch here"), "{}", stderr(&refused));
}

/// The state of an output as JSON, which must conform to its schema.
fn status(output: &Path, code: i32) -> Value {
    let none = output.join("no cache");
    let printed = blockrace(&none, &["status", &text(output), "--shards", "3", "--json", "-"]);
    assert_code(&printed, code);
    let document = serde_json::from_str(&stdout(&printed)).expect("standard output is JSON");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/status.schema.json");
    let schema = fs::read_to_string(path).expect("the schema is there");
    let schema = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("it is a schema");
    let errors: Vec<_> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
    document
}

#[test]
fn the_status_of_an_output_names_what_is_done_and_what_is_missing() {
    let Some(recordings) = recordings() else { return };
    let (cache, _) = fetched(&recordings, "mainnet");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = folder.path().join("out");
    // No cache has block 19426588, which is in the chunk of a finished block.
    let blocks = format!("{BLOCKS},19426588");
    let run = |shard: &str, code| {
        let verify = ["verify", &blocks, "--shard", shard, "--output", &text(&output)];
        assert_code(&blockrace(cache.path(), &verify), code);
    };
    run("0/3", 0);
    let early = status(&output, 2);
    assert_eq!((&early["asked"], &early["command"]), (&json!(5), &json!("verify")));
    let lacking: Vec<_> =
        early["missing"].as_array().expect("a list").iter().map(|span| &span["first"]).collect();
    assert_eq!(lacking, [4_370_000, 19_426_587, 24_628_608]);
    let missing = |found: &Value| {
        let shards = found["shards"].as_array().expect("a list").iter();
        shards.map(|shard| shard["missing"].as_u64()).collect::<Vec<_>>()
    };
    assert_eq!(missing(&early), [Some(0), Some(1), Some(3)]);

    run("1/3", 0);
    run("2/3", 2);
    let late = status(&output, 2);
    assert_eq!(missing(&late), [Some(0), Some(0), Some(1)]);
    assert_eq!(late["missing"], json!([{"first": 19_426_588, "last": 19_426_588}]));
    assert_eq!(late["tables"], json!([{"table": "verdicts", "rows": 4}]));
    let chunks = late["chunks"].as_array().expect("a list");
    assert!(chunks.len() == 4 && chunks.iter().all(|chunk| chunk["state"] == "finished"), "{late}");

    let said = blockrace(cache.path(), &["status", &text(&output), "--shards", "3"]);
    assert_code(&said, 2);
    let said = stdout(&said);
    assert!(
        said.contains("verify: results of 4 of 5 blocks, 4 finished chunks, 0 in work"),
        "{said}"
    );
    assert!(said.contains("shards that lack blocks: 2/3 (1 of 3)"), "{said}");
}

#[test]
fn the_status_of_an_unfinished_chunk_counts_its_journal() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    cached_sample(folder.path(), 3);
    let output = folder.path().join("out");
    assert_code(&blockrace(folder.path(), &["verify", "--output", &text(&output)]), 0);
    let whole = status(&output, 0);
    assert_eq!((&whole["asked"], &whole["chunks"][0]["blocks"]), (&json!(3), &json!(3)));
    let first = rows(&output).len();
    assert_eq!(first, 3);
    let foreign = blockrace(folder.path(), &["status", &text(folder.path())]);
    assert_code(&foreign, 2);
    assert!(stderr(&foreign).contains("is no output of --output"), "{}", stderr(&foreign));
}
