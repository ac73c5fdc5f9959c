//! One execution of a block by declared accesses. It executes transactions and keeps their effects.

use super::{
    error::AccessError,
    tx_effects::TxEffects,
    writers::{BySystem, Declared},
};
use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError,
        committer::{State, before_transactions},
        dependency::BalanceRule,
        location::{AccountNumber, TxIndex},
        observe::{Activity, Event, Listener, Observer},
        worker::{Attempt, Speculative, TxOutcome, Worker},
    },
    state::{NumberedAccount, Storage, is_removed},
    threads::wait_cell::WaitCell,
};
use parking_lot::Mutex;
use revm::state::Account;
use std::sync::atomic::{AtomicBool, Ordering};

/// The transactions that have been executed so far.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) declared: &'a Declared,
    pub(super) storage: &'a Storage<'a>,
    /// The state before the first transaction.
    pub(super) begun: State<'a>,
    pub(super) rule: BalanceRule,
    /// Effects of each transaction, set by the worker that executed it. Other workers may already
    /// wait for them. `None` if the transaction is invalid on the state that it read.
    pub(super) left: Vec<WaitCell<Option<TxEffects>>>,
    /// Whether a declaration was wrong. It is only ever set, and only read when all workers are
    /// done, so relaxed is enough.
    pub(super) is_wrong: AtomicBool,
    /// Guards undeclared dependencies on balances, with their transactions. They are rare: a
    /// contract that passes on the amount it receives has one, for example.
    pub(super) undeclared: Mutex<Vec<UndeclaredRead>>,
    /// Receives the waits, in a profiled run.
    watcher: Option<&'a dyn Listener>,
}

/// An account, and a transaction that depends on its balance without having declared it.
pub(super) type UndeclaredRead = (AccountNumber, TxIndex);

/// How a transaction ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ran {
    AsDeclared,
    /// A declaration was wrong. The whole run will be discarded, so workers need not continue.
    Otherwise,
}

impl<'a> Run<'a> {
    /// Runs the system calls before the first transaction.
    pub(crate) fn begin(
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
            undeclared: Mutex::default(),
            watcher: None,
        })
    }

    /// Reports waits to this observer.
    pub(crate) fn seen_by<W: Observer>(self, observer: &'a W) -> Self {
        Self { watcher: W::WATCHES.then_some(observer as &dyn Listener), ..self }
    }

    /// Executes a transaction. Each of its declared sources has to be done, or to be the next work
    /// of some worker.
    pub(crate) fn execute(
        &self,
        worker: &mut Worker<impl Speculative>,
        tx: TxIndex,
        observer: &impl Observer,
    ) -> Ran {
        observer.tell(Event::Began(Activity::Execute { tx }));
        let Attempt { output, dependencies } = worker.attempt(self.job, tx);
        let kept = output.as_ref().is_ok_and(|outcome| self.keeps_to_writes(tx, outcome));
        let left = output.ok().and_then(|outcome| {
            let TxOutcome { share, mut state, deferred_fee } = outcome;
            let base = &self.job.indexed_state;
            let left = TxEffects::new(base, &mut state, dependencies, share, deferred_fee);
            worker.give_back(state);
            left.ok()
        });
        left.iter().for_each(|left| self.note_undeclared(tx, left));
        let kept = kept && left.is_some();
        if self.left[tx].give(left) && kept {
            observer.tell(Event::Published { tx });
            return Ran::AsDeclared;
        }
        self.is_wrong.store(true, Ordering::Relaxed);
        Ran::Otherwise
    }

    /// Releases all threads that wait for transactions which have not run.
    pub(crate) fn give_up(&self) {
        self.left.iter().for_each(WaitCell::give_up);
    }

    /// The effects of `writer`, for `reader`. The reader waits only for a declared source. Any
    /// other transaction may run later than the reader, so waiting for it could deadlock.
    ///
    /// # Errors
    /// [`AccessError::Undeclared`] if `writer` is not done and not a declared source, if it is
    /// invalid, or if the run was abandoned.
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

    /// Records undeclared dependencies of the transaction on balances.
    fn note_undeclared(&self, tx: TxIndex, left: &TxEffects) {
        for account in left.needed() {
            if self.declared.visitors.of(account).binary_search(&tx).is_err() {
                self.undeclared.lock().push((account, tx));
            }
        }
    }

    /// Whether the transaction wrote only at declared locations.
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
            // An account that was created and destroyed in one transaction leaves nothing to
            // declare.
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
            // The transaction incremented a nonce that it had not declared to read. It may have
            // read an outdated nonce.
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

/// Whether only the balance of an account changed.
fn is_payment(account: &Account) -> bool {
    let before = account.original_info();
    before.nonce == account.info.nonce && before.code_hash == account.info.code_hash
}
