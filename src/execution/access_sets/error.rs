//! The error of a read by a transaction with declared accesses.

use crate::state::StateError;
use revm::database_interface::DBErrorMarker;

/// Reasons for a read without a value.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// The writer is not done, so the read was undeclared or the run was abandoned. The attempt is
    /// discarded, so no report shows this error.
    #[error("a transaction read what it had not declared")]
    Undeclared,
    /// The pre-state lacks the value.
    #[error(transparent)]
    State(#[from] StateError),
}

impl DBErrorMarker for AccessError {}
