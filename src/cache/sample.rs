//! The built-in sample: blocks that are part of the program, for use without a cache.
//!
//! The file `data/sample.blocks` is one zstd frame around the contents of several containers. They
//! follow one another by ascending number, each in the format of the [module docs](super), of any
//! version. One frame for all of them is several times smaller than a frame for each, because consecutive blocks
//! share most trie nodes. `data/README.md` describes how the chain was made. The blocks are not
//! trusted: `block::prepare` proves them, like those of a file.

use alloy_primitives::{Bytes, ChainId};

use super::{ContainerError, container, content};
use crate::block::RecordedBlock;

/// Chain id of the sample. anvil gives its chains this id.
pub const SAMPLE_CHAIN: ChainId = 31_337;

const FILE: &[u8] = include_bytes!("../../data/sample.blocks");

/// The blocks of the built-in sample, by ascending number.
///
/// # Errors
///
/// For a damaged file, every variant of [`ContainerError`] that its content causes. The built-in
/// file causes none.
pub fn sample() -> Result<Vec<RecordedBlock>, ContainerError> {
    blocks(&Bytes::from(container::decompress(FILE)?))
}

/// Decodes contents that follow one another.
fn blocks(contents: &Bytes) -> Result<Vec<RecordedBlock>, ContainerError> {
    let (mut blocks, mut rest) = (Vec::new(), contents.clone());
    while !rest.is_empty() {
        let next = rest.split_to(content::length(&rest)?);
        let version = content::version(&next)?;
        blocks.push(content::decode(&next, version)?);
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::tests::{empty_block, full_block};

    #[test]
    fn consecutive_contents_are_decoded_in_order() {
        let expected = [full_block(7), empty_block(8), full_block(9)];
        let contents = expected.each_ref().map(|block| content::encode(block).unwrap());
        assert_eq!(blocks(&contents.concat().into()).unwrap(), expected);
    }

    #[test]
    fn contents_of_several_versions_may_follow_one_another() {
        let [old, new] = [empty_block(7), full_block(8)];
        let contents = [content::encode_version_1(&old), content::encode(&new).unwrap()];
        assert_eq!(blocks(&contents.concat().into()).unwrap(), [old, new]);
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
