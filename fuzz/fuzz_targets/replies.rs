//! Fuzzes the replies of a node over HTTP.
//!
//! The first input byte selects the requests; the replies follow, one per line. A reply that starts with `=` is
//! a result and gets the envelope and id of its request. Any other reply is sent as the whole body.

#![no_main]

use blockrace::{
    block::TraceCompletion,
    fetch::{Client, Endpoint, FetchedBlock, Limits, Node, WitnessChoice},
};
use libfuzzer_sys::fuzz_target;
use std::{num::NonZeroUsize, sync::LazyLock, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, Runtime},
};

/// Shared by all inputs, since creating a client takes longer than a request.
struct Scene {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
}

static SCENE: LazyLock<Scene> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("it can be built");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let endpoint: Endpoint = format!("http://{address}").parse().expect("it is a URL");
    let client = runtime.block_on(async { Client::new(&endpoint, &[], LIMITS) });
    Scene { runtime, listener, client: client.expect("no request is sent yet") }
});

const LIMITS: Limits = Limits {
    concurrency: NonZeroUsize::MIN,
    requests_per_second: None,
    max_retries: 0,
    timeout: Duration::from_secs(1),
    largest_answer: 1 << 20,
};

fuzz_target!(|input: &[u8]| {
    let Some((way, replies)) = input.split_first() else { return };
    let replies: Vec<_> = replies.split(|byte| *byte == b'\n').collect();
    let Scene { runtime, listener, client } = &*SCENE;
    runtime.block_on(async {
        tokio::select! {
            () = serve(listener, &replies) => {}
            () = ask(client.clone(), *way) => {}
        }
    });
});

async fn ask(client: Client, way: u8) {
    let Ok(node) = Node::connect(client).await else { return };
    let Ok(head) = node.head().await else { return };
    let choice = match way % 5 {
        0 => WitnessChoice::Auto,
        1 => WitnessChoice::ExecutionWitness,
        2 => WitnessChoice::Proofs,
        3 => WitnessChoice::Prestate,
        _ => {
            let _ = node.abilities(head, head).await;
            return;
        }
    };
    if let Ok(FetchedBlock::Traced(traced)) = node.fetch(head, choice).await {
        let _ = TraceCompletion::new(traced);
    }
}

/// Answers each request with the next reply and starts again after the last one.
async fn serve(listener: &TcpListener, replies: &[&[u8]]) {
    for reply in replies.iter().cycle() {
        let Ok((stream, _)) = listener.accept().await else { return };
        let _ = answer(stream, reply).await;
    }
}

async fn answer(mut stream: TcpStream, reply: &[u8]) -> std::io::Result<()> {
    let mut question = Vec::new();
    while !is_whole(&question) {
        if stream.read_buf(&mut question).await? == 0 {
            return Ok(());
        }
    }
    let body = in_envelope(&question, reply);
    let head =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await
}

/// Whether the body of a request is complete.
fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
    length.and_then(|length| length.parse().ok()).is_none_or(|length: usize| body.len() >= length)
}

fn in_envelope(question: &[u8], reply: &[u8]) -> Vec<u8> {
    let Some(result) = reply.strip_prefix(b"=") else { return reply.to_vec() };
    let text = String::from_utf8_lossy(question);
    let after = text.split("\"id\":").nth(1).unwrap_or_default();
    let id: String = after.chars().take_while(char::is_ascii_digit).collect();
    let head = format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"result\":");
    [head.as_bytes(), result, b"}"].concat()
}
