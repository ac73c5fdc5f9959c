//! The list at the start of an archive: its blocks with their sizes and checksums.

use std::collections::HashSet;

use alloy_primitives::{B256, BlockHash, hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    super::{BlockId, Cache, CacheError},
    ArchiveError,
};

/// The format name in every manifest.
const FORMAT: &str = "blockrace-archive";

/// The version that is written, and the only one that is read.
const VERSION: u64 = 1;

/// One block of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The id of the block.
    pub id: BlockId,
    /// Size of its container in bytes.
    pub size: u64,
    /// SHA-256 of its container (FIPS 180-4).
    pub sha256: B256,
}

/// The part of a manifest that every version has.
#[derive(Debug, Deserialize)]
struct Head {
    format: String,
    version: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u64,
    blocks: Vec<Entry>,
}

/// The JSON form of a [`Member`].
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    chain_id: u64,
    number: u64,
    hash: BlockHash,
    size: u64,
    sha256: String,
}

impl Member {
    /// A block of the cache. Its file is read and checked as by [`Cache::get`].
    ///
    /// # Errors
    ///
    /// The errors of [`Cache::get`].
    pub fn of(cache: &Cache, id: BlockId) -> Result<Self, CacheError> {
        let bytes = cache.bytes(&id)?;
        cache.decode(&id, &bytes)?;
        Ok(Self { id, size: bytes.len() as u64, sha256: sha256(&bytes) })
    }

    /// The name in the archive. It has at most 114 bytes, which plain `ustar` headers can hold.
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.id.chain_id, self.id.file_name())
    }
}

/// SHA-256 (FIPS 180-4).
pub(super) fn sha256(bytes: &[u8]) -> B256 {
    B256::from(<[u8; 32]>::from(Sha256::digest(bytes)))
}

/// Encodes the manifest.
pub(super) fn to_json(members: &[Member]) -> serde_json::Result<Vec<u8>> {
    let entry = |member: &Member| {
        let Member { id: BlockId { chain_id, number, hash }, size, sha256 } = *member;
        Entry { chain_id, number, hash, size, sha256: hex::encode(sha256) }
    };
    let blocks = members.iter().map(entry).collect();
    serde_json::to_vec_pretty(&Manifest { format: FORMAT.into(), version: VERSION, blocks })
}

/// Decodes the manifest. A block must not occur twice.
pub(super) fn from_json(json: &[u8]) -> Result<Vec<Member>, ArchiveError> {
    let manifest = |source| ArchiveError::Manifest { source };
    let Head { format, version } = serde_json::from_slice(json).map_err(manifest)?;
    if format != FORMAT {
        return Err(ArchiveError::OtherFormat);
    }
    if version != VERSION {
        return Err(ArchiveError::UnknownVersion { found: version, known: VERSION });
    }
    let Manifest { blocks, .. } = serde_json::from_slice(json).map_err(manifest)?;

    let mut seen = HashSet::with_capacity(blocks.len());
    let member = |entry: Entry| {
        let member = entry.member()?;
        let (id, fresh) = (member.id, seen.insert(member.id));
        fresh.then_some(member).ok_or(ArchiveError::ListedTwice { id })
    };
    blocks.into_iter().map(member).collect()
}

impl Entry {
    fn member(self) -> Result<Member, ArchiveError> {
        let Self { chain_id, number, hash, size, sha256 } = self;
        let sha256 = sha256.parse().map_err(|source| ArchiveError::Checksum { number, source })?;
        Ok(Member { id: BlockId { chain_id, number, hash }, size, sha256 })
    }
}
