//! What one incarnation sees of the block so far, and the read set that it leaves.

use super::memory::{Blocked, Location, Memory, Observed, TxIndex};

/// Every location that an incarnation read, with what it saw there.
pub type ReadSet = Vec<(Location, Observed)>;

/// A worker's window on the memory: reads for one transaction at a time, and notes each.
#[derive(Debug)]
pub struct View<'m> {
    memory: &'m Memory,
    tx: TxIndex,
    reads: ReadSet,
    blocked: Option<Blocked>,
}

impl<'m> View<'m> {
    /// A view that is nobody's yet.
    pub const fn new(memory: &'m Memory) -> Self {
        Self { memory, tx: 0, reads: Vec::new(), blocked: None }
    }

    /// The transaction that reads.
    pub const fn tx(&self) -> TxIndex {
        self.tx
    }

    /// Starts over for an incarnation of `tx`.
    pub fn begin(&mut self, tx: TxIndex) {
        self.tx = tx;
        self.reads.clear();
        self.blocked = None;
    }

    /// What lower transactions have written to `location`.
    ///
    /// # Errors
    /// [`Blocked`] on an estimate: the incarnation should give up and return.
    pub fn read(&mut self, location: Location) -> Result<Observed, Blocked> {
        match self.memory.read(location, self.tx) {
            Ok(observed) => {
                self.reads.push((location, observed));
                Ok(observed)
            }
            Err(blocked) => {
                self.blocked = Some(blocked);
                Err(blocked)
            }
        }
    }

    /// The estimate that was met since [`View::begin`], if any: then nothing the incarnation did
    /// counts.
    pub const fn blocked(&self) -> Option<Blocked> {
        self.blocked
    }

    /// The reads since [`View::begin`].
    pub fn take_reads(&mut self) -> ReadSet {
        std::mem::take(&mut self.reads)
    }
}

/// Whether reading all of it again gives the same.
pub fn is_current(memory: &Memory, tx: TxIndex, reads: &ReadSet) -> bool {
    reads.iter().all(|(location, seen)| memory.read(*location, tx) == Ok(*seen))
}
