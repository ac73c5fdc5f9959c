//! Declares the measurement options of `replay`.

use clap::Args;
use std::{num::ParseIntError, str::FromStr, time::Duration};

/// Number of iterations and conditions of the measurement.
#[derive(Debug, Args)]
pub struct RoundArgs {
    /// Timed iterations per block, or auto: until every speedup's 95 % interval is within 2 %
    #[arg(long, value_name = "N|auto", default_value = "10", value_parser = at_least_one)]
    pub iterations: RoundsArg,
    /// Untimed iterations before the timed ones, or auto: until no executor speeds up any more
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub warmup: RoundsArg,
    /// Time limit per block for --iterations auto, in seconds [default: 60]
    #[arg(long, value_name = "SECS")]
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
    #[arg(long, value_name = "N", default_value = "0")]
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

impl RoundArgs {
    /// Time limit per block for `--iterations auto`.
    pub fn limit(&self) -> Duration {
        Duration::from_secs(self.time_limit.unwrap_or(60))
    }
}

impl FromStr for RoundsArg {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "auto" => Ok(Self::Auto),
            number => number.parse().map(Self::Rounds),
        }
    }
}

fn at_least_one(text: &str) -> Result<RoundsArg, RoundsError> {
    match text.parse()? {
        RoundsArg::Rounds(0) => Err(RoundsError::None),
        rounds => Ok(rounds),
    }
}

/// Errors of a number of iterations.
#[derive(Debug, thiserror::Error)]
enum RoundsError {
    #[error("at least one iteration must be timed")]
    None,
    #[error(transparent)]
    Number(#[from] ParseIntError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_a_number_or_auto() {
        assert_eq!("12".parse(), Ok(RoundsArg::Rounds(12)));
        assert_eq!("auto".parse(), Ok(RoundsArg::Auto));
        assert!("some".parse::<RoundsArg>().is_err());
        assert!(at_least_one("0").is_err());
        assert!(at_least_one("1").is_ok());
    }
}
