//! The value that a reader derives from the writes to a location.
//!
//! This module does not know the writers or their order.

use crate::location::{Location, Write, WriteSet};
use alloy_primitives::U256;

#[inline]
pub(super) fn find(writes: &WriteSet, location: Location) -> Option<Write> {
    let found = writes.binary_search_by_key(&location, |(at, _)| *at).ok()?;
    writes.get(found).map(|(_, write)| *write)
}

/// Writes of the block to a location, as one reader sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// Value of the closest lower `Set`. `None` if there is none, so that the value before the block counts.
    pub set: Option<U256>,
    /// Sum of the `Add`s after it, modulo 2^256. `None` if there are none.
    pub added: Option<U256>,
}

impl Observed {
    /// Returns the resulting value, given the value before the block.
    #[inline]
    pub fn over(&self, before: U256) -> U256 {
        self.set.unwrap_or(before).wrapping_add(self.added.unwrap_or_default())
    }

    /// Returns the result of one more write.
    #[inline]
    pub fn then(self, write: Option<Write>) -> Self {
        match write {
            None => self,
            Some(Write::Set(value)) => Self { set: Some(value), added: None },
            Some(Write::Add(more)) => {
                let mut sum = self;
                sum.add(more);
                sum
            }
        }
    }

    #[inline]
    pub(super) fn add(&mut self, more: U256) {
        self.added = Some(self.added.unwrap_or_default().wrapping_add(more));
    }
}
