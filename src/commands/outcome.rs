//! How a command ended, and the exit code that says so.

use std::process::ExitCode;

/// The exit code that shells give a command that SIGINT ended: 128 and the signal's number.
pub(super) const INTERRUPTED: u8 = 130;

/// How a command ended. The greater of two is what matters: see [`Outcome::and`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything was done, and everything that was checked was right.
    Verified,
    /// Something could not be done: bad arguments, missing data, a node or a file that failed.
    Failed,
    /// The user ended it by Ctrl-C. What was done until then stays, and what came of it was printed.
    Interrupted,
    /// A block did not match.
    Mismatch,
}

impl Outcome {
    /// Both together. A wrong block is the worst news, so that no failure beside it hides it, nor who interrupts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::SUCCESS,
            Outcome::Mismatch => Self::from(1),
            Outcome::Failed => Self::from(2),
            Outcome::Interrupted => Self::from(INTERRUPTED),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome::{Failed, Interrupted, Mismatch, Verified};

    #[test]
    fn a_mismatch_is_not_hidden_by_a_failure() {
        assert_eq!(Verified.and(Verified), Verified);
        assert_eq!(Verified.and(Failed), Failed);
        assert_eq!(Failed.and(Mismatch), Mismatch);
        assert_eq!(Mismatch.and(Verified), Mismatch);
        assert_eq!(Failed.and(Interrupted), Interrupted);
        assert_eq!(Mismatch.and(Interrupted), Mismatch);
    }
}
