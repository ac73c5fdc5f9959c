//! A node that answers whatever a test wants. It serves each connection on a thread of its own, until the test
//! process ends.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

/// An answer to one call, or to one batch.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// The `result`.
    Result(Value),
    /// The `error`.
    Error(i64, String),
    /// An HTTP answer: status, further header lines, body.
    Http(u16, String, Vec<u8>),
}

/// A request: the header lines and the JSON of the body.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Request {
    /// The method of a single call; empty for a batch.
    pub(crate) fn method(&self) -> &str {
        self.body["method"].as_str().unwrap_or_default()
    }
}

/// Serves the replies on a free loopback port, and returns the URL.
pub(crate) fn fake_node(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let reply: Arc<dyn Fn(&Request) -> Reply + Send + Sync> = Arc::new(reply);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let reply = reply.clone();
            thread::spawn(move || serve(stream, &*reply));
        }
    });
    url
}

/// Answers the requests of one connection. Ends with `None` when the client closes it.
fn serve(stream: TcpStream, reply: &dyn Fn(&Request) -> Reply) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let request = read_request(&mut reader)?;
        let id = &request.body["id"];
        let envelope = |key: &str, value: Value| {
            json!({"jsonrpc": "2.0", "id": id, key: value}).to_string().into_bytes()
        };
        let (status, head, body) = match reply(&request) {
            Reply::Result(result) => (200, String::new(), envelope("result", result)),
            Reply::Error(code, message) => {
                let error = json!({"code": code, "message": message});
                (200, String::new(), envelope("error", error))
            }
            Reply::Http(status, head, body) => (status, head, body),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n{head}\r\n");
        writer.write_all(head.as_bytes()).ok()?;
        writer.write_all(&body).ok()?;
        writer.flush().ok()?;
    }
}

fn read_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body: serde_json::from_slice(&body).ok()? })
}
