//! The JSON of a block, and whether it is the block that was asked for.
//!
//! Checked are the number, the header's hash, and the hash of every transaction, each against what the
//! node states itself. That catches a node, proxy or cache that mixed blocks up or left fields out.
//! It does not prove that the transactions, ommers and withdrawals are those of the header: deriving
//! the roots is left to `block::prepare`.

use alloy_consensus::{Block, BlockBody, Header, TxEnvelope};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4895::{Withdrawal, Withdrawals},
};
use alloy_primitives::{B256, BlockNumber, keccak256};
use alloy_rpc_types_eth::Transaction;
use serde::Deserialize;
use serde_json::Value;

use super::{error::FetchError, redact::SafeText};

/// A block as `eth_getBlockByNumber` answers it, with whole transactions.
#[derive(Debug, Deserialize)]
pub(super) struct BlockAnswer {
    /// The hash that the node states.
    hash: B256,
    #[serde(flatten)]
    header: Header,
    /// Decoded one by one, so that an error can name the transaction.
    transactions: Vec<Value>,
    #[serde(default)]
    uncles: Vec<B256>,
    #[serde(default)]
    withdrawals: Option<Withdrawals>,
}

/// A block that is the one asked for, less its ommers.
#[derive(Debug)]
pub(super) struct CheckedBlock {
    pub(super) hash: B256,
    pub(super) header: Header,
    pub(super) ommer_hashes: Vec<B256>,
    transactions: Vec<TxEnvelope>,
    withdrawals: Option<Withdrawals>,
}

impl BlockAnswer {
    /// Holds the answer against the number asked for and against itself. `safe` makes what is wrong
    /// with a transaction printable.
    pub(super) fn check(
        self,
        number: BlockNumber,
        safe: impl Fn(&serde_json::Error) -> SafeText,
    ) -> Result<CheckedBlock, FetchError> {
        let Self { hash, header, transactions, uncles, withdrawals } = self;
        if header.number != number {
            return Err(FetchError::WrongNumber { number, found: header.number });
        }
        let computed = header.hash_slow();
        if computed != hash {
            return Err(FetchError::WrongHash { number, stated: hash, computed });
        }
        // Some nodes list none where there could be none, which is not the same to the header.
        let is_before_shanghai = header.withdrawals_root.is_none();
        let withdrawals = withdrawals.filter(|all| !(is_before_shanghai && all.is_empty()));
        let transactions = transactions.into_iter().enumerate();
        let transactions = transactions
            .map(|(index, json)| transaction(number, index, json, &safe))
            .collect::<Result<_, _>>()?;
        Ok(CheckedBlock { hash, header, ommer_hashes: uncles, transactions, withdrawals })
    }
}

impl CheckedBlock {
    /// In block order.
    pub(super) fn transactions(&self) -> &[TxEnvelope] {
        &self.transactions
    }

    /// None before Shanghai.
    pub(super) fn withdrawals(&self) -> &[Withdrawal] {
        self.withdrawals.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The whole block.
    pub(super) fn with_ommers(self, ommers: Vec<Header>) -> Block<TxEnvelope> {
        let Self { header, transactions, withdrawals, .. } = self;
        Block { header, body: BlockBody { transactions, ommers, withdrawals } }
    }
}

/// Decodes a transaction and derives its hash. The decoder takes the stated hash on trust.
fn transaction(
    number: BlockNumber,
    index: usize,
    json: Value,
    safe: impl Fn(&serde_json::Error) -> SafeText,
) -> Result<TxEnvelope, FetchError> {
    if json.is_string() {
        return Err(FetchError::BareTransaction { number, index });
    }
    let transaction: Transaction = serde_json::from_value(json)
        .map_err(|error| FetchError::UnknownTransaction { number, index, source: safe(&error) })?;
    let transaction = transaction.into_inner();
    let (stated, computed) = (*transaction.tx_hash(), keccak256(transaction.encoded_2718()));
    if stated != computed {
        return Err(FetchError::WrongTransaction { number, index, stated, computed });
    }
    Ok(transaction)
}
