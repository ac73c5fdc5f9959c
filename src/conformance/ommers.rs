//! Checks ommers (Yellow Paper, section 11.1).

use super::{
    branches::Branches,
    header::{HeaderError, check_header},
    network::Network,
};
use alloy_consensus::Header;
use alloy_primitives::{
    B256,
    map::{B256Map, B256Set},
};

/// Maximum distance in generations from the block to the parent of an ommer.
const GENERATIONS: usize = 7;

/// The rule that an ommer breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum OmmerError {
    /// A block may have at most two ommers.
    #[error("it has {count} ommers, above the limit of 2")]
    TooMany { count: usize },
    /// An ommer may be included only once.
    #[error("its ommer {hash} is already included, or is its ancestor")]
    Known { hash: B256 },
    /// An ommer must be a child of an ancestor, but not of the block's parent.
    #[error("the parent of its ommer {hash} is not one of its ancestors from 2 to 7")]
    Dangling { hash: B256 },
    /// The header of the ommer is invalid.
    #[error("the header of its ommer {hash} is invalid")]
    Header { hash: B256, source: HeaderError },
}

/// Checks the ommers of a block. The parent of the block must be known.
pub(super) fn check_ommers(
    network: &Network,
    branches: &Branches,
    block: &Header,
    ommers: &[Header],
) -> Result<(), OmmerError> {
    if ommers.len() > 2 {
        return Err(OmmerError::TooMany { count: ommers.len() });
    }
    let ancestors: B256Map<_> = branches.back_from(block.parent_hash).take(GENERATIONS).collect();
    let mut taken: B256Set = ancestors.keys().copied().collect();
    taken.extend(ancestors.values().flat_map(|ancestor| &ancestor.ommers));
    taken.insert(block.hash_slow());
    for ommer in ommers {
        let hash = ommer.hash_slow();
        if !taken.insert(hash) {
            return Err(OmmerError::Known { hash });
        }
        let parent = ancestors.get(&ommer.parent_hash);
        let parent = parent.filter(|_| ommer.parent_hash != block.parent_hash);
        let parent = parent.ok_or(OmmerError::Dangling { hash })?;
        let chain = network.chain(ommer.number, parent.total_difficulty);
        check_header(&chain, ommer, &parent.header)
            .map_err(|source| OmmerError::Header { hash, source })?;
    }
    Ok(())
}
