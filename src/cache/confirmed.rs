//! The confirmed headers of a cache, and those of the lists in the program.
//!
//! The folder of a chunk may have a file `confirmed.txt`, or objects `confirmed-<digest>.txt` in a bucket. Caches of
//! older releases have one in the folder of a chain, which is still read. Each line is `NUMBER@HASH # SOURCE`, so that
//! the file is a list of blocks, too. A line is about a header, not about a file. So the containers stay the same bytes, wherever their
//! confirmation comes from, and an archive cannot bring a confirmation along. Lines of another form are ignored.

use std::collections::HashMap;

use alloy_primitives::ChainId;

use super::{Cache, CacheError, SAMPLE_CHAIN, storage::Notes};
use crate::block::{
    BlockId, Confirmation,
    range::{BlockNumbers, CHUNK},
};

/// Confirmed blocks, each with the source of its confirmation.
pub type Confirmations = HashMap<BlockId, Confirmation>;

/// The lists in the program, with their chains.
const BUILT_IN: [(ChainId, &str); 2] = [
    (1, include_str!("../../data/mainnet-37.txt")),
    (SAMPLE_CHAIN, include_str!("../../data/sample-24.txt")),
];

impl Cache {
    /// The confirmed blocks of a chain: those of the lists in the program, and those of the folders of the chunks that
    /// have these numbers.
    ///
    /// # Errors
    ///
    /// [`CacheError::List`] and [`CacheError::Read`]. A missing file is not an error.
    pub fn confirmations(
        &self,
        chain_id: ChainId,
        numbers: &BlockNumbers,
    ) -> Result<Confirmations, CacheError> {
        let mut all = built_in(chain_id);
        let wanted = numbers.set();
        let folders = self.folders_of(chain_id, &wanted)?.into_iter().map(|(_, folder)| folder);
        self.storage.notes(&folders.collect::<Vec<_>>(), Notes::Confirmed, &mut |text| {
            let lines = text.lines().filter_map(|line| parse(chain_id, line));
            for (id, source) in lines.filter(|(id, _)| wanted.contains(id.number)) {
                all.entry(id).or_insert(source);
            }
        })?;
        Ok(all)
    }

    /// Notes that blocks of a chain are confirmed. All lines of a chunk are added in one write, so processes that
    /// write at the same time do not mix their lines. In a bucket, [`Self::flush`] writes them.
    ///
    /// # Errors
    ///
    /// [`CacheError::Write`].
    pub fn confirm(&self, chain_id: ChainId, blocks: &Confirmations) -> Result<(), CacheError> {
        let mut ids: Vec<_> = blocks.iter().collect();
        ids.sort_unstable_by_key(|(id, _)| **id);
        for chunk in ids.chunk_by(|(a, _), (b, _)| a.number / CHUNK == b.number / CHUNK) {
            let lines: String = chunk.iter().map(|(id, source)| line(id, source)).collect();
            let folder = self.chunk_folder(chain_id, chunk[0].0.number);
            self.storage.note(&folder, Notes::Confirmed, lines)?;
        }
        Ok(())
    }
}

/// The blocks of a chain that a list in the program has.
pub fn built_in(chain_id: ChainId) -> Confirmations {
    let lists = BUILT_IN.iter().filter(|(of, _)| *of == chain_id);
    let lines = lists.flat_map(|(_, text)| text.lines());
    let ids = lines.filter_map(|line| parse(chain_id, line));
    ids.map(|(id, _)| (id, Confirmation::BuiltIn)).collect()
}

fn line(BlockId { number, hash, .. }: &BlockId, source: &Confirmation) -> String {
    format!("{number}@{hash} # {source}\n")
}

fn parse(chain_id: ChainId, line: &str) -> Option<(BlockId, Confirmation)> {
    let (block, source) = line.split_once('#').unwrap_or((line, ""));
    let (number, hash) = block.trim().split_once('@')?;
    let id = BlockId { chain_id, number: number.parse().ok()?, hash: hash.parse().ok()? };
    let Ok(source) = source.trim().parse();
    Some((id, source))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use alloy_primitives::B256;

    use super::*;
    use crate::{
        block::RecordedBlock,
        cache::{folder::path_of, sample},
    };

    fn id(number: u64) -> BlockId {
        BlockId { chain_id: 5, number, hash: B256::repeat_byte(number as u8) }
    }

    #[test]
    fn confirmations_are_read_back_and_a_torn_line_is_ignored() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let all = [0..=9].into_iter().collect();
        let read = || cache.confirmations(5, &all).unwrap();
        assert!(read().is_empty());

        let given = Confirmations::from([(id(7), Confirmation::Given)]);
        cache.confirm(5, &given).unwrap();
        assert_eq!(read(), given);

        let path = path_of(&cache.chunk_folder(5, 7), Notes::Confirmed);
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}8@0x08")).unwrap();
        let below = Confirmations::from([(id(9), Confirmation::Descendant(10))]);
        cache.confirm(5, &below).unwrap();
        let found = read();
        assert_eq!((found.len(), &found[&id(9)]), (2, &Confirmation::Descendant(10)));
    }

    #[test]
    fn confirmations_of_a_range_are_those_of_its_chunks_and_of_the_flat_layout() {
        let root = tempfile::tempdir().unwrap();
        let cache = Cache::new(root.path());
        let far = BlockId { number: 5_000, ..id(1) };
        let given = [id(7), far].map(|id| (id, Confirmation::Given));
        cache.confirm(5, &Confirmations::from(given)).unwrap();
        let flat = path_of(&cache.folder(5), Notes::Confirmed);
        fs::write(flat, line(&id(8), &Confirmation::Given)).unwrap();
        let numbers = |range| {
            let found = cache.confirmations(5, &[range].into_iter().collect()).unwrap();
            let mut numbers: Vec<_> = found.keys().map(|id| id.number).collect();
            numbers.sort_unstable();
            numbers
        };
        assert_eq!(numbers(0..=999), [7, 8]);
        assert_eq!(numbers(4_000..=6_000), [5_000]);
        assert_eq!(numbers(8..=8), [8]);
    }

    #[test]
    fn every_block_of_the_sample_is_in_its_list() {
        let listed = built_in(SAMPLE_CHAIN);
        let blocks: Vec<_> = sample().unwrap().iter().map(RecordedBlock::id).collect();
        let lines: String =
            blocks.iter().map(|id| format!("{}@{}\n", id.number, id.hash)).collect();
        assert_eq!(listed.len(), blocks.len(), "{lines}");
        assert!(blocks.iter().all(|id| listed.contains_key(id)), "{lines}");
    }

    #[test]
    fn every_line_of_the_shipped_list_has_a_hash() {
        assert_eq!(built_in(1).len(), 37);
        assert!(built_in(5).is_empty());
    }
}
