//! Prepares a block for its race, or several blocks that are merged into one.

use crate::{
    block::{MergedCounts, Phase, RecordedBlock, ReplayJob, merge, prepare},
    execution::Executor as _,
    executors::Sequential,
    measure::Stopwatch,
    report::PreparationRow,
    session::{BlockSource, SelectedBlock},
    threads::WorkerPool,
    verify::seal,
};
use alloy_primitives::BlockNumber;
use eyre::eyre;
use std::num::NonZeroUsize;

/// A block that is ready to be raced.
pub(super) struct Prepared {
    pub(super) preparation: PreparationRow,
    pub(super) job: ReplayJob,
    /// The counts of a merged block; `None` for a block of the chain.
    pub(super) merged: Option<MergedCounts>,
}

/// The sources of one block of the race, and its number: several sources are merged. A group whose blocks cannot all be
/// found has an error.
pub(super) type Group = (BlockNumber, eyre::Result<Vec<BlockSource>>);

/// Groups the blocks of a race. Without `merge`, every block is a group.
pub(super) fn groups(blocks: Vec<SelectedBlock>, merge: Option<NonZeroUsize>) -> Vec<Group> {
    let size = merge.map_or(1, NonZeroUsize::get);
    let mut groups = Vec::with_capacity(blocks.len().div_ceil(size));
    let mut blocks = blocks.into_iter().peekable();
    while let Some((number, _)) = blocks.peek() {
        let number = *number;
        let chunk: eyre::Result<Vec<_>> =
            blocks.by_ref().take(size).map(|(_, source)| source).collect();
        let whole = chunk.and_then(|sources| match sources.len() {
            found if found == size => Ok(sources),
            found => Err(eyre!("only {found} blocks are left, and --merge needs {size}")),
        });
        groups.push((number, whole));
    }
    groups
}

/// Proves blocks, and merges them if there are several. A sequential run gives the results of a merged block.
///
/// # Errors
/// If a block cannot be proved, or if the blocks cannot be merged.
pub(super) fn prepare_group(
    recorded: Vec<RecordedBlock>,
    mut times: PhaseTimes,
    pool: &WorkerPool,
) -> eyre::Result<Prepared> {
    let prove = |recorded| pool.install(|| prepare(recorded, |phase| times.enter(phase)));
    let mut jobs = recorded.into_iter().map(prove).collect::<Result<Vec<_>, _>>()?;
    if jobs.len() == 1
        && let Some(job) = jobs.pop()
    {
        return Ok(Prepared { preparation: times.finish(&job), job, merged: None });
    }
    let (mut job, counts) = merge(jobs)?;
    let outcome = Sequential.execute(&job, pool)?.outcome;
    seal(&mut job, &outcome);
    Ok(Prepared { preparation: times.finish(&job), job, merged: Some(counts) })
}

/// Times the steps of a block's preparation, in wall-clock time. The steps do not overlap and are not part of any
/// speedup.
pub(super) struct PhaseTimes {
    stopwatch: Stopwatch,
    running: Option<Phase>,
    row: PreparationRow,
}

impl PhaseTimes {
    pub(super) fn start() -> Self {
        Self { stopwatch: Stopwatch::start(), running: None, row: PreparationRow::default() }
    }

    fn enter(&mut self, phase: Phase) {
        self.end_running();
        self.running = Some(phase);
    }

    fn end_running(&mut self) {
        let lap = self.stopwatch.lap();
        let step = match self.running {
            None => &mut self.row.decode,
            Some(Phase::Senders) => &mut self.row.senders,
            Some(Phase::Witness) => &mut self.row.witness,
            Some(Phase::Flatten) => &mut self.row.flatten,
        };
        *step += lap;
    }

    fn finish(mut self, job: &ReplayJob) -> PreparationRow {
        self.end_running();
        let (chain_id, rules) = (job.chain.id(), job.chain.digest());
        PreparationRow { chain_id, number: job.header.number, rules, ..self.row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{cache, execution::Execution, verify};

    fn sample(count: usize) -> Vec<RecordedBlock> {
        cache::sample().unwrap().into_iter().take(count).collect()
    }

    fn pool() -> WorkerPool {
        WorkerPool::new(NonZeroUsize::MIN.saturating_add(1)).unwrap()
    }

    #[test]
    fn consecutive_blocks_become_one_with_all_their_transactions() {
        let blocks = sample(4);
        let transactions: usize =
            blocks.iter().map(|recorded| recorded.block.body.transactions.len()).sum();
        let pool = pool();
        let Prepared { job, merged, .. } =
            prepare_group(blocks, PhaseTimes::start(), &pool).unwrap();
        let counts = merged.unwrap();
        assert_eq!((counts.blocks, counts.transactions), (4, transactions));
        let kept = transactions - counts.invalid - counts.unknown;
        assert_eq!(job.transactions.len(), kept);
        assert!(kept * 10 > transactions * 9, "{counts:?}");
        assert_eq!(verify::VerifiedTo::of(&job), verify::VerifiedTo::SequentialRun);
        let Execution { outcome, .. } = Sequential.execute(&job, &pool).unwrap();
        assert_eq!(verify::check(&job, &outcome, None), verify::Verdict::Match);
    }

    #[test]
    fn blocks_with_a_gap_are_not_merged() {
        let mut blocks = sample(3);
        blocks.remove(1);
        let refused = prepare_group(blocks, PhaseTimes::start(), &pool()).err().unwrap();
        assert!(refused.to_string().contains("must be consecutive"), "{refused}");
    }

    #[test]
    fn blocks_are_grouped_in_their_order() {
        let source = |recorded: RecordedBlock| {
            let number = recorded.block.header.number;
            (number, Ok(BlockSource::InMemory(Box::new(recorded))))
        };
        let blocks = || sample(5).into_iter().map(source).collect::<Vec<_>>();
        assert_eq!(groups(blocks(), None).len(), 5);
        let two = groups(blocks(), NonZeroUsize::new(2));
        let sizes: Vec<_> =
            two.iter().map(|(_, sources)| sources.as_ref().map_or(0, Vec::len)).collect();
        assert_eq!(sizes, [2, 2, 0], "the last block is alone");
        assert!(two[2].1.as_ref().unwrap_err().to_string().contains("--merge needs 2"));
    }
}
