//! Executes in block order on one thread, while the other threads warm up the state.
//!
//! # What it models
//!
//! Ethereum clients of today. Geth's prefetcher and the pre-warming of Reth and Nethermind execute
//! a block's transactions speculatively on outdated state. They keep nothing except that the state
//! was loaded. No oracle knowledge is needed. Warm-up pays only if reading state takes time, which
//! it does not for a flat state in memory: see the state latency of
//! [`Storage`](crate::state::Storage).
//!
//! # The algorithm
//!
//! One thread executes the block in order. The others take later transactions by an index, execute
//! them on the state before the first transaction, and discard the results. A warm-up stops when
//! the turn of its transaction has come, because its remaining reads would come no earlier than
//! those of the transaction itself.
//!
//! # Invariants
//!
//! Warm-up writes nothing that a transaction reads. It only affects which reads are the first ones.
//!
//! # When its assumption fails
//!
//! It assumes that a transaction reads about the same locations on outdated state. Other locations
//! are read at full latency.

use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError, Execution, ExecutionMode, Observable,
        committer::{State, before_transactions},
        dependency::{BalanceTracker, BalanceUse, Dependency},
        observe::{Activity, Event, Observer},
        ordered_validator::OrderedValidator,
        speculative_db::SpeculativeDb,
        worker::{Speculative, Starting, Worker},
    },
    state::StateError,
    threads::{WorkerPool, tasks::run_on_all},
};
use alloy_primitives::{Address, B256, U256};
use parking_lot::Mutex;
use revm::{Database, bytecode::Bytecode, database_interface::DBErrorMarker, state::AccountInfo};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Executes in order, with warm-up.
#[derive(Clone, Copy, Debug)]
pub struct Prefetch;

/// The transaction in turn, and the next transaction to warm up. An outdated value only causes
/// useless warm-up, so relaxed is enough.
#[derive(Debug)]
struct Progress {
    turn: AtomicUsize,
    ahead: AtomicUsize,
}

impl Observable for Prefetch {
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Before));
        let storage = job.storage();
        let begun = before_transactions(job, &storage)?;
        let progress = Progress { turn: AtomicUsize::new(0), ahead: AtomicUsize::new(1) };
        // It only distributes roles, so relaxed is enough.
        let roles = AtomicUsize::new(0);
        // Set once, by the thread that executes in order.
        let result: Mutex<Option<Result<Execution, ExecuteError>>> = Mutex::new(None);
        let done = run_on_all(pool, || {
            if roles.fetch_add(1, Ordering::Relaxed) == 0 {
                let _guard = EndOfBlock(&progress);
                let in_order = OrderedValidator::new(job, &storage, begun.clone(), observer);
                *result.lock() = Some(run_in_order(job, in_order, &progress));
            } else {
                warm_up(job, &begun, &progress, observer);
                observer.tell(Event::Began(Activity::Absent));
            }
        });
        let result = done.and_then(|()| result.into_inner());
        result.ok_or(ExecuteError::Engine { executor: "prefetch" })?
    }
}

/// Ends all warm-up, in any case of the block's end.
struct EndOfBlock<'a>(&'a Progress);

impl Drop for EndOfBlock<'_> {
    fn drop(&mut self) {
        self.0.turn.store(usize::MAX, Ordering::Relaxed);
    }
}

fn run_in_order(
    job: &ReplayJob,
    mut in_order: OrderedValidator<'_, impl Observer>,
    progress: &Progress,
) -> Result<Execution, ExecuteError> {
    for tx in 0..job.transactions.len() {
        progress.turn.store(tx, Ordering::Relaxed);
        if in_order.execute_and_commit(tx).is_break() {
            break;
        }
    }
    in_order.finish(ExecutionMode::Parallel)
}

fn warm_up(job: &ReplayJob, begun: &State<'_>, progress: &Progress, observer: &impl Observer) {
    let snapshot = SpeculativeDb::new(begun, job.env.cfg_env.spec);
    let mut worker = Worker::speculative(job, PrefetchDb { snapshot, progress, tx: 0 });
    loop {
        let tx = progress.ahead.fetch_add(1, Ordering::Relaxed);
        let turn = progress.turn.load(Ordering::Relaxed);
        if tx >= job.transactions.len() || turn == usize::MAX {
            return;
        }
        if tx > turn {
            observer.tell(Event::Began(Activity::WarmUp { tx }));
            drop(worker.attempt(job, tx));
        }
    }
}

/// Reasons for a warm-up read without a value.
#[derive(Clone, Debug, thiserror::Error)]
enum WarmUpError {
    /// The warm-up is no longer useful.
    #[error("the transaction's turn has come")]
    TooLate,
    /// The pre-state lacks the value.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for WarmUpError {}

/// The snapshot, until the transaction's turn has come.
#[derive(Debug)]
struct PrefetchDb<'a> {
    snapshot: SpeculativeDb<'a>,
    progress: &'a Progress,
    tx: usize,
}

impl PrefetchDb<'_> {
    fn check(&self) -> Result<(), WarmUpError> {
        let is_ahead = self.progress.turn.load(Ordering::Relaxed) < self.tx;
        if is_ahead { Ok(()) } else { Err(WarmUpError::TooLate) }
    }
}

impl BalanceTracker for PrefetchDb<'_> {
    /// Warm-up is not validated, so it has no dependencies.
    fn note_use(&mut self, _address: Address, _use: BalanceUse) {}

    fn note_emptiness_of_all(&mut self) {}
}

impl Speculative for PrefetchDb<'_> {
    fn begin(&mut self, starting: Starting) {
        self.tx = starting.tx;
        self.snapshot.begin(starting);
    }

    fn dependencies(&self) -> Vec<(Address, Dependency)> {
        Vec::new()
    }
}

impl Database for PrefetchDb<'_> {
    type Error = WarmUpError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, WarmUpError> {
        self.check()?;
        Ok(self.snapshot.basic(address)?)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, WarmUpError> {
        Ok(self.snapshot.code_by_hash(hash)?)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, WarmUpError> {
        self.check()?;
        Ok(self.snapshot.storage(address, slot)?)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, WarmUpError> {
        Ok(self.snapshot.block_hash(number)?)
    }
}
