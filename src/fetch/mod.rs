//! Fetches blocks and their execution witnesses from an Ethereum node over JSON-RPC.
//!
//! A [`Client`] sends one call and retries it after transient faults: time-outs, broken answers,
//! overloaded gateways, rate limits. A [`Node`] knows which calls make a [`RecordedBlock`], and in
//! which dialect a node answers them. Read the files in this order:
//!
//! | file | content |
//! |---|---|
//! | `endpoint` | The URL or socket, and extra headers. URL and headers are never printed. |
//! | `redact`, `type_names` | Makes text from outside safe to print. Makes words of Rust's type names. |
//! | `client` | One call: attempts, ids, decoding. |
//! | `connection`, `http`, `stream` | The transports: HTTP; WebSocket and IPC. |
//! | `jwt` | The secret that a node shares with its clients. |
//! | `error`, `block_error` | Errors of calls. Errors of blocks. |
//! | `budget` | The memory of answers. |
//! | `answer` | Interprets an HTTP answer. The result is data or a fault. |
//! | `wording` | Classifies errors by code and words: rate limits, missing state. |
//! | `retry`, `retry_after` | Which faults are transient, and how long to wait. |
//! | `lag` | Backends behind a load balancer that lag behind the stated head. |
//! | `pace` | Limits of requests. One bounds the open requests, the other the rate of new ones. |
//! | `node` | The calls that make a block. |
//! | `names` | Numbers of blocks that are named by a word or a hash. |
//! | `software` | The software of a node, and the methods that harm it. |
//! | `choice` | The ways to fetch the pre-state. One is selected for each block. |
//! | `json` | Reads lists and objects item by item. |
//! | `block`, `transaction`, `witness` | The JSON of blocks. The JSON of transactions. The JSON of witnesses. |
//! | `tracer` | The JSON of the tracer. |
//! | `proofs` | Builds a witness from a trace and single proofs. Also completes other witnesses. |
//! | `prestate` | The pre-state from a tracer. |
//! | `values` | Single values, which the tracer omits. |
//! | `batch` | Many calls in one request. |
//! | `access_list` | The block access list (EIP-7928). |
//! | `ancestors` | Headers for `BLOCKHASH`. |
//! | `probe` | Finds out what a node can serve. |
//! | `stated` | The rules that a node states for its chain. |
//! | `many` | Many blocks. Their number at a time is bounded. |
//! | `pool` | Several nodes for one fetch. |
//!
//! This module checks only that an answer is the requested block. It checks the number, the header
//! against the hash, and transactions and ommers against the stated hashes. The rest is proved
//! where it is used. `block::prepare` derives the roots of transactions, withdrawals and ommers. It
//! also checks each trie node, code and ancestor header against the hash that names it. So a lying
//! node can waste time here, but it cannot make a wrong block pass. A flat state has no such proof.
//! It is verified only through the receipts, which must match the header.
//!
//! Secrets: A URL may hold a key in any of its parts, and headers hold tokens. Errors carry the
//! [`Origin`] only (scheme, host, port). Text from the node is cut short, and secrets are removed
//! from it.
//!
//! [`RecordedBlock`]: crate::block::RecordedBlock

mod access_list;
mod ancestors;
mod answer;
mod batch;
mod block;
mod block_error;
mod budget;
mod choice;
mod client;
mod connection;
mod endpoint;
mod error;
mod http;
mod json;
mod jwt;
mod lag;
mod many;
mod names;
mod node;
mod pace;
mod pool;
mod prestate;
mod probe;
mod proofs;
mod redact;
mod retry;
mod retry_after;
mod software;
mod stated;
mod stream;
mod tracer;
mod transaction;
mod type_names;
mod values;
mod witness;
mod wording;

#[cfg(test)]
mod tests;

pub use block_error::{FetchError, NameError};
pub use choice::{FetchedBlock, WitnessChoice};
pub use client::{Client, Limits, Traffic};
pub use endpoint::{Endpoint, EndpointError, HeaderError, Origin, RpcHeader};
pub use error::{Fault, RpcError};
pub use jwt::{NodeSecret, SecretError};
pub use node::Node;
pub use pool::Nodes;
pub use probe::{Abilities, Method};
pub use proofs::{Completion, Missing, Sibling};
pub use redact::{SafeText, TransportError};
pub use stated::{NodeStatement, Stated, StatementError};
