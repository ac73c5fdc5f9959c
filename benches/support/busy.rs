//! The cached blocks that speedups are reported for.

use crate::support::{heaviest, job};
use blockrace::block::ReplayJob;

/// Smaller blocks are dominated by fixed costs.
const TRANSACTIONS: usize = 80;

/// Blocks with enough transactions, by descending gas. Each is prepared when it is taken.
pub(crate) fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = heaviest(usize::MAX).into_iter();
    blocks.filter(|recorded| recorded.block.body.transactions.len() >= TRANSACTIONS).map(job)
}
