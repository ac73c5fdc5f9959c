//! Only scheme and host of a node's URL are ever printed or written, and no part of a header.

use crate::support::{
    RecordedNode, assert_code,
    fake_node::{Reply, fake_node},
    recordings, stderr, stdout,
};
use std::{
    fs,
    net::TcpListener,
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

#[test]
fn a_secret_is_not_printed_in_any_spelling_of_a_node() {
    for said in [
        "no such key: PATH-KEY-0123456789",
        "no such key: path%2Dkey%2d0123456789, %71uery-key-abcdef",
        "no such key: path\\u002dkey-0123456789 of SomeUser",
        "no such key: path-key-01\u{2026}, query-key-\u{2026}, header-token-\u{2026}",
        "basic C29TZXVZZXI6ahvUdGVyMjI=",
    ] {
        let url = fake_node(move |_| Reply::Error(-32000, said.to_owned()));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = run(By::Flags, &secret_url(&url), folder.path(), &["fetch", "97"]);
        assert_code(&output, 2);
        let said = (stdout(&output) + &stderr(&output)).to_lowercase();
        assert!(said.contains("[hidden]"), "{said}");
        for secret in ["path-key", "path%2d", "u002d", "query-", "header-t", "someuser", "c29tzx"] {
            assert!(!said.contains(secret), "{secret} appears in {said}");
        }
    }
}

/// A proxy that answers with the header lines of the request, as error pages do.
#[test]
fn credentials_of_a_proxy_are_not_printed() {
    for status in [400, 401, 403, 407, 502] {
        let page = |request: &crate::support::fake_node::Request| {
            assert!(request.head.contains("c29tZXVzZXI6aHVudGVyMjI"), "{}", request.head);
            request.head.replace("\r\n", " ").into_bytes()
        };
        let proxy = fake_node(move |request| Reply::Http(status, String::new(), page(request)));
        let proxy = proxy.replace("http://", "http://someuser:hunter22@");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new(env!("CARGO_BIN_EXE_blockrace"))
            .args(["rpc-check", "--rpc-url", "http://node.example/v3/path-key-0123456789"])
            .args(["--rpc-header", "X-Api-Key: header-token-98765", "--max-retries", "0"])
            .env("http_proxy", proxy)
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .output()
            .expect("the command starts");
        assert_nothing_shows(&output, folder.path());
        let said = stderr(&output);
        assert!(said.contains(&format!("HTTP status {status}")), "{said}");
        assert!(
            said.contains("http://node.example through the proxy at http://127.0.0.1"),
            "{said}"
        );
        // The words of an answer about keys are not quoted at all.
        assert_eq!(said.contains("POST"), ![401, 403, 407].contains(&status), "{said}");
    }
}

/// The connection fails at the proxy, so the message names both.
#[test]
fn a_proxy_that_refuses_is_named_without_its_credentials() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    for (variable, node) in
        [("http_proxy", "http://node.example"), ("https_proxy", "https://node.example")]
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let output = Command::new(env!("CARGO_BIN_EXE_blockrace"))
            .args(["rpc-check", "--rpc-url", &format!("{node}/v3/path-key-0123456789")])
            .args(["--max-retries", "0"])
            .env(variable, format!("http://someuser:hunter22@{address}"))
            .env_remove("no_proxy")
            .env_remove("NO_PROXY")
            .output()
            .expect("the command starts");
        assert_code(&output, 75);
        assert_nothing_shows(&output, folder.path());
        let said = stderr(&output);
        let expected =
            format!("cannot reach the node at {node} through the proxy at http://{address}");
        assert!(said.contains(&expected), "{said}");
    }
}

#[test]
fn typing_errors_with_secrets_are_not_echoed() {
    let key = "header-token-98765";
    for words in [
        &["rpc-check", "--rpc-header", "X-Api-Key:", key][..],
        &["fetch", "--rpc-header", "X-Api-Key:", key],
        &["fetch", "97", "--rpc-header", "Authorization:", "Bearer", key],
        &["fetch", "97", "--rpc-header=X-Api-Key:", key, "-v"],
        &["fetch", "97", "--rpc-header", key],
        &["fetch", "97", "--rpc-header", "X-Api-Key:"],
        &["fetch", "@https://node.example/v3/path-key-0123456789"],
        &["fetch", "@node.example/v3/path-key-0123456789"],
        &["fetch", "node.example/v3/path-key-0123456789"],
        &["fetch", "node:8545/path-key-0123456789"],
        &["replay", "97,node.example/v3/path-key-0123456789"],
        &["fetch", "xx-key-0123yy"],
        &["replay", "PATH-KEY-01"],
        &["fetch", "97", "--witness", "path-key-0123456789"],
        &["cache", "list", "@path-key-0123456789"],
        &["fetch", "97", "--confirm-url", "ftp://someuser:hunter22@node.example"],
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(env!("CARGO_BIN_EXE_blockrace"));
        command.args(words).current_dir(folder.path()).stdin(Stdio::null());
        command.env("ETH_RPC_URL", secret_url("http://127.0.0.1:9"));
        let output = command.output().expect("it starts");
        assert_code(&output, 2);
        assert_nothing_shows(&output, folder.path());
        let said = stderr(&output).to_lowercase();
        assert!(!said.contains("key-01") && !said.contains("token-98"), "{words:?}: {said}");
    }
}

#[test]
fn help_says_where_a_key_is_safer() {
    for command in ["fetch", "rpc-check"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_blockrace")).args([command, "--help"]).output();
        let said = stdout(&output.expect("it starts"));
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("safer in the environment"), "{said}");
    }
}
