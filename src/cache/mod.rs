//! Keeps fetched blocks on disk: one file per block, complete or absent.
//!
//! [`Cache`] is the folder, [`container`] the file format, [`RecordedBlock`] what goes in and out.
//! How a block is fetched, and whether what a node said about it is true, is for others.
//!
//! # Where correctness lives
//!
//! Nothing in a file is trusted. This module checks two things: that a file is whole and well formed,
//! and that it holds the block that its name and folder say, by hashing the header. That the header's
//! roots cover the transactions, withdrawals and ommers, that the ancestors' headers are linked, and
//! that every trie node and code hashes to what asked for it is *not* checked here: `block::prepare`
//! does it for every replay. The checksum in the file only tells damage apart from such a mismatch;
//! it proves nothing about the content.
//!
//! A hostile file cannot exhaust memory: sizes are held to the limits below before anything is
//! allocated for them.
//!
//! # Folder layout
//!
//! ```text
//! <cache>/<chain id>/<block number>-<block hash>.block
//! ```
//!
//! Chain id and block number are plain decimals; the hash is `0x` and 64 lower-case hex digits. Any
//! other name is ignored, among them the temporary files of writers that were killed (`.put-*.tmp`),
//! which may be deleted at any time.
//!
//! # Container format, version 1
//!
//! | offset | length | what |
//! |--:|--:|---|
//! | 0 | 8 | magic: `89 62 6c 6b 72 61 63 65`, that is `\x89blkrace` |
//! | 8 | 2 | format version, big-endian: `00 01` |
//! | 10 | to the end | one zstd frame (RFC 8878), nothing after it |
//!
//! The frame must declare its content size and needs no dictionary; writers add the content checksum.
//! Its content is one RLP list (Yellow Paper, appendix B). Integers are RLP's: big-endian, no leading
//! zero, and `80` for zero.
//!
//! | item | RLP | what |
//! |--:|---|---|
//! | 0 | integer | chain id (EIP-155) |
//! | 1 | integer | kind of pre-state: `1` is a witness, other values are reserved |
//! | 2 | list | the block, as `[header, transactions, ommers]` or, from Shanghai, `[.., withdrawals]` |
//! | 3 | list | for kind 1, the witness: `[nodes, codes, headers, keys]`, each a list of byte strings |
//! | 4 | – | reserved for the EIP-7928 block access list; absent in version 1 |
//!
//! *The block* is in its consensus encoding, that of `NewBlock` on the wire. A transaction is a list
//! where it is a legacy one, else a byte string of type and payload (EIP-2718), without blob sidecars.
//!
//! *The witness* is in the order in which the node gave it:
//! - nodes: RLP of trie nodes, of the state trie and storage tries alike, known by their keccak-256;
//! - codes: contract bytecode, known by its keccak-256;
//! - headers: RLP of ancestors' headers, by ascending number; the last one is the parent;
//! - keys: preimages of hashed trie keys (addresses, storage slots); often empty.
//!
//! Version 1 readers refuse an unknown kind and any item after the witness, so a reserved place can
//! be filled later without a new version: an old reader says so instead of dropping data.
//!
//! The limits: 1 GiB of content, 32 MiB of block RLP, and 2²² byte strings in each list of the
//! witness. Without the last two, a few megabytes could decode to many gigabytes.
//!
//! To see the RLP of a file: `tail -c +11 FILE | zstd -d`.

mod atomic;
mod block_id;
pub mod container;
mod content;
mod error;
mod limits;
mod recorded;
mod sample;
mod store;
#[cfg(test)]
mod tests;

pub use block_id::BlockId;
pub use error::{CacheError, ContainerError};
pub use recorded::{RecordedBlock, Witness};
pub use sample::{SAMPLE_CHAIN, sample};
pub use store::Cache;
