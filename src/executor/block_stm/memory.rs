//! Multi-version memory: what every transaction of the block wrote, by location.
//!
//! For each [`Location`] it holds the newest write of each transaction, so that a reader sees what the
//! closest lower transactions wrote. It knows no EVM, no schedule and no state before the block: a read
//! says what the block has written, and the reader adds what was there before.
//!
//! Correctness lives elsewhere: a read may be outdated at once. Whoever commits reads again (C1 in
//! `scheduler`), when all lower transactions are final.
//!
//! Locking: locations are spread over shards, each behind its own lock, which guards all versions in
//! it; no operation holds two at a time. So a reader can see half of a publication. It is then
//! suspect, because the publication ends by telling the scheduler.

use alloy_primitives::{
    Address, U256,
    map::{DefaultHashBuilder, HashMap},
};
use parking_lot::RwLock;
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    hash::{BuildHasher, Hash},
};

/// Position of a transaction in the block, from 0.
pub type TxIndex = usize;

/// One unit of conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// An account's balance, in wei.
    Balance(Address),
    /// An account's nonce.
    Nonce(Address),
    /// An account's code hash; zero where the account does not exist. So this is existence, too.
    Code(Address),
    /// An account's storage as a whole: written where it is emptied. Never read by itself, but by
    /// every read of a slot.
    Storage(Address),
    /// A storage slot.
    Slot(Address, U256),
}

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

fn find(writes: &WriteSet, location: Location) -> Option<Write> {
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

    fn add(&mut self, more: U256) {
        self.added = Some(self.added.unwrap_or_default().wrapping_add(more));
    }
}

/// The read met an estimate: this transaction's next incarnation will probably write here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Whom to wait for.
    pub on: TxIndex,
}

/// The newest write of one transaction to one location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Written(Write),
    /// What an aborted incarnation wrote, and the next one will probably write.
    Estimate(Write),
}

type Versions = BTreeMap<TxIndex, Cell>;
type Shard = RwLock<HashMap<Location, Versions>>;

/// Shards per memory. Many more than threads, so that two rarely meet.
const SHARDS: usize = 64;

/// What every transaction of the block wrote.
pub struct Memory {
    /// Each lock guards the versions of the locations that hash to it.
    shards: Box<[Shard]>,
    hasher: DefaultHashBuilder,
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.shards.iter()).finish()
    }
}

impl Default for Memory {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { shards, hasher: Default::default() }
    }
}

impl Memory {
    fn shard(&self, location: &Location) -> &Shard {
        let hash = self.hasher.hash_one(location);
        &self.shards[(hash >> 32) as usize % SHARDS]
    }

    /// What transactions below `tx` have written to `location`.
    ///
    /// # Errors
    /// [`Blocked`] if an estimate stands in the way.
    pub fn read(&self, location: Location, tx: TxIndex) -> Result<Observed, Blocked> {
        let Location::Slot(address, _) = location else {
            return self.observe(location, tx).map(|(observed, _)| observed);
        };
        let (observed, written_by) = self.observe(location, tx)?;
        let (_, emptied_by) = self.observe(Location::Storage(address), tx)?;
        // A transaction that empties a storage does so before it writes new slots.
        let emptied = emptied_by.is_some() && emptied_by > written_by;
        Ok(if emptied { Observed { set: Some(U256::ZERO), added: None } } else { observed })
    }

    /// Like [`Memory::read`] of anything but a slot, taking estimates for what will be written.
    ///
    /// So whoever writes the same again changes nothing for those who looked meanwhile.
    pub fn peek(&self, location: Location, tx: TxIndex) -> Observed {
        let shard = self.shard(&location).read();
        let Some(versions) = shard.get(&location) else { return Observed::default() };
        let mut observed = Observed::default();
        for (_, cell) in versions.range(..tx).rev() {
            let (Cell::Written(write) | Cell::Estimate(write)) = cell;
            match write {
                Write::Add(value) => observed.add(*value),
                Write::Set(value) => {
                    observed.set = Some(*value);
                    break;
                }
            }
        }
        observed
    }

    /// What a reader sees at one location, and who set it.
    fn observe(
        &self,
        location: Location,
        tx: TxIndex,
    ) -> Result<(Observed, Option<TxIndex>), Blocked> {
        let shard = self.shard(&location).read();
        let mut observed = Observed::default();
        let Some(versions) = shard.get(&location) else { return Ok((observed, None)) };
        for (writer, cell) in versions.range(..tx).rev() {
            match cell {
                Cell::Estimate(_) => return Err(Blocked { on: *writer }),
                Cell::Written(Write::Set(value)) => {
                    observed.set = Some(*value);
                    return Ok((observed, Some(*writer)));
                }
                Cell::Written(Write::Add(value)) => observed.add(*value),
            }
        }
        Ok((observed, None))
    }

    /// Replaces what `tx` had written, at the locations in `before`, by `writes`. Returns whether a
    /// reader could tell the difference.
    pub fn publish(&self, tx: TxIndex, before: &WriteSet, writes: &WriteSet) -> Publication {
        let mut publication = Publication::Same;
        for (location, write) in writes {
            self.write(tx, *location, Cell::Written(*write));
            if find(before, *location) != Some(*write) {
                publication = Publication::Changed;
            }
        }
        for (location, _) in before {
            if find(writes, *location).is_none() {
                self.remove(tx, location);
                publication = Publication::Changed;
            }
        }
        publication
    }

    /// Turns what `tx` has written into estimates: its next incarnation will probably write there.
    pub fn mark_estimates(&self, tx: TxIndex, writes: &WriteSet) {
        for (location, write) in writes {
            self.write(tx, *location, Cell::Estimate(*write));
        }
    }

    fn write(&self, tx: TxIndex, location: Location, cell: Cell) {
        self.shard(&location).write().entry(location).or_default().insert(tx, cell);
    }

    fn remove(&self, tx: TxIndex, location: &Location) {
        let mut shard = self.shard(location).write();
        if let Some(versions) = shard.get_mut(location)
            && let Entry::Occupied(entry) = versions.entry(tx)
        {
            entry.remove();
        }
    }
}

/// Whether a publication differs from what the same transaction had published before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publication {
    /// Every reader of the previous one would read the same again.
    Same,
    /// Somebody may have read something outdated.
    Changed,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);
    const BALANCE: Location = Location::Balance(ALICE);

    fn set(value: u64) -> Write {
        Write::Set(U256::from(value))
    }

    fn add(value: u64) -> Write {
        Write::Add(U256::from(value))
    }

    fn written(writes: &[(TxIndex, Location, Write)]) -> Memory {
        let memory = Memory::default();
        for (tx, location, write) in writes {
            memory.publish(*tx, &vec![], &vec![(*location, *write)]);
        }
        memory
    }

    fn read(memory: &Memory, location: Location, tx: TxIndex) -> u64 {
        let observed = memory.read(location, tx).expect("no estimates here");
        observed.over(U256::from(1_000)).to()
    }

    #[test]
    fn a_reader_sees_the_closest_lower_write() {
        let memory = written(&[(1, BALANCE, set(10)), (3, BALANCE, set(30))]);
        let seen: Vec<_> = (0..5).map(|tx| read(&memory, BALANCE, tx)).collect();
        assert_eq!(seen, [1_000, 1_000, 10, 10, 30]);
    }

    #[test]
    fn additions_sum_up_to_the_closest_set() {
        let memory = written(&[(0, BALANCE, add(1)), (1, BALANCE, set(10)), (2, BALANCE, add(5))]);
        assert_eq!(read(&memory, BALANCE, 1), 1_001);
        assert_eq!(read(&memory, BALANCE, 3), 15);
    }

    #[test]
    fn an_estimate_blocks_higher_readers_only() {
        let memory = written(&[(2, BALANCE, set(10))]);
        memory.mark_estimates(2, &vec![(BALANCE, set(10))]);
        assert_eq!(memory.read(BALANCE, 3), Err(Blocked { on: 2 }));
        assert_eq!(read(&memory, BALANCE, 2), 1_000);
    }

    #[test]
    fn a_slot_below_an_emptied_storage_is_zero_until_it_is_written_again() {
        let slot = Location::Slot(ALICE, U256::ONE);
        let memory = written(&[(1, slot, set(7)), (3, Location::Storage(ALICE), set(1))]);
        assert_eq!(read(&memory, slot, 3), 7);
        assert_eq!(read(&memory, slot, 4), 0);
        let emptied_and_written = vec![(Location::Storage(ALICE), set(1)), (slot, set(9))];
        memory.publish(5, &vec![], &emptied_and_written);
        assert_eq!(read(&memory, slot, 6), 9);
    }

    #[test]
    fn a_publication_replaces_the_one_before() {
        let nonce = Location::Nonce(ALICE);
        let memory = Memory::default();
        let first = vec![(BALANCE, set(1)), (nonce, set(2))];
        assert_eq!(memory.publish(0, &vec![], &first), Publication::Changed);
        memory.mark_estimates(0, &first);
        assert_eq!(memory.publish(0, &first, &first), Publication::Same);
        let second = vec![(BALANCE, set(1))];
        assert_eq!(memory.publish(0, &first, &second), Publication::Changed);
        assert_eq!(read(&memory, nonce, 1), 1_000);
    }
}
