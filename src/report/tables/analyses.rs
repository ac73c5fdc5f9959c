//! The tables of `analyze`: by block, by number of threads, by transaction, by dependency and by conflict.

use super::{BlockResult, Column, Table, decimal, header_columns, or_null, text, whole};
use crate::{
    block::Confirmation,
    report::{
        ReportError,
        analysis::{
            AnalysedBlock, AnalysedTransaction,
            json::{BoundsRecord, OrderedRecord, WorkRecord, storage_records},
            place::HotSpotRecord,
        },
        record::nanoseconds,
    },
};
use alloy_primitives::B256;
use serde::Serialize;
use serde_json::Value;

pub(super) const BLOCKS: &str = "blocks";
pub(super) const BOUNDS: &str = "bounds";
pub(super) const IN_ORDER: &str = "in_order";
pub(super) const TRANSACTIONS: &str = "transactions";
pub(super) const DEPENDENCIES: &str = "dependencies";
pub(super) const CONFLICTS: &str = "conflicts";
pub(super) const STORAGE_TRIES: &str = "storage_tries";

const BLOCK_COLUMNS: [Column; 22] = [
    text("fork"),
    whole("timestamp"),
    whole("gas_limit"),
    whole("gas_used"),
    whole("transactions"),
    text("header"),
    or_null(text("confirmed_by")),
    whole("total_ns"),
    whole("outside_ns"),
    whole("longest_transaction_ns"),
    whole("critical_path_ns"),
    whole("critical_path_gas"),
    or_null(decimal("parallelism")),
    or_null(decimal("parallelism_gas")),
    whole("longest_chain"),
    or_null(decimal("independent_share")),
    whole("dependent_pairs"),
    or_null(whole("root_ns")),
    or_null(decimal("root_share")),
    or_null(whole("root_nodes")),
    or_null(whole("root_bytes")),
    text("machine"),
];

const STORAGE_COLUMNS: [Column; 6] = [
    text("address"),
    or_null(text("name")),
    whole("slots"),
    whole("nodes"),
    whole("bytes"),
    text("machine"),
];

const BOUND_COLUMNS: [Column; 8] = [
    whole("threads"),
    decimal("fields"),
    decimal("when_ready"),
    decimal("in_order"),
    decimal("independent"),
    decimal("accounts"),
    decimal("accounts_deferred"),
    text("machine"),
];

const IN_ORDER_COLUMNS: [Column; 4] =
    [text("what"), whole("dependent_pairs"), whole("critical_path_ns"), text("machine")];

const TRANSACTION_COLUMNS: [Column; 8] = [
    whole("timestamp"),
    whole("transaction_index"),
    text("transaction_hash"),
    whole("gas_used"),
    whole("execute_ns"),
    whole("dependencies"),
    or_null(whole("bound_end_ns")),
    text("machine"),
];

const DEPENDENCY_COLUMNS: [Column; 3] =
    [whole("transaction_index"), whole("depends_on_index"), text("machine")];

const CONFLICT_COLUMNS: [Column; 9] = [
    text("scope"),
    text("kind"),
    text("address"),
    or_null(text("name")),
    or_null(text("slot")),
    whole("pairs"),
    whole("path_ns"),
    or_null(decimal("bound_without")),
    text("machine"),
];

pub(super) const TABLES: [Table; 7] = [
    Table { name: BLOCKS, columns: &BLOCK_COLUMNS },
    Table { name: BOUNDS, columns: &BOUND_COLUMNS },
    Table { name: IN_ORDER, columns: &IN_ORDER_COLUMNS },
    Table { name: TRANSACTIONS, columns: &TRANSACTION_COLUMNS },
    Table { name: DEPENDENCIES, columns: &DEPENDENCY_COLUMNS },
    Table { name: CONFLICTS, columns: &CONFLICT_COLUMNS },
    Table { name: STORAGE_TRIES, columns: &STORAGE_COLUMNS },
];

impl BlockResult {
    /// The rows of an analysed block. `machine` names the machine of the analysis.
    ///
    /// # Errors
    /// [`ReportError::Json`].
    pub fn of_analysis(block: &AnalysedBlock, machine: &str) -> Result<Self, ReportError> {
        let AnalysedBlock { facts, analysis, transactions, .. } = block;
        let mut result = Self::new(facts, false);
        result.add(BLOCKS, [AnalysisRecord::new(block)])?;
        result.set(BLOCKS, &header_columns(facts));
        result.add(BOUNDS, analysis.bounds.iter().map(BoundsRecord::new))?;
        result.add(IN_ORDER, analysis.ordered.iter().map(OrderedRecord::new))?;
        let dependencies = &analysis.dependencies;
        let mut counts = vec![0; transactions.len()];
        for (_, later) in dependencies {
            counts.get_mut(*later).into_iter().for_each(|count| *count += 1);
        }
        let rows = transactions.iter().zip(counts).enumerate();
        let record = |(tx, (row, count))| TransactionRecord::new(tx, row, count);
        result.add(TRANSACTIONS, rows.map(record))?;
        result.set(TRANSACTIONS, &[("timestamp", facts.timestamp.into())]);
        result.add(DEPENDENCIES, dependencies.iter().map(DependencyRecord::new))?;
        let chain = facts.chain_id;
        let conflict =
            |scope| move |spot| ConflictRecord { scope, spot: HotSpotRecord::new(spot, chain) };
        let contracts = analysis.contracts.iter().map(conflict("contract"));
        let fields = analysis.fields.iter().map(conflict("field"));
        result.add(CONFLICTS, contracts.chain(fields))?;
        result.add(STORAGE_TRIES, storage_records(block))?;
        for table in &TABLES {
            result.set(table.name, &[("machine", Value::from(machine))]);
        }
        Ok(result)
    }
}

#[derive(Serialize)]
struct AnalysisRecord<'a> {
    fork: &'a str,
    transactions: usize,
    gas_used: u64,
    header: &'static str,
    confirmed_by: Option<String>,
    #[serde(flatten)]
    work: WorkRecord,
}

impl<'a> AnalysisRecord<'a> {
    fn new(block: &'a AnalysedBlock) -> Self {
        let facts = &block.facts;
        Self {
            fork: &facts.fork,
            transactions: facts.transactions,
            gas_used: facts.gas_used,
            header: Confirmation::level(facts.confirmed.as_ref()),
            confirmed_by: facts.confirmed.as_ref().map(ToString::to_string),
            work: WorkRecord::new(block),
        }
    }
}

#[derive(Serialize)]
struct TransactionRecord {
    transaction_index: usize,
    transaction_hash: B256,
    gas_used: u64,
    execute_ns: u64,
    dependencies: usize,
    bound_end_ns: Option<u64>,
}

impl TransactionRecord {
    fn new(index: usize, row: &AnalysedTransaction, dependencies: usize) -> Self {
        Self {
            transaction_index: index,
            transaction_hash: row.hash,
            gas_used: row.gas_used,
            execute_ns: nanoseconds(row.time),
            dependencies,
            bound_end_ns: row.bound_end.map(nanoseconds),
        }
    }
}

#[derive(Serialize)]
struct DependencyRecord {
    transaction_index: usize,
    depends_on_index: usize,
}

impl DependencyRecord {
    const fn new((earlier, later): &(usize, usize)) -> Self {
        Self { transaction_index: *later, depends_on_index: *earlier }
    }
}

#[derive(Serialize)]
struct ConflictRecord {
    /// Whether the conflict is counted by contract or by field.
    scope: &'static str,
    #[serde(flatten)]
    spot: HotSpotRecord,
}
