//! Records the read set and write set of each transaction, in one run in block order.
//!
//! The machine executes each transaction as its own batch. It treats the transaction as speculative, so that it
//! records a read set. All lower transactions have published by then, so each read is final.

use super::{
    batches::single,
    block_execution::begin,
    shared::Shared,
    vm::{EthVm, Work},
};
use crate::{
    block::ReplayJob,
    execution::{
        ExecuteError,
        access::{Accesses, TxAccess},
        dependency::Dependency,
        location::{Location, WriteSet},
    },
};
use blockrace_stm::{
    Oversubscribed,
    engine::{Executed, Vm},
    read_set::{Expected, ReadSet},
    running::Running,
    scheduler::{ExecutionPoint, Speculation},
};

/// Executes the block in order on one thread. Returns all accesses.
///
/// # Errors
/// The block is invalid, or the pre-state lacks a value that it reads.
pub fn record_accesses(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    let storage = job.instant_storage();
    let shared = Shared::new(job, &storage);
    let (_, before_all) = begin(&shared)?;
    shared.memory.publish_before_all(&before_all);
    let count = job.transactions.len();
    // No other transaction runs, so there are no waits.
    let running = Running::new(count, Oversubscribed::Yes);
    let work = Work::new(job, single(count), running);
    let mut vm = EthVm::new(&shared, &work);
    let mut transactions = Vec::with_capacity(count);
    for tx in 0..count {
        vm.view().begin(tx, ExecutionPoint::Speculative);
        let Executed { mut writes, output, cost: gas, .. } = vm.execute();
        output?;
        let (reads, basis) = (vm.view().take_reads(), vm.view().basis());
        if basis == Speculation::Assumed {
            // The sender's nonce differs from the transaction's nonce. The execution at the commit index reads
            // the actual nonce and returns the error.
            vm.view().begin(tx, ExecutionPoint::AtCommit);
            vm.execute().output?;
        }
        writes.sort_unstable_by_key(|(location, _)| *location);
        shared.memory.publish(tx, &WriteSet::new(), &writes);
        transactions.push(TxAccess { reads: dependencies(&reads), writes, gas });
    }
    drop(vm);
    Ok(Accesses { before_all, transactions, new_codes: shared.leave() })
}

/// Each location once, with its strictest dependency.
fn dependencies(reads: &ReadSet) -> Vec<(Location, Dependency)> {
    let read = |(location, expected)| (location, dependency(&expected));
    let mut all: Vec<_> = reads.iter().map(read).collect();
    all.sort_unstable_by(|a, b| (a.0, b.1).cmp(&(b.0, a.1)));
    all.dedup_by_key(|(location, _)| *location);
    all
}

const fn dependency(expected: &Expected) -> Dependency {
    match expected {
        Expected::Exact(_) => Dependency::Exact,
        Expected::Known { .. } => Dependency::Known,
        Expected::AtLeast { before, minimum } => {
            Dependency::AtLeast { minimum: *minimum, before: *before }
        }
    }
}

#[cfg(test)]
mod tests;
