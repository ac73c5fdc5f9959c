//! What one incarnation sees of the block so far, and what it leaves for its comparison.

use super::{
    memory::{Blocked, Location, Memory, Observed, TxIndex},
    scheduler::Start,
};
use crate::executor::observe::Conflict;
use alloy_primitives::U256;

/// Something that must hold of a location when the transaction's turn comes, for its incarnation to
/// stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The block has written the same as when it was read.
    Seen(Observed),
    /// The value, given the one before the block, is this. Expected without having been read.
    Value {
        /// The value before the block.
        before: U256,
        /// The value to find.
        value: U256,
    },
    /// The value, given the one before the block, is enough. All else about it does not matter.
    AtLeast {
        /// The value before the block.
        before: U256,
        /// What is enough.
        minimum: U256,
    },
}

impl Expected {
    fn holds(&self, found: Result<Observed, Blocked>) -> bool {
        match (self, found) {
            (Self::Seen(seen), Ok(found)) => *seen == found,
            (Self::Value { before, value }, Ok(found)) => found.over(*before) == *value,
            (Self::AtLeast { before, minimum }, Ok(found)) => found.over(*before) >= *minimum,
            // An estimate does not say that it will be less. At the frontier there are none.
            (Self::AtLeast { .. }, Err(_)) => true,
            (Self::Seen(_) | Self::Value { .. }, Err(_)) => false,
        }
    }
}

/// All that an incarnation depends on.
pub type ReadSet = Vec<(Location, Expected)>;

/// A worker's window on the memory: reads for one transaction at a time, and notes each.
#[derive(Debug)]
pub struct View<'m> {
    memory: &'m Memory,
    tx: TxIndex,
    start: Start,
    reads: ReadSet,
    blocked: Option<Blocked>,
}

impl<'m> View<'m> {
    /// A view that is nobody's yet.
    pub const fn new(memory: &'m Memory) -> Self {
        Self { memory, tx: 0, start: Start::Ahead, reads: Vec::new(), blocked: None }
    }

    /// The transaction that reads.
    pub const fn tx(&self) -> TxIndex {
        self.tx
    }

    /// Whether it runs ahead of its turn, so that what it reads may be outdated.
    pub const fn start(&self) -> Start {
        self.start
    }

    /// Starts over for an incarnation of `tx`.
    pub fn begin(&mut self, tx: TxIndex, start: Start) {
        self.tx = tx;
        self.start = start;
        self.reads.clear();
        self.blocked = None;
    }

    /// What lower transactions have written to `location`, on which everything may depend from now on.
    ///
    /// # Errors
    /// [`Blocked`] on an estimate: the incarnation should give up and return.
    pub fn read(&mut self, location: Location) -> Result<Observed, Blocked> {
        match self.memory.read(location, self.tx) {
            Ok(observed) => {
                self.expect(location, Expected::Seen(observed));
                Ok(observed)
            }
            Err(blocked) => {
                self.blocked = Some(blocked);
                Err(blocked)
            }
        }
    }

    /// What lower transactions have written or will probably write to `location`, without a note:
    /// whoever looks says later, by [`View::expect`], what depends on it.
    pub fn peek(&self, location: Location) -> Observed {
        self.memory.peek(location, self.tx)
    }

    /// Makes the incarnation depend on what is found at `location` when its turn comes. At the frontier
    /// its turn has come, and what it reads is what it will find.
    pub fn expect(&mut self, location: Location, expected: Expected) {
        if self.start == Start::Ahead {
            self.reads.push((location, expected));
        }
    }

    /// The estimate that was met since [`View::begin`], if any: then nothing the incarnation did
    /// counts.
    pub const fn blocked(&self) -> Option<Blocked> {
        self.blocked
    }

    /// What was read and expected since [`View::begin`].
    pub fn take_reads(&mut self) -> ReadSet {
        std::mem::take(&mut self.reads)
    }
}

/// The first of the expectations that do not hold, and who wrote there last; `None` if all hold.
pub fn conflict(memory: &Memory, tx: TxIndex, reads: &ReadSet) -> Option<Conflict> {
    let fails = |(at, expected): &&(Location, Expected)| !expected.holds(memory.read(*at, tx));
    let (at, _) = reads.iter().find(fails)?;
    Some(Conflict { at: *at, by: memory.last_writer(*at, tx) })
}

/// Whether everything that was expected holds.
pub fn is_current(memory: &Memory, tx: TxIndex, reads: &ReadSet) -> bool {
    reads.iter().all(|(location, expected)| expected.holds(memory.read(*location, tx)))
}
