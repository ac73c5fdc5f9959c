//! Asks an Ethereum node for blocks and their execution witnesses, over JSON-RPC.
//!
//! [`Client`] asks one question and sees to it that what can pass is waited out: time-outs, broken
//! answers, overloaded gateways, rate limits. [`Node`] knows which questions make a
//! [`RecordedBlock`], and in which dialect a node answers them. Read in this order:
//!
//! | file | what it knows |
//! |---|---|
//! | `endpoint` | the URL and extra headers, and that neither is ever printed |
//! | `redact` | how text from outside becomes safe to print |
//! | `client` | one question: attempts, ids, decoding |
//! | `answer`, `wording` | what an HTTP answer means |
//! | `retry`, `retry_after` | which faults pass, and how long to wait for it |
//! | `pace` | how many questions may be open, and how fast new ones start |
//! | `node` | the questions that make a block |
//! | `choice` | which way the state before a block is asked for |
//! | `block`, `witness` | the JSON of blocks and witnesses |
//! | `proofs` | a witness put together from a trace and single proofs, and what another one lacks |
//! | `prestate` | the state before a block as a tracer tells it, and what it leaves out |
//! | `batch` | many questions in one request |
//! | `ancestors` | headers for `BLOCKHASH` |
//! | `probe` | what a node can serve |
//! | `many` | many blocks, a bounded number at a time |
//!
//! What a node answers is checked just enough to know that it is the block that was asked for: its
//! number, its header against the hash, its transactions and ommers against the hashes stated. The
//! rest is proved where it is used: `block::prepare` derives the transactions, withdrawals and ommers
//! roots, and holds every trie node, code and ancestor header against the hash that names it. So a
//! lying node can waste time here, but cannot make a wrong block pass. A flat state has no such proof:
//! it is good as far as the receipts that follow from it are the header's.
//!
//! Secrets: a URL may hold a key in any of its parts, and headers hold tokens. Errors carry the
//! [`Origin`] only (scheme, host, port); what a node says is cut short and cleared of both.
//!
//! [`RecordedBlock`]: crate::block::RecordedBlock

mod ancestors;
mod answer;
mod batch;
mod block;
mod choice;
mod client;
mod endpoint;
mod error;
mod many;
mod node;
mod pace;
mod prestate;
mod probe;
mod proofs;
mod redact;
mod retry;
mod retry_after;
mod witness;
mod wording;

#[cfg(test)]
mod tests;

pub use choice::{FetchedBlock, WitnessChoice};
pub use client::{Client, Limits};
pub use endpoint::{Endpoint, EndpointError, HeaderError, Origin, RpcHeader};
pub use error::{Fault, FetchError, RpcError};
pub use node::Node;
pub use probe::{Abilities, Method};
pub use proofs::{Completion, Missing, Sibling};
pub use redact::{SafeText, TransportError};
