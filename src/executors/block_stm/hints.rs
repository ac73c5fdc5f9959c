//! The slots that each transaction writes, from a block access list (EIP-7928), as hints.
//!
//! A client has the list from Amsterdam on. Before the first transaction starts, the hinted slots are estimates, as after an
//! aborted incarnation. So a reader waits for the writer, and does not execute on a stale value. A wrong hint costs
//! time, and changes no outcome: every read set is validated as without hints. Balances are not hinted, since
//! payments commute.

use super::{accounts::slot_location, batches::Batch};
use crate::{
    block::{ReplayJob, derive_access_list, transaction_of},
    execution::{
        ExecuteError,
        location::{Location, Write, WriteSet},
    },
};
use revm::state::bal::Bal;
use std::collections::BTreeMap;

/// The hinted writes of each transaction.
#[derive(Debug, Default)]
pub(super) struct Hints(Vec<WriteSet>);

impl Hints {
    /// Takes the hints from the block's own list, or from one that is derived from a sequential run.
    ///
    /// # Errors
    /// The block has no list and is invalid, or the pre-state lacks a value that it reads.
    pub(super) fn prepare(job: &ReplayJob) -> Result<Self, ExecuteError> {
        Ok(match job.own_list() {
            Some(own) => Self::of(job, &own.list.list),
            None => Self::of(job, &derive_access_list(job)?.list),
        })
    }

    /// The written slots of a list. A slot of an account that is not in the pre-state cannot be hinted.
    fn of(job: &ReplayJob, list: &Bal) -> Self {
        let mut hints = vec![WriteSet::new(); job.transactions.len()];
        for (address, listed) in &list.accounts {
            let Ok(account) = job.indexed_state.account(*address) else { continue };
            for (slot, changes) in &listed.storage.storage {
                let at = slot_location(account, &account.slot(*slot), *slot);
                for (index, value) in &changes.writes {
                    let hint = transaction_of(index.get()).and_then(|tx| hints.get_mut(tx));
                    hint.into_iter().for_each(|hint| hint.push((at, Write::Set(*value))));
                }
            }
        }
        Self(hints)
    }

    /// The hinted writes of each batch; none without hints.
    pub(super) fn of_batches(&self, batches: &[Batch]) -> impl Iterator<Item = (usize, WriteSet)> {
        let batches = if self.0.is_empty() { &[] } else { batches };
        batches.iter().enumerate().map(|(step, batch)| {
            let all = self.0[batch.clone()].iter().flatten().copied();
            (step, all.collect::<BTreeMap<Location, Write>>().into_iter().collect())
        })
    }
}
