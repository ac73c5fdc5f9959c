//! Multi-version memory: what every transaction of the block wrote, by location.
//!
//! For each [`Location`] it holds the newest write of each transaction, so that a reader sees what the
//! closest lower transactions wrote. It knows no EVM, no schedule and no state before the block: a read
//! says what the block has written, and the reader adds what was there before.
//!
//! Accounts and slots are numbers, so that finding a location costs no hashing: whoever looks up its
//! value before the block learns its number on the way. What is rarely written is found by hashing: codes, storages as
//! wholes, and slots that nobody has numbered, such as those of contracts that the block creates. So whoever calls a
//! contract whose balance others change finds its code without a lock.
//!
//! Of a location that only grows, such as the balance of a popular contract, what committed transactions
//! added is kept as one sum ([`Memory::close`]), so that reading it takes no longer the longer the block is.
//!
//! A read may be outdated at once. Who read ahead of its turn is noted (`readers`), and each publication tells who may
//! have missed it; that nobody commits who has is the scheduler's business (C1 in `scheduler`).
//!
//! Locking: each balance, nonce and numbered slot has a lock of its own, and all other locations share some. No
//! operation holds two at a time. So a reader can see half of a publication. It is then suspect, having been noted
//! before it read the other half.

mod readers;
mod table;
mod values;
mod versions;

#[cfg(test)]
mod tests;

use crate::executor::sync::{AtomicBool, AtomicU32, Ordering};
use alloy_primitives::{U256, map::HashMap};
pub use readers::ReaderSet;
use std::fmt;
use table::{Forget, Table};
use values::find;
pub use values::{Observed, Write, WriteSet};
use versions::{Estimates, Seen, State, Version, Versions, Writer};

/// Position of a transaction in the block, from 0.
pub type TxIndex = usize;

/// Reads as this transaction see all that the block wrote.
pub const AFTER_ALL: TxIndex = u32::MAX as TxIndex;

/// An account by its number.
pub type AccountNumber = u32;

/// One unit of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// An account's balance, in wei.
    Balance(AccountNumber),
    /// An account's nonce.
    Nonce(AccountNumber),
    /// An account's code hash; zero where the account does not exist. So this is existence, too.
    Code(AccountNumber),
    /// An account's storage as a whole: written where it is emptied. Never read by itself, but by
    /// every read of a slot.
    Storage(AccountNumber),
    /// A slot that is numbered among all slots; of this account.
    Slot(AccountNumber, u32),
    /// A slot that is not, by its key.
    OtherSlot(AccountNumber, U256),
}

/// The incarnation that reads had better give up: this transaction's next one will probably write here, or it has
/// published something else than what was read before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Whom to wait for, unless it has published by then.
    pub on: TxIndex,
}

/// Shards of what is found by hashing. More than threads, so that two rarely meet.
const SHARDS: usize = 16;

type Shard = HashMap<Location, Versions>;

impl Forget for Shard {
    fn forget(&mut self) {
        self.clear();
    }
}

/// Where the versions of a location are.
enum Place<'a> {
    Numbered(&'a Table<Versions>, u32),
    /// In this shard.
    Other(usize),
}

/// What every transaction of the block wrote.
#[derive(Default)]
pub struct Memory {
    balances: Table<Versions>,
    nonces: Table<Versions>,
    slots: Table<Versions>,
    others: Table<Shard>,
    /// Of each account, whether its code was ever written, or its storage emptied: set before the first such write, under
    /// the lock of its shard. A reader that misses it read before that, and everybody counts as a reader.
    replaced: Vec<AtomicBool>,
    /// Below it, no transaction will write any more, and nothing depends on what one reads: a check that comes
    /// too late may still look, but the scheduler drops what it found. Whoever sees it (Acquire) also sees what
    /// those published, since it rises (Release) after that. An older one only costs time.
    open: AtomicU32,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes = (self.balances.len(), self.slots.len());
        f.debug_struct("Memory").field("accounts and slots", &sizes).finish_non_exhaustive()
    }
}

/// Chosen by the key alone, without a seed: model checks repeat a schedule step by step, and who waits for whom
/// must not differ.
const fn shard(account: AccountNumber, slot: U256) -> usize {
    let low = slot.as_limbs()[0] as usize;
    low.wrapping_add(account as usize) % SHARDS
}

impl Memory {
    /// Nothing is written yet. Numbers go up to these counts.
    pub fn new(accounts: usize, slots: usize) -> Self {
        Self::default().start_over(accounts, slots)
    }

    /// The same in the room of this one, which another block has used. To make that anew takes about a hundredth of a
    /// block's time, during which no transaction can run.
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

    /// Brings close what is behind a location's lock. Of several it takes no longer than of one, if nothing is waited
    /// for in between.
    pub fn fetch(&self, location: Location) {
        if let Place::Numbered(table, at) = self.place(location) {
            table.fetch(at as usize);
        }
    }

    /// Notes that `tx` is about to read `location` ahead of its turn, so that whoever changes what it finds there
    /// later is told.
    pub fn note_reader(&self, location: Location, tx: TxIndex) {
        if let Some((table, at)) = self.readers_of(location) {
            table.note_reader(at as usize, tx);
        }
    }

    /// Who may have read `location` ahead of its turn so far.
    pub fn readers(&self, location: Location) -> ReaderSet {
        let noted = self.readers_of(location);
        noted.map_or(ReaderSet::ALL, |(table, at)| table.readers(at as usize))
    }

    /// Where they are noted; `None` for what is rarely written, and counts as read by all. The other tables note nobody.
    const fn readers_of(&self, location: Location) -> Option<(&Table<Versions>, u32)> {
        match location {
            // Mostly read together.
            Location::Balance(at) | Location::Nonce(at) => Some((&self.balances, at)),
            Location::Slot(_, slot) => Some((&self.slots, slot)),
            Location::Code(_) | Location::Storage(_) | Location::OtherSlot(..) => None,
        }
    }

    /// What transactions below `tx` have written to `location`.
    ///
    /// # Errors
    /// [`Blocked`] if an estimate stands in the way.
    pub fn read(&self, location: Location, tx: TxIndex) -> Result<Observed, Blocked> {
        let (observed, written_by) = self.observe(location, tx, Estimates::Block)?;
        let (Location::Slot(account, _) | Location::OtherSlot(account, _)) = location else {
            return Ok(observed);
        };
        if !self.is_replaced(account) {
            return Ok(observed);
        }
        let (_, emptied_by) = self.observe(Location::Storage(account), tx, Estimates::Block)?;
        // A transaction that empties a storage does so before it writes new slots.
        let emptied = emptied_by.is_some() && emptied_by > written_by;
        Ok(if emptied { Observed { set: Some(U256::ZERO), added: None } } else { observed })
    }

    /// Whether nobody ever wrote to a location, nor emptied the storage that it is in. `false` if that takes
    /// a search.
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

    fn is_replaced(&self, account: AccountNumber) -> bool {
        self.replaced[account as usize].load(Ordering::SeqCst)
    }

    /// Like [`Memory::read`] of anything but a slot, taking estimates for what will be written.
    ///
    /// So whoever writes the same again changes nothing for those who looked meanwhile.
    pub fn peek(&self, location: Location, tx: TxIndex) -> Observed {
        let seen = self.observe(location, tx, Estimates::Believe);
        seen.map_or_else(|_| Observed::default(), |(observed, _)| observed)
    }

    /// Tells of the transactions whose writes to a slot are here now those closest to `tx`, before it or after. That is
    /// done under the slot's lock, so that whoever is told must not come back to memory.
    pub fn writers_near(&self, location: Location, tx: TxIndex, tell: impl FnMut(TxIndex)) {
        if matches!(location, Location::Slot(..)) {
            self.look(location, |versions| {
                versions.near(Writer::tx(tx)).filter_map(Writer::transaction).for_each(tell);
            });
        }
    }

    /// What a reader sees at one location, and who set it.
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

    /// The closest transaction below `tx` that wrote to `location`, or emptied the storage that the slot
    /// is in.
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

    fn place(&self, location: Location) -> Place<'_> {
        match location {
            Location::Balance(at) => Place::Numbered(&self.balances, at),
            Location::Nonce(at) => Place::Numbered(&self.nonces, at),
            Location::Slot(_, slot) => Place::Numbered(&self.slots, slot),
            Location::Code(at) | Location::Storage(at) => Place::Other(shard(at, U256::ZERO)),
            Location::OtherSlot(at, slot) => Place::Other(shard(at, slot)),
        }
    }

    /// What `read` makes of the versions at one location; `None` if nothing was ever written there.
    fn look<R>(&self, location: Location, read: impl FnOnce(&Versions) -> R) -> Option<R> {
        match self.place(location) {
            Place::Numbered(table, at) => table.read(at as usize, |versions| Some(read(versions))),
            Place::Other(shard) => {
                self.others.read(shard, |shard| Some(read(shard.get(&location)?)))
            }
        }
    }

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

    /// What the block has written to a location, once all is committed. Of a slot whose storage was emptied it may also be
    /// what was there before that, which [`Memory::read`] tells apart.
    pub fn settled(&self, location: Location) -> Observed {
        if self.is_unwritten(location) {
            return Observed::default();
        }
        self.look(location, Versions::last).unwrap_or_default()
    }

    /// Whether the numbered slot was ever written.
    pub fn has_written_slot(&self, slot: u32) -> bool {
        self.slots.is_written(slot as usize)
    }

    /// Every unnumbered slot that was ever written, in any order.
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

    /// Writes what was there before the first transaction, but not before the block.
    pub fn publish_before_all(&self, writes: &WriteSet) {
        for (location, write) in writes {
            self.write(Writer::BEFORE_ALL, *location, State::Written, *write);
        }
    }

    /// Replaces what `tx` had written, at the locations in `before`, by `writes`. Returns who could tell the
    /// difference, among those that read ahead of their turn.
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

    /// All below `tx` are committed: none of them will write any more, nor read anything that counts.
    pub fn close(&self, tx: TxIndex) {
        self.open.store(Writer::tx(tx).0, Ordering::Release);
    }

    /// Turns what `tx` has written into estimates: its next incarnation will probably write there.
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
