//! Deferred deallocation of an execution's memory.
//!
//! Freeing it takes up to a sixteenth of a block's time. No result depends on it, and clients free
//! it on another thread. So every executor, the baseline included, returns this memory with its
//! outcome. It is freed while no timer runs.

use std::{any::Any, fmt};

/// Memory that is freed later.
pub struct DeferredDrop(#[expect(dead_code, reason = "it is only dropped")] Box<dyn Any + Send>);

impl DeferredDrop {
    /// Keeps these values until it is dropped, outside the timer.
    pub fn new(what: impl Send + 'static) -> Self {
        Self(Box::new(what))
    }
}

impl fmt::Debug for DeferredDrop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DeferredDrop").finish_non_exhaustive()
    }
}
