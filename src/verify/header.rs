//! Compares an outcome with the block's header.

use crate::{block::ReplayJob, evm::Receipt, executor::BlockOutcome};
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
    /// Gas of blobs (EIP-4844).
    BlobGasUsed,
    /// Bloom filter of all logs.
    LogsBloom,
    /// Root of the trie of receipts.
    ReceiptsRoot,
    /// Hash of the requests (EIP-7685).
    RequestsHash,
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
            Self::StateRoot => "state root",
        })
    }
}

/// What comparing came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Equal to the header in every field.
    Match,
    /// The first field that differs.
    Mismatch {
        /// Which.
        at: Check,
        /// What the header says.
        expected: String,
        /// What the executor produced.
        actual: String,
    },
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Match => f.write_str("match"),
            Self::Mismatch { at, expected, actual } => {
                write!(f, "{at} is {actual}, the header says {expected}")
            }
        }
    }
}

/// Compares an outcome, and the state root that follows from it, with the job's header.
pub fn check(job: &ReplayJob, outcome: &BlockOutcome, state_root: B256) -> Verdict {
    let header = &job.header;
    let receipts = with_blooms(job, &outcome.receipts);
    let requests_hash = header.requests_hash.map(|_| outcome.requests.requests_hash());
    let blob_gas = header.blob_gas_used.map(|_| outcome.blob_gas_used);
    let checks = [
        compare(Check::GasUsed, &header.gas_used, &outcome.gas_used),
        compare(Check::BlobGasUsed, &header.blob_gas_used, &blob_gas),
        compare(Check::LogsBloom, &header.logs_bloom, &bloom(&outcome.receipts)),
        compare(Check::ReceiptsRoot, &header.receipts_root, &calculate_receipt_root(&receipts)),
        compare(Check::RequestsHash, &header.requests_hash, &requests_hash),
        compare(Check::StateRoot, &header.state_root, &state_root),
    ];
    checks.into_iter().flatten().next().unwrap_or(Verdict::Match)
}

fn compare<T: PartialEq + fmt::Debug>(at: Check, expected: &T, actual: &T) -> Option<Verdict> {
    (expected != actual).then(|| Verdict::Mismatch {
        at,
        expected: format!("{expected:?}"),
        actual: format!("{actual:?}"),
    })
}

fn bloom(receipts: &[Receipt]) -> Bloom {
    logs_bloom(receipts.iter().flat_map(TxReceipt::logs))
}

/// Receipts as consensus encodes them. Before Byzantium they hold the state root after their
/// transaction, which `prepare` computed in block order.
fn with_blooms(job: &ReplayJob, receipts: &[Receipt]) -> Vec<ReceiptEnvelope> {
    let mut roots = job.receipt_roots.iter();
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
