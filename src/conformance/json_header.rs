//! Headers of tests as JSON.

use super::quantity::Quantity;
use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, U256};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

/// The hash of a header, and which of the newer fields it has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named {
    pub(super) hash: B256,
    number: Option<Quantity>,
    timestamp: Option<Quantity>,
    requests_hash: Option<IgnoredAny>,
    slot_number: Option<IgnoredAny>,
}

impl Named {
    /// Number and time of the header; `None` without them.
    pub(super) fn place(&self) -> Option<Header> {
        let (number, timestamp) = self.number.zip(self.timestamp)?;
        let (number, timestamp) = (number.0.saturating_to(), timestamp.0.saturating_to());
        Some(Header { number, timestamp, ..Header::default() })
    }

    /// Whether the header has a requests hash (EIP-7685).
    pub(super) const fn has_requests_hash(&self) -> bool {
        self.requests_hash.is_some()
    }

    /// Whether the header has a slot number (EIP-7843).
    pub(super) const fn has_slot_number(&self) -> bool {
        self.slot_number.is_some()
    }
}

/// A whole header.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Whole {
    parent_hash: B256,
    uncle_hash: B256,
    coinbase: Address,
    state_root: B256,
    transactions_trie: B256,
    receipt_trie: B256,
    bloom: Bloom,
    difficulty: Quantity,
    number: Quantity,
    gas_limit: Quantity,
    gas_used: Quantity,
    timestamp: Quantity,
    extra_data: Bytes,
    mix_hash: B256,
    nonce: B64,
    base_fee_per_gas: Option<Quantity>,
    withdrawals_root: Option<B256>,
    blob_gas_used: Option<Quantity>,
    excess_blob_gas: Option<Quantity>,
    parent_beacon_block_root: Option<B256>,
    requests_hash: Option<B256>,
    block_access_list_hash: Option<B256>,
    slot_number: Option<Quantity>,
}

impl From<Whole> for Header {
    fn from(whole: Whole) -> Self {
        let number = |quantity: Quantity| quantity.0.saturating_to();
        Self {
            parent_hash: whole.parent_hash,
            ommers_hash: whole.uncle_hash,
            beneficiary: whole.coinbase,
            state_root: whole.state_root,
            transactions_root: whole.transactions_trie,
            receipts_root: whole.receipt_trie,
            logs_bloom: whole.bloom,
            difficulty: whole.difficulty.0,
            number: number(whole.number),
            gas_limit: number(whole.gas_limit),
            gas_used: number(whole.gas_used),
            timestamp: number(whole.timestamp),
            extra_data: whole.extra_data,
            mix_hash: whole.mix_hash,
            nonce: whole.nonce,
            base_fee_per_gas: whole.base_fee_per_gas.map(number),
            withdrawals_root: whole.withdrawals_root,
            blob_gas_used: whole.blob_gas_used.map(number),
            excess_blob_gas: whole.excess_blob_gas.map(number),
            parent_beacon_block_root: whole.parent_beacon_block_root,
            requests_hash: whole.requests_hash,
            block_access_list_hash: whole.block_access_list_hash,
            slot_number: whole.slot_number.map(number),
        }
    }
}

/// The header as JSON, with its hash.
pub(super) fn header_json(header: &Header) -> Value {
    let number = |number: u64| U256::from(number);
    let mut json = json!({
        "parentHash": header.parent_hash,
        "uncleHash": header.ommers_hash,
        "coinbase": header.beneficiary,
        "stateRoot": header.state_root,
        "transactionsTrie": header.transactions_root,
        "receiptTrie": header.receipts_root,
        "bloom": header.logs_bloom,
        "difficulty": header.difficulty,
        "number": number(header.number),
        "gasLimit": number(header.gas_limit),
        "gasUsed": number(header.gas_used),
        "timestamp": number(header.timestamp),
        "extraData": header.extra_data,
        "mixHash": header.mix_hash,
        "nonce": header.nonce,
        "hash": header.hash_slow(),
    });
    let optional = [
        ("baseFeePerGas", header.base_fee_per_gas.map(|fee| json!(number(fee)))),
        ("withdrawalsRoot", header.withdrawals_root.map(|root| json!(root))),
        ("blobGasUsed", header.blob_gas_used.map(|gas| json!(number(gas)))),
        ("excessBlobGas", header.excess_blob_gas.map(|gas| json!(number(gas)))),
        ("parentBeaconBlockRoot", header.parent_beacon_block_root.map(|root| json!(root))),
        ("requestsHash", header.requests_hash.map(|hash| json!(hash))),
        ("blockAccessListHash", header.block_access_list_hash.map(|hash| json!(hash))),
        ("slotNumber", header.slot_number.map(|slot| json!(number(slot)))),
    ];
    for (field, value) in optional {
        if let Some(value) = value {
            json[field] = value;
        }
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_as_json_is_read_as_the_same_header() {
        let old = Header { number: 7, difficulty: U256::from(9), ..Header::default() };
        let new = Header {
            number: 1 << 40,
            base_fee_per_gas: Some(7),
            withdrawals_root: Some(B256::repeat_byte(1)),
            blob_gas_used: Some(0),
            excess_blob_gas: Some(1 << 60),
            parent_beacon_block_root: Some(B256::repeat_byte(2)),
            requests_hash: Some(B256::repeat_byte(3)),
            block_access_list_hash: Some(B256::repeat_byte(4)),
            slot_number: Some(5),
            extra_data: Bytes::from_static(b"extra"),
            ..old.clone()
        };
        for header in [old, new] {
            let json = header_json(&header).to_string();
            let whole: Whole = serde_json::from_str(&json).expect("a whole header");
            let named: Named = serde_json::from_str(&json).expect("a header with its hash");
            assert_eq!((named.hash, Header::from(whole)), (header.hash_slow(), header));
        }
    }
}
