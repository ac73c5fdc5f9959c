//! The cached blocks that speedups are told of.

use crate::support::{heaviest, job};
use blockrace::block::ReplayJob;

/// Smaller blocks say little.
const TRANSACTIONS: usize = 80;

/// Those with enough transactions, the most gas first, each made ready when it is its turn.
pub(crate) fn jobs() -> impl Iterator<Item = ReplayJob> {
    let blocks = heaviest(usize::MAX).into_iter();
    blocks.filter(|recorded| recorded.block.body.transactions.len() >= TRANSACTIONS).map(job)
}
