//! Bounds the memory of all answers that are read or decoded at the same time.
//!
//! Each answer takes permits for its text as the text arrives, and holds them until it is decoded. If none are
//! left, it waits. To make progress certain, one answer at a time may exceed the permits, up to the size of the
//! largest answer. So the texts of all answers together take at most twice the size of the largest one.

use std::sync::Arc;

use tokio::{
    select,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::error::Fault;

/// Bytes of one permit.
const STEP: usize = 64 << 10;

/// The memory that all answers of a client share.
#[derive(Clone, Debug)]
pub(super) struct Budget {
    /// Permits for [`STEP`] bytes each.
    common: Arc<Semaphore>,
    /// The permit of the one answer that may exceed the others.
    exceeding: Arc<Semaphore>,
    /// Size of the largest answer in bytes.
    largest: usize,
}

/// The share of one answer. Dropping it returns the permits.
#[derive(Debug)]
pub(super) struct Share {
    budget: Budget,
    held: Option<OwnedSemaphorePermit>,
    exceeding: Option<OwnedSemaphorePermit>,
}

impl Budget {
    pub(super) fn new(largest: usize) -> Self {
        let [common, exceeding] = [largest.div_ceil(STEP).max(1), 1]
            .map(|permits| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))));
        Self { common, exceeding, largest }
    }

    /// Size of the largest answer in bytes.
    pub(super) const fn largest(&self) -> usize {
        self.largest
    }

    /// The share of an answer that has no bytes yet.
    pub(super) fn share(&self) -> Share {
        Share { budget: self.clone(), held: None, exceeding: None }
    }
}

impl Share {
    /// Waits until the answer may have this many bytes.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] if no answer may.
    pub(super) async fn grow_to(&mut self, bytes: usize) -> Result<(), Fault> {
        let Budget { common, exceeding, largest } = &self.budget;
        if bytes > *largest {
            return Err(Fault::TooLarge { limit: *largest });
        }
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let missing = bytes.div_ceil(STEP).saturating_sub(held);
        if missing == 0 || self.exceeding.is_some() {
            return Ok(());
        }
        let more = common.clone().acquire_many_owned(u32::try_from(missing).unwrap_or(u32::MAX));
        // The semaphores are never closed, so both always answer.
        select! {
            biased;
            Ok(more) = more => match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            },
            Ok(alone) = exceeding.clone().acquire_owned() => self.exceeding = Some(alone),
            else => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[tokio::test]
    async fn answers_wait_for_memory_and_one_may_always_continue() {
        let budget = Budget::new(4 * STEP);
        let [mut first, mut second, mut third] = [(); 3].map(|()| budget.share());
        first.grow_to(3 * STEP).await.unwrap();
        second.grow_to(STEP).await.unwrap();
        // The second one exceeds the permits, the third one waits.
        second.grow_to(4 * STEP).await.unwrap();
        assert!(third.grow_to(STEP).now_or_never().is_none());
        drop(first);
        third.grow_to(STEP).await.unwrap();
    }

    #[tokio::test]
    async fn an_answer_beyond_the_limit_is_refused() {
        let mut share = Budget::new(10).share();
        share.grow_to(10).await.unwrap();
        assert!(matches!(share.grow_to(11).await, Err(Fault::TooLarge { limit: 10 })));
    }
}
