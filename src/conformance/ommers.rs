//! The rules for ommers (Yellow Paper, section 11.1).

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

/// How many generations back an ommer's parent may be.
const GENERATIONS: usize = 7;

/// The rule that an ommer breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum OmmerError {
    /// At most two.
    #[error("it has {count} ommers, and may have 2")]
    TooMany { count: usize },
    /// An ommer counts once.
    #[error("its ommer {hash} was an ommer before, or is its ancestor")]
    Known { hash: B256 },
    /// A child of an ancestor, but no sibling of the block's children.
    #[error("its ommer {hash} has a parent that is none of the ancestors from 2 to 7")]
    Dangling { hash: B256 },
    /// Its header itself is wrong.
    #[error("its ommer {hash} is no valid header")]
    Header { hash: B256, source: HeaderError },
}

/// Checks the ommers of a block whose parent is known.
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
