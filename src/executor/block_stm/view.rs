//! What one incarnation sees of the block so far, and what it leaves for its comparison.

use super::{
    kinds::CallClasses,
    memory::{Blocked, Location, Memory, Observed, TxIndex, Write, WriteSet},
    own::PendingWrites,
    read_set::{Expected, ReadSet, UNWRITTEN},
    running::{Running, Waited},
    scheduler::{ExecutionPoint, Speculation, Validation},
};
use crate::executor::observe::Conflict;

/// Looks at a running transaction that take a few times as long as execution does between two reads, which is a
/// microsecond. Going on with what is outdated mostly ends with starting over.
const LOOKS_PER_READ: u32 = 240;

/// A worker's window on the memory: reads for one transaction at a time, and notes each.
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
    /// A view that is nobody's yet.
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

    /// Brings close what it will probably read or write.
    pub fn fetch(&self, location: Location) {
        self.memory.fetch(location);
    }

    /// The transaction that reads.
    pub const fn tx(&self) -> TxIndex {
        self.tx
    }

    /// Whether it runs ahead of its turn, so that what it reads may be outdated.
    pub const fn start(&self) -> ExecutionPoint {
        self.start
    }

    /// Starts over for an incarnation of `tx`.
    pub fn begin(&mut self, tx: TxIndex, start: ExecutionPoint) {
        self.tx = tx;
        self.start = start;
        self.reads.clear();
        self.own.clear();
        self.basis = Speculation::None;
        self.blocked = None;
    }

    /// What lower transactions and this one have written to `location`. Everything may depend on it from
    /// now on.
    ///
    /// # Errors
    /// [`Blocked`] on an estimate, or where something that was read before is outdated: the incarnation should give up
    /// and return.
    pub fn read(&mut self, location: Location) -> Result<Observed, Blocked> {
        self.give_up_if_outdated()?;
        self.note(location);
        if self.is_unwritten(location) {
            self.depend(location, UNWRITTEN);
            return Ok(Observed::default());
        }
        self.read_written(location)
    }

    /// Looks, once somebody has published what this incarnation may have read before, whether it is built on sand. To
    /// execute the rest would be for nothing then.
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

    /// To be called before memory is asked.
    fn note(&self, location: Location) {
        if self.start == ExecutionPoint::Speculative {
            self.memory.note_reader(location, self.tx);
        }
    }

    /// Whether neither lower transactions nor this one have written there, as most of the time.
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
                self.depend(location, Expected::Seen(observed));
                Ok(observed.then(own))
            }
            Err(blocked) => Err(self.give_up(blocked)),
        }
    }

    /// Waits where a lower transaction is being executed that will probably write, being of a kind that has, and having
    /// read here, as whoever writes a slot does before. Waits for a few times as long as it would take to get here again.
    /// After that it had better go on with what it finds, and if that is an estimate, leave the worker to something else.
    fn read_when_written(&self, location: Location) -> Result<Observed, Blocked> {
        if self.start == ExecutionPoint::AtCommit {
            return self.memory.read(location, self.tx);
        }
        let patience = LOOKS_PER_READ.saturating_mul(self.reads.len() as u32);
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

    /// What has been or will probably be written to `location`, without a note: whoever looks says later, by
    /// [`IncarnationView::expect`], what depends on it. If this incarnation itself wrote there, all that the result
    /// depends on is noted at once.
    pub fn peek(&mut self, location: Location) -> Peek {
        if self.is_unwritten(location) {
            return Peek::Open(Observed::default());
        }
        match self.own.get(location) {
            None => Peek::Open(self.memory.peek(location, self.tx)),
            Some(Write::Set(value)) => Peek::Noted(Observed { set: Some(value), added: None }),
            own => {
                let below = self.memory.peek(location, self.tx);
                self.expect(location, Expected::Seen(below));
                Peek::Noted(below.then(own))
            }
        }
    }

    /// What this incarnation found at `location` when it read it, with what it has handed over since.
    pub fn found(&self, location: Location) -> Option<Observed> {
        match self.own.get(location) {
            own @ Some(Write::Set(_)) => Some(Observed::default().then(own)),
            own => self.seen(location).map(|seen| seen.then(own)),
        }
    }

    /// What was below when it was read. At the frontier nothing is noted, and nothing changes.
    fn seen(&self, location: Location) -> Option<Observed> {
        match self.start {
            ExecutionPoint::AtCommit => self.memory.read(location, self.tx).ok(),
            ExecutionPoint::Speculative => self.reads.seen(location),
        }
    }

    /// Hands over writes of this incarnation, which it sees when it reads on.
    pub fn write(&mut self, writes: WriteSet) {
        self.own.extend(writes);
    }

    /// All that was handed over, and these on top, in any order.
    pub fn take_writes(&mut self, last: WriteSet) -> WriteSet {
        if self.own.is_empty() {
            return last;
        }
        self.own.extend(last);
        self.own.take()
    }

    /// Makes the incarnation depend on what is found at `location` when its turn comes, without having noted that it
    /// reads. What is found now is the first comparison.
    pub fn expect(&mut self, location: Location, expected: Expected) {
        self.note(location);
        if self.start == ExecutionPoint::Speculative {
            let now = self.memory.read(location, self.tx);
            let basis = match (expected.check(now), now) {
                (Validation::Valid, _) => Speculation::None,
                (Validation::Invalid, Ok(_)) => Speculation::Stale,
                // What stands behind an estimate is not known yet.
                (Validation::Invalid | Validation::Unresolved, _) => Speculation::Assumed,
            };
            self.basis = self.basis.max(basis);
        }
        self.depend(location, expected);
    }

    /// At the frontier its turn has come, and what it reads is what it will find.
    fn depend(&mut self, location: Location, expected: Expected) {
        if self.start == ExecutionPoint::Speculative {
            self.reads.push(location, expected);
        }
    }

    /// Whether writes to `location` were handed over.
    pub fn wrote(&self, location: Location) -> bool {
        self.own.get(location).is_some()
    }

    /// Whether something was expected that was not so.
    pub const fn basis(&self) -> Speculation {
        self.basis
    }

    /// Whom the incarnation has given up for since [`IncarnationView::begin`], if it has: then nothing that it did
    /// counts.
    pub const fn blocked(&self) -> Option<Blocked> {
        self.blocked
    }

    /// The first of what was read and expected that does not hold any more.
    pub fn conflict(&self) -> Option<Conflict> {
        self.reads.conflict(self.memory, self.tx)
    }

    /// What was read and expected since [`IncarnationView::begin`].
    pub fn take_reads(&mut self) -> ReadSet {
        self.reads.take()
    }
}

/// What [`IncarnationView::peek`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peek {
    /// Nothing depends on it yet.
    Open(Observed),
    /// What depends on it is noted.
    Noted(Observed),
}

impl Peek {
    /// What was found.
    pub const fn observed(self) -> Observed {
        match self {
            Self::Open(observed) | Self::Noted(observed) => observed,
        }
    }

    /// What was found, if nothing that depends on it is noted yet.
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
    use crate::executor::{Oversubscribed, block_stm::memory::ReaderSet};
    use alloy_primitives::U256;

    const BALANCE: Location = Location::Balance(0);

    /// What `act` makes of a view of the fourth transaction, and of a publication by the second.
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
    fn what_is_read_ahead_of_its_turn_is_noted() {
        let readers = |start| {
            viewed(start, |view, publish| {
                assert_eq!(view.read(BALANCE), Ok(Observed::default()));
                publish()
            })
        };
        assert_eq!(readers(ExecutionPoint::Speculative), ReaderSet::by(3));
        assert_eq!(readers(ExecutionPoint::AtCommit), ReaderSet::EMPTY, "all below has published");
    }

    #[test]
    fn who_goes_on_with_what_is_outdated_gives_up() {
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
    fn what_is_only_looked_at_is_noted_once_it_is_expected() {
        viewed(ExecutionPoint::Speculative, |view, publish| {
            let seen = view.peek(BALANCE).observed();
            view.expect(BALANCE, Expected::Seen(seen));
            assert_eq!(view.basis(), Speculation::None);
            assert_eq!(publish(), ReaderSet::by(3));
        });
    }

    #[test]
    fn what_changed_before_it_was_expected_is_outdated_for_good() {
        viewed(ExecutionPoint::Speculative, |view, publish| {
            let seen = view.peek(BALANCE).observed();
            assert_eq!(publish(), ReaderSet::EMPTY);
            view.expect(BALANCE, Expected::Seen(seen));
            assert_eq!(view.basis(), Speculation::Stale);
            let value = U256::from(7);
            view.expect(BALANCE, Expected::Value { before: U256::ZERO, value });
            assert_eq!(view.basis(), Speculation::Stale);
        });
    }
}
