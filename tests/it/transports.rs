//! Fetching over WebSocket and IPC, and with a shared secret.

use crate::support::anvil::Anvil;
use crate::support::{assert_code, blockrace, stderr, stdout};
use blockrace::fetch::{Client, Endpoint, Limits, Node, NodeSecret};
use serde_json::json;
use std::{num::NonZeroUsize, process::Output, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const SECRET: &str = "f79ae8046bc11c9927afe911db7143c51a806c4a537cc08e0d37140b0192f430";

async fn fetch(arguments: &[&str]) -> Output {
    let arguments: Vec<_> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || {
        let cache = tempfile::tempdir().expect("a temporary folder");
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        blockrace(cache.path(), &arguments)
    };
    tokio::task::spawn_blocking(run).await.expect("it runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_are_fetched_over_http_websocket_and_ipc() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let socket = folder.path().join("anvil.ipc").display().to_string();
    let Some(anvil) = Anvil::start_with(&["--ipc", &socket]).await else { return };
    anvil.call("anvil_mine", json!(["0x8"])).await;
    let ws = anvil.url.replace("http://", "ws://");
    for url in [anvil.url.as_str(), &ws, &socket] {
        let fetched = fetch(&["fetch", "2-8", "--rpc-url", url]).await;
        assert_code(&fetched, 0);
        assert!(stdout(&fetched).contains("7 of 7 blocks fetched"), "{url}: {}", stdout(&fetched));
        let checked = fetch(&["rpc-check", "--rpc-url", url]).await;
        assert!(stdout(&checked).contains("Fetch with:"), "{url}: {}", stdout(&checked));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_without_a_node_is_an_error_that_names_it() {
    for url in ["ws://someuser:hunter22@127.0.0.1:9/path-key", "/no/such/node.ipc"] {
        let refused = fetch(&["fetch", "2", "--rpc-url", url]).await;
        assert_code(&refused, 75);
        let said = stderr(&refused);
        assert!(said.contains("cannot reach the node at"), "{said}");
        assert!(!said.contains("hunter22") && !said.contains("path-key"), "{said}");
    }
}

/// Answers one request and returns its head.
async fn answer_once(listener: TcpListener) -> String {
    let (mut stream, _) = listener.accept().await.expect("a request");
    let mut head = vec![0; 4096];
    let read = stream.read(&mut head).await.expect("a request");
    let request = String::from_utf8_lossy(&head[..read]).into_owned();
    let body = r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32601,"message":"no"}}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(answer.as_bytes()).await.expect("the client reads");
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_carries_a_token_that_the_secret_signs() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let serving = tokio::spawn(answer_once(listener));
    let endpoint: Endpoint = url.parse().expect("a URL");
    let limits = Limits {
        concurrency: NonZeroUsize::MIN,
        max_retries: 0,
        timeout: Duration::from_secs(5),
        ..Limits::default()
    };
    let secret = NodeSecret::from_hex(SECRET).expect("a secret");
    let client = Client::with_secret(&endpoint, &[], Some(secret), limits).expect("a client");
    assert!(Node::connect(client).await.is_err());
    let request = serving.await.expect("it answers");
    // The header of a token that is signed with HMAC and SHA-256.
    assert!(request.contains("authorization: Bearer eyJ"), "{request}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_secret_is_refused_without_a_quote() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("jwt.hex");
    std::fs::write(&path, "abcdef0123").expect("the folder is writable");
    let path = path.display().to_string();
    let arguments = ["fetch", "2", "--rpc-url", "http://127.0.0.1:9", "--jwt-secret", &path];
    let refused = fetch(&arguments).await;
    assert_code(&refused, 2);
    let said = stderr(&refused);
    assert!(said.contains("64 hexadecimal digits") && !said.contains("abcdef0123"), "{said}");
}
