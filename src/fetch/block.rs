//! The JSON of a block, and the check that it is the requested block.
//!
//! The check covers the number, the header's hash, and the hash of every transaction. Each is
//! compared with what the node states itself. This catches a node, proxy or cache that mixes up
//! blocks or omits fields. It does not prove that transactions, ommers and withdrawals belong to
//! the header. `block::prepare` derives the roots for that.

use alloy_consensus::{Block, BlockBody, Header, TxEnvelope, TxType};
use alloy_eips::{
    eip2718::Encodable2718,
    eip4895::{Withdrawal, Withdrawals},
};
use alloy_primitives::{B256, BlockNumber, Bytes, keccak256};
use alloy_rpc_types_eth::Transaction;
use serde::Deserialize;
use serde_json::Value;

use crate::evm::{Chain, check_fields};

use super::{
    block_error::FetchError,
    proofs::{TraceMode, Wanted},
    redact::SafeText,
};

/// The header in an answer to `eth_getBlockByNumber`.
#[derive(Debug, Deserialize)]
pub(super) struct HeaderAnswer {
    /// The hash that the node states.
    hash: B256,
    #[serde(flatten)]
    header: Header,
}

impl HeaderAnswer {
    /// Checks the header against the requested number and the hash that the node states. The rules at the header, if
    /// known, explain a wrong hash.
    pub(super) fn check(
        self,
        number: BlockNumber,
        chain_at: impl FnOnce(&Header) -> Option<Chain>,
    ) -> Result<Header, FetchError> {
        let Self { hash, header } = self;
        if header.number != number {
            return Err(FetchError::WrongNumber { number, found: header.number });
        }
        let computed = header.hash_slow();
        if computed == hash {
            return Ok(header);
        }
        // A field that the fork does not have explains the difference.
        match chain_at(&header).map(|chain| check_fields(&chain, &header)) {
            Some(Err(source)) => Err(FetchError::WrongFields { number, source }),
            _ => Err(FetchError::WrongHash { number, stated: hash, computed }),
        }
    }
}

/// The answer to `eth_getBlockByNumber`, with whole transactions.
#[derive(Debug, Deserialize)]
pub(super) struct BlockAnswer {
    #[serde(flatten)]
    head: HeaderAnswer,
    /// Decoded one by one, so that an error can name the transaction.
    transactions: Vec<Value>,
    /// Some nodes send `null` for none.
    #[serde(default)]
    uncles: Option<Vec<B256>>,
    #[serde(default)]
    withdrawals: Option<Withdrawals>,
}

/// The requested block without its ommers.
#[derive(Debug)]
pub(super) struct CheckedBlock {
    pub(super) hash: B256,
    pub(super) header: Header,
    pub(super) ommer_hashes: Vec<B256>,
    /// RLP of the block access list (EIP-7928). Empty if the node has none.
    pub(super) access_list: Bytes,
    transactions: Vec<TxEnvelope>,
    withdrawals: Option<Withdrawals>,
}

impl BlockAnswer {
    /// Checks the answer against the requested number and the hashes that it states. The rules at the header, if known,
    /// explain a wrong hash. `safe` makes text from the node printable.
    pub(super) fn check(
        self,
        number: BlockNumber,
        chain_at: impl FnOnce(&Header) -> Option<Chain>,
        safe: impl Fn(&str) -> SafeText,
    ) -> Result<CheckedBlock, FetchError> {
        let Self { head, transactions, uncles, withdrawals } = self;
        let hash = head.hash;
        let header = head.check(number, chain_at)?;
        // Some nodes answer an empty list before Shanghai. The header distinguishes it from no
        // list.
        let is_before_shanghai = header.withdrawals_root.is_none();
        let withdrawals = withdrawals.filter(|all| !(is_before_shanghai && all.is_empty()));
        let transactions = transactions.into_iter().enumerate();
        let transactions = transactions
            .map(|(index, json)| transaction(number, index, json, &safe))
            .collect::<Result<_, _>>()?;
        let ommer_hashes = uncles.unwrap_or_default();
        let access_list = Bytes::new();
        Ok(CheckedBlock { hash, header, ommer_hashes, access_list, transactions, withdrawals })
    }
}

impl CheckedBlock {
    /// Transactions in block order.
    pub(super) fn transactions(&self) -> &[TxEnvelope] {
        &self.transactions
    }

    /// A trace of the transactions.
    pub(super) fn traced(&self, mode: TraceMode) -> Wanted<'_> {
        let Self { hash, header, transactions, .. } = self;
        Wanted { mode, header, hash: *hash, transactions }
    }

    /// Withdrawals. Empty before Shanghai.
    pub(super) fn withdrawals(&self) -> &[Withdrawal] {
        self.withdrawals.as_deref().map_or(&[], Vec::as_slice)
    }

    /// The whole block, with these ommers.
    pub(super) fn with_ommers(self, ommers: Vec<Header>) -> Block<TxEnvelope> {
        let Self { header, transactions, withdrawals, .. } = self;
        Block { header, body: BlockBody { transactions, ommers, withdrawals } }
    }
}

/// Decodes a transaction and derives its hash. The decoder does not check the stated hash.
fn transaction(
    number: BlockNumber,
    index: usize,
    mut json: Value,
    safe: impl Fn(&str) -> SafeText,
) -> Result<TxEnvelope, FetchError> {
    if json.is_string() {
        return Err(FetchError::BareTransaction { number, index });
    }
    strip_sidecar(&mut json);
    let stated_type = normalised_type(&mut json);
    if let Some(stated) = stated_type.filter(|stated| !is_known_type(stated)) {
        let stated = safe(&stated);
        return Err(FetchError::UnknownTransactionType { number, index, stated });
    }
    let transaction: Transaction = serde_json::from_value(json).map_err(|error| {
        FetchError::MalformedTransaction { number, index, source: safe(&error.to_string()) }
    })?;
    let transaction = transaction.into_inner();
    let (stated, computed) = (*transaction.tx_hash(), keccak256(transaction.encoded_2718()));
    if stated != computed {
        return Err(FetchError::WrongTransaction { number, index, stated, computed });
    }
    Ok(transaction)
}

/// The transaction's type as hex. A type that the node wrote as a number is replaced by hex.
fn normalised_type(json: &mut Value) -> Option<String> {
    let stated = json.get_mut("type")?;
    if let Some(number) = stated.as_u64() {
        *stated = Value::String(format!("{number:#x}"));
    }
    stated.as_str().map(str::to_owned)
}

/// Whether Ethereum has transactions of this type (EIP-2718).
fn is_known_type(stated: &str) -> bool {
    let number = u8::from_str_radix(stated.trim_start_matches("0x"), 16);
    number.is_ok_and(|number| TxType::try_from(number).is_ok())
}

/// Removes the blobs that anvil sends with a transaction. A block contains the transaction without them (EIP-4844).
fn strip_sidecar(json: &mut Value) {
    let Some(fields) = json.as_object_mut() else { return };
    for field in ["sidecar", "blobs", "commitments", "proofs", "cellProofs"] {
        fields.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use alloy_consensus::{SignableTransaction, TxEip4844};
    use alloy_primitives::{Address, Signature};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_sidecar_is_not_part_of_a_transaction() {
        let signed = TxEip4844::default().into_signed(Signature::test_signature());
        let hash = *signed.hash();
        let mut sent = serde_json::to_value(TxEnvelope::from(signed)).unwrap();
        sent["from"] = json!(Address::ZERO);
        for field in ["blobs", "commitments", "proofs"] {
            sent[field] = json!([]);
        }
        let safe = |error: &str| -> SafeText { panic!("{error}") };
        assert_eq!(*transaction(1, 0, sent, safe).unwrap().tx_hash(), hash);
    }

    #[test]
    fn uncles_may_be_null() {
        let mut sent = serde_json::to_value(Header::default()).unwrap();
        sent["hash"] = json!(Header::default().hash_slow());
        sent["transactions"] = json!([]);
        sent["uncles"] = Value::Null;
        let answer: BlockAnswer = serde_json::from_value(sent).unwrap();
        let safe = |error: &str| -> SafeText { panic!("{error}") };
        assert!(answer.check(0, |_| None, safe).unwrap().ommer_hashes.is_empty());
    }

    #[test]
    fn a_type_may_be_a_number() {
        let signed = TxEip4844::default().into_signed(Signature::test_signature());
        let hash = *signed.hash();
        let mut sent = serde_json::to_value(TxEnvelope::from(signed)).unwrap();
        sent["from"] = json!(Address::ZERO);
        sent["type"] = json!(3);
        let safe = |error: &str| -> SafeText { panic!("{error}") };
        assert_eq!(*transaction(1, 0, sent, safe).unwrap().tx_hash(), hash);
    }

    #[test]
    fn types_are_known_up_to_the_newest_fork() {
        assert!(
            ["0x0", "0x1", "0x2", "0x3", "0x4", "0x02"].iter().all(|stated| is_known_type(stated))
        );
        assert!(!["0x7e", "0x64", "0x", "two", "0x100"].iter().any(|stated| is_known_type(stated)));
    }
}
