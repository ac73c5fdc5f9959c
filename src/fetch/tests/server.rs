//! A node for tests: a TCP listener that answers each request by a script.
//!
//! It implements just enough of HTTP/1.1. It can break off, reset or stay silent, as real servers
//! do.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
};

/// The node's reaction to one request.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// HTTP 200 with a JSON-RPC result.
    Result(Value),
    /// HTTP 200 with a JSON-RPC error.
    Error(i64, &'static str),
    /// Any HTTP answer. Each header is a whole line.
    Http(u16, Vec<String>, String),
    /// A result under another id.
    WrongId,
    /// Half of the announced body.
    Truncated,
    /// The connection is reset.
    Reset,
    /// No answer.
    Silence,
    /// The whole head of the request, in an error message.
    Echo,
}

/// Maps a method and its params to a reply.
type Script = dyn Fn(&str, &Value) -> Reply + Send + Sync;

/// A received request.
#[derive(Debug)]
struct Request {
    head: String,
    call: Value,
}

/// A node on loopback that lives as long as the test's runtime.
#[derive(Clone)]
pub(super) struct TestNode {
    address: String,
    calls: Arc<Mutex<Vec<(String, Value)>>>,
}

impl TestNode {
    /// Replies by a function of method and params.
    pub(super) async fn new(
        script: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let node = Self { address, calls: Arc::default() };
        let (serving, script) =
            (node.clone(), Arc::<Script>::from(Box::new(script) as Box<Script>));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream, Arc::clone(&script)));
            }
        });
        node
    }

    /// Sends the replies in turn, and then always `"done"`.
    pub(super) async fn with(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        let done = Reply::Result(json!("done"));
        Self::new(move |_, _| replies.lock().unwrap().pop_front().unwrap_or_else(|| done.clone()))
            .await
    }

    /// The node's URL, with the given parts before the host and after the port.
    pub(super) fn url(&self, credentials: &str, path: &str) -> String {
        format!("http://{credentials}{}{path}", self.address)
    }

    /// Methods and params of all calls so far.
    pub(super) fn calls(&self) -> Vec<(String, Value)> {
        self.calls.lock().unwrap().clone()
    }

    /// Number of calls of a method.
    pub(super) fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|(called, _)| called == method).count()
    }

    async fn serve(self, stream: TcpStream, script: Arc<Script>) {
        stream.set_zero_linger().unwrap();
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        while let Some(request) = read_request(&mut read).await {
            // A request without a method is a batch, which this node rejects.
            let method = request.call["method"].as_str().unwrap_or("batch").to_owned();
            let params = request.call["params"].clone();
            let reply = match method.as_str() {
                "batch" => Reply::Error(-32600, "no batches here"),
                _ => script(&method, &params),
            };
            self.calls.lock().unwrap().push((method, params));
            if matches!(reply, Reply::Reset) {
                // Closing without an answer and without lingering sends a reset.
                return write.forget();
            }
            if answer(&mut write, &request, reply).await.is_none() {
                return;
            }
        }
    }
}

async fn read_request(read: &mut (impl AsyncBufReadExt + Unpin)) -> Option<Request> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    read.read_exact(&mut body).await.ok()?;
    Some(Request { head, call: serde_json::from_slice(&body).unwrap() })
}

/// Sends the reply. `None` if the connection is finished.
async fn answer(write: &mut OwnedWriteHalf, request: &Request, reply: Reply) -> Option<()> {
    let id = &request.call["id"];
    let object =
        |name: &str, value: Value| json!({"jsonrpc": "2.0", "id": id, name: value}).to_string();
    let error = |code: i64, says: &str| object("error", json!({"code": code, "message": says}));
    let (status, headers, body) = match reply {
        Reply::Result(result) => (200, vec![], object("result", result)),
        Reply::Error(code, says) => (200, vec![], error(code, says)),
        Reply::Http(status, headers, body) => (status, headers, body),
        Reply::WrongId => (200, vec![], json!({"id": 2_u64.pow(40), "result": 1}).to_string()),
        Reply::Echo => (200, vec![], error(-32000, &format!("what is {}", request.head))),
        Reply::Truncated => {
            let half = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"jsonrpc\"";
            write.write_all(half).await.ok()?;
            write.shutdown().await.ok()?;
            tokio::time::sleep(Duration::from_millis(20)).await;
            return None;
        }
        Reply::Reset | Reply::Silence => return std::future::pending().await,
    };
    let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    let length = body.len();
    let all = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
    write.write_all(all.as_bytes()).await.ok()
}
