//! Reads the rows of an analysis back, so that the results of several processes become one report.

use super::{
    BlockResult,
    analyses::{BLOCKS, BOUNDS, CONFLICTS, DEPENDENCIES, IN_ORDER, STORAGE_TRIES, TRANSACTIONS},
};
use crate::{
    insight::{
        Analysis, Bounds, HotSpot, NodeCount, Ordered, OrderedCost, Place, RootWork, StorageWork,
    },
    report::{
        BlockFacts,
        analysis::{AnalysedBlock, AnalysedTransaction},
    },
};
use alloy_primitives::{Address, B256, U256};
use serde::Deserialize;
use std::{num::NonZeroUsize, time::Duration};

impl BlockResult {
    /// The analysis of a block of `analyze`; `None` for a block of another command. Values that a report derives from
    /// others are derived again.
    ///
    /// # Errors
    /// If a row lacks a value, or has one of another type.
    pub fn analysed(&self) -> Result<Option<AnalysedBlock>, serde_json::Error> {
        let mut blocks: Vec<BlockRow> = self.rows(BLOCKS)?;
        let Some(block) = blocks.pop() else { return Ok(None) };
        let transactions: Vec<TransactionRow> = self.rows(TRANSACTIONS)?;
        let dependencies: Vec<DependencyRow> = self.rows(DEPENDENCIES)?;
        let bounds: Vec<BoundsRow> = self.rows(BOUNDS)?;
        let in_order: Vec<OrderedRow> = self.rows(IN_ORDER)?;
        let tries: Vec<StorageRow> = self.rows(STORAGE_TRIES)?;
        let conflicts: Vec<ConflictRow> = self.rows(CONFLICTS)?;
        let hot = |scope: &str| {
            let own = conflicts.iter().filter(|row| row.scope == scope);
            own.filter_map(ConflictRow::spot).collect()
        };
        let root = block.root(&tries);
        let facts = BlockFacts {
            chain_id: self.chain_id,
            number: self.block_number,
            hash: self.block_hash,
            fork: block.fork,
            transactions: block.transactions,
            gas_used: block.gas_used,
            gas_limit: block.gas_limit,
            timestamp: block.timestamp,
            confirmed: block.confirmed_by.as_deref().and_then(|by| by.parse().ok()),
        };
        let analysis = Analysis {
            total: Duration::from_nanos(block.total_ns),
            outside: Duration::from_nanos(block.outside_ns),
            longest_transaction: Duration::from_nanos(block.longest_transaction_ns),
            critical_path: Duration::from_nanos(block.critical_path_ns),
            gas: transactions.iter().map(|row| row.gas_used).sum(),
            critical_path_gas: block.critical_path_gas,
            longest_chain: block.longest_chain,
            independent: transactions.iter().filter(|row| row.dependencies == 0).count(),
            dependencies: dependencies
                .iter()
                .map(|row| (row.depends_on_index, row.transaction_index))
                .collect(),
            bounds: bounds.iter().map(BoundsRow::bounds).collect(),
            ordered: in_order.iter().filter_map(OrderedRow::cost).collect(),
            contracts: hot("contract"),
            fields: hot("field"),
        };
        let transactions = transactions.iter().map(TransactionRow::transaction).collect();
        Ok(Some(AnalysedBlock { facts, analysis, root, transactions }))
    }
}

#[derive(Deserialize)]
struct BlockRow {
    fork: String,
    timestamp: u64,
    gas_limit: u64,
    gas_used: u64,
    transactions: usize,
    // Releases before this column had no confirmation here.
    confirmed_by: Option<String>,
    total_ns: u64,
    outside_ns: u64,
    longest_transaction_ns: u64,
    critical_path_ns: u64,
    critical_path_gas: u64,
    longest_chain: usize,
    root_ns: Option<u64>,
    root_nodes: Option<usize>,
    root_bytes: Option<usize>,
}

impl BlockRow {
    /// The work of the state root; `None` without a proof.
    fn root(&self, tries: &[StorageRow]) -> Option<RootWork> {
        Some(RootWork {
            time: Duration::from_nanos(self.root_ns?),
            nodes: NodeCount { count: self.root_nodes?, bytes: self.root_bytes? },
            storage_tries: tries.iter().map(StorageRow::work).collect(),
        })
    }
}

#[derive(Deserialize)]
struct StorageRow {
    address: Address,
    slots: usize,
    nodes: usize,
    bytes: usize,
}

impl StorageRow {
    const fn work(&self) -> StorageWork {
        let nodes = NodeCount { count: self.nodes, bytes: self.bytes };
        StorageWork { address: self.address, slots: self.slots, nodes }
    }
}

#[derive(Deserialize)]
struct TransactionRow {
    transaction_hash: B256,
    gas_used: u64,
    execute_ns: u64,
    dependencies: usize,
    bound_end_ns: Option<u64>,
}

impl TransactionRow {
    fn transaction(&self) -> AnalysedTransaction {
        AnalysedTransaction {
            hash: self.transaction_hash,
            gas_used: self.gas_used,
            time: Duration::from_nanos(self.execute_ns),
            bound_end: self.bound_end_ns.map(Duration::from_nanos),
        }
    }
}

#[derive(Deserialize)]
struct DependencyRow {
    transaction_index: usize,
    depends_on_index: usize,
}

#[derive(Deserialize)]
struct BoundsRow {
    threads: NonZeroUsize,
    fields: f64,
    when_ready: f64,
    in_order: f64,
    independent: f64,
    accounts: f64,
    accounts_deferred: f64,
}

impl BoundsRow {
    const fn bounds(&self) -> Bounds {
        Bounds {
            threads: self.threads,
            independent: self.independent,
            fields: self.fields,
            when_ready: self.when_ready,
            in_order: self.in_order,
            accounts: self.accounts,
            accounts_deferred: self.accounts_deferred,
        }
    }
}

#[derive(Deserialize)]
struct OrderedRow {
    what: String,
    dependent_pairs: usize,
    critical_path_ns: u64,
}

impl OrderedRow {
    /// `None` for a refinement of another release.
    fn cost(&self) -> Option<OrderedCost> {
        let ordered = match self.what.as_str() {
            "beneficiary" => Ordered::Fees,
            "nonces" => Ordered::Nonces,
            "balances" => Ordered::Balances,
            _ => return None,
        };
        let critical_path = Duration::from_nanos(self.critical_path_ns);
        Some(OrderedCost { ordered, pairs: self.dependent_pairs, critical_path })
    }
}

#[derive(Deserialize)]
struct ConflictRow {
    scope: String,
    kind: String,
    address: Address,
    slot: Option<B256>,
    pairs: usize,
    path_ns: u64,
    bound_without: Option<f64>,
}

impl ConflictRow {
    /// `None` for a kind of another release.
    fn spot(&self) -> Option<HotSpot> {
        let address = self.address;
        let place = match (self.kind.as_str(), self.slot) {
            ("account", _) => Place::Account(address),
            ("balance", _) => Place::Balance(address),
            ("nonce", _) => Place::Nonce(address),
            ("code", _) => Place::Code(address),
            ("storage", _) => Place::Storage(address),
            ("slot", Some(key)) => Place::Slot(address, U256::from_be_bytes(key.0)),
            _ => return None,
        };
        Some(HotSpot {
            place,
            pairs: self.pairs,
            path_time: Duration::from_nanos(self.path_ns),
            bound_without: self.bound_without,
        })
    }
}
