//! One execution of a block by declared accesses: what has run so far, and putting the block together.

use super::{
    parts,
    published::Published,
    writers::{AccountWriters, Declared},
};
use crate::{
    block::ReplayJob,
    executor::{
        BlockOutcome, ExecuteError, ExecutionStats, WorkerPool,
        access::TxIndex,
        committer::{State, before_transactions},
        demands::BalanceRule,
        in_order::InOrder,
        observe::{Activity, Event, Observer},
        tally::Share,
        worker::{Attempt, TxOutcome, Worker},
    },
    state::{NumberedAccount, Storage},
};
use parking_lot::Mutex;
use revm::state::{Account, EvmState};
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

/// What has run so far.
#[derive(Debug)]
pub(in crate::executor) struct Run<'a> {
    pub(super) job: &'a ReplayJob,
    pub(super) declared: &'a Declared,
    pub(super) storage: &'a Storage<'a>,
    /// What the first transaction sees.
    pub(super) begun: State<'a>,
    pub(super) rule: BalanceRule,
    /// Each is set once, by the worker that ran the transaction, and only read after that.
    attempts: Vec<OnceLock<Attempt>>,
    /// Whether a declaration turned out to be wrong. Only ever set, and read when all workers are done,
    /// so relaxed is enough.
    is_wrong: AtomicBool,
}

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
            attempts: job.transactions.iter().map(|_| OnceLock::new()).collect(),
            is_wrong: AtomicBool::new(false),
        })
    }

    /// Runs a transaction. Those that it reads from should be done.
    pub(in crate::executor) fn execute(
        &self,
        worker: &mut Worker<Published<'_>>,
        tx: TxIndex,
        observer: &impl Observer,
    ) -> Ran {
        observer.tell(Event::Began(Activity::Execute { tx }));
        let attempt = worker.attempt(self.job, tx);
        let kept = attempt.output.as_ref().is_ok_and(|outcome| self.keeps_to_writes(tx, outcome));
        if self.attempts[tx].set(attempt).is_ok() && kept {
            observer.tell(Event::Published { tx });
            return Ran::AsDeclared;
        }
        self.is_wrong.store(true, Ordering::Relaxed);
        Ran::Otherwise
    }

    /// What a transaction left, if it has run and is valid.
    pub(super) fn outcome(&self, tx: TxIndex) -> Option<&TxOutcome> {
        self.attempts[tx].get()?.output.as_ref().ok()
    }

    pub(super) fn writers(&self, account: &NumberedAccount) -> &'a AccountWriters {
        &self.declared.accounts[account.number as usize]
    }

    /// Whether the transaction wrote nothing but what it declared.
    fn keeps_to_writes(&self, tx: TxIndex, outcome: &TxOutcome) -> bool {
        let mut touched = outcome.state.iter().filter(|(_, account)| account.is_touched());
        touched.all(|(address, account)| {
            let base = &self.job.numbered_state;
            let numbered = match account.info.account_id {
                Some(id) => base.accounts().get(id.get()),
                None => base.account(*address).ok(),
            };
            numbered.is_some_and(|numbered| self.keeps_to(tx, numbered, account))
        })
    }

    fn keeps_to(&self, tx: TxIndex, numbered: &NumberedAccount, account: &Account) -> bool {
        let writers = self.writers(numbered);
        let declares = |writers: &[TxIndex]| writers.binary_search(&tx).is_ok();
        let is_gone = account.is_selfdestructed() || (account.is_empty() && !account.is_created());
        let existed = !account.is_loaded_as_not_existing();
        if (account.is_changed() || account.is_created() || (is_gone && existed))
            && !declares(&writers.identity)
            && !(declares(&writers.info) && is_payment(account))
        {
            return false;
        }
        if (account.is_created() || (is_gone && existed)) && !declares(&writers.emptied) {
            return false;
        }
        account.changed_storage_slots().all(|(key, _)| {
            let listed = numbered.slot(*key).ok().flatten().map(|listed| listed.number);
            is_gone || declares(self.declared.slot(numbered.number, listed, *key))
        })
    }

    /// Puts the block together on all threads. Only then is it certain that everything was as declared, so
    /// that no result is final before.
    ///
    /// # Errors
    /// The block is invalid, or the state could not answer.
    pub(in crate::executor) fn finish(
        self,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<(BlockOutcome, ExecutionStats), ExecuteError> {
        observer.tell(Event::Began(Activity::After));
        let is_wrong = self.is_wrong.into_inner();
        let attempts: Vec<_> = self.attempts.into_iter().map(OnceLock::into_inner).collect();
        if !is_wrong && let Some(done) = parts::outcomes(&attempts) {
            let stats = ExecutionStats { incarnations: done.len() as u64, ..Default::default() };
            if let Some(put) = parts::put_together(self.job, pool, &self.begun, &done, observer)? {
                (0..done.len()).for_each(|tx| observer.tell(Event::Committed { tx }));
                let (shares, journals) = taken_apart(attempts, pool.threads().get());
                let outcome = put.finish(self.job, pool, shares, &journals)?;
                observer.tell(Event::Began(Activity::Absent));
                return Ok((outcome, stats));
            }
        }
        again(InOrder::new(self.job, self.storage, self.begun, observer), attempts)
    }
}

/// Whether nothing but the balance of an account changed.
fn is_payment(account: &Account) -> bool {
    let before = account.original_info();
    before.nonce == account.info.nonce && before.code_hash == account.info.code_hash
}

/// What is still needed of attempts, and their journals in as many heaps as there are threads to drop
/// them.
fn taken_apart(
    attempts: Vec<Option<Attempt>>,
    heaps: usize,
) -> (Vec<Share>, Vec<Mutex<Vec<EvmState>>>) {
    let journals: Vec<_> = std::iter::repeat_with(Mutex::default).take(heaps).collect();
    let outcomes = attempts.into_iter().flatten().filter_map(|attempt| attempt.output.ok());
    let shares = outcomes.enumerate().map(|(tx, TxOutcome { share, state, .. })| {
        let heap: &Mutex<Vec<EvmState>> = &journals[tx % heaps];
        heap.lock().push(state);
        share
    });
    (shares.collect(), journals)
}

/// Nothing is believed any more: what ran is compared, and what does not hold runs again, in order.
fn again(
    mut in_order: InOrder<'_, impl Observer>,
    attempts: Vec<Option<Attempt>>,
) -> Result<(BlockOutcome, ExecutionStats), ExecuteError> {
    for (tx, attempt) in attempts.into_iter().enumerate() {
        let flow = match attempt {
            Some(attempt) => in_order.commit(tx, attempt)?,
            None => in_order.execute_and_commit(tx),
        };
        if flow.is_break() {
            break;
        }
    }
    in_order.finish()
}
