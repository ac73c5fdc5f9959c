//! The outcome of a command, and its exit code.

use crate::{
    report::{Failure, Report, Verdict},
    session::may_pass,
};
use std::process::ExitCode;

/// A signal that ends a command in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndSignal {
    /// SIGINT, from Ctrl-C.
    CtrlC,
    /// SIGTERM, which batch systems and containers send.
    Terminate,
}

impl EndSignal {
    /// The exit code, as in shells: 128 plus the number of the signal.
    pub(super) const fn exit_code(self) -> u8 {
        match self {
            Self::CtrlC => 130,
            Self::Terminate => 143,
        }
    }

    /// The word for a command that the signal ends.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::CtrlC => "interrupted",
            Self::Terminate => "terminated",
        }
    }
}

/// Exit code of a fault that may pass, as in sysexits.h (`EX_TEMPFAIL`). A batch system can try again.
const TRANSIENT: u8 = 75;

/// The outcome of a command. Variants are ordered by severity; see [`Outcome::and`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// Everything succeeded, and every checked block matches.
    Verified,
    /// A node, a bucket or the network failed in a way that may pass. The same command may succeed later.
    Transient,
    /// Something failed: invalid arguments, missing data, or an error of a node or a file.
    Failed,
    /// Ctrl-C or SIGTERM ended the command. The results so far are kept and printed.
    Interrupted(EndSignal),
    /// A block does not match its header, or `compare` found a regression.
    Mismatch,
    /// The user has chosen the exit code, with `compare --exit-code`.
    Chosen(u8),
}

impl Outcome {
    /// The outcome of a failed step.
    pub fn of(error: &eyre::Report) -> Self {
        if may_pass(error) { Self::Transient } else { Self::Failed }
    }

    /// The outcome of a command with these failed blocks.
    pub(super) fn of_failures(failures: &[Failure]) -> Self {
        match failures {
            [] => Self::Verified,
            all if all.iter().all(|failure| failure.may_pass) => Self::Transient,
            _ => Self::Failed,
        }
    }

    /// The outcome of a race.
    pub(super) fn of_race(report: &Report) -> Self {
        let mismatch = report.rows.iter().any(|row| matches!(row.verdict, Verdict::Mismatch(_)));
        let failed = Self::of_failures(&report.failures);
        failed.and(if mismatch { Self::Mismatch } else { Self::Verified })
    }

    /// The more severe of two outcomes. A mismatch is the most severe, so that neither a failure nor an interrupt
    /// hides it.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        self.max(other)
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Verified => Self::SUCCESS,
            Outcome::Transient => Self::from(TRANSIENT),
            Outcome::Mismatch => Self::from(1),
            Outcome::Failed => Self::from(2),
            Outcome::Interrupted(signal) => Self::from(signal.exit_code()),
            Outcome::Chosen(code) => Self::from(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        EndSignal,
        Outcome::{Failed, Interrupted, Mismatch, Transient, Verified},
    };

    #[test]
    fn a_mismatch_is_not_hidden_by_a_failure() {
        assert_eq!(Verified.and(Verified), Verified);
        assert_eq!(Verified.and(Failed), Failed);
        assert_eq!(Transient.and(Failed), Failed);
        assert_eq!(Failed.and(Mismatch), Mismatch);
        assert_eq!(Mismatch.and(Verified), Mismatch);
        for interrupted in [EndSignal::CtrlC, EndSignal::Terminate].map(Interrupted) {
            assert_eq!(Failed.and(interrupted), interrupted);
            assert_eq!(Mismatch.and(interrupted), Mismatch);
        }
    }
}
