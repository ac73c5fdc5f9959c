//! The JSON of a transaction.
//!
//! Each type of transaction is decoded directly into its struct. The decoder of a whole envelope buffers every
//! field of the object first, and a hostile node could add fields of any size. Fields that a type does not have,
//! such as the blobs that anvil sends, are skipped. The hash shows that nothing was lost.

use alloy_consensus::{
    Signed, TxEip1559, TxEip2930, TxEip4844, TxEip7702, TxEnvelope, TxLegacy,
    transaction::from_eip155_value,
};
use alloy_eips::{
    eip2718::Encodable2718,
    eip2930::AccessList,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_primitives::{Address, B256, Bytes, Signature, U8, U64, U128, U256, keccak256};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Error;

/// The newest type of transaction: EIP-7702.
const NEWEST_TYPE: u64 = 4;

/// The reason that a transaction is refused.
#[derive(Debug)]
pub(super) enum TransactionFault {
    /// The node sent the hash only.
    Bare,
    /// Ethereum has no transactions of this type (EIP-2718).
    UnknownType(String),
    /// The JSON does not decode.
    Malformed(Error),
    /// The transaction does not have the stated hash.
    WrongHash { stated: B256, computed: B256 },
}

/// The fields that decide how the others are read.
#[derive(Deserialize)]
struct Kind {
    /// Hex, or a number.
    #[serde(rename = "type", default)]
    kind: Option<U64>,
    hash: B256,
}

/// A signature with a parity that includes the chain id (EIP-155).
#[derive(Deserialize)]
struct LegacySignature {
    r: U256,
    s: U256,
    v: U128,
}

/// As [`TxEip7702`]. Its own decoder buffers each authorization.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetCode {
    chain_id: U64,
    nonce: U64,
    gas: U64,
    max_fee_per_gas: U128,
    max_priority_fee_per_gas: U128,
    to: Address,
    value: U256,
    #[serde(default)]
    access_list: AccessList,
    authorization_list: Vec<SignedAuthorizationAnswer>,
    input: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignedAuthorizationAnswer {
    chain_id: U256,
    address: Address,
    nonce: U64,
    y_parity: U8,
    r: U256,
    s: U256,
}

/// Decodes a transaction and compares its hash with the stated one.
pub(super) fn decode_transaction(json: &str) -> Result<TxEnvelope, TransactionFault> {
    if json.starts_with('"') {
        return Err(TransactionFault::Bare);
    }
    let Kind { kind, hash: stated } =
        serde_json::from_str(json).map_err(TransactionFault::Malformed)?;
    let kind = kind.unwrap_or_default().to::<u64>();
    if kind > NEWEST_TYPE {
        return Err(TransactionFault::UnknownType(format!("{kind:#x}")));
    }
    let transaction = decode(json, kind, stated).map_err(TransactionFault::Malformed)?;
    let computed = keccak256(transaction.encoded_2718());
    if stated != computed {
        return Err(TransactionFault::WrongHash { stated, computed });
    }
    Ok(transaction)
}

fn decode(json: &str, kind: u64, hash: B256) -> Result<TxEnvelope, Error> {
    Ok(match kind {
        0 => legacy(json, hash)?.into(),
        1 => signed::<TxEip2930>(json, hash)?.into(),
        2 => signed::<TxEip1559>(json, hash)?.into(),
        3 => signed::<TxEip4844>(json, hash)?.into(),
        _ => sign(TxEip7702::from(serde_json::from_str::<SetCode>(json)?), json, hash)?.into(),
    })
}

fn signed<T: DeserializeOwned>(json: &str, hash: B256) -> Result<Signed<T>, Error> {
    sign(serde_json::from_str(json)?, json, hash)
}

fn sign<T>(transaction: T, json: &str, hash: B256) -> Result<Signed<T>, Error> {
    let signature: Signature = serde_json::from_str(json)?;
    Ok(Signed::new_unchecked(transaction, signature, hash))
}

/// The parity of a legacy signature says whether the chain id is signed. Some nodes state it even if it is not.
fn legacy(json: &str, hash: B256) -> Result<Signed<TxLegacy>, Error> {
    let LegacySignature { r, s, v } = serde_json::from_str(json)?;
    let invalid = || serde::de::Error::custom("v is not the parity of a legacy signature");
    let (parity, chain_id) = from_eip155_value(v.to()).ok_or_else(invalid)?;
    let mut transaction: TxLegacy = serde_json::from_str(json)?;
    transaction.chain_id = chain_id;
    Ok(Signed::new_unchecked(transaction, Signature::new(r, s, parity), hash))
}

impl From<SetCode> for TxEip7702 {
    fn from(answer: SetCode) -> Self {
        Self {
            chain_id: answer.chain_id.to(),
            nonce: answer.nonce.to(),
            gas_limit: answer.gas.to(),
            max_fee_per_gas: answer.max_fee_per_gas.to(),
            max_priority_fee_per_gas: answer.max_priority_fee_per_gas.to(),
            to: answer.to,
            value: answer.value,
            access_list: answer.access_list,
            authorization_list: answer.authorization_list.into_iter().map(Into::into).collect(),
            input: answer.input,
        }
    }
}

impl From<SignedAuthorizationAnswer> for SignedAuthorization {
    fn from(answer: SignedAuthorizationAnswer) -> Self {
        let SignedAuthorizationAnswer { chain_id, address, nonce, y_parity, r, s } = answer;
        let authorization = Authorization { chain_id, address, nonce: nonce.to() };
        Self::new_unchecked(authorization, y_parity.to(), r, s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::SignableTransaction;
    use alloy_eips::eip2930::AccessListItem;
    use alloy_primitives::TxKind;
    use serde_json::{Value, json};

    fn envelope<T>(transaction: T) -> TxEnvelope
    where
        T: SignableTransaction<Signature>,
        Signed<T>: Into<TxEnvelope>,
    {
        transaction.into_signed(Signature::test_signature()).into()
    }

    fn all() -> Vec<TxEnvelope> {
        let (to, input) = (Address::repeat_byte(7), Bytes::from_static(b"input"));
        let access_list =
            AccessList(vec![AccessListItem { address: to, storage_keys: vec![B256::ZERO] }]);
        let authorization = Authorization { chain_id: U256::from(1), address: to, nonce: 3 };
        let authorization = authorization.into_signed(Signature::test_signature());
        let (chain_id, nonce, gas_limit, kind) = (1, 2, 21_000, TxKind::Call(to));
        let legacy = TxLegacy { nonce, gas_limit, to: kind, ..Default::default() };
        vec![
            envelope(legacy.clone()),
            envelope(TxLegacy { chain_id: Some(1), input: input.clone(), ..legacy }),
            envelope(TxLegacy { to: TxKind::Create, input: input.clone(), ..Default::default() }),
            envelope(TxEip2930 {
                chain_id,
                nonce,
                access_list: access_list.clone(),
                ..Default::default()
            }),
            envelope(TxEip1559 {
                chain_id,
                to: kind,
                access_list: access_list.clone(),
                ..Default::default()
            }),
            envelope(TxEip4844 { chain_id, to, max_fee_per_blob_gas: 9, ..Default::default() }),
            envelope(TxEip7702 {
                chain_id,
                to,
                access_list,
                authorization_list: vec![authorization],
                input,
                ..Default::default()
            }),
        ]
    }

    fn sent(transaction: &TxEnvelope) -> Value {
        let mut json = serde_json::to_value(transaction).unwrap();
        json["from"] = json!(Address::ZERO);
        json["blockNumber"] = json!("0x1");
        json
    }

    #[test]
    fn every_type_is_read_as_it_was_sent() {
        for transaction in all() {
            let json = sent(&transaction).to_string();
            assert_eq!(decode_transaction(&json).unwrap(), transaction, "{json}");
        }
    }

    #[test]
    fn fields_of_no_transaction_are_skipped() {
        for transaction in all() {
            let mut json = sent(&transaction);
            for field in ["sidecar", "blobs", "commitments", "junk"] {
                json[field] = json!([[0, {"a": []}]]);
            }
            assert_eq!(decode_transaction(&json.to_string()).unwrap(), transaction, "{json}");
        }
    }

    #[test]
    fn another_hash_an_unknown_type_and_a_bare_hash_are_refused() {
        let mut json = sent(&all()[0]);
        json["nonce"] = json!("0x9");
        let fault = decode_transaction(&json.to_string()).unwrap_err();
        assert!(matches!(fault, TransactionFault::WrongHash { .. }), "{fault:?}");
        json["type"] = json!("0x7e");
        let fault = decode_transaction(&json.to_string()).unwrap_err();
        assert!(
            matches!(&fault, TransactionFault::UnknownType(stated) if stated == "0x7e"),
            "{fault:?}"
        );
        assert!(matches!(decode_transaction("\"0x12\""), Err(TransactionFault::Bare)));
    }
}
