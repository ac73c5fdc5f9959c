//! Computes the bounds and bottlenecks of one block. No executor has to run the block for that.

use super::{
    graph::Graph,
    hot::{HotSpot, Per, hottest},
    model::{Model, Ordered},
    schedule::{Order, Task, critical_path, speedup},
    study::{Start, Study},
};
use crate::execution::location::TxIndex;
use std::{num::NonZeroUsize, time::Duration};

/// Number of hot contracts and of hot fields that are listed.
const HOT_SPOTS: usize = 10;

/// Bounds and bottlenecks of a block.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Time of all transactions, one after the other.
    pub total: Duration,
    /// Time of the phases before the first and after the last transaction.
    pub outside: Duration,
    /// Time of the longest transaction.
    pub longest_transaction: Duration,
    /// Time of the critical path.
    pub critical_path: Duration,
    /// Gas of all transactions, after refunds.
    pub gas: u64,
    /// Gas of the chain of dependent transactions that uses most gas.
    pub critical_path_gas: u64,
    /// Number of transactions in the longest chain.
    pub longest_chain: usize,
    /// Number of transactions without dependencies.
    pub independent: usize,
    /// Pairs of transactions. The second depends on the first.
    pub dependencies: Vec<(TxIndex, TxIndex)>,
    /// Bounds for each requested number of threads; empty for a block without transactions.
    pub bounds: Vec<Bounds>,
    /// The cost of doing without each refinement of [`Model::Fields`].
    pub ordered: Vec<OrderedCost>,
    /// Hot contracts, hottest first. [`HotSpot::bound_without`] is for the last number of threads.
    pub contracts: Vec<HotSpot>,
    /// Hot fields, in the same order and for the same number of threads.
    pub fields: Vec<HotSpot>,
}

/// Bounds of the speedup on a number of threads, one per conflict model or schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Number of threads.
    pub threads: NonZeroUsize,
    /// Without conflicts. Only the longest transaction limits the speedup.
    pub independent: f64,
    /// Conflicts by balance, nonce, code and slot, with the refinements of [`Model::Fields`].
    pub fields: f64,
    /// Conflicts as in `fields`. Each transaction starts only when all values that it will read are final.
    pub when_ready: f64,
    /// Conflicts as in `fields`. Each thread takes the next transaction of the block, and keeps it while it
    /// waits.
    pub in_order: f64,
    /// Conflicts by whole account.
    pub accounts: f64,
    /// Conflicts by whole account, except for fees and plain transfers.
    pub accounts_deferred: f64,
}

/// The cost of doing without one refinement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedCost {
    /// The operation that then happens in block order.
    pub ordered: Ordered,
    /// Number of dependent pairs in the whole block.
    pub pairs: usize,
    /// Time of the critical path.
    pub critical_path: Duration,
}

impl Analysis {
    /// Analyses a block. The bounds are for `threads`, which must be ascending.
    pub fn of(study: &Study, threads: &[NonZeroUsize]) -> Self {
        let (times, gas) = (&study.times.transactions, study.gas());
        let graph = study.graph(Model::Fields);
        let most = threads.last().copied().unwrap_or(NonZeroUsize::MIN);
        let hottest = |per| hottest(study, &graph, per, most, HOT_SPOTS);
        Self {
            total: study.times.all_transactions(),
            outside: Duration::from_nanos(study.times.before + study.times.after),
            longest_transaction: Duration::from_nanos(times.iter().copied().max().unwrap_or(0)),
            critical_path: path_time(study, &graph),
            gas: gas.iter().sum(),
            critical_path_gas: critical_path(&study.weighed(&graph, &gas, Start::AtOnce)).length,
            longest_chain: graph.longest_chain(),
            independent: graph.independent(),
            dependencies: graph.edges().collect(),
            bounds: bounds(study, &graph, threads),
            ordered: Ordered::ALL.map(|ordered| ordered_cost(study, ordered)).to_vec(),
            contracts: hottest(Per::Account),
            fields: hottest(Per::Field),
        }
    }

    /// Time of all transactions / time of the critical path. This is the bound on any number of threads; `None`
    /// for a block without transactions.
    pub fn parallelism(&self) -> Option<f64> {
        let some = !self.critical_path.is_zero();
        some.then(|| self.total.div_duration_f64(self.critical_path))
    }

    /// Gas of all transactions / gas of the critical path; `None` without gas.
    pub fn parallelism_gas(&self) -> Option<f64> {
        let path = self.critical_path_gas;
        (path > 0).then(|| self.gas as f64 / path as f64)
    }

    /// The contract or field that lowers the bound most, at the last number of threads; `None` if the bound
    /// would not rise without any of them.
    pub fn worst(&self) -> Option<&HotSpot> {
        let now = self.bounds.last()?.fields;
        // `max_by` returns the last of equal elements: a field rather than its whole contract.
        let spots = self.contracts.iter().chain(&self.fields);
        let rises = spots.filter_map(|spot| Some((spot, spot.bound_without?)));
        let rises = rises.filter(|(_, bound)| *bound > now);
        rises.max_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(spot, _)| spot)
    }
}

fn bounds(study: &Study, fields: &Graph, threads: &[NonZeroUsize]) -> Vec<Bounds> {
    let tasks = |model| study.tasks(&study.graph(model), Start::AtOnce);
    let independent = tasks(Model::Independent);
    let accounts = tasks(Model::Accounts);
    let accounts_deferred = tasks(Model::AccountsDeferred);
    let when_ready = study.tasks(fields, Start::WhenReady);
    let fields = study.tasks(fields, Start::AtOnce);
    let at = |threads: &NonZeroUsize| {
        let bound = |tasks: &[Task], order| speedup(tasks, *threads, order);
        Some(Bounds {
            threads: *threads,
            independent: bound(&independent, Order::LongestPathFirst)?,
            fields: bound(&fields, Order::LongestPathFirst)?,
            when_ready: bound(&when_ready, Order::LongestPathFirst)?,
            in_order: bound(&fields, Order::BlockOrder)?,
            accounts: bound(&accounts, Order::LongestPathFirst)?,
            accounts_deferred: bound(&accounts_deferred, Order::LongestPathFirst)?,
        })
    };
    threads.iter().filter_map(at).collect()
}

fn ordered_cost(study: &Study, ordered: Ordered) -> OrderedCost {
    let graph = study.graph(Model::FieldsBut(ordered));
    OrderedCost { ordered, pairs: graph.pairs(), critical_path: path_time(study, &graph) }
}

fn path_time(study: &Study, graph: &Graph) -> Duration {
    Duration::from_nanos(critical_path(&study.tasks(graph, Start::AtOnce)).length)
}
