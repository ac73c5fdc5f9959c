//! Blocks that take too long. Every command that executes blocks ends on its own, and at Ctrl-C or SIGTERM.

#![cfg(unix)]

use crate::support::{
    assert_code, blockrace, command,
    fake_node::fake_node,
    limited::{MOST_KILOBYTES, end_within, limited},
    made_up::{MadeUp, NUMBER},
    stderr, stdout,
};
use blockrace::{block::MAX_BLOCK_GAS, cache::Cache};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

/// A cache with one block that executes for minutes, an archive of it, and a node that serves it.
struct Scene {
    folder: tempfile::TempDir,
    url: String,
}

impl Scene {
    fn new(gas: u64) -> Self {
        let made_up = MadeUp::looping(gas);
        let folder = tempfile::tempdir().expect("a temporary folder");
        let scene = Self { folder, url: String::new() };
        Cache::new(scene.cache()).put(&made_up.recorded()).expect("the folder is writable");
        let archive = scene.path("archive.tar");
        let exported = blockrace(&scene.cache(), &["cache", "export", "-o", &archive]);
        assert_code(&exported, 0);
        Self { url: fake_node(move |request| made_up.answer(request)), ..scene }
    }

    fn cache(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Every command that executes blocks, with the cache that it needs.
    fn commands(&self) -> Vec<(PathBuf, Vec<String>)> {
        let [archive, trace, page] =
            ["archive.tar", "trace.json", "page.html"].map(|name| self.path(name));
        let number = NUMBER.to_string();
        let full = |words: &[&str]| (self.cache(), words.iter().map(ToString::to_string).collect());
        let empty = |words: &[&str]| (PathBuf::from(self.path("empty")), full(words).1);
        vec![
            empty(&["fetch", &number, "--rpc-url", &self.url]),
            empty(&["cache", "import", &archive]),
            full(&["cache", "check"]),
            full(&["verify"]),
            full(&["analyze", "--html", &page]),
            full(&["replay"]),
            full(&["trace", &number, "-o", &trace]),
        ]
    }
}

/// All words of the output. Where a line is broken depends on the length of paths.
fn said(output: &Output) -> String {
    let text = stdout(output) + &stderr(output);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn with(cache: &Path, words: &[String], more: &[&str]) -> Command {
    let words: Vec<_> = words.iter().map(String::as_str).chain(more.iter().copied()).collect();
    command(cache, &words)
}

#[test]
fn a_block_with_more_gas_than_any_chain_allows_is_refused_at_once() {
    let scene = Scene::new(1 << 62);
    for (cache, words) in scene.commands() {
        let output = limited(&mut with(&cache, &words, &[])).output;
        assert_code(&output, 2);
        let said = said(&output);
        let expected = format!("may use {} gas, more than {MAX_BLOCK_GAS}", 1_u64 << 62);
        assert!(said.contains(&expected), "{words:?}: {said}");
    }
}

#[test]
fn a_block_that_takes_too_long_is_abandoned() {
    let scene = Scene::new(MAX_BLOCK_GAS);
    for (cache, words) in scene.commands() {
        let output = limited(&mut with(&cache, &words, &["--execution-limit", "1"])).output;
        assert_code(&output, 2);
        let said = said(&output);
        assert!(said.contains("it did not finish within"), "{words:?}: {said}");
    }
}

/// Two seconds for the command, and the rest for a busy machine.
const END: Duration = Duration::from_secs(10);

#[test]
fn a_signal_ends_every_command_in_the_middle_of_a_block() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        ends_every_command(signal, code);
    }
}

fn ends_every_command(signal: &str, code: i32) {
    let scene = Scene::new(MAX_BLOCK_GAS);
    for (cache, words) in scene.commands() {
        let mut command = with(&cache, &words, &[]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the command starts");
        sleep(Duration::from_secs(2));
        let sent = Command::new("kill").args([signal, &child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success(), "{words:?} ended too early");
        let output = end_within(child, END, MOST_KILOBYTES).output;
        assert_code(&output, code);
    }
    // A result file is complete or absent.
    for name in ["trace.json", "page.html"] {
        assert!(!Path::new(&scene.path(name)).exists(), "{name}");
    }
}
