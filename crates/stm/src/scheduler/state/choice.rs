//! Chooses which ready transaction to start. It is not always the lowest.
//!
//! Neighbours conflict more often than other pairs of transactions, since some senders pay for a place directly
//! before or after another transaction. Transactions of one call class conflict often, too. If two such
//! transactions run side by side, the later one is mostly executed twice. A worker therefore skips the direct
//! successor of a transaction that has yet to publish. It also skips a transaction of the same call class as a
//! lower one that has yet to publish. If all others are skipped, it takes one of these. The worker of the lower
//! transaction takes the skipped one next.
//!
//! A poor choice costs time only. Speculative executions are validated, and the transaction at the commit index
//! is never skipped.

use super::{State, Status};
use crate::{call_classes::CallClasses, location::TxIndex};

/// Distance above the lowest ready transaction in which to search for a better one.
const WINDOW: usize = 64;

/// Distance below the lowest ready transaction in which unpublished transactions count as possible conflicts.
const BELOW: usize = 8;

impl State {
    /// Returns the transaction to start, given the lowest ready one.
    pub(super) fn choose(&self, lowest: TxIndex) -> TxIndex {
        if lowest == self.commit_index {
            return lowest;
        }
        let from = lowest.saturating_sub(BELOW).max(self.commit_index);
        let to = self.statuses.len().min(lowest + WINDOW);
        let (mut pending, mut follows_pending) = (CallClasses::default(), false);
        let mut second = None;
        for tx in from..to {
            let (status, kinds) = (self.statuses[tx], self.kinds[tx]);
            if status == Status::Ready && !kinds.meets(pending) {
                if kinds.is_none() || !follows_pending {
                    return tx;
                }
                second = second.or(Some(tx));
            }
            follows_pending = is_pending(status, kinds);
            if follows_pending {
                pending = pending.and(kinds);
            }
        }
        second.unwrap_or(lowest)
    }
}

/// Returns whether a transaction has yet to publish values that others may read. Plain payments only add to
/// balances, so they do not count.
const fn is_pending(status: Status, kinds: CallClasses) -> bool {
    !status.is_published() && !kinds.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::Steps;

    const NONE: u64 = u64::MAX;

    /// Starts `count` transactions, the first of them at the commit index, and returns their indices.
    fn started(kinds: &[u64], count: usize) -> Vec<TxIndex> {
        let kind = |kind: &u64| {
            if *kind == NONE { CallClasses::default() } else { CallClasses::of(*kind) }
        };
        let kinds: Vec<_> = kinds.iter().map(kind).collect();
        let mut state = State::new(Steps { count: kinds.len(), early: &[], kinds: &kinds });
        (0..count)
            .filter_map(|_| {
                let lowest = state.next_ready()?;
                let chosen = state.choose(lowest);
                state.take_execution(chosen);
                Some(chosen)
            })
            .collect()
    }

    #[test]
    fn the_successor_of_a_running_call_is_skipped() {
        assert_eq!(started(&[0, 1, 2, NONE, 3], 2), [0, 3]);
        assert_eq!(started(&[0, NONE, 2, 3], 3), [0, 1, 2]);
    }

    #[test]
    fn one_transaction_of_a_call_class_starts_at_a_time() {
        assert_eq!(started(&[7, NONE, 7, NONE, 8], 4), [0, 1, 3, 4]);
    }

    #[test]
    fn a_successor_is_preferred_to_the_same_call_class() {
        assert_eq!(started(&[7, 8, 7, 7], 2), [0, 1]);
    }

    #[test]
    fn the_lowest_starts_if_all_others_would_conflict() {
        assert_eq!(started(&[7, 7, 7], 3), [0, 1, 2]);
        assert_eq!(started(&[NONE, NONE, NONE], 3), [0, 1, 2], "payments start in block order");
    }

    #[test]
    fn skipped_transactions_start_later() {
        let mut all = started(&[1, 1, 2, 3, NONE, 2, 2, 4, 4, 1], 10);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..10));
    }
}
