//! Where a block's conflicts meet: contracts and slots by what they cost.
//!
//! Only what lies on the critical path slows a block down on many threads, so that is where a spot's
//! cost is counted: the time of every transaction on the path that the next one waited for over it. What
//! would be gained without it is less, since the second longest path then counts.

use super::{
    graph::Graph,
    model::Spot,
    schedule::{Order, critical_path, speedup},
    study::{Start, Study},
};
use crate::{
    executor::access::{Location, TxIndex},
    state::Names,
};
use alloy_primitives::{Address, U256};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroUsize,
    time::Duration,
};

/// A spot, by the names that people use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// An account with all that it has.
    Account(Address),
    /// Its balance.
    Balance(Address),
    /// Its nonce.
    Nonce(Address),
    /// Its code.
    Code(Address),
    /// Its storage, emptied as a whole.
    Storage(Address),
    /// One of its slots, by key.
    Slot(Address, U256),
}

impl Place {
    /// The name of a spot; `None` if the account or slot has no number in the state before the block.
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

    /// The account that it is or belongs to.
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

/// Something that transactions conflict over, and what it costs.
#[derive(Clone, Debug, PartialEq)]
pub struct HotSpot {
    /// What.
    pub place: Place,
    /// Pairs of transactions of which the later depends on the earlier over it.
    pub pairs: usize,
    /// Time of the transactions on the critical path that the next one waited for over it.
    pub path_time: Duration,
    /// The bound if nobody conflicted over it.
    pub bound_without: Option<f64>,
}

/// What to count as one hot spot.
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

/// The spots that cost most, hottest first, at most `count`.
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
