//! The built-in sample: blocks that are part of the program, for who has none of their own yet.
//!
//! `data/sample.blocks` is one zstd frame around the contents of containers, one after the other by
//! ascending number, each in the format of the [module docs](super). One frame around all of them is
//! several times smaller than a frame each, since most trie nodes of a block are, but for a few
//! hashes, those of the block before. How the chain was made is told in `data/README.md`. The blocks
//! are as untrusted as any: they prove themselves to `block::prepare`, like those of a file.

use alloy_primitives::{Bytes, ChainId};

use super::{ContainerError, container, content};
use crate::block::RecordedBlock;

/// The chain that the sample is of: the id that anvil gives its chains.
pub const SAMPLE_CHAIN: ChainId = 31_337;

const FILE: &[u8] = include_bytes!("../../data/sample.blocks");

/// The blocks of the built-in sample, by ascending number.
///
/// # Errors
///
/// Every variant of [`ContainerError`] that the content of a damaged file gives; that of the file that
/// is built in gives none.
pub fn sample() -> Result<Vec<RecordedBlock>, ContainerError> {
    blocks(&Bytes::from(container::decompress(FILE)?))
}

/// Contents, one after the other.
fn blocks(contents: &Bytes) -> Result<Vec<RecordedBlock>, ContainerError> {
    let (mut blocks, mut rest) = (Vec::new(), contents.clone());
    while !rest.is_empty() {
        let next = rest.split_to(content::length(&rest)?);
        blocks.push(content::decode(&next)?);
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::{empty_block, full_block};

    #[test]
    fn blocks_one_after_the_other_come_back_in_order() {
        let expected = [full_block(7), empty_block(8), full_block(9)];
        let contents = expected.each_ref().map(|block| content::encode(block).unwrap());
        assert_eq!(blocks(&contents.concat().into()).unwrap(), expected);
    }

    #[test]
    fn a_file_that_ends_within_a_block_is_refused() {
        let contents = [full_block(7), full_block(8)].map(|block| content::encode(&block).unwrap());
        let mut contents = contents.concat();
        contents.pop();
        let error = blocks(&contents.into()).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { part: "content", .. }), "{error:?}");
    }

    #[test]
    fn the_built_in_file_is_small_enough_to_ship() {
        assert!(FILE.len() < 8 << 20, "{} bytes", FILE.len());
    }
}
