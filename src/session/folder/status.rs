//! Finds out what is done in an output folder, without the rows of its results and without the blocks.
//!
//! The metadata of a chunk's first file tells the number of its blocks. If it has fewer blocks than the settings name,
//! the numbers are read as well. Journals are read without their lock, so a process may write to them meanwhile.

use super::{
    BLOCKS_KEY, MISMATCHES_KEY, OutputSettings, blocks,
    content::{build_of, files},
    in_folder, journal,
};
use crate::{
    block::range::{BlockNumbers, Shard},
    report::{
        status::{
            BlockSpan, ChunkState, ChunkStatus, OutputStatus, SCHEMA_VERSION, ShardStatus,
            TableStatus,
        },
        tables::{TableSet, parquet::TableFile},
    },
    session::provenance,
};
use alloy_primitives::BlockNumber;
use eyre::{OptionExt as _, WrapErr as _};
use std::{collections::BTreeSet, fs::File, ops::RangeInclusive, path::Path};

/// Looks at the output in a folder or bucket. `shards` is the number of parts that the blocks are split into, if that is known.
///
/// # Errors
/// If a file cannot be read, or if the folder is no output.
pub fn output_status(output: &Path, shards: Option<u64>) -> eyre::Result<OutputStatus> {
    let status = in_folder(output, |root| of_folder(root, shards))?;
    Ok(OutputStatus { output: output.display().to_string(), ..status })
}

fn of_folder(root: &Path, shards: Option<u64>) -> eyre::Result<OutputStatus> {
    let settings = OutputSettings::read(root)?
        .ok_or_eyre(format!("{} is no output of --output", root.display()))?;
    let set = settings.set().ok_or_eyre("the folder has results of an unknown command")?;
    let asked = blocks::of_folder(root, &settings)?;
    let mut found = Found::default();
    found.add_finished(root, set, asked.as_ref())?;
    found.add_journals(root)?;
    let done: BlockNumbers = found.done.iter().cloned().collect();
    let missing = asked.as_ref().map(|asked| asked.without(&done));
    let shards = asked.as_ref().zip(missing.as_ref()).zip(shards);
    let shards = shards.map(|((asked, missing), count)| of_shards(asked, missing, count));
    found.chunks.sort_by_key(|chunk| (chunk.chain_id, chunk.first));
    Ok(OutputStatus {
        schema_version: SCHEMA_VERSION,
        provenance: provenance(),
        output: root.display().to_string(),
        command: set.command().to_owned(),
        settings_digest: settings.digest(),
        settings: settings.settings,
        chunks: found.chunks,
        tables: found.tables,
        builds: found.builds.into_iter().collect(),
        asked: asked.as_ref().map(BlockNumbers::count),
        missing: missing.as_ref().map(spans),
        shards: shards.transpose()?,
    })
}

/// The content of a folder.
#[derive(Default)]
struct Found {
    chunks: Vec<ChunkStatus>,
    tables: Vec<TableStatus>,
    builds: BTreeSet<String>,
    /// Blocks with a result, as far as they are asked for.
    done: Vec<RangeInclusive<BlockNumber>>,
}

impl Found {
    fn add_finished(
        &mut self,
        root: &Path,
        set: TableSet,
        asked: Option<&BlockNumbers>,
    ) -> eyre::Result<()> {
        let mut finished = BTreeSet::new();
        for (place, table) in set.tables().iter().enumerate() {
            let mut rows = 0;
            for path in files(&root.join(table.name))? {
                let relative = path.strip_prefix(root.join(table.name))?.to_owned();
                // A file of another table without one of the first belongs to a chunk that is not finished.
                if place > 0 && !finished.contains(&relative) {
                    continue;
                }
                let opened = File::open(&path).map_err(eyre::Report::from);
                let file = opened.and_then(|file| Ok(TableFile::open(file)?));
                let file = file.wrap_err_with(|| format!("{} cannot be read", path.display()))?;
                rows += file.row_count();
                if place == 0 {
                    self.add_chunk(&relative, &file, asked)?;
                    finished.insert(relative);
                }
            }
            self.tables.push(TableStatus { table: table.name, rows });
        }
        Ok(())
    }

    fn add_chunk(
        &mut self,
        path: &Path,
        file: &TableFile,
        asked: Option<&BlockNumbers>,
    ) -> eyre::Result<()> {
        let Some((chain_id, numbers)) = chunk_of(path) else { return Ok(()) };
        let number = |key: &str| file.metadata.get(key).and_then(|text| text.parse().ok());
        let blocks = number(BLOCKS_KEY).unwrap_or(0);
        self.builds.insert(build_of(&file.metadata));
        self.chunks.push(ChunkStatus {
            chain_id,
            first: *numbers.start(),
            last: *numbers.end(),
            state: ChunkState::Finished,
            blocks,
            mismatches: number(MISMATCHES_KEY).unwrap_or(0),
        });
        let chunk: BlockNumbers = [numbers.clone()].into_iter().collect();
        let asked_here = asked.map_or(0, |asked| asked.count() - asked.without(&chunk).count());
        match blocks as u64 >= asked_here {
            true => self.done.push(numbers),
            false => {
                let rows = file.rows()?;
                let numbers = rows.iter().filter_map(|row| row.get("block_number")?.as_u64());
                self.done.extend(numbers.map(|number| number..=number));
            }
        }
        Ok(())
    }

    fn add_journals(&mut self, root: &Path) -> eyre::Result<()> {
        let journals = root.join("journal");
        for path in files(&journals)? {
            let Some((chain_id, numbers)) = chunk_of(path.strip_prefix(&journals)?) else {
                continue;
            };
            // A journal may outlive its chunk for a moment.
            let is_same =
                |chunk: &ChunkStatus| chunk.chain_id == chain_id && chunk.first == *numbers.start();
            if self.chunks.iter().any(is_same) {
                continue;
            }
            let blocks = journal::read(&path)?;
            self.done.extend(blocks.iter().map(|block| block.block_number..=block.block_number));
            self.chunks.push(ChunkStatus {
                chain_id,
                first: *numbers.start(),
                last: *numbers.end(),
                state: ChunkState::Unfinished,
                blocks: blocks.len(),
                mismatches: blocks.iter().filter(|block| block.mismatch).count(),
            });
        }
        Ok(())
    }
}

/// Chain and numbers of a chunk by its path, such as `1/19000000-19000999.parquet`.
fn chunk_of(path: &Path) -> Option<(u64, RangeInclusive<BlockNumber>)> {
    let chain = path.parent()?.to_str()?.parse().ok()?;
    let (first, last) = path.file_stem()?.to_str()?.split_once('-')?;
    Some((chain, first.parse().ok()?..=last.parse().ok()?))
}

fn spans(numbers: &BlockNumbers) -> Vec<BlockSpan> {
    numbers.spans().into_iter().map(|(first, last)| BlockSpan { first, last }).collect()
}

fn of_shards(
    asked: &BlockNumbers,
    missing: &BlockNumbers,
    count: u64,
) -> eyre::Result<Vec<ShardStatus>> {
    let of_shard = |index| {
        let shard = Shard::new(index, count)?;
        let part = asked.part(shard);
        let missing = part.count() - part.without(missing).count();
        Ok(ShardStatus { shard: shard.to_string(), asked: part.count(), missing })
    };
    (0..count).map(of_shard).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_told_by_its_path() {
        assert_eq!(chunk_of(Path::new("5/1000-1999.jsonl")), Some((5, 1_000..=1_999)));
        for path in ["1000-1999.jsonl", "x/1-2.jsonl", "5/1000.jsonl", "5/a-b.parquet"] {
            assert_eq!(chunk_of(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn shards_without_results_are_told() {
        let asked: BlockNumbers = [0..=3_999].into_iter().collect();
        let done: BlockNumbers = [0..=999, 1_000..=1_000].into_iter().collect();
        let missing = |count| {
            let shards = of_shards(&asked, &asked.without(&done), count).unwrap();
            shards.iter().map(|shard| shard.missing).collect::<Vec<_>>()
        };
        assert_eq!(missing(4), [0, 999, 1_000, 1_000]);
        assert_eq!(missing(1), [2_999]);
    }
}
