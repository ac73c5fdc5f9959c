//! Fetches on a machine that lacks something: open files, or space on the disk.

#![cfg(unix)]

use crate::support::{RecordedNode, assert_code, blockrace, command, recordings, stderr, stdout};
use blockrace::cache::Cache;
use std::{
    path::Path,
    process::{Command, Output},
};

/// Runs `blockrace` as the last words of a shell command.
fn in_shell(script: &str, cache: &Path, arguments: &[&str]) -> Command {
    let plain = command(cache, arguments);
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(plain.get_program()).args(plain.get_args());
    for (variable, value) in plain.get_envs() {
        match value {
            Some(value) => shell.env(variable, value),
            None => shell.env_remove(variable),
        };
    }
    shell
}

fn words(output: &Output) -> String {
    let text = stdout(output) + &stderr(output);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_fetch_with_few_open_files_stores_every_block() {
    let Some(recordings) = recordings() else { return };
    let node = RecordedNode::serve(&recordings, "mainnet", &["--latency-ms", "20"]);
    let cache = tempfile::tempdir().expect("a temporary folder");
    let list = format!("@{}", node.list.display());
    let arguments = ["fetch", &list, "--rpc-url", &node.url, "--concurrency", "64"];
    let mut fetch = in_shell("ulimit -n 64; exec \"$@\"", cache.path(), &arguments);
    let fetched = fetch.output().expect("the shell starts");
    assert_code(&fetched, 0);
    let said = words(&fetched);
    let note = "note: this process may open 64 files (ulimit -n), so 16 concurrent requests";
    assert!(said.contains(note), "{said}");
    let stored = Cache::new(cache.path()).list(1).expect("the cache is readable");
    assert_eq!(stored.into_iter().map(|id| id.number).collect::<Vec<_>>(), node.numbers);
}

/// Whether this machine lets a process make a file system of its own.
fn can_mount() -> bool {
    let mount = "mount -t tmpfs -o size=64k none /tmp";
    let made = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount"])
        .args(["sh", "-c", mount])
        .output();
    made.is_ok_and(|output| output.status.success())
}

#[test]
fn a_full_disk_ends_the_fetch_and_keeps_the_stored_blocks() {
    let Some(recordings) = recordings() else { return };
    if !can_mount() {
        eprintln!("SKIPPED: this machine does not let a test mount a file system");
        return;
    }
    let node = RecordedNode::serve(&recordings, "mainnet", &[]);
    let [disk, kept] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let cache = disk.path().join("cache");
    let list = format!("@{}", node.list.display());
    let [small, copy] = [&disk, &kept].map(|folder| folder.path().display().to_string());
    let script = format!(
        "exec unshare --user --map-root-user --mount sh -c '\
         mount -t tmpfs -o size=4m none \"{small}\" || exit 99; \"$@\"; code=$?; cp -r \"{small}/cache\" \"{copy}\"; exit $code\
         ' sh \"$@\""
    );
    let arguments = ["fetch", &list, "--rpc-url", &node.url, "--concurrency", "2"];
    let mut fetch = in_shell(&script, &cache, &arguments);
    let fetched = fetch.output().expect("the shell starts");
    assert_code(&fetched, 2);
    let said = words(&fetched);
    assert!(said.contains("No space left on device"), "{said}");
    assert!(said.contains("the cache cannot be written, so the fetch ended: "), "{said}");
    assert_eq!(said.matches("error: block").count(), 1, "{said}");
    assert!(!said.contains("and the same for"), "{said}");

    let copied = kept.path().join("cache");
    let stored = Cache::new(&copied).list(1).expect("the cache is readable").len();
    assert!((1..node.numbers.len()).contains(&stored), "{stored} blocks");
    let expected = format!("{stored} of {} blocks fetched", node.numbers.len());
    assert!(said.contains(&expected), "{said}");
    let checked = blockrace(&copied, &["cache", "check"]);
    assert_code(&checked, 0);
    assert!(stdout(&checked).starts_with(&format!("{stored} of {stored} block")));
}
