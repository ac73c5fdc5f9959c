//! Keeps fetched blocks on disk: one file per block, complete or absent.
//!
//! [`Cache`] is the folder, [`container`] the file format, [`RecordedBlock`] what goes in and out, and
//! [`archive`] many blocks in one file, to carry elsewhere.
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
//! other name is ignored, among them the temporary files of writers (`.put-*.tmp`). Those of writers
//! that were killed are found by [`Cache::leftovers`].
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
//! | 1 | integer | kind of pre-state: `1` is a witness, `2` flat; other values are reserved |
//! | 2 | list | the block, as `[header, transactions, ommers]` or, from Shanghai, `[.., withdrawals]` |
//! | 3 | list | for kind 1, the witness: `[nodes, codes, headers, keys]`, each a list of byte strings |
//! | 3 | list | for kind 2, the flat pre-state: `[accounts, codes, headers, assumed]` |
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
//! *The flat pre-state* has each list in strictly ascending order, so that nothing is there twice:
//! - accounts, by address: `[address]` for one that is known not to exist, otherwise
//!   `[address, nonce, balance, code hash, slots]`. Address and code hash are strings of 20 and 32
//!   bytes, nonce and balance (in wei) are integers. Slots are a list of `[key, value]`, both integers,
//!   by key; a known zero is listed.
//! - codes: contract bytecode, each once, in the order of byte strings, known by its keccak-256;
//! - headers: as in a witness, but empty where only the parent's hash is needed;
//! - assumed: `[absent, empty, zero, unknown hash, ommers]`, what the block reads and no node told. Absent are
//!   addresses of accounts taken not to exist, empty those of accounts taken to exist with nothing in
//!   them; zero is a list of `[address, key]`, slots taken to be zero; unknown hash is a list of block
//!   numbers whose hash is taken to be zero. What is listed here is nowhere else in the pre-state.
//!   Ommers are hashes, in the block's order, of ommers that no node had: where there are any, the
//!   block's own list of ommers is empty, and the header's ommers hash is not that list's.
//!
//! Nothing proves a flat pre-state: that its values are right shows only in the receipts that follow
//! from them.
//!
//! Readers refuse an unknown kind and any item after the pre-state, so a reserved place can
//! be filled later without a new version: an old reader says so instead of dropping data.
//!
//! The limits: 1 GiB of content, 32 MiB of block RLP, 2²² byte strings in each list of the witness, and
//! 2²² accounts, slots, codes, headers or assumptions of a flat pre-state. Without all but the first,
//! a few megabytes could decode to many gigabytes.
//!
//! To see the RLP of a file: `tail -c +11 FILE | zstd -d`.

pub mod archive;
mod atomic;
pub mod container;
mod content;
mod error;
mod flat_content;
mod leftover;
mod limits;
mod sample;
mod store;
#[cfg(test)]
mod tests;

pub use error::{CacheError, ContainerError};
pub use leftover::Leftover;
pub use sample::{SAMPLE_CHAIN, sample};
pub use store::Cache;
