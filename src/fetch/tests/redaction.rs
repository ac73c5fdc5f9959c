//! No error prints more of the URL and the headers than scheme, host and port.

use std::{error::Error, iter::successors, time::Duration};

use serde_json::json;

use super::{
    super::{Client, Endpoint, Fault, Limits, Node, RpcError, RpcHeader},
    server::{Reply, TestNode},
};

const CREDENTIALS: &str = "someuser:hunter22@";
const PATH: &str = "/v3/path-key/x?apikey=query-key#frag-ment";

/// Text that must not be printed. The last is `someuser:hunter22` in base64, as it is sent.
const SECRETS: [&str; 7] = [
    "someuser",
    "hunter22",
    "path-key",
    "query-key",
    "frag-ment",
    "header-token",
    "c29tZXVzZXI6aHVudGVyMjI",
];

fn secretive_client(url: &str) -> Client {
    let endpoint: Endpoint = url.parse().unwrap();
    let header: RpcHeader = "X-Api-Key: Token header-token".parse().unwrap();
    let timeout = Duration::from_millis(300);
    let limits = Limits { max_retries: 0, timeout, ..Limits::default() };
    Client::new(&endpoint, &[header], limits).unwrap()
}

/// The error and all its sources, each as `Display` and as `Debug`, plain and pretty.
fn shown(error: &(dyn Error + 'static)) -> String {
    let chain = successors(Some(error), |error| (**error).source());
    chain.map(|error| format!("{error} | {error:?} | {error:#?}\n")).collect()
}

fn assert_nothing_shows(error: &(dyn Error + 'static), case: &str) {
    let shown = shown(error);
    assert!(shown.contains("http"), "{case}: {shown}");
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{case}: {secret} shows in\n{shown}");
    }
}

async fn fail(node: &TestNode) -> RpcError {
    let client = secretive_client(&node.url(CREDENTIALS, PATH));
    client.call::<u64>("test_method", json!([])).await.unwrap_err()
}

#[tokio::test]
async fn no_fault_shows_a_secret() {
    let echo = SECRETS.join(" ");
    let page = |status| Reply::Http(status, vec![], format!("<p>cannot POST {PATH} {echo}"));
    for reply in [
        page(200),
        page(307),
        page(401),
        page(404),
        page(429),
        page(503),
        Reply::Echo,
        Reply::Result(json!(echo)),
        Reply::Truncated,
        Reply::Reset,
        Reply::Silence,
        Reply::WrongId,
        Reply::Http(200, vec!["content-encoding: gzip".into()], echo.clone()),
        Reply::Http(307, vec![format!("location: http://127.0.0.1:1{PATH}")], String::new()),
    ] {
        let node = TestNode::with([reply.clone()]).await;
        let error = fail(&node).await;
        assert_nothing_shows(&error, &format!("{reply:?}"));
    }
}

#[tokio::test]
async fn the_node_receives_the_hidden_parts() {
    let node = TestNode::with([Reply::Echo]).await;
    let RpcError::Failed { source: Fault::Answered { says, .. }, .. } = fail(&node).await else {
        panic!("the echo is an error -32000")
    };
    let says = says.to_string();
    assert!(says.contains("POST /v3/[hidden]/x?apikey=[hidden] HTTP/1.1"), "{says}");
    assert!(says.contains("x-api-key: Token [hidden]"), "{says}");
}

#[tokio::test]
async fn no_failure_to_connect_shows_a_secret() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = TestNode::with([]).await.url("", "").replace("http://", "");
    for url in [
        format!("http://{CREDENTIALS}{free}{PATH}"),
        format!("https://{CREDENTIALS}{plain}{PATH}"),
        format!("http://{CREDENTIALS}no-such-host.invalid{PATH}"),
    ] {
        let error = Node::connect(secretive_client(&url)).await.unwrap_err();
        // A proxy of the machine counts for the host that does not exist.
        let is_reached =
            !matches!(error, RpcError::Unreachable { .. } | RpcError::BehindProxy { .. });
        assert!(!is_reached, "{error:?}");
        assert_nothing_shows(&error, &url);
    }
}

#[tokio::test]
async fn clients_and_nodes_show_no_secret() {
    let node = TestNode::with([Reply::Result(json!("0x1"))]).await;
    let client = secretive_client(&node.url(CREDENTIALS, PATH));
    let node = Node::connect(client.clone()).await.unwrap();
    let shown = format!("{client:?} {client:#?} {node:?} {}", client.origin());
    for secret in SECRETS {
        assert!(!shown.contains(secret), "{shown}");
    }
}
