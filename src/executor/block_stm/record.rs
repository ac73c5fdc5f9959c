//! Records the read set and write set of each transaction, in one run in block order.
//!
//! The machine executes each transaction as its own batch. It treats the transaction as speculative, so that it
//! records a read set. All lower transactions have published by then, so each read is final.

use super::{
    batches::single,
    engine::{Executed, Machine},
    lap::begin,
    machine::{EvmMachine, Shared, Work},
    memory::WriteSet,
    running::Running,
    scheduler::{Basis, Start},
};
use crate::{
    block::ReplayJob,
    executor::{
        Crowding, ExecuteError,
        access::{Accesses, TxAccess, needs},
    },
};

/// Executes the block in order on one thread. Returns all accesses.
///
/// # Errors
/// The block is invalid, or the pre-state lacks a value that it reads.
pub(in crate::executor) fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    let storage = job.instant_storage();
    let shared = Shared::new(job, &storage);
    let (_, before_all) = begin(&shared)?;
    shared.memory.publish_before_all(&before_all);
    let count = job.transactions.len();
    // No other transaction runs, so there are no waits.
    let running = Running::new(count, Crowding::Crowded);
    let work = Work::new(job, single(count), running);
    let mut machine = EvmMachine::new(&shared, &work);
    let mut transactions = Vec::with_capacity(count);
    for tx in 0..count {
        machine.view().begin(tx, Start::Ahead);
        let Executed { mut writes, output, cost: gas, .. } = machine.execute();
        output?;
        let (reads, basis) = (machine.view().take_reads(), machine.view().basis());
        if basis == Basis::Assumed {
            // The sender's nonce differs from the transaction's nonce. The execution at the commit index reads
            // the actual nonce and returns the error.
            machine.view().begin(tx, Start::AtFrontier);
            machine.execute().output?;
        }
        writes.sort_unstable_by_key(|(location, _)| *location);
        shared.memory.publish(tx, &WriteSet::new(), &writes);
        transactions.push(TxAccess { reads: needs(&reads), writes, gas });
    }
    drop(machine);
    Ok(Accesses { before_all, transactions, new_codes: shared.leave() })
}
