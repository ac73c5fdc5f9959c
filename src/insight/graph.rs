//! Computes the dependencies between the transactions of a block.
//!
//! A transaction depends on the writers of the values that it reads. These are the last transaction that
//! replaced the value, and all that added to it since. A write alone causes no dependency, because versions are
//! kept apart. A payment out of a balance depends on earlier payments into it only if the balance before the
//! block is too small. It then depends on the fewest that make it large enough.

use super::{
    model::{Model, Spot, Touches},
    schedule::{Task, Wait},
};
use crate::execution::{
    access::TxAccess,
    dependency::Dependency,
    location::{AccountNumber, Location, TxIndex, Write},
};
use alloy_primitives::U256;
use std::collections::{BTreeSet, HashMap};

/// A dependency on an earlier transaction, with its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edge {
    /// Index of the earlier transaction. It is always lower.
    pub on: TxIndex,
    /// The spot that the earlier transaction wrote and the later one reads.
    pub at: Spot,
}

/// The dependencies of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// Dependencies by transaction, ascending and without duplicates.
    dependencies: Vec<Vec<Edge>>,
}

/// The newest writes to a spot.
#[derive(Debug, Default)]
struct Written {
    set: Option<(TxIndex, U256)>,
    /// Additions since `set`.
    added: Vec<(TxIndex, U256)>,
}

impl Graph {
    /// The dependencies between transactions with these accesses, in block order.
    pub(super) fn new(
        accesses: &[TxAccess],
        model: Model,
        beneficiary: Option<AccountNumber>,
    ) -> Self {
        let mut written = HashMap::new();
        let of = |(tx, access): (TxIndex, &TxAccess)| {
            let touches = model.touches(access, beneficiary);
            let dependencies = dependencies(&touches, &written);
            write(tx, &touches, &mut written);
            dependencies
        };
        Self { dependencies: accesses.iter().enumerate().map(of).collect() }
    }

    /// A graph with the given dependencies.
    #[cfg(test)]
    pub(super) fn of(dependencies: &[&[TxIndex]]) -> Self {
        let at = Spot::Account(0);
        let of = |on: &&[TxIndex]| on.iter().map(|on| Edge { on: *on, at }).collect();
        Self { dependencies: dependencies.iter().map(of).collect() }
    }

    /// Number of transactions.
    pub const fn len(&self) -> usize {
        self.dependencies.len()
    }

    /// Whether the graph has no transactions.
    pub const fn is_empty(&self) -> bool {
        self.dependencies.is_empty()
    }

    /// Dependencies of each transaction, with their causes.
    pub fn dependencies(&self) -> &[Vec<Edge>] {
        &self.dependencies
    }

    /// The lower transactions that a transaction depends on, without duplicates.
    pub(super) fn before(&self, tx: TxIndex) -> impl Iterator<Item = TxIndex> {
        let dependencies = self.dependencies.get(tx).map_or(&[][..], Vec::as_slice);
        dependencies.chunk_by(|a, b| a.on == b.on).filter_map(|same| Some(same.first()?.on))
    }

    /// Number of transactions without dependencies. They could all start at once.
    pub fn independent(&self) -> usize {
        self.dependencies.iter().filter(|dependencies| dependencies.is_empty()).count()
    }

    /// All dependent pairs of transactions. The second depends on the first.
    pub fn edges(&self) -> impl Iterator<Item = (TxIndex, TxIndex)> {
        (0..self.len()).flat_map(|tx| self.before(tx).map(move |on| (on, tx)))
    }

    /// Number of dependent pairs.
    pub fn pairs(&self) -> usize {
        self.edges().count()
    }

    /// The graph without the dependencies at certain spots.
    pub fn without(&self, spots: impl Fn(Spot) -> bool) -> Self {
        let keep = |dependencies: &Vec<Edge>| {
            dependencies.iter().filter(|dependency| !spots(dependency.at)).copied().collect()
        };
        Self { dependencies: self.dependencies.iter().map(keep).collect() }
    }

    /// Number of transactions in the longest chain of dependencies.
    pub fn longest_chain(&self) -> usize {
        let mut chains: Vec<usize> = Vec::with_capacity(self.len());
        for tx in 0..self.len() {
            let longest = self.before(tx).map(|on| chains[on]).max().unwrap_or_default();
            chains.push(longest + 1);
        }
        chains.into_iter().max().unwrap_or_default()
    }

    /// The tasks to schedule, with these weights. `share` returns the share of a transaction's weight after
    /// which it needs a dependency.
    pub(super) fn tasks(
        &self,
        weights: &[u64],
        share: impl Fn(TxIndex, &Edge) -> f64,
    ) -> Vec<Task> {
        let task = |(tx, weight): (TxIndex, &u64)| {
            let wait = |dependency: &Edge| {
                let at = (*weight as f64 * share(tx, dependency)) as u64;
                Wait { at: at.min(*weight), on: dependency.on }
            };
            let mut waits: Vec<_> = self.dependencies[tx].iter().map(wait).collect();
            waits.sort_unstable();
            Task { weight: *weight, waits }
        };
        (0..self.len()).zip(weights).map(task).collect()
    }
}

fn dependencies(touches: &Touches, written: &HashMap<Spot, Written>) -> Vec<Edge> {
    let mut found = BTreeSet::new();
    for (spot, need) in &touches.reads {
        let Some((at, writes)) = newest(*spot, written) else { continue };
        let mut depend = |on: TxIndex| found.insert(Edge { on, at });
        match need {
            Dependency::Known => {}
            Dependency::Exact => {
                writes.set.iter().chain(&writes.added).for_each(|(tx, _)| _ = depend(*tx));
            }
            Dependency::AtLeast { minimum, before } => {
                enough(writes, *minimum, *before).into_iter().for_each(|tx| _ = depend(tx));
            }
        }
    }
    found.into_iter().collect()
}

/// The newest value that a read of `spot` returns. For a slot, this is its own last write, or a later deletion
/// of the whole storage.
fn newest(spot: Spot, written: &HashMap<Spot, Written>) -> Option<(Spot, &Written)> {
    let found = |spot: Spot| written.get(&spot).map(|writes| (spot, writes));
    let own = found(spot);
    let Spot::Field(Location::Slot(account, _) | Location::OtherSlot(account, _)) = spot else {
        return own;
    };
    let emptied = found(Spot::Field(Location::Storage(account)));
    let set_by = |writes: &Option<(Spot, &Written)>| {
        writes.and_then(|(_, writes)| writes.set.map(|(tx, _)| tx))
    };
    if set_by(&emptied) > set_by(&own) { emptied } else { own }
}

/// The fewest writers that make the balance reach `minimum`.
fn enough(writes: &Written, minimum: U256, before: U256) -> Vec<TxIndex> {
    let mut needed = Vec::new();
    let mut balance = before;
    if balance < minimum
        && let Some((tx, value)) = writes.set
    {
        needed.push(tx);
        balance = value;
    }
    let mut received: Vec<_> = writes.added.iter().filter(|(_, value)| !value.bit(255)).collect();
    received.sort_unstable_by_key(|(tx, value)| (std::cmp::Reverse(*value), *tx));
    for (tx, value) in received {
        if balance >= minimum {
            break;
        }
        needed.push(*tx);
        balance = balance.saturating_add(*value);
    }
    needed
}

fn write(tx: TxIndex, touches: &Touches, written: &mut HashMap<Spot, Written>) {
    for (spot, write) in &touches.writes {
        let writes = written.entry(*spot).or_default();
        match write {
            Write::Set(value) => *writes = Written { set: Some((tx, *value)), added: Vec::new() },
            Write::Add(value) => writes.added.push((tx, *value)),
        }
    }
}

#[cfg(test)]
mod tests;
