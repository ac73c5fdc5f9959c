//! What several targets share: from bytes to a recorded block.

use blockrace::cache::{RecordedBlock, container};

/// Wraps a container's content, which is what a fuzzer can change with effect: zstd's frame around it would
/// break with every change.
pub fn wrap(content: &[u8]) -> Vec<u8> {
    let frame = zstd::bulk::compress(content, 1).expect("memory can be had");
    [&container::MAGIC[..], &container::VERSION.to_be_bytes(), &frame].concat()
}

/// The block in a container's content, if it is one.
pub fn block(content: &[u8]) -> Option<RecordedBlock> {
    container::decode(&wrap(content)).ok()
}
