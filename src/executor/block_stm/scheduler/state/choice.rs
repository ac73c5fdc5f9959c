//! Which of the transactions that are ready to start: not always the lowest.
//!
//! Neighbours depend on each other more than others do, since whoever wants to come right before or after
//! somebody pays for that place; so do transactions of a kind. Started side by side, they mostly end with the
//! later one executed twice. So whoever looks for something to execute leaves out, if there is anything else, what
//! directly follows a transaction that has yet to publish, and what is of a kind with one below. The worker that is
//! at the transaction below comes to it next.
//!
//! A poor choice costs time only: what was executed ahead of its turn is compared, and the frontier is never left out.

use super::{State, Status};
use crate::executor::block_stm::{kinds::CallClasses, memory::TxIndex};

/// How far above the lowest that is ready to look for a better one.
const WINDOW: usize = 64;

/// How far below it something may still have to publish that the better one would depend on.
const BELOW: usize = 8;

impl State {
    /// The transaction to start, given the lowest that is ready.
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

/// Whether a transaction has yet to publish something that others may read. Plain payments only add to balances.
const fn is_pending(status: Status, kinds: CallClasses) -> bool {
    !status.is_published() && !kinds.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::block_stm::scheduler::Steps;

    const NONE: u64 = u64::MAX;

    /// What is started after so many were, the first at the frontier.
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
    fn what_follows_a_running_call_is_left_to_its_worker() {
        assert_eq!(started(&[0, 1, 2, NONE, 3], 2), [0, 3]);
        assert_eq!(started(&[0, NONE, 2, 3], 3), [0, 1, 2]);
    }

    #[test]
    fn of_a_kind_one_at_a_time() {
        assert_eq!(started(&[7, NONE, 7, NONE, 8], 4), [0, 1, 3, 4]);
    }

    #[test]
    fn a_neighbour_is_better_than_one_of_a_kind() {
        assert_eq!(started(&[7, 8, 7, 7], 2), [0, 1]);
    }

    #[test]
    fn where_nothing_else_is_ready_the_lowest_starts() {
        assert_eq!(started(&[7, 7, 7], 3), [0, 1, 2]);
        assert_eq!(started(&[NONE, NONE, NONE], 3), [0, 1, 2], "payments come in order");
    }

    #[test]
    fn what_was_left_out_is_started_later() {
        let mut all = started(&[1, 1, 2, 3, NONE, 2, 2, 4, 4, 1], 10);
        all.sort_unstable();
        assert!(all.into_iter().eq(0..10));
    }
}
