//! All that can be said about one block before any executor has run it.

use super::{
    graph::Graph,
    hot::{HotSpot, Per, hottest},
    model::{Model, Ordered},
    schedule::{Order, Task, critical_path, speedup},
    study::{Start, Study},
};
use crate::executor::access::TxIndex;
use std::{num::NonZeroUsize, time::Duration};

/// How many hot contracts and slots are listed.
const HOT_SPOTS: usize = 10;

/// What a block allows, and what stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    /// Of all transactions, one after the other.
    pub total: Duration,
    /// Of the phases before the first and after the last transaction.
    pub outside: Duration,
    /// Of the longest transaction.
    pub longest_transaction: Duration,
    /// Of the chain of dependent transactions that takes longest.
    pub critical_path: Duration,
    /// Of all transactions, after refunds.
    pub gas: u64,
    /// Of the chain of dependent transactions that uses most.
    pub critical_path_gas: u64,
    /// Transactions of the chain that has most.
    pub longest_chain: usize,
    /// Transactions that depend on no other.
    pub independent: usize,
    /// Pairs of transactions of which the second depends on the first.
    pub dependencies: Vec<(TxIndex, TxIndex)>,
    /// One for each number of threads that was asked for; none for a block without transactions.
    pub bounds: Vec<Bounds>,
    /// What each of the refinements of fields is worth.
    pub ordered: Vec<OrderedCost>,
    /// Hottest first. [`HotSpot::bound_without`] is at the last number of threads.
    pub contracts: Vec<HotSpot>,
    /// Hottest first, as above.
    pub fields: Vec<HotSpot>,
}

/// Bounds of the speedup on a number of threads, by what counts as a conflict.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// All that may take part.
    pub threads: NonZeroUsize,
    /// Where nothing does: only the longest transaction is in the way.
    pub independent: f64,
    /// Balance, nonce, code and slot, and the refinements of [`Model::Fields`].
    pub fields: f64,
    /// The same, each transaction starting only when all that it will read is there.
    pub when_ready: f64,
    /// As `fields`, each thread taking the next transaction of the block and waiting with it.
    pub in_order: f64,
    /// Whole accounts.
    pub accounts: f64,
    /// Whole accounts, but for fees and plain transfers.
    pub accounts_deferred: f64,
}

/// What it would cost to do without a refinement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderedCost {
    /// What happens in block order then.
    pub ordered: Ordered,
    /// Dependent pairs, in all.
    pub pairs: usize,
    /// In all.
    pub critical_path: Duration,
}

impl Analysis {
    /// Analyses a block, with bounds for these numbers of threads, ascending.
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

    /// Time of all transactions over that of the critical path: the bound on any number of threads;
    /// `None` for a block without transactions.
    pub fn parallelism(&self) -> Option<f64> {
        let some = !self.critical_path.is_zero();
        some.then(|| self.total.div_duration_f64(self.critical_path))
    }

    /// The same, in gas.
    pub fn parallelism_gas(&self) -> Option<f64> {
        let path = self.critical_path_gas;
        (path > 0).then(|| self.gas as f64 / path as f64)
    }

    /// The contract or field without which the bound at the last number of threads would rise most, if
    /// it would rise at all.
    pub fn worst(&self) -> Option<&HotSpot> {
        let now = self.bounds.last()?.fields;
        // Of equals the last counts: a field rather than its whole contract.
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
