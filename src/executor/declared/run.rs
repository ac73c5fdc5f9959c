//! One execution of a block by declared accesses: what has run so far.

use super::{
    left::TxEffects,
    published::{AccessError, AccessListDb},
    writers::{BySystem, Declared},
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError,
        access::{AccountNumber, TxIndex},
        committer::{State, before_transactions},
        demands::BalanceRule,
        handover::WaitCell,
        observe::{Activity, Event, Listener, Observer},
        worker::{Attempt, TxOutcome, Worker},
    },
    state::{NumberedAccount, Storage, is_removed},
};
use parking_lot::Mutex;
use revm::state::Account;
use std::sync::atomic::{AtomicBool, Ordering};

/// What has run so far.
#[derive(Debug)]
pub(in crate::executor) struct Run<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) declared: &'a Declared,
    pub(super) storage: &'a Storage<'a>,
    /// What the first transaction sees.
    pub(super) begun: State<'a>,
    pub(super) rule: BalanceRule,
    /// Each is given by the worker that ran the transaction, and by then others may wait for it.
    /// `None` if it is invalid, given what it saw.
    pub(super) left: Vec<WaitCell<Option<TxEffects>>>,
    /// Whether a declaration turned out to be wrong. Only ever set, and read when all workers are done,
    /// so relaxed is enough.
    pub(super) is_wrong: AtomicBool,
    /// Guards who needs to know of whose balance without having declared it. Few do: whoever only passes on what
    /// it gets, say.
    pub(super) strangers: Mutex<Vec<UndeclaredRead>>,
    /// Told who waits, where anybody watches.
    watcher: Option<&'a dyn Listener>,
}

/// An account, and a transaction that needs to know of its balance.
pub(super) type UndeclaredRead = (AccountNumber, TxIndex);

/// How a transaction ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::executor) enum Ran {
    AsDeclared,
    /// Something of the whole run is wrong: nobody needs to go on with it.
    Otherwise,
}

impl<'a> Run<'a> {
    /// Runs what comes before the first transaction.
    pub(in crate::executor) fn begin(
        job: &'a ReplayJob,
        storage: &'a Storage<'a>,
        declared: &'a Declared,
    ) -> Result<Self, ExecuteError> {
        Ok(Self {
            job,
            declared,
            storage,
            begun: before_transactions(job, storage)?,
            rule: BalanceRule::of(job.env.cfg_env.spec),
            left: job.transactions.iter().map(|_| WaitCell::new()).collect(),
            is_wrong: AtomicBool::new(false),
            strangers: Mutex::default(),
            watcher: None,
        })
    }

    /// The same, seen by this observer.
    pub(in crate::executor) fn seen_by<W: Observer>(self, observer: &'a W) -> Self {
        Self { watcher: W::WATCHES.then_some(observer as &dyn Listener), ..self }
    }

    /// Runs a transaction. Each of those that it declared to read from has to be done, or some worker's to
    /// do next.
    pub(in crate::executor) fn execute(
        &self,
        worker: &mut Worker<AccessListDb<'_>>,
        tx: TxIndex,
        observer: &impl Observer,
    ) -> Ran {
        observer.tell(Event::Began(Activity::Execute { tx }));
        let Attempt { output, needs } = worker.attempt(self.job, tx);
        let kept = output.as_ref().is_ok_and(|outcome| self.keeps_to_writes(tx, outcome));
        let left = output.ok().and_then(|outcome| {
            let TxOutcome { share, mut state, deferred_fee } = outcome;
            let base = &self.job.indexed_state;
            let left = TxEffects::new(base, &mut state, needs, share, deferred_fee);
            worker.give_back(state);
            left.ok()
        });
        left.iter().for_each(|left| self.note_strangers(tx, left));
        let kept = kept && left.is_some();
        if self.left[tx].give(left) && kept {
            observer.tell(Event::Published { tx });
            return Ran::AsDeclared;
        }
        self.is_wrong.store(true, Ordering::Relaxed);
        Ran::Otherwise
    }

    /// Nobody waits any longer for what has not run.
    pub(in crate::executor) fn give_up(&self) {
        self.left.iter().for_each(WaitCell::give_up);
    }

    /// What `writer` left for `reader` to read. It is waited for only if that was declared: of others nobody knows
    /// whether they will run before the reader has.
    ///
    /// # Errors
    /// [`AccessError::Undeclared`] if it has not run and was not declared to be read from, if it is invalid, or if
    /// the run was given up.
    pub(super) fn left_by(
        &self,
        writer: TxIndex,
        reader: TxIndex,
    ) -> Result<&TxEffects, AccessError> {
        let place = &self.left[writer];
        if !place.is_over() && self.declared.sources[reader].binary_search(&writer).is_ok() {
            self.wait_for(writer);
        }
        place.get().and_then(Option::as_ref).ok_or(AccessError::Undeclared)
    }

    fn wait_for(&self, writer: TxIndex) {
        let tell = |event| self.watcher.into_iter().for_each(|watcher| watcher.tell(event));
        tell(Event::Began(Activity::Wait { on: writer }));
        self.left[writer].wait();
        tell(Event::Resumed);
    }

    pub(super) fn by_system(&self, account: &NumberedAccount) -> BySystem {
        self.declared.by_system[account.number as usize]
    }

    /// Notes what the transaction needs to know of balances without having declared it.
    fn note_strangers(&self, tx: TxIndex, left: &TxEffects) {
        for account in left.needed() {
            if self.declared.visitors.of(account).binary_search(&tx).is_err() {
                self.strangers.lock().push((account, tx));
            }
        }
    }

    /// Whether the transaction wrote nothing but what it declared.
    fn keeps_to_writes(&self, tx: TxIndex, outcome: &TxOutcome) -> bool {
        let mut touched = outcome.state.iter().filter(|(_, account)| account.is_touched());
        touched.all(|(address, account)| {
            let numbered = self.job.indexed_state.loaded(*address, &account.info);
            numbered.is_ok_and(|numbered| self.keeps_to(tx, numbered, account))
        })
    }

    fn keeps_to(&self, tx: TxIndex, numbered: &NumberedAccount, account: &Account) -> bool {
        let existed = !account.is_loaded_as_not_existing();
        if account.is_selfdestructed() && !existed {
            // Created and destroyed at once: nothing of it is left that could have been declared.
            return true;
        }
        let (declared, at) = (self.declared, numbered.number);
        let declares = |writers: &[TxIndex]| writers.binary_search(&tx).is_ok();
        let (before, after) = (account.original_info(), &account.info);
        if before.code_hash != after.code_hash && !declares(declared.code.of(at)) {
            return false;
        }
        let is_sender = self.job.transactions[tx].signer() == numbered.address;
        if before.nonce != after.nonce && !is_sender && declared.stale[tx].contains(&at) {
            // It counted up a nonce that it was not declared to need, so it may have seen another one.
            return false;
        }
        let is_gone = is_removed(account);
        if (account.is_changed() || account.is_created() || (is_gone && existed))
            && !declares(declared.identity.of(at))
            && !(declares(declared.info.of(at)) && is_payment(account))
        {
            return false;
        }
        if (account.is_created() || (is_gone && existed)) && !declares(declared.emptied.of(at)) {
            return false;
        }
        account.changed_storage_slots().all(|(key, _)| {
            let listed = numbered.slot(*key).ok().flatten().map(|listed| listed.number);
            is_gone || declares(declared.slot(at, listed, *key))
        })
    }
}

/// Whether nothing but the balance of an account changed.
fn is_payment(account: &Account) -> bool {
    let before = account.original_info();
    before.nonce == account.info.nonce && before.code_hash == account.info.code_hash
}
