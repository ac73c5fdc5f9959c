//! Commits attempts in block order. An attempt is validated by its reads, and executed again if
//! they changed.
//!
//! Correctness rests on one rule: *a transaction commits only after it was validated against, or
//! executed on, the state of block order*. The reads of an attempt are in its journal. Validation
//! compares values, field by field: nonce, code and slots must be equal, and a balance must satisfy
//! its dependency. So an attempt may be valid although another transaction wrote the same account.
//! A value that was changed and then restored is valid, too.
//!
//! A failed attempt is always executed again. It may have failed only because of outdated values.

mod last_writers;

use super::{
    ExecuteError, Execution, ExecutionMode, ExecutionStats,
    committer::{Committer, State},
    dependency::{BalanceRule, Dependency},
    observe::{Activity, Conflict, Event, Observer},
    worker::{Attempt, TxOutcome, TxOutput, Worker},
};
use crate::{
    block::ReplayJob,
    state::{BlockState, StateError, Storage},
};
use alloy_primitives::{Address, U256};
use last_writers::{Field, LastWriters};
use revm::{DatabaseRef, context_interface::Block as _, state::Account};
use std::ops::ControlFlow;

/// The committed prefix, and an EVM for transactions that are executed again.
pub(crate) struct OrderedValidator<'a, W> {
    job: &'a ReplayJob,
    rule: BalanceRule,
    committer: Committer<'a>,
    /// It has an empty database, and the committer's state while it executes.
    worker: Worker<State<'a>>,
    stats: ExecutionStats,
    observer: &'a W,
    /// Maintained in a profiled run.
    writers: LastWriters<'a>,
}

impl<'a, W: Observer> OrderedValidator<'a, W> {
    /// Starts with no transactions. `state` is the state before the first one.
    pub(crate) fn new(
        job: &'a ReplayJob,
        storage: &'a Storage<'a>,
        state: State<'a>,
        observer: &'a W,
    ) -> Self {
        Self {
            job,
            rule: BalanceRule::of(job.env.cfg_env.spec),
            committer: Committer::new(job, state),
            worker: Worker::new(job, BlockState::new(storage)),
            stats: ExecutionStats::default(),
            observer,
            writers: LastWriters::new(&job.indexed_state),
        }
    }

    /// State that the next transaction reads.
    pub(crate) const fn state(&self) -> &State<'a> {
        self.committer.state_ref()
    }

    /// Commits the next transaction. Its attempt is used if it is valid.
    ///
    /// # Errors
    /// The pre-state lacks a value.
    pub(crate) fn commit(
        &mut self,
        tx: usize,
        attempt: Attempt,
    ) -> Result<ControlFlow<()>, StateError> {
        self.observer.tell(Event::Began(Activity::Check { tx }));
        self.stats.incarnations += 1;
        let gas = attempt.gas();
        let (output, differs) = match attempt.output {
            Ok(outcome) => {
                let differs = self.difference(&outcome, &attempt.dependencies)?;
                (Some(outcome), differs)
            }
            Err(_) => (None, None),
        };
        let output = match (output, differs) {
            (Some(outcome), None) => Ok(outcome),
            (_, at) => {
                self.stats.wasted_gas += gas;
                let over = at.and_then(|(address, field)| self.conflict(address, field));
                self.observer.tell(Event::Aborted { tx, over });
                self.execute(tx)
            }
        };
        Ok(self.commit_output(tx, output))
    }

    /// The location of a changed read, and the transaction that wrote it.
    fn conflict(&self, address: Address, field: Field) -> Option<Conflict> {
        let at = self.writers.location(address, field).filter(|_| W::WATCHES)?;
        Some(Conflict { at, by: self.writers.of(at) })
    }

    fn commit_output(&mut self, tx: usize, output: TxOutput) -> ControlFlow<()> {
        self.observer.tell(Event::Began(Activity::Commit { tx }));
        if W::WATCHES
            && let Ok(outcome) = &output
        {
            self.writers.note(tx, outcome, self.job.env.block_env.beneficiary());
        }
        let flow = self.committer.commit(tx, output);
        self.observer.tell(Event::Published { tx });
        self.observer.tell(Event::Committed { tx });
        flow
    }

    /// Executes the next transaction, which has no attempt, and commits it.
    pub(crate) fn execute_and_commit(&mut self, tx: usize) -> ControlFlow<()> {
        let output = self.execute(tx);
        self.commit_output(tx, output)
    }

    fn execute(&mut self, tx: usize) -> TxOutput {
        self.observer.tell(Event::Began(Activity::Execute { tx }));
        self.stats.incarnations += 1;
        std::mem::swap(self.committer.state(), self.worker.database());
        let output = self.worker.run(&self.job.transactions[tx]);
        std::mem::swap(self.committer.state(), self.worker.database());
        output
    }

    /// The first read of the attempt that changed; `None` if the attempt is valid.
    fn difference(
        &mut self,
        outcome: &TxOutcome,
        dependencies: &[(Address, Dependency)],
    ) -> Result<Option<(Address, Field)>, StateError> {
        for (address, account) in &outcome.state {
            if let Some(field) = differs(self.committer.state(), self.rule, *address, account)? {
                return Ok(Some((*address, field)));
            }
        }
        for (address, dependency) in dependencies {
            let Some(account) = outcome.state.get(address) else { continue };
            let found = self.committer.state().basic_ref(*address)?;
            let balance = found.map_or(U256::ZERO, |info| info.balance);
            let seen = account.original_info().balance;
            if !dependency.holds(seen, balance) {
                return Ok(Some((*address, Field::Balance)));
            }
        }
        Ok(None)
    }

    /// Runs the phases after the last transaction, and returns an execution in this mode.
    ///
    /// # Errors
    /// A transaction or the block is invalid, or one of those phases failed.
    pub(crate) fn finish(self, mode: ExecutionMode) -> Result<Execution, ExecuteError> {
        self.observer.tell(Event::Began(Activity::After));
        let (outcome, leftovers) = self.committer.finish()?;
        self.observer.tell(Event::Began(Activity::Absent));
        Ok(Execution { outcome, stats: self.stats, mode, leftovers })
    }
}

/// The field of an account that differs from the attempt's read. Balances without a dependency are
/// not compared.
fn differs(
    state: &State<'_>,
    rule: BalanceRule,
    address: Address,
    account: &Account,
) -> Result<Option<Field>, StateError> {
    let found = state.basic_ref(address)?;
    let exists = found.is_some();
    let (found, seen) = (found.unwrap_or_default(), account.original_info());
    if found.nonce != seen.nonce {
        return Ok(Some(Field::Nonce));
    }
    if found.code_hash != seen.code_hash {
        return Ok(Some(Field::Code));
    }
    let existed = !account.is_loaded_as_not_existing();
    let holds_balance = match rule {
        // An empty account that was touched is removed. An authorisation can observe that
        // (EIP-7702).
        BalanceRule::Emptiness => exists || !existed || !seen.is_empty(),
        BalanceRule::Existence => found.balance == seen.balance && exists == existed,
    };
    if !holds_balance {
        return Ok(Some(Field::Balance));
    }
    // A created account starts with empty storage, so earlier values of its slots do not matter.
    if account.is_created() {
        return Ok(None);
    }
    for (slot, value) in &account.storage {
        // The state may lack the slot. The account was then created by a call that reverted, so that the attempt saw
        // zero without a read. Such an attempt is executed again.
        if state.storage_ref(address, *slot).ok() != Some(value.original_value) {
            return Ok(Some(Field::Slot(*slot)));
        }
    }
    Ok(None)
}
