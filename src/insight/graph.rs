//! Who depends on whom.
//!
//! A transaction depends on those that wrote what it reads: the last that replaced the value, and all
//! that added to it since. Writing alone depends on nothing, since versions can be kept apart. Payments
//! out of a balance depend on what came in only where the balance before the block is not enough, and
//! then on the fewest that make it so.

use super::{
    model::{Model, Spot, Touches},
    schedule::{Task, Wait},
};
use crate::executor::access::{AccountNumber, Location, Need, TxAccess, TxIndex, Write};
use alloy_primitives::U256;
use std::collections::{BTreeSet, HashMap};

/// A transaction before this one that has to come first, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dependency {
    /// Which; always a lower index.
    pub on: TxIndex,
    /// What it wrote, and this one reads.
    pub at: Spot,
}

/// The dependencies of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// By transaction; ascending, each once.
    dependencies: Vec<Vec<Dependency>>,
}

/// What was written to a spot so far.
#[derive(Debug, Default)]
struct Written {
    set: Option<(TxIndex, U256)>,
    /// Since then.
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

    /// A graph with the dependencies that are given.
    #[cfg(test)]
    pub(super) fn of(dependencies: &[&[TxIndex]]) -> Self {
        let at = Spot::Account(0);
        let of = |on: &&[TxIndex]| on.iter().map(|on| Dependency { on: *on, at }).collect();
        Self { dependencies: dependencies.iter().map(of).collect() }
    }

    /// How many transactions there are.
    pub const fn len(&self) -> usize {
        self.dependencies.len()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.dependencies.is_empty()
    }

    /// Whom each transaction depends on, and why.
    pub fn dependencies(&self) -> &[Vec<Dependency>] {
        &self.dependencies
    }

    /// The lower transactions that a transaction depends on, each once.
    pub(super) fn before(&self, tx: TxIndex) -> impl Iterator<Item = TxIndex> {
        let dependencies = self.dependencies.get(tx).map_or(&[][..], Vec::as_slice);
        dependencies.chunk_by(|a, b| a.on == b.on).filter_map(|same| Some(same.first()?.on))
    }

    /// How many transactions depend on no other, so that they could all start at once.
    pub fn independent(&self) -> usize {
        self.dependencies.iter().filter(|dependencies| dependencies.is_empty()).count()
    }

    /// All pairs of transactions of which the second depends on the first.
    pub fn edges(&self) -> impl Iterator<Item = (TxIndex, TxIndex)> {
        (0..self.len()).flat_map(|tx| self.before(tx).map(move |on| (on, tx)))
    }

    /// How many of them there are.
    pub fn pairs(&self) -> usize {
        self.edges().count()
    }

    /// The graph as it were if nobody conflicted over certain spots.
    pub fn without(&self, spots: impl Fn(Spot) -> bool) -> Self {
        let keep = |dependencies: &Vec<Dependency>| {
            dependencies.iter().filter(|dependency| !spots(dependency.at)).copied().collect()
        };
        Self { dependencies: self.dependencies.iter().map(keep).collect() }
    }

    /// How many transactions the longest chain of dependent ones has.
    pub fn longest_chain(&self) -> usize {
        let mut chains: Vec<usize> = Vec::with_capacity(self.len());
        for tx in 0..self.len() {
            let longest = self.before(tx).map(|on| chains[on]).max().unwrap_or_default();
            chains.push(longest + 1);
        }
        chains.into_iter().max().unwrap_or_default()
    }

    /// The transactions to schedule, with these weights. `share` says after which share of a transaction
    /// it needs what it depends on.
    pub(super) fn tasks(
        &self,
        weights: &[u64],
        share: impl Fn(TxIndex, &Dependency) -> f64,
    ) -> Vec<Task> {
        let task = |(tx, weight): (TxIndex, &u64)| {
            let wait = |dependency: &Dependency| {
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

fn dependencies(touches: &Touches, written: &HashMap<Spot, Written>) -> Vec<Dependency> {
    let mut found = BTreeSet::new();
    for (spot, need) in &touches.reads {
        let Some((at, writes)) = newest(*spot, written) else { continue };
        let mut depend = |on: TxIndex| found.insert(Dependency { on, at });
        match need {
            Need::Known => {}
            Need::Exact => {
                writes.set.iter().chain(&writes.added).for_each(|(tx, _)| _ = depend(*tx));
            }
            Need::AtLeast { minimum, before } => {
                enough(writes, *minimum, *before).into_iter().for_each(|tx| _ = depend(tx));
            }
        }
    }
    found.into_iter().collect()
}

/// What was written last where a reader looks: a slot, or the storage that was emptied since.
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

/// The fewest writers without whom a balance would not be enough.
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
