//! Executes by a block access list: each transaction starts from its own pre-state, which the list
//! provides.
//!
//! # What it models
//!
//! EIP-7928 (Amsterdam). A block carries, for every account and slot that it touches, the value
//! that each transaction wrote. So the reads of a transaction are known without executing the
//! earlier transactions. All transactions run in parallel without conflicts.
//!
//! The list is the block's own, if the recorded block has it and its hash is the header's. Nothing
//! is known then that the block does not carry. Otherwise the list is derived from an untimed
//! sequential run, and every value that a transaction wrote is oracle knowledge.
//!
//! # The algorithm
//!
//! [`table`] joins the list with the pre-state, untimed. The timed part is:
//!
//! 1. System calls, transactions and the account diff are tasks, which threads take by an index. A
//!    transaction reads through [`bal_db`]: the last earlier value of the list, or else the
//!    pre-state. The block's own list names the whole pre-state beforehand, so a simulated latency
//!    is that of one batch of reads.
//! 2. The worker that executed a transaction compares its changes with the list, in both directions
//!    ([`check`]). The journal is then dropped, as no state is committed.
//! 3. The account diff consists of the last values of the list, so it waits for no transaction.
//! 4. Gas and receipts are added up in order. Then the last phase (withdrawals, requests) runs, and
//!    its changes are checked as those of a transaction are.
//! 5. Every entry of the list must have been accessed.
//!
//! The module [`root`] computes the state root from the list beside that.
//!
//! # Invariants
//!
//! By induction over the block: assume that the list is correct for all earlier transactions. Then
//! a transaction runs on the state of block order, and its changes are correct. Every step of this
//! is checked. So an outcome is returned only if every entry of the list is correct.
//!
//! # When its assumption fails
//!
//! A wrong entry makes the block invalid, by EIP-7928. All tasks run to their end, so a wrong list
//! takes no longer than the gas of the block allows. The error of the lowest index names the wrong
//! entry: all earlier entries are correct, and later errors may be consequences.

mod bal_db;
mod check;
mod no_op;
mod post_state;
mod root;
mod table;

use crate::{
    block::{DerivedList, ListDifference, Proof, ReplayJob, TrieAfter, derive_access_list},
    execution::{
        BlockOutcome, ExecuteError, Execution, ExecutionMode, ExecutionStats, ListError,
        Observable,
        codes::Codes,
        observe::{Activity, Event, Observer},
        receipts::{ReceiptAccumulator, TxReceipt},
        worker::Worker,
    },
    state::{AccountChange, BlockState, PostState, Storage},
    threads::{
        DeferredDrop, WorkerPool,
        tasks::{self, Tasks, run_each_beside},
    },
};
use alloy_consensus::Transaction as _;
use alloy_evm::Evm as _;
use alloy_primitives::{Address, map::B256Map};
use bal_db::{BalDb, Touched};
use revm::bytecode::Bytecode;
use std::{cmp::Reverse, collections::BTreeSet, num::NonZeroUsize};
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
    /// Whether the list is the block's own.
    is_own: bool,
    /// The first entry of the block's own list that changes nothing.
    no_op: Option<(Index, ListError)>,
}

impl Bal {
    /// Takes the block's own list, or derives one from a sequential run.
    ///
    /// # Errors
    /// The block is invalid, the pre-state lacks a value that it reads, or the block's own list is malformed.
    pub fn prepare(job: &ReplayJob, threads: NonZeroUsize) -> Result<Self, ExecuteError> {
        let Some(own) = job.own_list() else {
            return Ok(Self::by(job, &derive_access_list(job)?, threads));
        };
        if let Some(malformed @ ListDifference::Malformed(_)) = &own.difference {
            return Err(ListError::from(Box::new(malformed.clone())).into());
        }
        let no_op = no_op::first(job, &own.list.list);
        Ok(Self { is_own: true, no_op, ..Self::by(job, &own.list, threads) })
    }

    /// Joins a list with the pre-state.
    fn by(job: &ReplayJob, list: &DerivedList, threads: NonZeroUsize) -> Self {
        let mut order: Vec<_> = (0..job.transactions.len()).collect();
        order.sort_by_key(|tx| Reverse(job.transactions[*tx].gas_limit()));
        let codes = Codes::new(&job.pre_state, threads);
        Self { table: Table::new(job, list), codes, order, is_own: false, no_op: None }
    }

    /// The index of a task; the account diff has none.
    fn index_of_task(&self, task: usize) -> Index {
        match self.order.get(task) {
            Some(tx) => table::index_of(*tx),
            None if task == self.order.len() => 0,
            None => Index::MAX,
        }
    }

    /// The error of the lowest index, among those of the tasks and of entries that change nothing.
    fn check(&self, results: &mut [Result<Done, ExecuteError>]) -> Result<(), ExecuteError> {
        let failed = results.iter().enumerate().filter(|(_, result)| result.is_err());
        let first = failed.map(|(task, _)| task).min_by_key(|task| self.index_of_task(*task));
        if let Some((index, error)) = &self.no_op
            && first.is_none_or(|task| self.index_of_task(task) > *index)
        {
            return Err(error.clone().into());
        }
        let Some(first) = first else { return Ok(()) };
        std::mem::replace(&mut results[first], Ok(Done::Begun)).map(drop)
    }
}

/// Result of a task.
enum Done {
    /// The system calls before the first transaction match the list.
    Begun,
    /// A transaction matches the list. It emptied the storage of these accounts.
    Transaction(usize, TxReceipt, Vec<Address>),
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
        self.execute_beside(job, pool, observer, None::<fn()>)
    }

    fn has_root_beside(&self, job: &ReplayJob, _pool: &WorkerPool) -> bool {
        matches!(job.proof, Proof::Witness { .. })
    }

    fn run_with_root<'j>(
        &self,
        job: &'j ReplayJob,
        pool: &WorkerPool,
    ) -> Result<(Execution, TrieAfter<'j>), ExecuteError> {
        self.with_root_beside(job, pool)
    }
}

impl Bal {
    /// Executes the block. One thread does `first`, if there is any, before anything else.
    fn execute_beside(
        &self,
        job: &ReplayJob,
        pool: &WorkerPool,
        observer: &impl Observer,
        first: Option<impl Fn() + Sync>,
    ) -> Result<Execution, ExecuteError> {
        observer.tell(Event::Began(Activity::Search));
        let storage = if self.is_own { job.storage_at_once() } else { job.storage() };
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
        let done = run_each_beside(pool, &tasks, first);
        let done = done.ok_or(ExecuteError::Engine { executor: "bal" })?;
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
        let emptied = check::transaction(worker.database(), index, &outcome.state)?;
        worker.give_back(outcome.state);
        Ok(Done::Transaction(tx, outcome.share, emptied))
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
        mut done: tasks::Done<Result<Done, ExecuteError>, Touched>,
    ) -> Result<(BlockOutcome, DeferredDrop), ExecuteError> {
        self.bal.check(&mut done.results)?;
        let mut shares: Vec<_> = self.bal.order.iter().map(|_| None).collect();
        let mut emptied = BTreeSet::new();
        let mut accounts = Vec::with_capacity(self.bal.table.accounts().len());
        for done in done.results {
            match done? {
                Done::Begun => {}
                Done::Transaction(tx, share, by_it) => {
                    shares[tx] = Some(share);
                    emptied.extend(by_it);
                }
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
        let outcome = BlockOutcome::new(result, self.with_emptied(accounts, emptied)?);
        Ok((outcome, DeferredDrop::new(done.leftovers)))
    }
}

impl<W> Shared<'_, W> {
    /// The account diff, with the accounts that were created or removed. The list does not tell them from others.
    fn with_emptied(
        &self,
        accounts: Vec<(Address, AccountChange)>,
        emptied: BTreeSet<Address>,
    ) -> Result<PostState, ListError> {
        let again = emptied.into_iter().map(|address| (address, ()));
        PostState::amended(accounts, again, |address, (), _| {
            Ok(post_state::change_of(self.bal.table.account(address)?, true))
        })
    }
}

#[cfg(test)]
mod tests;
