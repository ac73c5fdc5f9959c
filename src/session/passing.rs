//! Tells faults that may pass from lasting ones.

use crate::{cache::CacheError, fetch::RpcError, report::Failure};
use alloy_primitives::BlockNumber;

/// Whether the same call may succeed later: a node or a bucket is busy, or cannot be reached.
pub fn may_pass(error: &eyre::Report) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref().is_some_and(RpcError::is_transient)
            || cause.downcast_ref().is_some_and(CacheError::is_transient)
    })
}

/// A block that failed, for a report.
pub fn failure(block: BlockNumber, error: &eyre::Report) -> Failure {
    Failure { block, what: format!("{error:#}"), may_pass: may_pass(error) }
}
