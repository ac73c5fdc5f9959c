//! The progress of a session, as calls of the library to its caller.

use crate::report::Row;
use alloy_primitives::BlockNumber;

/// Receives the progress of a session. Every method does nothing by default, and `()` ignores all of them.
///
/// Several threads may call the same observer.
pub trait Observer: Sync {
    /// The work on a block begins. `position` counts from 1 to `count`.
    fn begin(&self, number: BlockNumber, position: usize, count: usize) {
        let _ = (number, position, count);
    }

    /// A block is complete, even if it failed.
    fn step(&self) {}

    /// A sample is complete. `share` is the completed share of the whole race, from 0 to 1. It is an estimate.
    fn sample(&self, share: f64) {
        let _ = share;
    }

    /// The rows of a block are complete. A block that could not be run has none.
    fn rows(&self, rows: &[Row]) {
        let _ = rows;
    }

    /// A line about an event that the result contains too, such as a failed block.
    fn note(&self, line: &str) {
        let _ = line;
    }
}

impl Observer for () {}

/// Receives each result as soon as it is complete, such as to store it. An error ends the session.
pub type Keep<'a, R> = &'a mut dyn FnMut(&R) -> eyre::Result<()>;
