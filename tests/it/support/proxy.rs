//! A gateway before a node. It answers some methods itself, forwards the others and counts calls.

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Decides on one call: `None` forwards it, and an error holds its code.
type Rule = dyn Fn(&str, &Value) -> Option<Result<Value, i64>> + Send + Sync;

/// Whether batches are forwarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batches {
    Taken,
    Refused,
}

#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: String,
    node: String,
    batches: Batches,
    rule: Arc<Rule>,
    http: reqwest::Client,
    counts: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Proxy {
    /// Proxies `node` for the lifetime of the runtime.
    pub(crate) async fn before(
        node: &str,
        batches: Batches,
        rule: impl Fn(&str, &Value) -> Option<Result<Value, i64>> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build();
        let http = http.expect("a client");
        let (node, rule, counts) = (node.to_owned(), Arc::new(rule), Arc::default());
        let proxy = Self { url, node, batches, rule, http, counts };
        let serving = proxy.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        proxy
    }

    /// Number of calls by method. A batch counts as one call to `batch`, in addition to its calls.
    pub(crate) fn counts(&self) -> BTreeMap<String, usize> {
        self.counts.lock().expect("no test panics in between").clone()
    }

    fn count(&self, method: &str) {
        let mut counts = self.counts.lock().expect("no test panics in between");
        *counts.entry(method.to_owned()).or_default() += 1;
    }

    async fn serve(self, stream: TcpStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let request = read_request(&mut stream).await?;
            let answer = match request.as_array() {
                Some(_) if self.batches == Batches::Refused => {
                    error(&json!({"id": null}), -32600).to_string()
                }
                Some(calls) => {
                    self.count("batch");
                    let mut answers = Vec::new();
                    for call in calls {
                        answers.push(self.answer(call).await?);
                    }
                    // A node may answer a batch in any order.
                    answers.reverse();
                    Value::from(answers).to_string()
                }
                None => self.answer(&request).await?.to_string(),
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", answer.len());
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(answer.as_bytes()).await.ok()?;
            stream.flush().await.ok()?;
        }
    }

    async fn answer(&self, call: &Value) -> Option<Value> {
        let method = call["method"].as_str()?;
        self.count(method);
        match (self.rule)(method, &call["params"]) {
            Some(Ok(result)) => Some(json!({"jsonrpc": "2.0", "id": call["id"], "result": result})),
            Some(Err(code)) => Some(error(call, code)),
            None => {
                let request = self.http.post(&self.node).header("content-type", "application/json");
                let answer = request.body(call.to_string()).send().await.ok()?;
                serde_json::from_slice(&answer.bytes().await.ok()?).ok()
            }
        }
    }
}

fn error(call: &Value, code: i64) -> Value {
    let error = json!({"code": code, "message": "not here"});
    json!({"jsonrpc": "2.0", "id": call["id"], "error": error})
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    serde_json::from_slice(&body).ok()
}
