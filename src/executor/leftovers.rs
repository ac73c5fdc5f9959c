//! What an execution built and nobody needs any more.
//!
//! Freeing it takes up to a sixteenth of a block's time, and no result waits for it: clients leave it to another thread.
//! So every executor, the baseline included, hands it over with the outcome, and it is freed when no timer runs.

use std::{any::Any, fmt};

/// Memory to be freed later.
pub struct DeferredDrop(#[expect(dead_code, reason = "it is only dropped")] Box<dyn Any + Send>);

impl DeferredDrop {
    /// Keeps these values until it is dropped, outside the timer.
    pub fn new(what: impl Send + 'static) -> Self {
        Self(Box::new(what))
    }
}

impl fmt::Debug for DeferredDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Leftovers").finish_non_exhaustive()
    }
}
