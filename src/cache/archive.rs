//! Many cached blocks in one file, for transfer between machines.
//!
//! An archive is a POSIX tar file (IEEE 1003.1, `ustar`). Any `tar` can list it and unpack it, for
//! example into the folder of a cache. Members are not compressed again, because containers already
//! are.
//!
//! | member | content |
//! |---|---|
//! | `manifest.json` | The list of blocks. It is always the first member. |
//! | `<chain id>/<block number>-<block hash>.block` | One container for each block. The order is the manifest's. |
//!
//! ```json
//! { "format": "blockrace-archive", "version": 1,
//!   "blocks": [ { "chain_id": 1, "number": 7, "hash": "0x…", "size": 123, "sha256": "…" } ] }
//! ```
//!
//! The `size` is in bytes. The `sha256` is the checksum of the container, 64 lower-case hex digits.
//!
//! # Where correctness lives
//!
//! The checksums detect damage. They prove nothing, because the author of an archive computes them
//! too. A block from [`Members`] is complete, is in the manifest, and has the header that the
//! manifest states. `verify` proves it, like every other block.
//!
//! A hostile archive cannot write anywhere, because no name in it is used as a path. It cannot
//! exhaust memory either. The manifest and every container have size limits, and only one container
//! is in memory at a time. Members other than plain files are not read.

mod error;
mod manifest;
mod read;
mod write;

pub use error::{ArchiveError, MemberError};
pub use manifest::Member;
pub use read::{Archive, Members};
pub use write::write;

/// Name of the first member.
const MANIFEST: &str = "manifest.json";

#[cfg(test)]
mod tests;
