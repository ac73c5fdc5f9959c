//! What is written to a location, and what whoever reads there makes of it.
//!
//! Knows nothing of who wrote, nor when.

use super::Location;
use alloy_primitives::U256;

/// What a transaction does to a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// Replaces the value.
    Set(U256),
    /// Adds to whatever is there, modulo 2^256, so that its order among other additions does not
    /// matter. To take away is to add the complement.
    Add(U256),
}

/// A transaction's writes, ascending by location; each at most once.
pub type WriteSet = Vec<(Location, Write)>;

pub(super) fn find(writes: &WriteSet, location: Location) -> Option<Write> {
    let found = writes.binary_search_by_key(&location, |(at, _)| *at).ok()?;
    writes.get(found).map(|(_, write)| *write)
}

/// What the block has written to a location, as one reader sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The closest lower `Set`; `None` if the value is the one before the block.
    pub set: Option<U256>,
    /// The sum of the `Add`s after it, modulo 2^256; `None` if there are none.
    pub added: Option<U256>,
}

impl Observed {
    /// The value that follows, given the one before the block.
    pub fn over(&self, before: U256) -> U256 {
        self.set.unwrap_or(before).wrapping_add(self.added.unwrap_or_default())
    }

    /// What is there after one more write.
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

    pub(super) fn add(&mut self, more: U256) {
        self.added = Some(self.added.unwrap_or_default().wrapping_add(more));
    }
}
