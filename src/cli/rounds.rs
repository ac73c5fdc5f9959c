//! How `replay` measures.

use clap::Args;
use std::{num::ParseIntError, str::FromStr, time::Duration};

/// Options of `replay` that say how often and under which conditions blocks are run.
#[derive(Debug, Args)]
pub struct RoundArgs {
    /// Timed rounds of each block, or auto: until the interval of every speedup is within 2 %
    #[arg(long, value_name = "N|auto", default_value = "10", value_parser = at_least_one)]
    pub iterations: RoundsArg,
    /// Rounds before those, verified but not timed, or auto: until no executor gets faster any more
    #[arg(long, value_name = "N|auto", default_value = "auto")]
    pub warmup: RoundsArg,
    /// Seconds after which --iterations auto goes on to the next block [default: 60]
    #[arg(long, value_name = "SECS")]
    pub time_limit: Option<u64>,
    /// Also race the baseline against itself: once more, which shows what difference is noise, and several at once,
    /// which shows how many cores' worth the machine gives
    #[arg(long)]
    pub self_check: bool,
    /// Keep each thread on one core
    #[arg(long)]
    pub pin: bool,
    /// Let an executor's threads sleep until a lap begins, so that it includes waking them; otherwise they already look
    /// out for the block
    #[arg(long)]
    pub asleep: bool,
    /// Seed of the order within rounds and of the confidence intervals
    #[arg(long, value_name = "N", default_value = "0")]
    pub seed: u64,
}

/// A number of rounds, or as many as are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoundsArg {
    /// So many.
    Rounds(u32),
    /// As many as are needed.
    Auto,
}

impl RoundArgs {
    /// How long one block may take, where rounds are as many as are needed.
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

/// Why some text is no number of rounds.
#[derive(Debug, thiserror::Error)]
enum RoundsError {
    #[error("at least one round must be timed")]
    None,
    #[error(transparent)]
    Number(#[from] ParseIntError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_a_number_or_auto() {
        assert_eq!("12".parse(), Ok(RoundsArg::Rounds(12)));
        assert_eq!("auto".parse(), Ok(RoundsArg::Auto));
        assert!("some".parse::<RoundsArg>().is_err());
        assert!(at_least_one("0").is_err());
        assert!(at_least_one("1").is_ok());
    }
}
