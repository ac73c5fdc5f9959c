//! Declares the time limit of executions.

use super::number::{MOST_SECONDS, positive};
use clap::Args;
use std::{num::NonZeroU64, time::Duration};

/// The time limit of every command that executes blocks.
#[derive(Clone, Copy, Debug, Args)]
pub struct LimitArgs {
    /// Time limit of a single execution of a block, in seconds; an execution that exceeds it is abandoned
    #[arg(long, value_name = "SECONDS", default_value = "120", value_parser = positive::<NonZeroU64, MOST_SECONDS>)]
    pub execution_limit: NonZeroU64,
}

impl LimitArgs {
    /// The time limit of one execution.
    pub const fn time(self) -> Duration {
        Duration::from_secs(self.execution_limit.get())
    }
}
