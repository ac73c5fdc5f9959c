//! Arguments that name executors.

use crate::executors::{ExecutorKind, Registry, UnknownExecutor};

/// A list of executors, or all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executors(pub Vec<ExecutorKind>);

impl Executors {
    pub(super) fn parse(names: &str, registry: &Registry) -> Result<Self, UnknownExecutor> {
        if names == "all" {
            return Ok(Self(registry.all().to_vec()));
        }
        names.split(',').map(|name| registry.find(name.trim())).collect::<Result<_, _>>().map(Self)
    }
}

/// Parses a list of this crate's executors; [`command`](super::command) widens it to those of the program.
pub(super) fn built_in_executors(names: &str) -> Result<Executors, UnknownExecutor> {
    Executors::parse(names, &Registry::default())
}

/// The same for a single name.
pub(super) fn built_in_executor(name: &str) -> Result<ExecutorKind, UnknownExecutor> {
    Registry::default().find(name)
}

/// The same for a baseline.
pub(super) fn built_in_baseline(name: &str) -> Result<ExecutorKind, BaselineError> {
    baseline(name, &Registry::default())
}

/// A name that no baseline has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BaselineError {
    #[error(transparent)]
    Unknown(#[from] UnknownExecutor),
    #[error("{0} is parallel; the baseline has to be an executor that runs on one thread, such as {known}", known = ExecutorKind::SEQUENTIAL)]
    Parallel(ExecutorKind),
}

pub(super) fn baseline(name: &str, registry: &Registry) -> Result<ExecutorKind, BaselineError> {
    let found = registry.find(name)?;
    if found.is_parallel() { Err(BaselineError::Parallel(found)) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_has_no_contradictions() {
        Cli::command().debug_assert();
    }

    #[test]
    fn executors_are_a_list_or_all() {
        assert_eq!(built_in_executors("all"), Ok(Executors(ExecutorKind::BUILT_IN.to_vec())));
        let both = Executors(vec![ExecutorKind::SEQUENTIAL, ExecutorKind::BLOCK_STM]);
        assert_eq!(built_in_executors("sequential,block-stm"), Ok(both));
        assert!(built_in_executors("sequential,,").is_err());
    }

    #[test]
    fn a_baseline_runs_on_one_thread() {
        assert_eq!(built_in_baseline("sequential-tuned"), Ok(ExecutorKind::SEQUENTIAL_TUNED));
        assert_eq!(built_in_baseline("bal"), Err(BaselineError::Parallel(ExecutorKind::BAL)));
        assert!(built_in_baseline("none").is_err());
    }
}
