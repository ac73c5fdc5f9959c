//! One run in block order that notes what each transaction reads and writes.
//!
//! The machine runs every transaction by itself and as if it were ahead of its turn, so that it notes its
//! reads, with all before it published, so that it reads final state.

use super::{
    batches::single,
    engine::{Executed, Vm},
    lap::begin,
    memory::WriteSet,
    running::Running,
    scheduler::{ExecutionPoint, Speculation},
    vm::{EthVm, Shared, Work},
};
use crate::{
    block::ReplayJob,
    executor::{
        ExecuteError, Oversubscribed,
        access::{Accesses, TxAccess, needs},
    },
};

/// Executes the block in order, on one thread, and tells all accesses.
///
/// # Errors
/// The block is invalid, or the pre-state lacks what it reads.
pub(in crate::executor) fn record(job: &ReplayJob) -> Result<Accesses, ExecuteError> {
    let storage = job.instant_storage();
    let shared = Shared::new(job, &storage);
    let (_, before_all) = begin(&shared)?;
    shared.memory.publish_before_all(&before_all);
    let count = job.transactions.len();
    // Nobody is running, so nobody is waited for.
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
            // The sender's nonce is not the transaction's. Executed on what is there, it says so.
            vm.view().begin(tx, ExecutionPoint::AtCommit);
            vm.execute().output?;
        }
        writes.sort_unstable_by_key(|(location, _)| *location);
        shared.memory.publish(tx, &WriteSet::new(), &writes);
        transactions.push(TxAccess { reads: needs(&reads), writes, gas });
    }
    drop(vm);
    Ok(Accesses { before_all, transactions, new_codes: shared.leave() })
}
