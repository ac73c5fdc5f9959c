//! One run in block order that notes what each transaction reads and writes.
//!
//! The machine runs every transaction as if it were ahead of its turn, so that it notes its reads, with
//! all before it published, so that it reads final state.

use super::{
    before_transactions,
    engine::{Executed, Machine},
    machine::{EvmMachine, Shared},
    memory::{Memory, WriteSet},
    scheduler::Start,
    system_writes,
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError,
        access::{Accesses, TxAccess, needs},
    },
};

/// Executes the block in order, on one thread, and tells all accesses.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub(in crate::executor) fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    let base = &job.numbered_state;
    let before_all = system_writes(&before_transactions(job)?.post_state()?, base)?;
    let memory = Memory::new(base.account_count(), base.slot_count());
    memory.publish_before_all(&before_all);
    let shared = Shared::new(job);
    let mut machine = EvmMachine::new(&shared, &memory);
    let mut transactions = Vec::with_capacity(job.transactions.len());
    for tx in 0..job.transactions.len() {
        machine.view().begin(tx, Start::Ahead);
        let Executed { mut writes, output, cost } = machine.execute();
        output.map_err(|source| ExecuteError::transaction(tx, source))?;
        writes.sort_unstable_by_key(|(location, _)| *location);
        memory.publish(tx, &WriteSet::new(), &writes);
        transactions.push(TxAccess {
            reads: needs(&machine.view().take_reads()),
            writes,
            gas: cost,
        });
    }
    drop(machine);
    Ok(Accesses { before_all, transactions, new_codes: shared.into_new_codes() })
}
