//! The index of a chunk: which files were checked, so that a resumed fetch does not read them again.
//!
//! A line has the size and the time of modification of a file that was read and checked, the digest of the block's
//! rules, and the header's RLP. It counts only while the file has this size and time. The header's hash is in the
//! block's id, so a wrong header is a header of another block. A wrong line can only save a check that `cache check`
//! and each use of the block make anyway. Lines of another form are ignored, and the last line about a block counts.
//!
//! In a bucket, the size alone has to be the same. An object appears whole or not at all, so another content under the
//! same name is another encoding of the same block, or damage, which each use finds. The time of an object changes
//! when it is copied, and a service may state another e-tag in a listing than after a write.

use std::collections::HashMap;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, ChainId, hex};
use alloy_rlp::Decodable;

use super::{
    Cache,
    storage::{Notes, Stamp},
};
use crate::block::{BlockId, RecordedBlock};

/// In place of the digest of a chain of a test, and of the time of an object.
const NONE: &str = "-";

/// A line of an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// The block's header.
    pub header: Header,
    /// Digest of the rules of the block's chain; `None` for a chain of a test.
    pub rules: Option<B256>,
    /// Size in bytes and time of modification.
    stamp: Stamp,
}

/// The lines of an index, by block.
pub type ChunkIndex = HashMap<BlockId, CheckedFile>;

impl Cache {
    /// The index of the chunk that has this number. It is empty if it cannot be read, since it only saves time.
    pub fn index(&self, chain_id: ChainId, number: BlockNumber) -> ChunkIndex {
        let with_id = |checked: CheckedFile| {
            let (number, hash) = (checked.header.number, checked.header.hash_slow());
            (BlockId { chain_id, number, hash }, checked)
        };
        let (folder, mut index) = (self.chunk_folder(chain_id, number), HashMap::new());
        let _ = self.storage.notes(&[folder], Notes::Checked, &mut |text| {
            index.extend(text.lines().filter_map(parse).map(with_id));
        });
        index
    }

    /// The blocks of one chunk whose files are those that were checked.
    pub fn unchanged(&self, ids: &[BlockId]) -> Vec<(BlockId, CheckedFile)> {
        let Some(first) = ids.first() else { return Vec::new() };
        let mut index = self.index(first.chain_id, first.number);
        let indexed = |id: &BlockId| Some((*id, index.remove(id)?));
        let indexed: Vec<_> = ids.iter().filter_map(indexed).collect();
        let paths: Vec<_> = indexed.iter().map(|(id, _)| self.path(id)).collect();
        let stamps = self.storage.stamps(&paths).into_iter();
        let same = indexed.into_iter().zip(stamps);
        same.filter(|((_, checked), stamp)| *stamp == Some(checked.stamp))
            .map(|(checked, _)| checked)
            .collect()
    }

    /// Notes that the file of this block was checked. If the note cannot be written, the file is read again next time.
    pub fn note_checked(&self, recorded: &RecordedBlock) {
        let id = recorded.id();
        let stamp = self.storage.stamps(&[self.path(&id)]).into_iter().flatten().next();
        let (Some(stamp), Ok(chain)) = (stamp, recorded.chain()) else { return };
        let header = recorded.block.header.clone();
        let line = line(&CheckedFile { header, rules: chain.digest(), stamp });
        let folder = self.chunk_folder(id.chain_id, id.number);
        let _ = self.storage.note(&folder, Notes::Checked, line);
    }
}

/// Begins with the end of a line, since a killed writer may have left a line without its end.
fn line(CheckedFile { header, rules, stamp: (size, modified) }: &CheckedFile) -> String {
    let rules = rules.map_or_else(|| NONE.to_owned(), |digest| digest.to_string());
    let modified = modified.map_or_else(|| NONE.to_owned(), |time| time.to_string());
    let header = hex::encode(alloy_rlp::encode(header));
    format!("\n{size} {modified} {rules} {header}\n")
}

fn parse(line: &str) -> Option<CheckedFile> {
    let mut words = line.split(' ');
    let size = words.next()?.parse().ok()?;
    let modified = match words.next()? {
        NONE => None,
        time => Some(time.parse().ok()?),
    };
    let rules = match words.next()? {
        NONE => None,
        digest => Some(digest.parse().ok()?),
    };
    let bytes = hex::decode(words.next()?).ok()?;
    let mut rest = bytes.as_slice();
    let header = Header::decode(&mut rest).ok()?;
    (rest.is_empty() && words.next().is_none()).then_some(CheckedFile {
        header,
        rules,
        stamp: (size, modified),
    })
}

#[cfg(test)]
mod tests {
    use std::{fs, time::UNIX_EPOCH};

    use super::*;
    use crate::cache::{folder::path_of, sample};

    #[test]
    fn a_checked_file_counts_until_it_changes() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let block = sample().unwrap().swap_remove(0);
        let id = block.id();
        let path = cache.put(&block).unwrap();
        assert!(cache.index(id.chain_id, id.number).is_empty());

        cache.note_checked(&block);
        let index = cache.index(id.chain_id, id.number);
        assert_eq!(index[&id].header, block.block.header);
        assert_eq!(index[&id].rules, block.chain().unwrap().digest());
        assert_eq!(cache.unchanged(&[id]).len(), 1);

        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        assert!(cache.unchanged(&[id]).is_empty());
        cache.note_checked(&block);
        assert_eq!(cache.unchanged(&[id]).len(), 1, "the last line counts");
        cache.remove(&id).unwrap();
        assert!(cache.unchanged(&[id]).is_empty());
    }

    #[test]
    fn torn_and_changed_lines_are_about_no_block() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let blocks = sample().unwrap();
        let id = blocks[0].id();
        cache.put(&blocks[0]).unwrap();
        cache.note_checked(&blocks[0]);
        let path = path_of(&cache.chunk_folder(id.chain_id, id.number), Notes::Checked);
        let whole = fs::read_to_string(&path).unwrap();
        for torn in [&whole[..whole.len() / 2], "1 2 3", "x", "1 2 - zz", "1 2 - c0 more"] {
            fs::write(&path, torn).unwrap();
            assert!(cache.index(id.chain_id, id.number).is_empty(), "{torn}");
            cache.put(&blocks[0]).unwrap();
            cache.note_checked(&blocks[0]);
            assert_eq!(cache.index(id.chain_id, id.number).len(), 1, "{torn}");
        }
        // The last byte is in the header, so this is the line of another block or of none.
        let last = whole.trim_end().len() - 1;
        let digit = if whole.as_bytes()[last] == b'0' { "1" } else { "0" };
        fs::write(&path, format!("{}{digit}\n", &whole[..last])).unwrap();
        assert!(!cache.index(id.chain_id, id.number).contains_key(&id));
    }
}
