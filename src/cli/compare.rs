//! Declares the arguments of `compare`.

use crate::report::compare::{Aspect, By};
use clap::{Args, ValueEnum};
use std::{convert::Infallible, path::PathBuf};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Results of the base run, from replay --json; several files are separated by commas, - is standard input
    #[arg(value_name = "BASE.json", value_parser = run_files)]
    pub base: RunFiles,
    /// Results of the new run, from replay --json; several files are separated by commas, - is standard input
    #[arg(value_name = "NEW.json", value_parser = run_files)]
    pub new: RunFiles,
    /// Smallest slowdown that counts as a regression, in percent; it must also exceed the noise
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = percent)]
    pub threshold: f64,
    /// Metric to compare
    #[arg(long, value_name = "METRIC", default_value = "speedup")]
    pub by: ByArg,
    /// Comma-separated differences to ignore: machine, settings, blocks
    #[arg(long, value_name = "ASPECTS", value_delimiter = ',')]
    pub ignore: Vec<AspectArg>,
}

/// Result files of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles(pub Vec<PathBuf>);

/// Parses one side from a single argument. With one argument per file, the border between the sides would be
/// ambiguous.
fn run_files(text: &str) -> Result<RunFiles, Infallible> {
    Ok(RunFiles(text.split(',').map(PathBuf::from).collect()))
}

/// Values of `--by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Time relative to the baseline in the same iteration; cancels slowdowns of the whole machine
    Speedup,
    /// Absolute time, including the baseline's
    Time,
}

impl From<ByArg> for By {
    fn from(argument: ByArg) -> Self {
        match argument {
            ByArg::Speedup => Self::Speedup,
            ByArg::Time => Self::Time,
        }
    }
}

/// Values of `--ignore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AspectArg {
    /// Processor, memory, kernel, governor, build
    Machine,
    /// Executors, threads, iterations, pinning
    Settings,
    /// Blocks of one run only; the blocks of both runs are compared
    Blocks,
}

impl From<AspectArg> for Aspect {
    fn from(argument: AspectArg) -> Self {
        match argument {
            AspectArg::Machine => Self::Machine,
            AspectArg::Settings => Self::Settings,
            AspectArg::Blocks => Self::Blocks,
        }
    }
}

fn percent(text: &str) -> Result<f64, PercentError> {
    let percent: f64 = text.parse().map_err(PercentError::Number)?;
    let valid = percent.is_finite() && percent >= 0.0;
    valid.then_some(percent).ok_or(PercentError::Range)
}

/// Errors of a percentage.
#[derive(Debug, thiserror::Error)]
enum PercentError {
    #[error("the percentage must be finite and not negative")]
    Range,
    #[error("write a number, such as 3 or 2.5")]
    Number(#[source] std::num::ParseFloatError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_finite_percentage_of_zero_or_more() {
        assert!(matches!(percent("2.5"), Ok(value) if value == 2.5));
        for wrong in ["-1", "NaN", "inf", "much"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
