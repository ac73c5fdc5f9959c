//! Declares the measurement options of `replay`.

use super::number::{MOST_ITERATIONS, MOST_SECONDS, NumberError, between, whole};
use crate::measure::warnings::FEWEST_ROUNDS;
use clap::Args;
use std::{fmt, time::Duration};

/// Number of iterations and conditions of the measurement.
#[derive(Debug, Args)]
#[command(next_help_heading = super::MEASUREMENT)]
pub struct RoundArgs {
    /// Timed iterations per block, or auto: until every speedup's 95 % interval is within 2 %
    #[arg(long, value_name = "N|auto", default_value_t = RoundsArg::DEFAULT, value_parser = at_least_one)]
    pub iterations: RoundsArg,
    /// Untimed iterations before the timed ones, or auto: until no executor speeds up any more
    #[arg(long, value_name = "N|auto", default_value = "auto", value_parser = any_number)]
    pub warmup: RoundsArg,
    /// Time limit per block for --iterations auto, in seconds [default: 60]
    #[arg(long, value_name = "SECS", value_parser = seconds)]
    pub time_limit: Option<u64>,
    /// Add A/A runs: the baseline races itself, which measures the noise floor, and several baselines run at once,
    /// which measures the effective cores
    #[arg(long)]
    pub self_check: bool,
    /// Pin each thread to one core
    #[arg(long)]
    pub pin: bool,
    /// Let the workers sleep until a sample starts, so that its time includes their wake-up; by default they
    /// spin-wait for the block
    #[arg(long)]
    pub asleep: bool,
    /// Seed for the order within iterations and for the bootstrap intervals
    #[arg(long, value_name = "N", default_value = "0", value_parser = whole)]
    pub seed: u64,
}

/// A number of iterations, fixed or automatic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundsArg {
    /// A fixed number.
    Rounds(u32),
    /// As many iterations as the result needs.
    Auto,
}

impl fmt::Display for RoundsArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rounds(rounds) => rounds.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl RoundsArg {
    /// Timed iterations without the flag: the fewest that give an interval.
    pub const DEFAULT: Self = Self::Rounds(FEWEST_ROUNDS);
}

impl RoundArgs {
    /// Time limit per block for `--iterations auto`.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.time_limit.unwrap_or(60))
    }
}

/// Parses a number of iterations that may be zero.
fn any_number(text: &str) -> Result<RoundsArg, RoundsError> {
    rounds(text, 0)
}

fn at_least_one(text: &str) -> Result<RoundsArg, RoundsError> {
    rounds(text, 1)
}

fn rounds(text: &str, least: u64) -> Result<RoundsArg, RoundsError> {
    match between(text, least, MOST_ITERATIONS) {
        _ if text == "auto" => Ok(RoundsArg::Auto),
        // The limit is far below the largest number of 32 bits.
        Ok(rounds) => Ok(RoundsArg::Rounds(rounds as u32)),
        Err(NumberError::NotWhole) => Err(RoundsError::NotWhole),
        Err(error) => Err(error.into()),
    }
}

fn seconds(text: &str) -> Result<u64, NumberError> {
    between(text, 0, MOST_SECONDS)
}

/// Errors of a number of iterations.
#[derive(Debug, thiserror::Error)]
enum RoundsError {
    #[error("write a whole number, or auto")]
    NotWhole,
    #[error(transparent)]
    Range(#[from] NumberError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_a_number_or_auto() {
        assert_eq!(any_number("12").unwrap(), RoundsArg::Rounds(12));
        assert_eq!(any_number("0").unwrap(), RoundsArg::Rounds(0));
        assert_eq!(at_least_one("auto").unwrap(), RoundsArg::Auto);
        let said = |text| at_least_one(text).unwrap_err().to_string();
        assert_eq!(said("some"), "write a whole number, or auto");
        assert_eq!(said("0"), "must be at least 1");
        assert_eq!(said("4294967295"), "must be at most 1000000");
    }
}
