//! The JSON of a block, and the check that it is the requested block.
//!
//! The check covers the number, the header's hash, and the hash of every transaction. Each is
//! compared with what the node states itself. This catches a node, proxy or cache that mixes up
//! blocks or omits fields. It does not prove that transactions, ommers and withdrawals belong to
//! the header. `block::prepare` derives the roots for that.

use alloy_consensus::{Block, BlockBody, EMPTY_OMMER_ROOT_HASH, Header, TxEnvelope};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::{B256, BlockNumber, Bytes};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue;

use crate::evm::{Chain, check_fields};

use super::{
    block_error::FetchError,
    json::{AtMost, count, for_each_item, text},
    proofs::{TraceMode, Wanted},
    redact::SafeText,
    transaction::{TransactionFault, decode_transaction},
};

/// The most ommers of a block (Yellow Paper, section 11.1).
const MOST_OMMERS: usize = 2;

/// The header in an answer to `eth_getBlockByNumber`.
#[derive(Debug)]
pub(super) struct HeaderAnswer {
    /// The hash that the node states.
    hash: B256,
    header: Header,
}

#[derive(Deserialize)]
struct StatedHash {
    hash: B256,
}

impl<'de> Deserialize<'de> for HeaderAnswer {
    /// Reads the text twice, because a flattened header would buffer the whole block.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = text(from)?;
        let StatedHash { hash } = serde_json::from_str(json).map_err(D::Error::custom)?;
        Ok(Self { hash, header: serde_json::from_str(json).map_err(D::Error::custom)? })
    }
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
#[derive(Debug)]
pub(super) struct BlockAnswer {
    head: HeaderAnswer,
    body: BodyAnswer,
}

/// The fields beside the header's.
#[derive(Debug, Deserialize)]
struct BodyAnswer {
    transactions: Transactions,
    /// Some nodes send `null` for none.
    #[serde(default)]
    uncles: Option<AtMost<B256, MOST_OMMERS>>,
    #[serde(default)]
    withdrawals: Option<Withdrawals>,
}

/// The transactions, or the index and the fault of the first that is refused.
#[derive(Debug)]
struct Transactions(Result<Vec<TxEnvelope>, (usize, TransactionFault)>);

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

impl<'de> Deserialize<'de> for BlockAnswer {
    /// Reads the text twice, because a flattened header would buffer the whole block.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = text(from)?;
        let head = serde_json::from_str(json).map_err(D::Error::custom)?;
        let body = serde_json::from_str(json).map_err(D::Error::custom)?;
        Ok(Self { head, body })
    }
}

impl<'de> Deserialize<'de> for Transactions {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = text(from)?;
        // The vector would grow to twice or three times its size, and a transaction is large.
        let mut transactions = Vec::new();
        let (count, mut fault) = (count(json), None);
        let take = |json: &RawValue| {
            if fault.is_some() {
                return Ok(());
            }
            match decode_transaction(json.get()) {
                Ok(transaction) if transactions.is_empty() => {
                    transactions.reserve_exact(count);
                    transactions.push(transaction);
                }
                Ok(transaction) => transactions.push(transaction),
                Err(refused) => fault = Some((transactions.len(), refused)),
            }
            Ok(())
        };
        for_each_item(json, take).map_err(D::Error::custom)?;
        Ok(Self(fault.map_or(Ok(transactions), Err)))
    }
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
        let Self { head, body: BodyAnswer { transactions, uncles, withdrawals } } = self;
        let hash = head.hash;
        let header = head.check(number, chain_at)?;
        // Some nodes answer an empty list before Shanghai. The header distinguishes it from no
        // list.
        let is_before_shanghai = header.withdrawals_root.is_none();
        let withdrawals = withdrawals.filter(|all| !(is_before_shanghai && all.is_empty()));
        let transactions = transactions.0.map_err(|(index, fault)| match fault {
            TransactionFault::Bare => FetchError::BareTransaction { number, index },
            TransactionFault::UnknownType(stated) => {
                FetchError::UnknownTransactionType { number, index, stated: safe(&stated) }
            }
            TransactionFault::Malformed(error) => {
                let source = safe(&error.to_string());
                FetchError::MalformedTransaction { number, index, source }
            }
            TransactionFault::WrongHash { stated, computed } => {
                FetchError::WrongTransaction { number, index, stated, computed }
            }
        })?;
        let ommer_hashes = uncles.map(|AtMost(hashes)| hashes).unwrap_or_default();
        // The header says whether there are ommers, so no request is made for hashes that it excludes.
        if ommer_hashes.is_empty() != (header.ommers_hash == EMPTY_OMMER_ROOT_HASH) {
            return Err(FetchError::WrongOmmers { number, listed: ommer_hashes.len() });
        }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn sent() -> Value {
        let header = Header { ommers_hash: EMPTY_OMMER_ROOT_HASH, ..Header::default() };
        let mut sent = serde_json::to_value(&header).unwrap();
        sent["hash"] = json!(header.hash_slow());
        sent["transactions"] = json!([]);
        sent
    }

    fn checked(sent: &Value) -> Result<CheckedBlock, FetchError> {
        let answer: BlockAnswer = serde_json::from_str(&sent.to_string()).unwrap();
        answer.check(0, |_| None, |error| panic!("{error}"))
    }

    #[test]
    fn uncles_may_be_null_or_missing() {
        let mut sent = sent();
        assert!(checked(&sent).unwrap().ommer_hashes.is_empty());
        sent["uncles"] = Value::Null;
        assert!(checked(&sent).unwrap().ommer_hashes.is_empty());
    }

    #[test]
    fn ommers_that_the_header_excludes_are_refused() {
        let mut sent = sent();
        sent["uncles"] = json!([B256::ZERO]);
        let error = checked(&sent).unwrap_err();
        assert!(matches!(error, FetchError::WrongOmmers { listed: 1, .. }), "{error}");
        sent["uncles"] = json!([B256::ZERO, B256::ZERO, B256::ZERO]);
        let error = serde_json::from_str::<BlockAnswer>(&sent.to_string()).unwrap_err();
        assert!(error.to_string().contains("more than 2 items"), "{error}");
    }
}
