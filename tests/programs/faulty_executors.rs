//! The command line with executors that are wrong on purpose, for `tests/it/own_executor.rs`.

use blockrace::{
    block::ReplayJob,
    execution::{ExecuteError, Execution, Executor},
    executors::{ExecutorFactory, ExecutorKind},
    threads::WorkerPool,
};
use std::{num::NonZeroUsize, process::ExitCode, thread, time::Duration};

fn main() -> ExitCode {
    let all =
        [Faulty::Right, Faulty::Wrong, Faulty::Panics, Faulty::Fails, Faulty::Late, Faulty::Hangs];
    blockrace::run(all.map(|faulty| Box::new(faulty) as Box<dyn ExecutorFactory>))
}

/// An executor with the baseline's result and one fault.
#[derive(Clone, Copy, Debug)]
enum Faulty {
    Right,
    Wrong,
    Panics,
    Fails,
    Late,
    Hangs,
}

impl ExecutorFactory for Faulty {
    fn name(&self) -> &str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Panics => "panics",
            Self::Fails => "fails",
            Self::Late => "late",
            Self::Hangs => "hangs",
        }
    }

    fn description(&self) -> &str {
        "for a test"
    }

    fn prepare(&self, _: &ReplayJob, _: NonZeroUsize) -> Result<Box<dyn Executor>, ExecuteError> {
        Ok(Box::new(*self))
    }
}

impl Executor for Faulty {
    fn execute(&self, job: &ReplayJob, pool: &WorkerPool) -> Result<Execution, ExecuteError> {
        let sequential = ExecutorKind::SEQUENTIAL.prepare(job, pool.threads())?;
        let mut execution = sequential.execute(job, pool)?;
        match self {
            Self::Right => {}
            Self::Wrong => execution.outcome.gas_used += 1,
            Self::Panics => panic!("on purpose"),
            Self::Fails => return Err(ExecuteError::Other("it has no licence".into())),
            Self::Late => thread::sleep(Duration::from_secs(8)),
            Self::Hangs => loop {
                thread::park();
            },
        }
        Ok(execution)
    }
}
