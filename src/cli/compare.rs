//! Arguments of `compare`.

use crate::report::compare::{Aspect, By};
use clap::{Args, ValueEnum};
use std::{convert::Infallible, path::PathBuf};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// What replay --json wrote before; of several runs, with commas between
    #[arg(value_name = "BASE.json", value_parser = run_files)]
    pub base: RunFiles,
    /// What it wrote now, likewise
    #[arg(value_name = "NEW.json", value_parser = run_files)]
    pub new: RunFiles,
    /// A slowdown by more than this, and beyond noise, is a regression
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = percent)]
    pub threshold: f64,
    /// What is compared
    #[arg(long, value_name = "WHAT", default_value = "speedup")]
    pub by: ByArg,
    /// Compare although these differ, with commas between: machine, settings, blocks
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub ignore: Vec<AspectArg>,
}

/// Files of one side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunFiles(pub Vec<PathBuf>);

/// One side as a single argument: several would leave it open where the other begins.
fn run_files(text: &str) -> Result<RunFiles, Infallible> {
    Ok(RunFiles(text.split(',').map(PathBuf::from).collect()))
}

/// What may follow `--by`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ByArg {
    /// Time relative to the baseline's in the same round, which cancels what slows the whole machine
    Speedup,
    /// Time as such, the baseline's included
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

/// What may follow `--ignore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AspectArg {
    /// Processor, memory, kernel, governor, build
    Machine,
    /// Executors, threads, rounds, pinning
    Settings,
    /// Only blocks that both runs have are compared
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
    let percent: f64 = text.parse()?;
    let valid = percent.is_finite() && percent >= 0.0;
    valid.then_some(percent).ok_or(PercentError::Range)
}

/// Why some text is no percentage.
#[derive(Debug, thiserror::Error)]
enum PercentError {
    #[error("it must not be negative")]
    Range,
    #[error(transparent)]
    Number(#[from] std::num::ParseFloatError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_a_percentage_from_zero_on() {
        assert!(matches!(percent("2.5"), Ok(value) if value == 2.5));
        for wrong in ["-1", "NaN", "inf", "much"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
