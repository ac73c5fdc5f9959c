//! Writes to one location, sorted by writer.
//!
//! This module finds what a reader sees among them. It does not know the location.

use super::{Blocked, Observed, table::Forget};
use crate::location::{TxIndex, Write};
use alloy_primitives::U256;
use smallvec::SmallVec;

/// Index of the writer: 0 for the system calls before all transactions, or the index of a transaction plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Writer(pub(super) u32);

impl Writer {
    pub(super) const BEFORE_ALL: Self = Self(0);

    pub(super) fn tx(index: TxIndex) -> Self {
        Self(u32::try_from(index).unwrap_or(u32::MAX).saturating_add(1))
    }

    /// Returns the index of the transaction, if the writer is one.
    pub(super) const fn transaction(self) -> Option<TxIndex> {
        match self.0.checked_sub(1) {
            Some(index) => Some(index as TxIndex),
            None => None,
        }
    }

    /// Only transactions leave estimates.
    pub(super) const fn blocked(self) -> Blocked {
        Blocked { on: self.0.saturating_sub(1) as TxIndex }
    }
}

/// Whether a write is an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Written,
    /// Write of an aborted incarnation. The next one will probably write here.
    Estimate,
}

/// Newest write of one transaction to one location. Most locations have at most one. The entry then fits into
/// one cache line, with its lock and its reader set. `adds` is stored apart from the value for that reason.
#[derive(Clone, Copy, Debug)]
pub(super) struct Version {
    writer: Writer,
    state: State,
    adds: bool,
    value: U256,
}

impl Version {
    pub(super) const fn new(writer: Writer, state: State, write: Write) -> Self {
        let (adds, value) = match write {
            Write::Set(value) => (false, value),
            Write::Add(value) => (true, value),
        };
        Self { writer, state, adds, value }
    }
}

/// Number of writers on each side that count as near. It covers the few call classes that usually write a
/// location.
const NEAR: usize = 4;

/// Values that a reader sees, and the writer of the closest `Set`.
pub(super) type Seen = (Observed, Option<Writer>);

/// Writes to one location, ascending by writer. Most locations have one write at most, which takes no
/// allocation. With smallvec's `union`, it takes only the space of the write and one number.
#[derive(Debug, Default)]
pub(super) struct Versions(SmallVec<[Version; 1]>);

impl Forget for Versions {
    fn forget(&mut self) {
        self.0.clear();
    }
}

impl Versions {
    fn find(&self, writer: Writer) -> Result<usize, usize> {
        // Most writes come after all others.
        match self.0.last() {
            Some(last) if last.writer < writer => Err(self.0.len()),
            None => Err(0),
            Some(_) => self.0.binary_search_by_key(&writer, |version| version.writer),
        }
    }

    pub(super) fn write(&mut self, version: Version) {
        match self.find(version.writer) {
            Ok(found) => self.0[found] = version,
            Err(place) => self.0.insert(place, version),
        }
    }

    /// Merges the last additions by writers below `open` into one. All of them are committed, so each
    /// remaining reader sees all of these additions. It would otherwise sum them up at each read.
    pub(super) fn sum_up(&mut self, open: Writer) {
        let end = self.find(open).unwrap_or_else(|place| place);
        let sets = |version: &Version| !version.adds;
        let from = self.0[..end].iter().rposition(sets).map_or(0, |last| last + 1);
        if end - from < 2 {
            return;
        }
        let added = self.0[from..end].iter().map(|version| version.value);
        let sum = added.fold(U256::ZERO, U256::wrapping_add);
        self.0[end - 1].value = sum;
        self.0.drain(from..end - 1);
    }

    pub(super) fn remove(&mut self, writer: Writer) {
        if let Ok(found) = self.find(writer) {
            self.0.remove(found);
        }
    }

    /// Returns the last writer below the reader.
    pub(super) fn last_writer(&self, reader: Writer) -> Option<Writer> {
        let below = self.find(reader).unwrap_or_else(|place| place);
        self.0[..below].last().map(|version| version.writer)
    }

    /// Returns the writers closest to the reader, below and above it. The reader's own aborted write counts,
    /// too.
    pub(super) fn near(&self, reader: Writer) -> impl Iterator<Item = Writer> {
        let below = self.find(reader).unwrap_or_else(|place| place);
        let near = below.saturating_sub(NEAR)..self.0.len().min(below + NEAR);
        self.0[near].iter().map(|version| version.writer)
    }

    /// Returns what a reader above all writers sees. Estimates count as writes.
    pub(super) fn last(&self) -> Observed {
        let seen = seen(&self.0, Estimates::Believe);
        seen.map_or_else(|_| Observed::default(), |(observed, _)| observed)
    }

    pub(super) fn read(&self, reader: Writer, estimates: Estimates) -> Result<Seen, Blocked> {
        let below = self.find(reader).unwrap_or_else(|place| place);
        seen(&self.0[..below], estimates)
    }
}

/// Returns what a reader above these versions sees.
#[inline]
fn seen(versions: &[Version], estimates: Estimates) -> Result<Seen, Blocked> {
    let mut observed = Observed::default();
    for version in versions.iter().rev() {
        if version.state == State::Estimate && estimates == Estimates::Block {
            return Err(version.writer.blocked());
        }
        if !version.adds {
            observed.set = Some(version.value);
            return Ok((observed, Some(version.writer)));
        }
        observed.add(version.value);
    }
    Ok((observed, None))
}

/// Treatment of an estimate. `Block` returns an error and `Believe` returns its old value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Estimates {
    Block,
    Believe,
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: u32 = 20;

    /// Creates one version per writer. Writer 2 and each tenth after it set the value, and the others add to
    /// it.
    fn versions() -> Versions {
        let mut versions = Versions::default();
        for writer in 0..AFTER {
            let value = U256::from(1_u64 << writer);
            let write = if writer % 10 == 2 { Write::Set(value) } else { Write::Add(value) };
            versions.write(Version::new(Writer(writer), State::Written, write));
        }
        versions
    }

    fn seen(versions: &Versions, reader: u32) -> (Seen, Option<Writer>) {
        let seen = versions.read(Writer(reader), Estimates::Block);
        (seen.expect("no estimates here"), versions.last_writer(Writer(reader)))
    }

    #[test]
    fn merged_additions_give_the_same_value_to_remaining_readers() {
        for open in 0..=AFTER {
            let (mut summed, all) = (versions(), versions());
            summed.sum_up(Writer(open));
            for reader in open..=AFTER {
                assert_eq!(seen(&summed, reader), seen(&all, reader), "{open}, {reader}");
            }
        }
    }

    #[test]
    fn additions_after_the_last_set_are_merged_into_one() {
        let gone_after = |open| {
            let mut versions = versions();
            let before = versions.0.len();
            versions.sum_up(Writer(open));
            before - versions.0.len()
        };
        // The last `Set` below is that of 2, then that of 12.
        assert_eq!([2, 3, 4, 5, 12, 13, 20].map(gone_after), [1, 0, 0, 1, 8, 0, 6]);
    }
}
