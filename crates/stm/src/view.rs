//! View of one incarnation: it reads multi-version memory and records the read set.

use crate::{
    budgets,
    call_classes::CallClasses,
    location::{Location, TxIndex, Write, WriteSet},
    memory::{Blocked, Memory, Observed},
    observe::Conflict,
    pending_writes::PendingWrites,
    read_set::{Expected, ReadSet, UNWRITTEN},
    running::{Running, Waited},
    scheduler::{ExecutionPoint, Speculation, Validation},
};

/// View of a worker. It serves one incarnation at a time and records each read.
#[derive(Debug)]
pub struct IncarnationView<'m> {
    memory: &'m Memory,
    running: &'m Running<'m>,
    tx: TxIndex,
    start: ExecutionPoint,
    reads: ReadSet,
    own: PendingWrites,
    basis: Speculation,
    blocked: Option<Blocked>,
}

impl<'m> IncarnationView<'m> {
    /// Creates a view without an incarnation.
    pub fn new(memory: &'m Memory, running: &'m Running<'m>) -> Self {
        let own = PendingWrites::default();
        Self {
            memory,
            running,
            tx: 0,
            start: ExecutionPoint::Speculative,
            reads: ReadSet::default(),
            own,
            basis: Speculation::None,
            blocked: None,
        }
    }

    /// Prefetches a location that the incarnation will probably read or write.
    #[inline]
    pub fn fetch(&self, location: Location) {
        self.memory.fetch(location);
    }

    /// Returns the transaction that reads.
    #[inline]
    pub const fn tx(&self) -> TxIndex {
        self.tx
    }

    /// Returns whether the incarnation is speculative.
    #[inline]
    pub const fn start(&self) -> ExecutionPoint {
        self.start
    }

    /// Prepares the view for an incarnation of `tx`.
    #[inline]
    pub fn begin(&mut self, tx: TxIndex, start: ExecutionPoint) {
        self.tx = tx;
        self.start = start;
        self.reads.clear();
        self.own.clear();
        self.basis = Speculation::None;
        self.blocked = None;
    }

    /// Returns the writes to `location` by lower transactions and by this one. It adds the location to the read
    /// set.
    ///
    /// # Errors
    /// [`Blocked`] on an estimate, or if an earlier read is stale. The incarnation should then abort and
    /// return.
    #[inline]
    pub fn read(&mut self, location: Location) -> Result<Observed, Blocked> {
        self.give_up_if_outdated()?;
        self.note(location);
        if self.is_unwritten(location) {
            self.depend(location, UNWRITTEN);
            return Ok(Observed::default());
        }
        self.read_written(location)
    }

    /// Revalidates the read set if a publication has flagged this incarnation. It aborts if a value is stale,
    /// since the rest of the execution would be wasted.
    #[inline]
    fn give_up_if_outdated(&mut self) -> Result<(), Blocked> {
        if self.start == ExecutionPoint::AtCommit {
            return Ok(());
        }
        match self.running.take_outdated(self.tx) {
            Some(by) if self.reads.compare(self.memory, self.tx) == Validation::Invalid => {
                self.basis = Speculation::Stale;
                Err(self.give_up(Blocked { on: by }))
            }
            _ => Ok(()),
        }
    }

    const fn give_up(&mut self, blocked: Blocked) -> Blocked {
        self.blocked = Some(blocked);
        blocked
    }

    /// Registers a speculative reader. It must be called before the read.
    #[inline]
    fn note(&self, location: Location) {
        if self.start == ExecutionPoint::Speculative {
            self.memory.note_reader(location, self.tx);
        }
    }

    /// Returns whether neither a lower transaction nor this one has written to `location`. That is the common
    /// case.
    #[inline]
    fn is_unwritten(&self, location: Location) -> bool {
        self.own.is_empty() && self.memory.is_unwritten(location)
    }

    fn read_written(&mut self, location: Location) -> Result<Observed, Blocked> {
        let own = self.own.get(location);
        if let Some(Write::Set(value)) = own {
            return Ok(Observed { set: Some(value), added: None });
        }
        match self.read_when_written(location) {
            Ok(observed) => {
                self.depend(location, Expected::Exact(observed));
                Ok(observed.then(own))
            }
            Err(blocked) => Err(self.give_up(blocked)),
        }
    }

    /// Reads a written location. It may first wait for a lower transaction that will probably write there.
    ///
    /// Such a transaction is running, shares a call class with a writer of the slot, and has read the slot. A
    /// transaction mostly reads a slot before it writes it. The wait is bounded by a small multiple of the time
    /// that a new incarnation would take to reach this read. After that, the reader uses the value that it
    /// finds. If it finds an estimate, it aborts, and the worker takes another task.
    fn read_when_written(&self, location: Location) -> Result<Observed, Blocked> {
        if self.start == ExecutionPoint::AtCommit {
            return self.memory.read(location, self.tx);
        }
        let patience = budgets::WRITER_PER_READ.saturating_mul(self.reads.len() as u32);
        let mut kinds = CallClasses::default();
        let add = |writer| kinds = kinds.and(self.running.kinds(writer));
        self.memory.writers_near(location, self.tx, add);
        let readers = self.memory.readers(location);
        if let Some(writer) = self.running.closest(self.tx, kinds, readers) {
            self.running.wait_for(writer, patience);
        }
        match self.memory.read(location, self.tx) {
            Err(Blocked { on }) if self.running.wait_for(on, patience) == Waited::Ended => {
                self.memory.read(location, self.tx)
            }
            result => result,
        }
    }

    /// Reads a location without adding it to the read set. Estimates count as writes. The caller later reports
    /// the dependency with [`IncarnationView::expect`]. If this incarnation has added to the location itself, the
    /// dependency is recorded at once.
    #[inline]
    pub fn peek(&mut self, location: Location) -> Peek {
        if self.is_unwritten(location) {
            return Peek::Open(Observed::default());
        }
        match self.own.get(location) {
            None => Peek::Open(self.memory.peek(location, self.tx)),
            Some(Write::Set(value)) => Peek::Noted(Observed { set: Some(value), added: None }),
            own => {
                let below = self.memory.peek(location, self.tx);
                self.expect(location, Expected::Exact(below));
                Peek::Noted(below.then(own))
            }
        }
    }

    /// Returns the value that this incarnation read at `location`, combined with its own writes.
    #[inline]
    pub fn found(&self, location: Location) -> Option<Observed> {
        match self.own.get(location) {
            own @ Some(Write::Set(_)) => Some(Observed::default().then(own)),
            own => self.seen(location).map(|seen| seen.then(own)),
        }
    }

    /// Returns the value of lower transactions at the time of the read. At the commit index there is no read
    /// set, and the value cannot have changed.
    #[inline]
    fn seen(&self, location: Location) -> Option<Observed> {
        match self.start {
            ExecutionPoint::AtCommit => self.memory.read(location, self.tx).ok(),
            ExecutionPoint::Speculative => self.reads.seen(location),
        }
    }

    /// Takes writes of this incarnation. Its later reads see them.
    #[inline]
    pub fn write(&mut self, writes: WriteSet) {
        self.own.extend(writes);
    }

    /// Returns all writes of the incarnation, with `last` applied on top, in any order.
    #[inline]
    pub fn take_writes(&mut self, last: WriteSet) -> WriteSet {
        if self.own.is_empty() {
            return last;
        }
        self.own.extend(last);
        self.own.take()
    }

    /// Adds an expectation to the read set without an earlier registration as a reader. It validates the
    /// expectation at once.
    #[inline]
    pub fn expect(&mut self, location: Location, expected: Expected) {
        self.note(location);
        if self.start == ExecutionPoint::Speculative {
            let now = self.memory.read(location, self.tx);
            let basis = match (expected.check(now), now) {
                (Validation::Valid, _) => Speculation::None,
                (Validation::Invalid, Ok(_)) => Speculation::Stale,
                // The value behind an estimate is not known yet.
                (Validation::Invalid | Validation::Unresolved, _) => Speculation::Assumed,
            };
            self.basis = self.basis.max(basis);
        }
        self.depend(location, expected);
    }

    /// Adds to the read set, if the incarnation is speculative. Values read at the commit index are final.
    #[inline]
    fn depend(&mut self, location: Location, expected: Expected) {
        if self.start == ExecutionPoint::Speculative {
            self.reads.push(location, expected);
        }
    }

    /// Returns whether this incarnation has written to `location`.
    #[inline]
    pub fn wrote(&self, location: Location) -> bool {
        self.own.get(location).is_some()
    }

    /// Returns whether the incarnation rests on an assumed or a stale value.
    #[inline]
    pub const fn basis(&self) -> Speculation {
        self.basis
    }

    /// Returns the transaction that blocks this incarnation, if it has aborted since [`IncarnationView::begin`]. Its
    /// result is then invalid.
    #[inline]
    pub const fn blocked(&self) -> Option<Blocked> {
        self.blocked
    }

    /// Returns the first entry of the read set that no longer holds.
    pub fn conflict(&self) -> Option<Conflict> {
        self.reads.conflict(self.memory, self.tx)
    }

    /// Takes the read set since [`IncarnationView::begin`].
    #[inline]
    pub fn take_reads(&mut self) -> ReadSet {
        self.reads.take()
    }
}

/// Result of [`IncarnationView::peek`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// The read set has no entry for it yet.
    Open(Observed),
    /// The read set has an entry for it.
    Noted(Observed),
}

impl Peek {
    /// Returns the writes that were found.
    #[inline]
    pub const fn observed(self) -> Observed {
        match self {
            Self::Open(observed) | Self::Noted(observed) => observed,
        }
    }

    /// Returns the writes that were found, if the read set has no entry for them yet.
    #[inline]
    pub const fn open(self) -> Option<Observed> {
        match self {
            Self::Open(observed) => Some(observed),
            Self::Noted(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Oversubscribed, memory::ReaderSet};
    use alloy_primitives::U256;

    const BALANCE: Location = Location::Balance(0);

    /// Calls `act` with a view of transaction 3, and with a closure by which transaction 1 publishes.
    fn viewed<R>(
        start: ExecutionPoint,
        act: impl FnOnce(&mut IncarnationView<'_>, &dyn Fn() -> ReaderSet) -> R,
    ) -> R {
        let (memory, running) = (Memory::new(1, 0), Running::new(4, Oversubscribed::No));
        let mut view = IncarnationView::new(&memory, &running);
        running.started(3);
        view.begin(3, start);
        let writes = vec![(BALANCE, Write::Add(U256::ONE))];
        act(&mut view, &|| {
            let readers = memory.publish(1, &vec![], &writes);
            running.outdate(1, readers);
            readers
        })
    }

    #[test]
    fn a_speculative_read_registers_a_reader() {
        let readers = |start| {
            viewed(start, |view, publish| {
                assert_eq!(view.read(BALANCE), Ok(Observed::default()));
                publish()
            })
        };
        assert_eq!(readers(ExecutionPoint::Speculative), ReaderSet::by(3));
        assert_eq!(readers(ExecutionPoint::AtCommit), ReaderSet::EMPTY, "all below have published");
    }

    #[test]
    fn a_read_aborts_if_an_earlier_read_is_stale() {
        let nonce = Location::Nonce(0);
        viewed(ExecutionPoint::Speculative, |view, publish| {
            assert_eq!(view.read(BALANCE), Ok(Observed::default()));
            publish();
            assert_eq!(view.read(nonce), Err(Blocked { on: 1 }));
            assert_eq!(view.blocked(), Some(Blocked { on: 1 }));
            assert_eq!(view.conflict().map(|conflict| conflict.at), Some(BALANCE));
        });
        viewed(ExecutionPoint::Speculative, |view, publish| {
            assert_eq!(view.read(nonce), Ok(Observed::default()));
            publish();
            assert_eq!(view.read(nonce), Ok(Observed::default()), "the balance was not read");
        });
    }

    #[test]
    fn a_peek_registers_a_reader_once_it_is_expected() {
        viewed(ExecutionPoint::Speculative, |view, publish| {
            let seen = view.peek(BALANCE).observed();
            view.expect(BALANCE, Expected::Exact(seen));
            assert_eq!(view.basis(), Speculation::None);
            assert_eq!(publish(), ReaderSet::by(3));
        });
    }

    #[test]
    fn a_value_that_changed_before_it_was_expected_stays_stale() {
        viewed(ExecutionPoint::Speculative, |view, publish| {
            let seen = view.peek(BALANCE).observed();
            assert_eq!(publish(), ReaderSet::EMPTY);
            view.expect(BALANCE, Expected::Exact(seen));
            assert_eq!(view.basis(), Speculation::Stale);
            let value = U256::from(7);
            view.expect(BALANCE, Expected::Known { before: U256::ZERO, value });
            assert_eq!(view.basis(), Speculation::Stale);
        });
    }
}
