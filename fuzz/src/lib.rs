//! Shared by several targets: decodes bytes to a recorded block.

use blockrace::{block::RecordedBlock, cache::container};

/// Wraps the content of a container. The fuzzer changes the content only, since every change would invalidate
/// zstd's frame around it.
pub fn wrap(content: &[u8]) -> Vec<u8> {
    let frame = zstd::bulk::compress(content, 1).expect("memory is available");
    [&container::MAGIC[..], &container::VERSION.to_be_bytes(), &frame].concat()
}

/// Decodes the content of a container to a block, if it is valid.
pub fn block(content: &[u8]) -> Option<RecordedBlock> {
    container::decode(&wrap(content)).ok()
}
