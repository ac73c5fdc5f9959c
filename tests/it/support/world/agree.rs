//! Executes worlds with all executors.

use super::World;
use blockrace::{
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

/// Executes the block, which may be invalid, and then without its invalid transactions.
pub(crate) fn check(world: World, panel: &mut Panel) -> Result<(), Disagreement> {
    let rehearsal = world.rehearse();
    let is_valid = rehearsal.result.is_ok();
    panel.examine(rehearsal)?;
    if !is_valid {
        panel.examine(world.made_valid().1)?;
    }
    Ok(())
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
