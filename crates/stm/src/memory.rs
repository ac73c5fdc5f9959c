//! Multi-version memory: the writes of all transactions, by location.
//!
//! Each [`Location`] holds the newest write of each transaction. A reader sees the closest lower writes. The
//! memory knows no EVM, no scheduler and no pre-state. A read returns what the block has written, and the
//! reader adds the value before the block.
//!
//! Accounts and slots have dense indices, so a lookup costs no hashing. A reader gets the index when it looks
//! up the value before the block. Rarely written locations are found by hashing: codes, cleared storages, and
//! slots without an index, such as those of new contracts. A caller of a contract thus finds its code without a
//! lock, even if other transactions change its balance.
//!
//! Many transactions may add to one balance. The additions of committed transactions are merged into one sum
//! ([`Memory::close`]). The cost of a read therefore does not grow with the block.
//!
//! A value may be stale as soon as it is read. A speculative read registers its transaction in the location's
//! reader set (`readers`). A publication returns the readers that may have missed it. The scheduler ensures
//! that none of them commits without validation (C1 in `scheduler`).
//!
//! Locking: each balance, nonce and numbered slot has its own lock. All other locations share some locks. No
//! operation holds two locks at a time. A reader can therefore see half of a publication. It then needs
//! validation, since it had registered before it read the other half.

mod readers;
mod table;
mod values;
mod versions;

#[cfg(test)]
mod tests;

use crate::{
    location::{AccountNumber, Location, TxIndex, Write, WriteSet},
    sync::{AtomicBool, AtomicU32, Ordering},
};
use alloy_primitives::{U256, map::HashMap};
pub use readers::ReaderSet;
use std::fmt;
use table::{Forget, Table};
pub use values::Observed;
use values::find;
use versions::{Estimates, Seen, State, Version, Versions, Writer};

/// Reader index above all transactions. A read with this index sees every write of the block.
pub const AFTER_ALL: TxIndex = u32::MAX as TxIndex;

/// The reading incarnation should abort. Either it met an estimate of `on`, or `on` has made an earlier read
/// stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Transaction to wait for. If it has published by then, there is no wait.
    pub on: TxIndex,
}

/// Number of shards of the hashed locations. It exceeds the usual number of threads, so two threads rarely
/// meet.
const SHARDS: usize = 16;

type Shard = HashMap<Location, Versions>;

impl Forget for Shard {
    fn forget(&mut self) {
        self.clear();
    }
}

/// Place of a location's versions.
enum Place<'a> {
    Numbered(&'a Table<Versions>, u32),
    /// Index of the shard.
    Other(usize),
}

/// Multi-version memory of a block.
#[derive(Default)]
pub struct Memory {
    balances: Table<Versions>,
    nonces: Table<Versions>,
    slots: Table<Versions>,
    others: Table<Shard>,
    /// For each account: whether its code was ever written or its storage cleared. It is set before the first
    /// such write, under the lock of the shard. A reader that misses the mark has read before the write. Each
    /// transaction counts as a reader of these locations.
    replaced: Vec<AtomicBool>,
    /// No transaction below this one will write any more. No read by one of them counts any more: a late
    /// validation may still read, but the scheduler drops its result. It rises (Release) after those
    /// transactions have published. A worker that loads it (Acquire) therefore sees their writes. A stale value
    /// only costs time.
    open: AtomicU32,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = (self.balances.len(), self.slots.len());
        f.debug_struct("Memory").field("accounts and slots", &sizes).finish_non_exhaustive()
    }
}

/// Returns the shard of a key. There is no random seed. Model checks repeat a schedule step by step, so
/// contention must not vary between runs.
const fn shard(account: AccountNumber, slot: U256) -> usize {
    let low = slot.as_limbs()[0] as usize;
    low.wrapping_add(account as usize) % SHARDS
}

impl Memory {
    /// Creates an empty memory for this many accounts and slots.
    pub fn new(accounts: usize, slots: usize) -> Self {
        Self::default().start_over(accounts, slots)
    }

    /// Returns an empty memory that reuses this one's allocations. New allocations would take about a hundredth
    /// of a block's time, and no transaction can run meanwhile.
    #[must_use]
    pub fn start_over(mut self, accounts: usize, slots: usize) -> Self {
        self.balances.start_over(accounts);
        self.nonces.start_over(accounts);
        self.slots.start_over(slots);
        self.others.start_over(SHARDS);
        self.replaced.clear();
        self.replaced.resize_with(accounts, AtomicBool::default);
        self.open = AtomicU32::new(0);
        self
    }

    /// Prefetches a location's cache line. Several prefetches take no longer than one, if no result is used in
    /// between.
    #[inline]
    pub fn fetch(&self, location: Location) {
        if let Place::Numbered(table, at) = self.place(location) {
            table.fetch(at as usize);
        }
    }

    /// Registers `tx` as a speculative reader of `location`. The caller then reads. A later write returns this
    /// reader.
    #[inline]
    pub fn note_reader(&self, location: Location, tx: TxIndex) {
        if let Some((table, at)) = self.readers_of(location) {
            table.note_reader(at as usize, tx);
        }
    }

    /// Returns the transactions that may have read `location` speculatively.
    #[inline]
    pub fn readers(&self, location: Location) -> ReaderSet {
        let noted = self.readers_of(location);
        noted.map_or(ReaderSet::ALL, |(table, at)| table.readers(at as usize))
    }

    /// Returns the place of a location's reader set. Returns `None` for rarely written locations, which count
    /// as read by all transactions. The other tables register no readers.
    #[inline]
    const fn readers_of(&self, location: Location) -> Option<(&Table<Versions>, u32)> {
        match location {
            // Balance and nonce are mostly read together, so they share a reader set.
            Location::Balance(at) | Location::Nonce(at) => Some((&self.balances, at)),
            Location::Slot(_, slot) => Some((&self.slots, slot)),
            Location::Code(_) | Location::Storage(_) | Location::OtherSlot(..) => None,
        }
    }

    /// Returns what transactions below `tx` have written to `location`.
    ///
    /// # Errors
    /// [`Blocked`] if the closest write is an estimate.
    pub fn read(&self, location: Location, tx: TxIndex) -> Result<Observed, Blocked> {
        let (observed, written_by) = self.observe(location, tx, Estimates::Block)?;
        let (Location::Slot(account, _) | Location::OtherSlot(account, _)) = location else {
            return Ok(observed);
        };
        if !self.is_replaced(account) {
            return Ok(observed);
        }
        let (_, emptied_by) = self.observe(Location::Storage(account), tx, Estimates::Block)?;
        // A transaction that clears a storage does so before it writes new slots.
        let emptied = emptied_by.is_some() && emptied_by > written_by;
        Ok(if emptied { Observed { set: Some(U256::ZERO), added: None } } else { observed })
    }

    /// Returns whether no transaction has written to a location or cleared its storage. Returns `false` if that
    /// would take a search.
    #[inline]
    pub fn is_unwritten(&self, location: Location) -> bool {
        match location {
            Location::Balance(at) => !self.balances.is_written(at as usize),
            Location::Nonce(at) => !self.nonces.is_written(at as usize),
            Location::Code(at) | Location::Storage(at) => !self.is_replaced(at),
            Location::Slot(at, slot) => {
                !self.slots.is_written(slot as usize) && !self.is_replaced(at)
            }
            Location::OtherSlot(..) => false,
        }
    }

    #[inline]
    fn is_replaced(&self, account: AccountNumber) -> bool {
        self.replaced[account as usize].load(Ordering::SeqCst)
    }

    /// Like [`Memory::read`], but for locations other than slots. It returns the old value of an estimate.
    ///
    /// A reader thus stays valid if the next incarnation writes the same value again.
    pub fn peek(&self, location: Location, tx: TxIndex) -> Observed {
        let seen = self.observe(location, tx, Estimates::Believe);
        seen.map_or_else(|_| Observed::default(), |(observed, _)| observed)
    }

    /// Calls `tell` with the writers of a slot that are closest to `tx`, below and above it. It runs under the
    /// slot's lock, so `tell` must not access the memory.
    pub fn writers_near(&self, location: Location, tx: TxIndex, tell: impl FnMut(TxIndex)) {
        if matches!(location, Location::Slot(..)) {
            self.look(location, |versions| {
                versions.near(Writer::tx(tx)).filter_map(Writer::transaction).for_each(tell);
            });
        }
    }

    /// Returns what a reader sees at one location, and the transaction that set it.
    fn observe(
        &self,
        location: Location,
        tx: TxIndex,
        estimates: Estimates,
    ) -> Result<Seen, Blocked> {
        let reader = Writer::tx(tx);
        let seen = self.look(location, |versions| versions.read(reader, estimates));
        seen.unwrap_or(Ok((Observed::default(), None)))
    }

    /// Returns the closest transaction below `tx` that wrote to `location` or cleared the slot's storage.
    pub fn last_writer(&self, location: Location, tx: TxIndex) -> Option<TxIndex> {
        let reader = Writer::tx(tx);
        let writer = |at| self.look(at, |versions| versions.last_writer(reader));
        let emptied = match location {
            Location::Slot(account, _) | Location::OtherSlot(account, _) => {
                writer(Location::Storage(account)).flatten()
            }
            _ => None,
        };
        writer(location).flatten().max(emptied)?.transaction()
    }

    #[inline]
    fn place(&self, location: Location) -> Place<'_> {
        match location {
            Location::Balance(at) => Place::Numbered(&self.balances, at),
            Location::Nonce(at) => Place::Numbered(&self.nonces, at),
            Location::Slot(_, slot) => Place::Numbered(&self.slots, slot),
            Location::Code(at) | Location::Storage(at) => Place::Other(shard(at, U256::ZERO)),
            Location::OtherSlot(at, slot) => Place::Other(shard(at, slot)),
        }
    }

    /// Applies `read` to the versions of one location. Returns `None` if none was ever written.
    #[inline]
    fn look<R>(&self, location: Location, read: impl FnOnce(&Versions) -> R) -> Option<R> {
        match self.place(location) {
            Place::Numbered(table, at) => table.read(at as usize, |versions| Some(read(versions))),
            Place::Other(shard) => {
                self.others.read(shard, |shard| Some(read(shard.get(&location)?)))
            }
        }
    }

    #[inline]
    fn change(&self, location: Location, change: impl FnOnce(&mut Versions)) {
        match self.place(location) {
            Place::Numbered(table, at) => table.write(at as usize, change),
            Place::Other(shard) => self.others.write(shard, |shard| {
                if let Location::Code(at) | Location::Storage(at) = location {
                    self.replaced[at as usize].store(true, Ordering::SeqCst);
                }
                change(shard.entry(location).or_default());
            }),
        }
    }

    /// Returns the final value of a location, after all transactions have committed. A slot in a cleared
    /// storage may return its value before the clearing. [`Memory::read`] handles that case.
    #[inline]
    pub fn settled(&self, location: Location) -> Observed {
        if self.is_unwritten(location) {
            return Observed::default();
        }
        self.look(location, Versions::last).unwrap_or_default()
    }

    /// Returns whether the numbered slot was ever written.
    #[inline]
    pub fn has_written_slot(&self, slot: u32) -> bool {
        self.slots.is_written(slot as usize)
    }

    /// Returns all slots without an index that were ever written, in any order.
    pub fn written_others(&self) -> Vec<(AccountNumber, U256)> {
        let mut written = Vec::new();
        for shard in 0..SHARDS {
            let slot = |location: &Location| match location {
                Location::OtherSlot(account, slot) => Some((*account, *slot)),
                _ => None,
            };
            self.others.read(shard, |shard| written.extend(shard.keys().filter_map(slot)));
        }
        written
    }

    /// Writes the changes of the system calls before the first transaction.
    pub fn publish_before_all(&self, writes: &WriteSet) {
        for (location, write) in writes {
            self.write(Writer::BEFORE_ALL, *location, State::Written, *write);
        }
    }

    /// Replaces the earlier writes of `tx`, at the locations in `before`, by `writes`. Returns the speculative
    /// readers of each location with a changed value.
    pub fn publish(&self, tx: TxIndex, before: &WriteSet, writes: &WriteSet) -> ReaderSet {
        let (writer, mut readers) = (Writer::tx(tx), ReaderSet::EMPTY);
        for (location, write) in writes {
            self.write(writer, *location, State::Written, *write);
            if find(before, *location) != Some(*write) {
                readers = readers.and(self.readers(*location));
            }
        }
        for (location, _) in before {
            if find(writes, *location).is_none() {
                self.change(*location, |versions| versions.remove(writer));
                readers = readers.and(self.readers(*location));
            }
        }
        readers
    }

    /// Marks all transactions below `tx` as committed. They write no more, and their reads no longer count.
    #[inline]
    pub fn close(&self, tx: TxIndex) {
        self.open.store(Writer::tx(tx).0, Ordering::Release);
    }

    /// Turns the writes of `tx` into estimates. Its next incarnation will probably write to the same locations.
    pub fn mark_estimates(&self, tx: TxIndex, writes: &WriteSet) {
        for (location, write) in writes {
            self.write(Writer::tx(tx), *location, State::Estimate, *write);
        }
    }

    fn write(&self, writer: Writer, location: Location, state: State, write: Write) {
        self.change(location, |versions| {
            versions.write(Version::new(writer, state, write));
            if matches!(write, Write::Add(_)) {
                versions.sum_up(Writer(self.open.load(Ordering::Acquire)));
            }
        });
    }
}
