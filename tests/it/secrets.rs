//! Only scheme and host of a node's URL are ever printed or written, and no part of a header.

use crate::support::{RecordedNode, assert_code, recordings, stderr, stdout};
use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

/// Texts that must not appear. The last one is `someuser:hunter22` in base64, as HTTP sends it.
const SECRETS: [&str; 6] = [
    "someuser",
    "hunter22",
    "path-key-0123456789",
    "query-key-abcdef",
    "header-token-98765",
    "c29tZXVzZXI6aHVudGVyMjI",
];

fn secret_url(url: &str) -> String {
    let host = url.strip_prefix("http://").expect("the node speaks HTTP");
    format!("http://someuser:hunter22@{host}/v3/path-key-0123456789?apikey=query-key-abcdef")
}

/// The source of the secrets.
#[derive(Clone, Copy)]
enum By {
    Flags,
    Environment,
}

fn run(by: By, url: &str, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
    command.args(arguments).arg("--cache-dir").arg(folder.join("cache")).current_dir(folder);
    command.env_remove("ETH_RPC_URL").env_remove("ETH_RPC_HEADERS").stdin(Stdio::null());
    let header = "X-Api-Key: Bearer header-token-98765";
    match by {
        By::Flags => command.args(["--rpc-url", url, "--rpc-header", header]),
        By::Environment => command.env("ETH_RPC_URL", url).env("ETH_RPC_HEADERS", header),
    };
    command.env("TMPDIR", folder).output().expect("the command starts")
}

/// Every file below `folder` as text, with its path.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
    let texts = entries.flat_map(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => files(&path),
            false => {
                let content = fs::read(&path).expect("a file");
                vec![format!("{} {}", path.display(), String::from_utf8_lossy(&content))]
            }
        }
    });
    texts.collect()
}

#[track_caller]
fn assert_nothing_shows(output: &Output, folder: &Path) {
    let mut texts = files(folder);
    texts.extend([stdout(output), stderr(output)]);
    for secret in SECRETS {
        for text in &texts {
            assert!(!text.contains(secret), "{secret} appears in {text:.500}");
        }
    }
}

#[test]
fn no_secret_appears_in_any_output_or_file() {
    let Some(recordings) = recordings() else { return };
    let faulty = ["--fail-every", "3", "--truncate-every", "4"];
    let busy = ["--requests-per-second", "1"];
    let lying = ["--corrupt-witness"];
    let without = ["--without", "debug_executionWitness"];
    for (faults, arguments, code) in [
        (&[][..], &["fetch", "46147,46402", "-v"][..], 0),
        (&faulty, &["fetch", "46147,46402", "-v"], 0),
        (&faulty, &["fetch", "46147,46402,4370000", "-v", "--max-retries", "0"], 75),
        (&busy, &["fetch", "46147,46402", "--max-retries", "0"], 75),
        (&lying, &["fetch", "46147,4370000", "-v"], 2),
        (&[], &["rpc-check"], 0),
        (&[], &["rpc-check", "--json", "-v"], 0),
        (&without, &["rpc-check", "--block", "99"], 2),
        (&["--hang-every", "1"], &["rpc-check", "--rpc-timeout", "1"], 75),
    ] {
        let node = RecordedNode::serve(&recordings, "mainnet", faults);
        for by in [By::Flags, By::Environment] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let output = run(by, &secret_url(&node.url), folder.path(), arguments);
            assert_nothing_shows(&output, folder.path());
            assert_code(&output, code);
        }
    }
}

#[test]
fn wrong_use_prints_no_secret() {
    let url = secret_url("http://127.0.0.1:9");
    for arguments in [
        &["fetch", "46147"][..],
        &["fetch", "46147", "-v"],
        &["fetch", "nonsense"],
        &["fetch", "1", "--no-such-flag"],
        &["fetch", "--help"],
        &["rpc-check", "--help"],
        &["rpc-check"],
    ] {
        for by in [By::Flags, By::Environment] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let output = run(by, &url, folder.path(), arguments);
            assert_nothing_shows(&output, folder.path());
        }
    }
}

#[test]
fn a_url_in_the_wrong_place_is_not_printed() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = secret_url("http://node.example");
    for words in [
        &["rpc-check", &url][..],
        &["fetch", &url],
        &["fetch", &format!("97,{url}")],
        &["replay", &url],
        &["cache", &url],
        &[&format!("ETH_RPC_URL={url}"), "fetch", "97"],
        &["--color", &url, "replay"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
        let output = command.args(words).current_dir(folder.path()).output().expect("it starts");
        assert_code(&output, 2);
        assert_nothing_shows(&output, folder.path());
    }
}
