//! Executes a block with one executor, so that neither a panic nor an endless loop of it reaches the caller.

use super::ExecutorKind;
use crate::{
    block::ReplayJob,
    execution::{ExecuteError, Execution},
    threads::{Watchdog, WatchdogError, WorkerPool},
};
use std::sync::Arc;

/// Why a contained executor has no result.
#[derive(Debug, thiserror::Error)]
pub enum ContainedError {
    /// The executor returned an error.
    #[error(transparent)]
    Execute(#[from] ExecuteError),
    /// The executor panicked or did not return in time, or its threads could not be started.
    #[error(transparent)]
    Watchdog(#[from] WatchdogError),
}

/// Makes the executor for a block and executes the block, on the threads of the watchdog.
///
/// # Errors
/// The error of the executor, or [`WatchdogError`] if it panicked or did not return in time.
pub fn execute_contained(
    watchdog: &mut Watchdog,
    executor: ExecutorKind,
    job: &Arc<ReplayJob>,
) -> Result<Execution, ContainedError> {
    let job = job.clone();
    let execute =
        move |pool: &WorkerPool| executor.prepare(&job, pool.threads())?.execute(&job, pool);
    Ok(watchdog.run(execute)??)
}
