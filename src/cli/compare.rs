//! Declares the arguments of `compare`.

use super::number::{NumberError, between};
use crate::report::compare::{Answer, Aspect, By};
use clap::{Args, ValueEnum};
use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Results of the base run, from replay --json; several files are separated by commas, - is standard input.
    /// With --baseline this is the new run
    #[arg(value_name = "BASE.json", value_parser = run_files)]
    pub first: RunFiles,
    /// Results of the new run
    #[arg(
        value_name = "NEW.json",
        value_parser = run_files,
        required_unless_present = "baseline",
        conflicts_with = "baseline"
    )]
    pub second: Option<RunFiles>,
    /// Compare with the run that replay --save-baseline NAME has saved
    #[arg(long, value_name = "NAME")]
    pub baseline: Option<BaselineName>,
    /// Smallest slowdown that counts as a regression, in percent; it must also exceed the noise
    #[arg(long, value_name = "PERCENT", default_value = "3", value_parser = percent)]
    pub threshold: f64,
    /// Metric to compare
    #[arg(long, value_name = "METRIC", default_value = "speedup")]
    pub by: ByArg,
    /// Comma-separated differences to ignore: machine, settings, blocks
    #[arg(long, value_name = "ASPECTS", value_delimiter = ',')]
    pub ignore: Vec<AspectArg>,
    /// Exit code of an answer; comma-separated for several
    /// [default: regressed=1,not-regressed=0,cannot-tell=2]
    #[arg(long, value_name = "ANSWER=CODE", value_delimiter = ',', value_parser = exit_code)]
    pub exit_code: Vec<(Answer, u8)>,
    /// Write the comparison to FILE as JSON (schema: data/compare.schema.json)
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the comparison to FILE as a self-contained HTML page; - is standard output, for any result
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the comparison to FILE as Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// The answers in `--exit-code`.
const ANSWERS: [Answer; 3] = [Answer::Regressed, Answer::NotRegressed, Answer::CannotTell];

fn exit_code(text: &str) -> Result<(Answer, u8), ExitCodeError> {
    let (name, code) = text.split_once('=').ok_or(ExitCodeError::Form)?;
    let known = ANSWERS.into_iter().find(|answer| answer.name() == name);
    let answer = known.ok_or(ExitCodeError::Answer)?;
    // The limit is the largest number of 8 bits.
    Ok((answer, between(code, 0, u8::MAX.into())? as u8))
}

/// Errors of an exit code.
#[derive(Debug, thiserror::Error)]
enum ExitCodeError {
    #[error("write ANSWER=CODE, such as cannot-tell=0")]
    Form,
    #[error("the answers are regressed, not-regressed and cannot-tell")]
    Answer,
    #[error(transparent)]
    Code(#[from] NumberError),
}

/// Name of a saved run. It is part of a file name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaselineName(String);

/// Maximum length of a baseline's name.
const LONGEST_NAME: usize = 100;

impl FromStr for BaselineName {
    type Err = BaselineNameError;

    fn from_str(text: &str) -> Result<Self, BaselineNameError> {
        let fits = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
        let starts = text.starts_with(|char: char| char.is_ascii_alphanumeric());
        let is_name = starts && text.len() <= LONGEST_NAME && text.chars().all(fits);
        is_name.then(|| Self(text.to_owned())).ok_or(BaselineNameError)
    }
}

impl fmt::Display for BaselineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text is no name of a baseline.
#[derive(Debug, thiserror::Error)]
#[error(
    "use up to {LONGEST_NAME} ASCII letters, digits, hyphens, dots and underscores, such as main"
)]
pub struct BaselineNameError;

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

    #[test]
    fn each_answer_has_its_exit_code() {
        assert!(matches!(exit_code("cannot-tell=0"), Ok((Answer::CannotTell, 0))));
        assert!(matches!(exit_code("regressed=255"), Ok((Answer::Regressed, 255))));
        for wrong in ["", "regressed", "better=1", "regressed=256", "regressed=-1", "regressed="] {
            assert!(exit_code(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_name_of_a_baseline_cannot_leave_its_folder() {
        for name in ["main", "v1.2_x-3"] {
            assert_eq!(name.parse::<BaselineName>().unwrap().to_string(), name);
        }
        for wrong in ["", "..", "../x", "a/b", "-x", ".x", "a b", "a\\b", &"x".repeat(101)] {
            assert!(wrong.parse::<BaselineName>().is_err(), "{wrong}");
        }
    }
}
