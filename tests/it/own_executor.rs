//! Executors from outside the crate, in the whole command line: a fault ends the executor's own row only.

#![cfg(unix)]

use crate::support::{assert_code, cached_sample, stdout};
use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// Cargo builds examples before it runs tests, and puts them beside the command.
fn program() -> PathBuf {
    let command = Path::new(env!("CARGO_BIN_EXE_blockrace"));
    command.with_file_name("examples").join("faulty_executors")
}

fn run(cache: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(program());
    command.args(arguments).arg("--cache-dir").arg(cache).stdin(Stdio::null());
    command.output().expect("the example was built with the tests")
}

#[test]
fn a_faulty_executor_ends_its_own_row_and_never_the_run() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    let blocks = cached_sample(cache.path(), 1);
    let json = cache.path().join("results.json");
    let arguments = "replay --executors wrong,panics,fails,late,hangs,right --threads 1,2 \
         --iterations 1 --warmup 0 --execution-limit 3 --json";
    let mut arguments: Vec<_> = arguments.split_whitespace().collect();
    let file = json.display().to_string();
    arguments.push(&file);
    let output = run(cache.path(), &arguments);
    assert_code(&output, 1);

    let document: Value = serde_json::from_str(&fs::read_to_string(&json).expect("it is written"))
        .expect("it is JSON");
    let rows = document["results"].as_array().expect("there are rows");
    let verdicts = |executor: &str| {
        let own = rows.iter().filter(|row| row["executor"] == executor);
        own.map(|row| row["verdict"].as_str().expect("a verdict").to_owned()).collect::<Vec<_>>()
    };
    let profiled = document["profiled"].as_array().expect("profiled runs are listed");
    assert!(profiled.iter().all(|run| run["executor"] != "right"), "it reports no events");
    for (executor, runs) in [("sequential", 1), ("right", 2)] {
        assert_eq!(verdicts(executor), vec!["match"; runs * blocks.len()], "{executor}");
    }
    for (executor, fault) in [
        ("wrong", "gas used"),
        ("panics", "on purpose"),
        ("fails", "it has no licence"),
        ("late", "within 3 s"),
        ("hangs", "within 3 s"),
    ] {
        let found = verdicts(executor);
        assert_eq!(found.len(), 2 * blocks.len(), "{executor}");
        assert!(found.iter().all(|verdict| *verdict == "mismatch"), "{executor}: {found:?}");
        let text = fs::read_to_string(&json).expect("it is written");
        assert!(text.contains(fault), "{executor}: no {fault:?} in the report");
    }
}

#[test]
fn verify_runs_an_executor_from_outside_and_help_lists_it() {
    let cache = tempfile::tempdir().expect("a temporary folder");
    cached_sample(cache.path(), 1);
    assert_code(&run(cache.path(), &["verify", "--executor", "right"]), 0);
    assert_code(&run(cache.path(), &["verify", "--executor", "wrong"]), 1);
    let timeline = cache.path().join("timeline.json").display().to_string();
    let trace = ["trace", "5", "--executor", "right", "--output", &timeline];
    assert_code(&run(cache.path(), &trace), 2);
    let help = run(cache.path(), &["replay", "--help"]);
    assert!(stdout(&help).contains("right: for a test"), "{}", stdout(&help));
}
