//! One run in block order that notes what each transaction reads and writes.
//!
//! The machine runs every transaction as if it were ahead of its turn, so that it notes its reads, with
//! all before it published, so that it reads final state.

use super::{
    batches,
    engine::{Executed, Machine},
    machine::{EvmMachine, Shared},
    memory::{Memory, WriteSet},
    scheduler::Start,
    writes::phase_writes,
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError,
        access::{Accesses, TxAccess, needs},
        committer::before_transactions,
    },
};

/// Executes the block in order, on one thread, and tells all accesses.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub(in crate::executor) fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    let (base, storage) = (&job.numbered_state, job.instant_storage());
    let before_all = phase_writes(0, &before_transactions(job, &storage)?.post_state()?, base)?;
    let memory = Memory::new(base.accounts().len(), base.slots().len());
    memory.publish_before_all(&before_all);
    let shared = Shared::new(job, &storage, batches::single(job.transactions.len()));
    let mut machine = EvmMachine::new(&shared, &memory);
    let mut transactions = Vec::with_capacity(job.transactions.len());
    for tx in 0..job.transactions.len() {
        machine.view().begin(tx, Start::Ahead);
        let Executed { mut writes, output, cost: gas, .. } = machine.execute();
        output?;
        writes.sort_unstable_by_key(|(location, _)| *location);
        memory.publish(tx, &WriteSet::new(), &writes);
        let reads = needs(&machine.view().take_reads());
        transactions.push(TxAccess { reads, writes, gas });
    }
    drop(machine);
    let new_codes = shared.new_codes.into_inner();
    Ok(Accesses { before_all, transactions, new_codes })
}
