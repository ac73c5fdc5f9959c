//! Answers of a few kilobytes on the wire that are many megabytes of text, in shapes that could take many times their size
//! in memory.

use crate::support::{
    command,
    fake_node::{Reply, Request, fake_node},
    limited::limited,
    made_up::{MadeUp, NUMBER},
    stderr,
};
use flate2::{Compression, write::GzEncoder};
use std::io::Write as _;

/// Bytes of an answer after decompression.
const SIZE: usize = 32 << 20;

/// The text before, the repeated text, and the text after.
type Shape = (&'static str, &'static str, &'static str);

/// Texts of answers. `ID` stands for the id of the request.
const SHAPES: [(&str, Shape); 9] = [
    ("id is a list", ("{\"jsonrpc\":\"2.0\",\"result\":\"0x1\",\"id\":[0", ",0", "]}")),
    ("id is a number without end", ("{\"jsonrpc\":\"2.0\",\"result\":\"0x1\",\"id\":1", "0", "}")),
    ("result is a list of numbers", ("{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":[0", ",0", "]}")),
    ("result is a list of objects", ("{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":[{}", ",{}", "]}")),
    ("result is nested", ("{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":", "[", "")),
    ("result is a long string", ("{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":\"0x", "00", "\"}")),
    (
        "the error has a long message",
        ("{\"jsonrpc\":\"2.0\",\"id\":ID,\"error\":{\"code\":1,\"message\":\"", "a b ", "\"}}"),
    ),
    (
        "state has many empty nodes",
        (
            "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"codes\":[],\"headers\":[],\"keys\":[],\"state\":[\"0x\"",
            ",\"0x\"",
            "]}}",
        ),
    ),
    (
        "a block has many transactions",
        (
            "{\"jsonrpc\":\"2.0\",\"id\":ID,\"result\":{\"number\":\"0x5\",\"transactions\":[null",
            ",null",
            "]}}",
        ),
    ),
];

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(text).expect("memory is writable");
    gzip.finish().expect("memory is writable")
}

fn answer((before, repeated, after): Shape, request: &Request) -> Reply {
    let id = request.body["id"].to_string();
    let mut text = before.replace("ID", &id).into_bytes();
    text.extend(repeated.as_bytes().repeat(SIZE / repeated.len()));
    text.extend(after.as_bytes());
    Reply::Http(200, "content-encoding: gzip\r\n".to_owned(), gzip(&text))
}

/// Prints the peak memory of each answer.
#[test]
fn no_answer_takes_a_gigabyte_whatever_its_shape() {
    let methods = ["eth_chainId", "eth_getBlockByNumber", "debug_executionWitness"];
    for (name, shape) in SHAPES {
        for method in methods {
            let made_up = MadeUp::empty();
            let url = fake_node(move |request| match request.method() {
                asked if asked == method => answer(shape, request),
                _ => made_up.answer(request),
            });
            let cache = tempfile::tempdir().expect("a temporary folder");
            let block = NUMBER.to_string();
            let arguments = ["fetch", &block, "--rpc-url", &url, "--max-retries", "0"];
            let ended = limited(&mut command(cache.path(), &arguments));
            eprintln!("{:>6} kB: {name}, for {method}", ended.kilobytes);
            let code = ended.output.status.code();
            assert!(
                matches!(code, Some(2 | 75)),
                "{name}, {method}: {code:?} {}",
                stderr(&ended.output)
            );
        }
    }
}
