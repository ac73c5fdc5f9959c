//! Single calls: which faults are retried, and for how long.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    super::{Fault, Node, RpcError},
    Client, Limits, client,
    server::{Reply, TestNode},
};

fn http(status: u16, headers: &[&str], body: &str) -> Reply {
    Reply::Http(status, headers.iter().map(|line| (*line).to_owned()).collect(), body.to_owned())
}

/// Sends a call. The node answers `"done"` when its scripted replies are used up.
async fn ask(node: &TestNode) -> Result<String, RpcError> {
    client(&node.url("", "")).call("test_method", json!([])).await
}

#[tokio::test]
async fn a_transient_fault_is_retried() {
    for reply in [
        http(503, &[], "<html>service unavailable</html>"),
        http(500, &[], ""),
        http(408, &[], ""),
        http(429, &["retry-after: 0"], r#"{"id":null,"error":{"code":-32005,"message":"slow"}}"#),
        http(200, &[], "<html>welcome</html>"),
        http(200, &[], ""),
        http(200, &["content-encoding: gzip"], "this is not gzip"),
        Reply::Truncated,
        Reply::Reset,
        Reply::Silence,
        Reply::WrongId,
        Reply::Error(-32005, "limit exceeded"),
        Reply::Error(-32603, "internal error"),
        Reply::Error(-32001, "Unable to complete request at this time."),
        Reply::Error(15, "free tier"),
    ] {
        let node = TestNode::with([reply.clone()]).await;
        let answer = ask(&node).await;
        assert!(matches!(answer.as_deref(), Ok("done")), "{reply:?}: {answer:?}");
        assert_eq!(node.calls().len(), 2, "{reply:?}");
    }
}

#[tokio::test]
async fn a_permanent_fault_is_not_retried() {
    for reply in [
        http(401, &[], "no key"),
        http(403, &[], "wrong key"),
        http(404, &[], "<html>"),
        http(400, &[], "bad request"),
        Reply::Error(-32601, "method not found"),
        Reply::Error(-32602, "invalid params"),
        Reply::Error(-32000, "header not found"),
        Reply::Error(3, "execution reverted"),
        Reply::Result(Value::Null),
        Reply::Result(json!({"not": "a string"})),
    ] {
        let node = TestNode::with([reply.clone()]).await;
        let error = ask(&node).await.unwrap_err();
        assert!(matches!(error, RpcError::Failed { attempts: 1, .. }), "{reply:?}: {error:?}");
        assert_eq!(node.calls().len(), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn retries_end_and_the_last_fault_is_reported() {
    let node = TestNode::new(|_, _| http(503, &[], "<html>down</html>")).await;
    let error = ask(&node).await.unwrap_err();

    assert_eq!(node.calls().len(), 3);
    let RpcError::Failed { attempts: 3, source, .. } = error else { panic!("{error:?}") };
    assert_eq!(source.to_string(), "HTTP status 503: \"<html>down</html>\"");
}

#[tokio::test]
async fn retry_after_is_honoured() {
    let date = "date: Thu, 20 Nov 2025 12:00:00 GMT";
    for headers in
        [vec!["retry-after: 1"], vec![date, "retry-after: Thu, 20 Nov 2025 12:00:01 GMT"]]
    {
        let node = TestNode::with([http(429, &headers, "")]).await;
        let begin = Instant::now();
        assert_eq!(ask(&node).await.unwrap(), "done");
        assert!(begin.elapsed() >= Duration::from_secs(1), "{headers:?}: {:?}", begin.elapsed());
    }
}

#[tokio::test]
async fn a_delay_stated_in_words_is_honoured() {
    let node = TestNode::with([Reply::Error(-32007, "10/second request limit reached")]).await;
    let begin = Instant::now();
    assert_eq!(ask(&node).await.unwrap(), "done");
    assert!(begin.elapsed() >= Duration::from_secs(1), "{:?}", begin.elapsed());
}

#[tokio::test]
async fn null_is_a_valid_answer_for_an_option() {
    let node = TestNode::with([Reply::Result(Value::Null)]).await;
    let answer: Option<String> =
        client(&node.url("", "")).call("test_method", json!([])).await.unwrap();
    assert_eq!(answer, None);
}

#[tokio::test]
async fn large_answers_arrive_whole() {
    let text = "0123456789abcdef".repeat(1 << 20);
    let node = TestNode::with([Reply::Result(json!(text))]).await;
    // A busy machine takes longer for this answer than the other tests wait.
    let client = Client::new(&node.url("", "").parse().unwrap(), &[], Limits::default()).unwrap();
    let answer: String = client.call("test_method", json!([])).await.unwrap();
    assert_eq!(answer, text);
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = TestNode::with([]).await;
    let location = format!("location: {}", elsewhere.url("", "/"));
    let node = TestNode::with([http(307, &[&location], "")]).await;

    let error = ask(&node).await.unwrap_err();
    let refused =
        matches!(error, RpcError::Failed { source: Fault::Refused { status: 307, .. }, .. });
    assert!(refused, "{error:?}");
    assert!(elsewhere.calls().is_empty());
}

#[tokio::test]
async fn connecting_to_an_absent_node_fails_soon() {
    let port = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let begin = Instant::now();
    let error = Node::connect(client(&format!("http://{port}/key"))).await.unwrap_err();

    assert!(begin.elapsed() < Duration::from_secs(2), "{:?}", begin.elapsed());
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        error.to_string(),
        format!("cannot reach the node at http://{port}; check the URL and that the node is up")
    );
    assert!(cause.contains("refused"), "{cause}");
}

#[tokio::test]
async fn a_node_that_never_answered_is_tried_twice() {
    let node = TestNode::new(|_, _| Reply::Silence).await;
    let error = Node::connect(client(&node.url("", ""))).await.unwrap_err();
    let silent = matches!(error, RpcError::Failed { attempts: 2, source: Fault::TimedOut(_), .. });
    assert!(silent, "{error:?}");
}

#[tokio::test]
async fn a_rate_limit_of_one_call_delays_the_next() {
    let node = TestNode::with([http(429, &["retry-after: 1"], "")]).await;
    let client = client(&node.url("", ""));
    let begin = Instant::now();
    let first = client.call::<String>("test_first", json!([]));
    let second = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        client.call::<String>("test_second", json!([])).await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.unwrap(), second.unwrap()), ("done".into(), "done".into()));
    assert!(begin.elapsed() >= Duration::from_secs(1));
    assert_eq!(node.calls().len(), 3);
}
