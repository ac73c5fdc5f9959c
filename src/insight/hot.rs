//! Finds the contracts and slots that cause the most costly conflicts of a block.
//!
//! Only conflicts on the critical path slow a block on many threads. The cost of a spot is therefore counted
//! there: the time of each transaction on the path that the next one waits for because of the spot. Removing
//! the spot gains less, because the second longest path then becomes critical.

use super::{
    graph::Graph,
    model::Spot,
    schedule::{Order, critical_path, speedup},
    study::{Start, Study},
};
use crate::{
    execution::location::{Location, TxIndex},
    state::Names,
};
use alloy_primitives::{Address, U256};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

/// A spot by addresses and keys instead of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A whole account.
    Account(Address),
    /// The balance of an account.
    Balance(Address),
    /// The nonce of an account.
    Nonce(Address),
    /// The code of an account.
    Code(Address),
    /// The storage of an account, deleted as a whole.
    Storage(Address),
    /// A storage slot, by key.
    Slot(Address, U256),
}

impl Place {
    /// The place of a spot; `None` if the account or slot has no number in the pre-state.
    pub fn of(spot: Spot, names: &Names) -> Option<Self> {
        let address = names.account(spot.account())?;
        Some(match spot {
            Spot::Account(_) => Self::Account(address),
            Spot::Field(Location::Balance(_)) => Self::Balance(address),
            Spot::Field(Location::Nonce(_)) => Self::Nonce(address),
            Spot::Field(Location::Code(_)) => Self::Code(address),
            Spot::Field(Location::Storage(_)) => Self::Storage(address),
            Spot::Field(Location::Slot(_, slot)) => Self::Slot(address, names.slot(slot)?),
            Spot::Field(Location::OtherSlot(_, key)) => Self::Slot(address, key),
        })
    }

    /// The address of the account.
    pub const fn address(&self) -> Address {
        match self {
            Self::Account(address)
            | Self::Balance(address)
            | Self::Nonce(address)
            | Self::Code(address)
            | Self::Storage(address)
            | Self::Slot(address, _) => *address,
        }
    }
}

/// A place of conflicts, with its cost.
#[derive(Clone, Debug, PartialEq)]
pub struct HotSpot {
    /// The place.
    pub place: Place,
    /// Number of dependent pairs that conflict over it.
    pub pairs: usize,
    /// Time of the transactions on the critical path that the next one waits for because of this place.
    pub path_time: Duration,
    /// The bound without conflicts over this place.
    pub bound_without: Option<f64>,
}

/// Granularity of a hot spot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Per {
    Account,
    Field,
}

impl Per {
    const fn spot(self, spot: Spot) -> Spot {
        match self {
            Self::Account => Spot::Account(spot.account()),
            Self::Field => spot,
        }
    }
}

/// The spots with the highest costs, hottest first, at most `count`.
pub(super) fn hottest(
    study: &Study,
    graph: &Graph,
    per: Per,
    threads: NonZeroUsize,
    count: usize,
) -> Vec<HotSpot> {
    let mut costs: Vec<_> = path_costs(study, graph, per).into_iter().collect();
    costs.sort_by_key(|(spot, cost)| (std::cmp::Reverse(*cost), *spot));
    let hot_spot = |(spot, cost): (Spot, u64)| {
        let cooler = graph.without(|other| per.spot(other) == spot);
        let tasks = study.tasks(&cooler, Start::AtOnce);
        Some(HotSpot {
            place: Place::of(spot, &study.names)?,
            pairs: pairs_over(graph, per, spot),
            path_time: Duration::from_nanos(cost),
            bound_without: speedup(&tasks, threads, Order::LongestPathFirst),
        })
    };
    costs.into_iter().filter_map(hot_spot).take(count).collect()
}

fn path_costs(study: &Study, graph: &Graph, per: Per) -> BTreeMap<Spot, u64> {
    let mut costs = BTreeMap::new();
    for pair in critical_path(&study.tasks(graph, Start::AtOnce)).parts.windows(2) {
        let ((on, part), (tx, _)) = (pair[0], pair[1]);
        for spot in spots_between(graph, on, tx, per) {
            *costs.entry(spot).or_default() += part;
        }
    }
    costs
}

fn spots_between(graph: &Graph, on: TxIndex, tx: TxIndex, per: Per) -> BTreeSet<Spot> {
    let dependencies = graph.dependencies()[tx].iter().filter(|dependency| dependency.on == on);
    dependencies.map(|dependency| per.spot(dependency.at)).collect()
}

fn pairs_over(graph: &Graph, per: Per, spot: Spot) -> usize {
    let others = graph.without(|other| per.spot(other) != spot);
    others.pairs()
}
