//! The index of a chunk: which files were checked, so that a resumed fetch does not read them again.
//!
//! A line has the size and the time of modification of a file that was read and checked, the digest of the block's
//! rules, and the header's RLP. It counts only while the file has this size and time. The header's hash is in the
//! block's id, so a wrong header is a header of another block. A wrong line can only save a check that `cache check`
//! and each use of the block make anyway. Lines of another form are ignored, and the last line about a block counts.

use std::{
    collections::HashMap,
    fs::{self, Metadata, OpenOptions},
    io::{self, Write},
    path::Path,
    time::UNIX_EPOCH,
};

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, ChainId, hex};
use alloy_rlp::Decodable;

use super::Cache;
use crate::{
    block::{BlockId, RecordedBlock},
    input,
};

/// Name of the file in the folder of a chunk.
const NAME: &str = "checked.txt";

/// Maximum size of the file in bytes: some lines for each block of a chunk.
const MAX_BYTES: u64 = 32 << 20;

/// In place of the digest of a chain of a test.
const NO_DIGEST: &str = "-";

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

/// Size in bytes, and nanoseconds since 1970 at the last modification.
type Stamp = (u64, u128);

/// The lines of an index, by block.
pub type ChunkIndex = HashMap<BlockId, CheckedFile>;

impl Cache {
    /// The index of the chunk that has this number. It is empty if it cannot be read, since it only saves time.
    pub fn index(&self, chain_id: ChainId, number: BlockNumber) -> ChunkIndex {
        let path = self.chunk_folder(chain_id, number).join(NAME);
        let bytes = input::read(&path, MAX_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let with_id = |checked: CheckedFile| {
            let (number, hash) = (checked.header.number, checked.header.hash_slow());
            (BlockId { chain_id, number, hash }, checked)
        };
        text.lines().filter_map(parse).map(with_id).collect()
    }

    /// Whether a block's file is the one that was checked.
    pub fn is_unchanged(&self, id: &BlockId, checked: &CheckedFile) -> bool {
        let metadata = fs::metadata(self.path(id));
        metadata.is_ok_and(|metadata| stamp(&metadata) == Some(checked.stamp))
    }

    /// Notes that the file of this block was checked. If the note cannot be written, the file is read again next time.
    pub fn note_checked(&self, recorded: &RecordedBlock) {
        let id = recorded.id();
        let folder = self.chunk_folder(id.chain_id, id.number);
        let (Ok(metadata), Ok(chain)) = (fs::metadata(self.path(&id)), recorded.chain()) else {
            return;
        };
        let Some(stamp) = stamp(&metadata) else { return };
        let header = recorded.block.header.clone();
        let line = line(&CheckedFile { header, rules: chain.digest(), stamp });
        let _ = append(&folder, &line);
    }
}

fn stamp(metadata: &Metadata) -> Option<Stamp> {
    let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    metadata.is_file().then_some((metadata.len(), modified.as_nanos()))
}

/// Begins with the end of a line, since a killed writer may have left a line without its end.
fn line(CheckedFile { header, rules, stamp: (size, modified) }: &CheckedFile) -> String {
    let rules = rules.map_or_else(|| NO_DIGEST.to_owned(), |digest| digest.to_string());
    let header = hex::encode(alloy_rlp::encode(header));
    format!("\n{size} {modified} {rules} {header}\n")
}

fn parse(line: &str) -> Option<CheckedFile> {
    let mut words = line.split(' ');
    let stamp = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let rules = match words.next()? {
        NO_DIGEST => None,
        digest => Some(digest.parse().ok()?),
    };
    let bytes = hex::decode(words.next()?).ok()?;
    let mut rest = bytes.as_slice();
    let header = Header::decode(&mut rest).ok()?;
    (rest.is_empty() && words.next().is_none()).then_some(CheckedFile { header, rules, stamp })
}

/// Appends in one write, so that the lines of several processes do not mix.
fn append(folder: &Path, line: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let path = folder.join(NAME);
    if fs::metadata(&path).is_ok_and(|there| !there.is_file()) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    OpenOptions::new().append(true).create(true).open(path)?.write_all(line.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::sample;

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
        assert!(cache.is_unchanged(&id, &index[&id]));

        let file = fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH).unwrap();
        assert!(!cache.is_unchanged(&id, &index[&id]));
        cache.note_checked(&block);
        let index = cache.index(id.chain_id, id.number);
        assert!(cache.is_unchanged(&id, &index[&id]), "the last line counts");
        cache.remove(&id).unwrap();
        assert!(!cache.is_unchanged(&id, &index[&id]));
    }

    #[test]
    fn torn_and_changed_lines_are_about_no_block() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let blocks = sample().unwrap();
        let id = blocks[0].id();
        cache.put(&blocks[0]).unwrap();
        cache.note_checked(&blocks[0]);
        let path = cache.chunk_folder(id.chain_id, id.number).join(NAME);
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
