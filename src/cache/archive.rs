//! Many cached blocks in one file, to carry to another machine and back.
//!
//! An archive is a POSIX tar file (IEEE 1003.1, `ustar`), which any `tar` can list and unpack: into the
//! folder of a cache, for example. Nothing in it is compressed, as containers already are.
//!
//! | member | what |
//! |---|---|
//! | `manifest.json` | always the first |
//! | `<chain id>/<block number>-<block hash>.block` | one container each, in the manifest's order |
//!
//! ```json
//! { "format": "blockrace-archive", "version": 1,
//!   "blocks": [ { "chain_id": 1, "number": 7, "hash": "0x…", "size": 123, "sha256": "…" } ] }
//! ```
//!
//! `size` is in bytes; `sha256` is of the container, 64 lower-case hex digits.
//!
//! # Where correctness lives
//!
//! The checksums tell damage; they prove nothing, as whoever makes an archive makes them too. A block
//! that [`Members`] gives is whole, listed, and has the header that it is listed under. To prove it, as
//! for every other block, is left to `verify`.
//!
//! A hostile archive cannot write anywhere, since no name in it is ever used as a path, and cannot
//! exhaust memory: the manifest and every container are held to limits, and one container is in
//! memory at a time. Members other than plain files are not looked into.

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
