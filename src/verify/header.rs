//! Compares an outcome with the block's header.

use crate::{
    block::{BlockAccessList, ListDifference, Proof, ReceiptStatus, ReplayJob},
    evm::Receipt,
    execution::{BlockOutcome, ExecuteError, ListError},
};
use alloy_consensus::{
    Eip658Value, ReceiptEnvelope, ReceiptWithBloom, TxReceipt, proofs::calculate_receipt_root,
};
use alloy_primitives::{B256, Bloom, logs_bloom};
use std::fmt;

/// A field of the header that an outcome is compared with (Yellow Paper, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// Gas used.
    GasUsed,
    /// Blob gas used (EIP-4844).
    BlobGasUsed,
    /// Bloom filter of all logs.
    LogsBloom,
    /// Root of the trie of receipts.
    ReceiptsRoot,
    /// Hash of the requests (EIP-7685).
    RequestsHash,
    /// Hash of the block access list (EIP-7928).
    AccessListHash,
    /// Number of items in the block access list, at most a 2000th of the gas limit (EIP-7928).
    AccessListSize,
    /// Root of the state trie.
    StateRoot,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GasUsed => "gas used",
            Self::BlobGasUsed => "blob gas used",
            Self::LogsBloom => "logs bloom",
            Self::ReceiptsRoot => "receipts root",
            Self::RequestsHash => "requests hash",
            Self::AccessListHash => "block access list hash",
            Self::AccessListSize => "block access list size",
            Self::StateRoot => "state root",
        })
    }
}

/// Result of the comparison with the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All fields equal the header.
    Match,
    /// The first field that differs.
    Mismatch {
        /// The field that differs.
        at: Check,
        /// The value in the header.
        expected: String,
        /// The value that the executor produced.
        actual: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match => f.write_str("match"),
            Self::Mismatch { at, expected, actual } => {
                write!(f, "{at} is {actual}, but the header has {expected}")
            }
        }
    }
}

/// The extent to which a result can be compared with the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedTo {
    /// Everything up to the state root: a witness proved the pre-state.
    StateRoot,
    /// Gas, receipts root, bloom and requests only: the flat pre-state has no proof. Before Byzantium, receipts
    /// hold state roots, so the receipts root cannot be compared either.
    Receipts,
    /// Receipts and state of a sequential run of the same block. The block is merged from several, so the chain says
    /// nothing about it.
    SequentialRun,
}

impl VerifiedTo {
    /// The extent to which outcomes of this block can be compared.
    pub const fn of(job: &ReplayJob) -> Self {
        match job.proof {
            Proof::Witness { .. } => Self::StateRoot,
            Proof::None => Self::Receipts,
            Proof::SequentialRun => Self::SequentialRun,
        }
    }

    /// The value in the column `verified_to`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::StateRoot => "state-root",
            Self::Receipts => "receipts",
            Self::SequentialRun => "sequential-run",
        }
    }
}

impl fmt::Display for VerifiedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Compares an outcome and the resulting state root with the job's header. `None` means that the root cannot be
/// computed. [`VerifiedTo::of`] gives the extent of the verdict.
pub fn check(job: &ReplayJob, outcome: &BlockOutcome, state_root: Option<B256>) -> Verdict {
    let header = &job.header;
    let checks = [
        compare(Check::GasUsed, &header.gas_used, &outcome.gas_used),
        header
            .blob_gas_used
            .and_then(|expected| compare(Check::BlobGasUsed, &expected, &outcome.blob_gas_used)),
        compare(Check::LogsBloom, &header.logs_bloom, &bloom(&outcome.receipts)),
        receipts_root(job, &outcome.receipts)
            .and_then(|root| compare(Check::ReceiptsRoot, &header.receipts_root, &root)),
        header.requests_hash.and_then(|expected| {
            compare(Check::RequestsHash, &expected, &outcome.requests.requests_hash())
        }),
        access_list(job),
        state_root.and_then(|root| compare(Check::StateRoot, &header.state_root, &root)),
    ];
    checks.into_iter().flatten().next().unwrap_or(Verdict::Match)
}

/// Gas for each item of a block access list (EIP-7928).
const GAS_PER_ITEM: u64 = 2_000;

/// Compares the access list that the block has by its execution with the header. A mismatch names the first
/// entry that differs, if the block's own list is known.
fn access_list(job: &ReplayJob) -> Option<Verdict> {
    let BlockAccessList { executed, own } = job.access_list.as_ref()?;
    let expected = job.header.block_access_list_hash.unwrap_or_default();
    if let Some(difference) = own.as_ref().and_then(|own| own.difference.as_ref()) {
        return Some(list_mismatch(expected, executed.hash, difference));
    }
    let most = job.header.gas_limit / GAS_PER_ITEM;
    compare(Check::AccessListHash, &expected, &executed.hash).or_else(|| {
        (executed.items > most).then(|| Verdict::Mismatch {
            at: Check::AccessListSize,
            expected: format!("at most {most} items"),
            actual: format!("{} items", executed.items),
        })
    })
}

/// The verdict on a block that could not be executed, if its own access list is the reason. The list differs from
/// the execution then, so the block is wrong and not the executor.
pub fn wrong_list(job: &ReplayJob, error: &ExecuteError) -> Option<Verdict> {
    let BlockAccessList { executed, own } = job.access_list.as_ref()?;
    let difference = own.as_ref()?.difference.as_ref()?;
    let named = match error {
        ExecuteError::AccessList(ListError::Differs(named)) => named,
        _ => difference,
    };
    let expected = job.header.block_access_list_hash.unwrap_or_default();
    Some(list_mismatch(expected, executed.hash, named))
}

/// The verdict on a block whose own list differs from its execution.
fn list_mismatch(expected: B256, actual: B256, difference: &ListDifference) -> Verdict {
    Verdict::Mismatch {
        at: Check::AccessListHash,
        expected: format!("{expected:?}, and its list differs from the execution: {difference}"),
        actual: format!("{actual:?}"),
    }
}

fn compare<T: PartialEq + fmt::Debug>(at: Check, expected: &T, actual: &T) -> Option<Verdict> {
    (expected != actual).then(|| Verdict::Mismatch {
        at,
        expected: format!("{expected:?}"),
        actual: format!("{actual:?}"),
    })
}

/// Writes the results of a sequential run into the header of a merged block, so that other outcomes are compared with
/// them.
pub fn seal(job: &mut ReplayJob, outcome: &BlockOutcome) {
    job.header.gas_used = outcome.gas_used;
    job.header.blob_gas_used = job.header.blob_gas_used.map(|_| outcome.blob_gas_used);
    job.header.logs_bloom = bloom(&outcome.receipts);
    job.header.receipts_root = calculate_receipt_root(&with_blooms(&[], &outcome.receipts));
    job.header.requests_hash = job.header.requests_hash.map(|_| outcome.requests.requests_hash());
    job.hash = job.header.hash_slow();
}

fn bloom(receipts: &[Receipt]) -> Bloom {
    logs_bloom(receipts.iter().flat_map(TxReceipt::logs))
}

/// The root of the receipt trie; `None` if it cannot be computed. Before Byzantium, receipts hold the state
/// root after their transaction, which `prepare` computed in block order.
fn receipts_root(job: &ReplayJob, receipts: &[Receipt]) -> Option<B256> {
    let roots: &[B256] = match &job.receipt_status {
        ReceiptStatus::Success => &[],
        ReceiptStatus::Roots { roots, .. } => roots,
        ReceiptStatus::UnknownRoots => return None,
    };
    Some(calculate_receipt_root(&with_blooms(roots, receipts)))
}

/// Receipts in consensus encoding. The available `roots` replace the status.
fn with_blooms(roots: &[B256], receipts: &[Receipt]) -> Vec<ReceiptEnvelope> {
    let mut roots = roots.iter();
    let envelope = |receipt: &Receipt| {
        let status = match roots.next() {
            Some(root) => Eip658Value::PostState(*root),
            None => Eip658Value::Eip658(receipt.success),
        };
        let inner = alloy_consensus::Receipt {
            status,
            cumulative_gas_used: receipt.cumulative_gas_used,
            logs: receipt.logs.clone(),
        };
        let logs_bloom = inner.bloom_slow();
        ReceiptEnvelope::from_typed(
            receipt.tx_type,
            ReceiptWithBloom { receipt: inner, logs_bloom },
        )
    };
    receipts.iter().map(envelope).collect()
}
