//! Keeps fetched blocks in a folder or in a bucket. Each block has one file, which is complete or absent.
//!
//! The folder or bucket is a [`Cache`], and [`container`] is the file format. A [`RecordedBlock`] is stored
//! and loaded. An [`archive`] holds many blocks in one file, for transfer to another machine. Other
//! modules fetch blocks and verify what a node answered.
//!
//! # Where correctness lives
//!
//! No file is trusted. This module checks two properties. The file is complete and well formed. It
//! holds the block that its name and folder state, which the hash of the header shows.
//!
//! The other checks are *not* made here. `block::prepare` makes them for every replay. It derives
//! the header's roots from the transactions, withdrawals and ommers. It links the ancestors'
//! headers. It checks every trie node and code against the hash that refers to it. The checksum in
//! the file only distinguishes damage from such a mismatch. It proves nothing about the content.
//!
//! A hostile file cannot exhaust memory, because sizes are checked against the limits below before
//! memory is allocated.
//!
//! # Folder layout
//!
//! ```text
//! <cache>/<chain id>/<first>-<last>/<block number>-<block hash>.block
//! ```
//!
//! Chain id and numbers are plain decimals. The hash is `0x` and 64 lower-case hex digits. A chunk has
//! the numbers from `<first>` to `<last>`. Blocks directly in a chain's folder are of older releases,
//! and are read as well. Other names are ignored. The temporary files of writers (`.put-*.tmp`) are
//! in the chain's folder. A chunk's folder may have the file `confirmed.txt`, which lists confirmed
//! headers, and `checked.txt`, which lists files that need not be read again. The function
//! [`Cache::leftovers`] finds the temporary files of killed writers.
//!
//! # Bucket layout
//!
//! A bucket has the same names below its prefix, and no temporary files. Objects cannot grow, so each writer adds
//! objects `confirmed-<digest>.txt` and `checked-<digest>.txt` to a chunk, which are named by their content. Reading
//! unites all of them. So two writers never replace each other's lines, and no request depends on a condition.
//!
//! # Container format, version 2
//!
//! | offset | length | content |
//! |--:|--:|---|
//! | 0 | 8 | Magic. The bytes are `89 62 6c 6b 72 61 63 65`, that is `\x89blkrace`. |
//! | 8 | 2 | Format version, big-endian: `00 02`. |
//! | 10 | to the end | One zstd frame (RFC 8878). Nothing follows it. |
//!
//! The frame must declare its content size and needs no dictionary. Writers add the content
//! checksum. The content is one RLP list (Yellow Paper, appendix B). Integers are RLP's:
//! big-endian, no leading zero, and `80` for zero.
//!
//! | item | RLP | content |
//! |--:|---|---|
//! | 0 | integer | Chain id (EIP-155). |
//! | 1 | integer | Kind of pre-state: A witness is `1`, a flat pre-state is `2`. Other values are reserved. |
//! | 2 | list | The block, as `[header, transactions, ommers]` or, from Shanghai, `[.., withdrawals]`. |
//! | 3 | list | For kind 1, the witness: `[nodes, codes, headers, keys]`. Each is a list of byte strings. |
//! | 3 | list | For kind 2, the flat pre-state: `[accounts, codes, headers, assumed]`. |
//! | 4 | byte string | RLP of the block access list (EIP-7928) as the node answered it. Empty for none. |
//! | 5 | byte string | The rules of the chain. Empty if the chain id stands for them. |
//!
//! Version 1 ends after item 3. It is still read.
//!
//! *The block* has its consensus encoding, as in `NewBlock` on the wire. A legacy transaction is a
//! list. Any other transaction is a byte string of type and payload (EIP-2718), without blob
//! sidecars.
//!
//! *The witness* holds what the block needs, so that a block has one file. Nodes and codes occur
//! once, in the order of byte strings. Files of earlier releases have the order of the node, and
//! may hold more:
//! - nodes: RLP of trie nodes, both of the state trie and of storage tries. Their key is their
//!   keccak-256.
//! - codes: Contract bytecode. Its key is its keccak-256.
//! - headers: RLP of ancestors' headers, by ascending number. The last one is the parent. The first
//!   one is the oldest that the block reads by `BLOCKHASH`.
//! - keys: Preimages of hashed trie keys (addresses, storage slots). No block needs one, so this
//!   list is empty.
//!
//! *The flat pre-state* has lists in strictly ascending order, so that no item occurs twice.
//! Only the ommers keep the block's order:
//! - accounts, by address: The item `[address]` is an account that is known not to exist. Any other
//!   item is `[address, nonce, balance, code hash, slots]`. Address and code hash are strings of 20
//!   and 32 bytes. Nonce and balance (in wei) are integers. Slots are a list of `[key, value]`,
//!   both integers, by key. A slot that is known to be zero is listed.
//! - codes: Contract bytecode, each once, in the order of byte strings. Its key is its keccak-256.
//! - headers: As in a witness, but empty if only the parent's hash is needed.
//! - assumed: Values that the block reads and no node answered. They are five lists,
//!   `[absent, empty, zero, unknown hash, ommers]`, and occur nowhere else in the pre-state.
//!
//! The lists of `assumed`:
//! - absent: Addresses of accounts that are assumed not to exist.
//! - empty: Addresses of accounts that are assumed to exist and be empty.
//! - zero: A list of `[address, key]`, slots that are assumed to be zero.
//! - unknown hash: Numbers of blocks with a hash that is assumed to be zero.
//! - ommers: Hashes of ommers that no node had, in the block's order. If there are any, the block's
//!   own list of ommers is empty, and does not match the header's ommers hash.
//!
//! Nothing proves a flat pre-state. Only the receipts of the executed block show that its values
//! are right.
//!
//! *The block access list* is not decoded here. Its keccak-256 is in the header of a block of
//! Amsterdam or later, and `block::prepare` compares them.
//!
//! Readers refuse an unknown kind and any further item. So an old reader returns an error instead
//! of dropping data.
//!
//! The content is limited to 1 GiB, block RLP and the block access list to 32 MiB each, and the
//! rules to 64 KiB. Each list of the witness has at most
//! 2²² byte strings. Accounts, slots, codes, headers and assumptions of a flat pre-state have the
//! same limit each. With the first limit alone, a few megabytes could decode to many gigabytes.
//!
//! To see the RLP of a file: `tail -c +11 FILE | zstd -d`.

pub mod archive;
pub(crate) mod atomic;
mod bucket;
mod confirmed;
pub mod container;
mod content;
mod error;
mod flat_content;
mod folder;
mod index;
mod layout;
mod leftover;
mod limits;
mod location;
mod sample;
mod storage;
mod store;
#[cfg(test)]
mod tests;

pub use bucket::{BucketFault, BucketFiles, BucketUrl, CopySettings, UrlError};
pub use confirmed::{Confirmations, built_in};
pub use error::{CacheError, ContainerError};
pub use index::{CheckedFile, ChunkIndex};
pub use leftover::Leftover;
pub use location::{Location, LocationError};
pub use sample::{SAMPLE_CHAIN, sample};
pub use store::Cache;
