//! Executes by a block access list: each transaction starts from its own pre-state, which the list
//! provides.
//!
//! # What it models
//!
//! EIP-7928 (Glamsterdam). A block carries, for every account and slot that it touches, the value
//! that each transaction wrote. So the reads of a transaction are known without executing the
//! earlier transactions. All transactions run in parallel without conflicts. The oracle knowledge
//! is every value that a transaction wrote.
//!
//! # The algorithm
//!
//! [`derive`] makes the list, and [`table`] joins it with the pre-state. Both are untimed. The
//! timed part is:
//!
//! 1. System calls, transactions and the account diff are tasks, which threads take by an index. A
//!    transaction reads through [`bal_db`]: the last earlier value of the list, or else the
//!    pre-state.
//! 2. The worker that executed a transaction compares its changes with the list, in both directions
//!    ([`check`]). The journal is then dropped, as no state is committed.
//! 3. The account diff consists of the last values of the list, so it waits for no transaction.
//! 4. Gas and receipts are added up in order. Then the last phase (withdrawals, requests) runs, and
//!    its changes are checked as those of a transaction are.
//! 5. Every entry of the list must have been accessed.
//!
//! # Invariants
//!
//! By induction over the block: assume that the list is correct for all earlier transactions. Then
//! a transaction runs on the state of block order, and its changes are correct. Every step of this
//! is checked. So an outcome is returned only if every entry of the list is correct.
//!
//! # When its assumption fails
//!
//! A wrong entry makes the block invalid, by EIP-7928. The execution returns an error that names
//! the entry. Blocks do not carry their lists today. The list is derived from one untimed
//! sequential run. If the header has the list's hash, it is checked then.

mod bal_db;
mod check;
mod post_state;
mod table;

use crate::{
    block::{ReplayJob, derive_access_list},
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, Observable,
        codes::Codes,
        observe::{Activity, Event, Observer},
        receipts::{ReceiptAccumulator, TxReceipt},
        worker::Worker,
    },
    state::{AccountChange, BlockState, PostState, Storage},
    threads::{
        DeferredDrop, WorkerPool,
        tasks::{self, Tasks, run_each},
    },
};
use alloy_consensus::Transaction as _;
use alloy_evm::Evm as _;
use alloy_primitives::{Address, map::B256Map};
use bal_db::{BalDb, Touched};
use revm::bytecode::Bytecode;
use std::{cmp::Reverse, num::NonZeroUsize};
use table::{Index, Table};

/// Accounts per task of the account diff.
const CHUNK: usize = 128;

/// Execution by a block access list, for one block.
#[derive(Debug)]
pub struct Bal {
    table: Table,
    codes: Codes,
    /// Transactions by descending gas limit. A long transaction that starts last would extend the
    /// run.
    order: Vec<usize>,
}

impl Bal {
    /// Derives the block's list from a sequential run.
    ///
    /// # Errors
    /// The block is invalid, or the pre-state lacks a value that it reads.
    pub fn prepare(job: &ReplayJob, threads: NonZeroUsize) -> Result<Self, ExecuteError> {
        let derived = derive_access_list(job)?;
        let mut order: Vec<_> = (0..job.transactions.len()).collect();
        order.sort_by_key(|tx| Reverse(job.transactions[*tx].gas_limit()));
        let codes = Codes::new(&job.pre_state, threads);
        Ok(Self { table: Table::new(job, &derived), codes, order })
    }
}

/// Result of a task.
enum Done {
    /// The system calls before the first transaction match the list.
    Begun,
    Transaction(usize, TxReceipt),
    Changes(Vec<(Address, AccountChange)>),
}

/// Data that the workers of one execution share.
struct Shared<'a, W> {
    job: &'a ReplayJob,
    bal: &'a Bal,
    storage: &'a Storage<'a>,
    observer: &'a W,
}

impl Observable for Bal {
    fn run(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Search));
        let storage = job.storage();
        let shared = Shared { job, bal: self, storage: &storage, observer };
        let tasks = Tasks {
            count: self.order.len() + 1 + self.table.accounts().len().div_ceil(CHUNK),
            worker: |number| Worker::new(job, shared.before(0, self.codes.of(number))),
            task: |worker: &mut Worker<_>, task| shared.perform(worker, task),
            leave: |mut worker: Worker<BalDb<'_>>| {
                observer.tell(Event::Began(Activity::Absent));
                worker.database().take_touched()
            },
        };
        let done = run_each(pool, &tasks).ok_or(ExecuteError::Engine { executor: "bal" })?;
        observer.tell(Event::Began(Activity::After));
        let (outcome, leftovers) = shared.finish(done)?;
        observer.tell(Event::Began(Activity::Absent));
        let incarnations = job.transactions.len() as u64;
        let stats = ExecutionStats { incarnations, ..Default::default() };
        Ok(Execution { outcome, stats, mode: ExecutionMode::Parallel, leftovers })
    }
}

impl<'a, W: Observer> Shared<'a, W> {
    /// The state before this index, by the list.
    fn before(&self, index: Index, codes: &'a B256Map<Bytecode>) -> BalDb<'a> {
        BalDb::new(&self.bal.table, codes, self.storage, index)
    }

    fn perform(&self, worker: &mut Worker<BalDb<'a>>, task: usize) -> Result<Done, ExecuteError> {
        match self.bal.order.get(task) {
            Some(tx) => self.execute(worker, *tx),
            None => match task - self.bal.order.len() {
                0 => self.begin(worker.database()),
                chunk => Ok(Done::Changes(self.changes(chunk - 1))),
            },
        }
    }

    fn execute(&self, worker: &mut Worker<BalDb<'a>>, tx: usize) -> Result<Done, ExecuteError> {
        self.observer.tell(Event::Began(Activity::Execute { tx }));
        let (index, transaction) = (table::index_of(tx), &self.job.transactions[tx]);
        worker.database().begin(index);
        let outcome = worker
            .run_to_the_end(transaction)
            .map_err(|source| ExecuteError::transaction(tx, source))?;
        self.observer.tell(Event::Began(Activity::Check { tx }));
        check::transaction(worker.database(), index, &outcome.state)?;
        worker.give_back(outcome.state);
        Ok(Done::Transaction(tx, outcome.share))
    }

    /// Runs the system calls before the first transaction.
    fn begin(&self, worker: &BalDb<'a>) -> Result<Done, ExecuteError> {
        self.observer.tell(Event::Began(Activity::Before));
        let context = self.job.context();
        let mut run = context.over(BlockState::new(self.before(0, worker.codes())), 0);
        context.begin(&mut run).map_err(ExecuteError::outside)?;
        let state = run.evm.finish().0;
        self.check_phase(0, &state)?;
        worker.touch_as(state.base());
        Ok(Done::Begun)
    }

    fn check_phase(&self, index: Index, state: &BlockState<BalDb<'_>>) -> Result<(), ExecuteError> {
        Ok(check::phase(&self.bal.table, index, &state.post_state()?)?)
    }

    fn changes(&self, chunk: usize) -> Vec<(Address, AccountChange)> {
        self.observer.tell(Event::Began(Activity::After));
        let accounts = self.bal.table.accounts().iter().skip(chunk * CHUNK).take(CHUNK);
        accounts.filter_map(post_state::change).collect()
    }

    /// Joins the results of the tasks in order, and runs the phase after the last transaction.
    fn finish(
        &self,
        done: tasks::Done<Result<Done, ExecuteError>, Touched>,
    ) -> Result<(BlockOutcome, DeferredDrop), ExecuteError> {
        let mut shares: Vec<_> = self.bal.order.iter().map(|_| None).collect();
        let mut accounts = Vec::with_capacity(self.bal.table.accounts().len());
        for done in done.results {
            match done? {
                Done::Begun => {}
                Done::Transaction(tx, share) => shares[tx] = Some(share),
                // Results are in the order of tasks, so accounts are ascending.
                Done::Changes(changes) => accounts.extend(changes),
            }
        }
        let mut tally = ReceiptAccumulator::new(self.job);
        for (tx, share) in shares.into_iter().flatten().enumerate() {
            tally.add(share)?;
            self.observer.tell(Event::Committed { tx });
        }
        let last = table::index_of(self.bal.order.len());
        let before = self.before(last, self.bal.codes.of(0));
        let (result, state) = tally.finish(BlockState::new(before))?;
        self.check_phase(last, &state)?;
        let mut touched = state.base().touched();
        done.leftovers.iter().for_each(|other| touched.add(other));
        touched.check(&self.bal.table)?;
        let outcome = BlockOutcome::new(result, PostState { accounts });
        Ok((outcome, DeferredDrop::new(done.leftovers)))
    }
}

#[cfg(test)]
mod tests;
