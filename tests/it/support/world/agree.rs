//! Executes worlds with all executors.

use super::{Fork, World};
use alloy_primitives::keccak256;
use blockrace::{
    block::{ReplayJob, derive_access_list},
    conformance::{Disagreement, Panel},
    execution::{BlockOutcome, Executor as _},
    executors::{ExecutorKind, Sequential},
    threads::WorkerPool,
};
use std::{num::NonZeroUsize, time::Duration};

/// All executors, on 1, 2 and 8 threads.
pub(crate) fn panel() -> Panel {
    let threads = [1, 2, 8].map(|threads| NonZeroUsize::new(threads).expect("not zero"));
    Panel::new(&ExecutorKind::BUILT_IN, &threads, Duration::from_secs(60)).expect("threads start")
}

/// Executes the block, which may be invalid, and then without its invalid transactions. Under Amsterdam, half of the
/// valid blocks carry their own access list.
pub(crate) fn check(world: World, panel: &mut Panel) -> Result<(), Disagreement> {
    let carries_list = world.fork == Fork::Amsterdam && world.txs.len().is_multiple_of(2);
    let mut rehearsal = world.rehearse();
    if rehearsal.result.is_err() {
        panel.examine(rehearsal)?;
        rehearsal = world.made_valid().1;
    }
    if carries_list {
        carry_list(&mut rehearsal.job);
    }
    panel.examine(rehearsal).map(drop)
}

/// Gives a valid block its own access list, as if a node had answered it.
fn carry_list(job: &mut ReplayJob) {
    let list = derive_access_list(job).expect("the block is valid").into_canonical();
    let list = alloy_rlp::encode(list);
    job.header.block_access_list_hash = Some(keccak256(&list));
    job.take_access_list(&list).expect("the list is the block's");
}

/// An error and its causes on one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// The outcome of a valid block, on which all executors agree.
#[track_caller]
pub(crate) fn outcome(world: &World) -> BlockOutcome {
    let rehearsal = world.rehearse();
    assert!(rehearsal.result.is_ok(), "the block is valid: {:?}", rehearsal.result);
    if let Err(error) = panel().examine(rehearsal) {
        panic!("{}: {world:?}", chain(&error));
    }
    let pool = WorkerPool::new(NonZeroUsize::MIN).expect("a thread is available");
    Sequential.execute(&world.rehearse().job, &pool).expect("the block is valid").outcome
}
