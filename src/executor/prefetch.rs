//! In block order on one thread, while the others warm the state up.
//!
//! # What it models
//!
//! What Ethereum's clients do today: Geth's prefetcher and Reth's and Nethermind's pre-warming execute a
//! block's transactions ahead of their turn, on whatever state there is, and keep nothing of it but that what
//! they read has been loaded. Nothing is known beforehand. It pays only where reading state takes time, which
//! a flat state in memory does not: see the state latency of [`Storage`](crate::state::Storage).
//!
//! # The algorithm
//!
//! One thread executes the block in order. The others take later transactions by an index, execute them on
//! the state before the first, and drop what comes of it. A transaction whose turn has come is given up in
//! the middle, as the reads that are left are no earlier than those of the one in turn.
//!
//! # Invariants
//!
//! Warm-up writes nothing that anybody reads. First reads are the only thing it has an effect on.
//!
//! # When its assumption fails
//!
//! It assumes that a transaction reads about the same on stale state. Where it does not, what it really reads
//! is as slow as if nobody had warmed up.

use super::{
    ExecuteError, Execution, ExecutionMode, Observable, WorkerPool,
    committer::{State, before_transactions},
    demands::{Demand, Demanding, Need},
    in_order::OrderedValidator,
    observe::{Activity, Event, Observer},
    snapshot::SpeculativeDb,
    tasks::run_on_all,
    worker::{Speculative, Starting, Worker},
};
use crate::{block::ReplayJob, state::StateError};
use alloy_primitives::{Address, B256, U256};
use parking_lot::Mutex;
use revm::{Database, bytecode::Bytecode, database_interface::DBErrorMarker, state::AccountInfo};
use std::sync::atomic::{AtomicUsize, Ordering};

/// In order, with warm-up.
#[derive(Clone, Copy, Debug)]
pub struct Prefetch;

/// The transaction in turn, and the next one to warm up. Both only say where others are: whoever reads an
/// old value does something useless, so relaxed is enough.
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
        // Only hands out roles, so relaxed is enough.
        let roles = AtomicUsize::new(0);
        // Taken once, by whoever executes in order.
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

/// Nothing needs to be warm any more, however the block ended.
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

/// Why a read of a warm-up has no answer.
#[derive(Clone, Debug, thiserror::Error)]
enum WarmUpError {
    /// Nobody needs it any more.
    #[error("the transaction's turn has come")]
    TooLate,
    /// The state before the block does not know.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for WarmUpError {}

/// The snapshot, for as long as the transaction's turn has not come.
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

impl Demanding for PrefetchDb<'_> {
    /// Nothing is validated, so nobody wants to know.
    fn demand(&mut self, _address: Address, _demand: Demand) {}
}

impl Speculative for PrefetchDb<'_> {
    fn begin(&mut self, starting: Starting) {
        self.tx = starting.tx;
        self.snapshot.begin(starting);
    }

    fn needs(&self) -> Vec<(Address, Need)> {
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
