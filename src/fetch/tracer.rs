//! Reads the answers of geth's `prestateTracer`, in every form that nodes use.
//!
//! A tracer of blocks answers a list with one entry per transaction: an object with `txHash` and `result`, an object
//! with `error`, or the bare result. A tracer of transactions answers one such entry. A result lists accounts by
//! address. With `diffMode` it holds two such lists, `pre` and `post`.
//!
//! A gateway may drop the tracer's name, and the node then answers struct logs or call frames. Such a result has no
//! account. It is not the empty result of a transaction that touches nothing.

use std::{collections::BTreeMap, fmt};

use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::{Value, json};

use crate::block::AccountFields;

/// Accounts by address.
pub(super) type Accounts = BTreeMap<Address, AccountAnswer>;

/// The entry of one transaction.
#[derive(Debug, Default)]
pub(super) struct Entry {
    /// The hash of the transaction, if the node states it.
    pub(super) hash: Option<B256>,
    pub(super) traced: Traced,
}

/// The result of tracing one transaction.
#[derive(Debug, Default)]
pub(super) enum Traced {
    /// The tracer's result.
    Prestate(Prestate),
    /// The tracer failed with this message.
    Failed(String),
    /// The result of another tracer.
    OtherTracer,
    /// Neither a result nor an error.
    #[default]
    Nothing,
}

/// The accounts that a transaction touches.
#[derive(Debug, Default)]
pub(super) struct Prestate {
    /// The state before the transaction.
    pub(super) before: Accounts,
    /// The state after it. Empty without `diffMode`.
    pub(super) after: Accounts,
    /// Whether a field is neither an address nor a list of accounts.
    has_other_fields: bool,
}

/// A missing field and null both mean zero or empty.
#[derive(Debug, Deserialize)]
pub(super) struct AccountAnswer {
    #[serde(default)]
    balance: Option<U256>,
    #[serde(default)]
    /// geth and reth write a number, other clients hex.
    nonce: Option<U64>,
    #[serde(default)]
    pub(super) code: Option<Bytes>,
    /// Hex of any length.
    #[serde(default)]
    storage: Option<BTreeMap<U256, U256>>,
}

impl AccountAnswer {
    pub(super) fn fields(&self) -> AccountFields {
        let nonce = self.nonce.unwrap_or_default().to();
        let balance = self.balance.unwrap_or_default();
        AccountFields { nonce, balance, code: self.code.clone().unwrap_or_default() }
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = (U256, U256)> {
        self.storage.iter().flatten().map(|(key, value)| (*key, *value))
    }
}

impl Prestate {
    /// Reads one field of a result.
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match (key, key.parse()) {
            ("pre", _) => self.before = map.next_value()?,
            ("post", _) => self.after = map.next_value()?,
            (_, Ok(address)) => {
                self.before.insert(address, map.next_value()?);
            }
            _ => {
                self.has_other_fields = true;
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    fn into_traced(self) -> Traced {
        if self.has_other_fields && self.before.is_empty() && self.after.is_empty() {
            return Traced::OtherTracer;
        }
        Traced::Prestate(self)
    }
}

impl<'de> Deserialize<'de> for Prestate {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Prestate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("accounts by address")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Prestate, A::Error> {
                let mut prestate = Prestate::default();
                while let Some(key) = map.next_key::<String>()? {
                    prestate.read(&key, &mut map)?;
                }
                Ok(prestate)
            }
        }

        from.deserialize_map(Fields)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Entry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the trace of a transaction")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
                let (mut hash, mut error, mut result) = (None, None, None);
                let mut bare = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "txHash" => hash = map.next_value()?,
                        "error" => error = map.next_value::<Option<ErrorText>>()?,
                        "result" => result = map.next_value::<Option<Prestate>>()?,
                        key => bare.get_or_insert_with(Prestate::default).read(key, &mut map)?,
                    }
                }
                let traced = match (error, result, bare) {
                    (Some(error), ..) => Traced::Failed(error.0),
                    (None, Some(result), _) => result.into_traced(),
                    (None, None, Some(bare)) => bare.into_traced(),
                    // The bare result of a transaction that touches nothing.
                    (None, None, None) if hash.is_none() => Traced::Prestate(Prestate::default()),
                    (None, None, None) => Traced::Nothing,
                };
                Ok(Entry { hash, traced })
            }
        }

        from.deserialize_map(Fields)
    }
}

/// The message of an error that is a text or an object. Nothing else of the object is kept.
struct ErrorText(String);

impl<'de> Deserialize<'de> for ErrorText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = ErrorText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an error of the tracer")
            }

            fn visit_str<E>(self, says: &str) -> Result<ErrorText, E> {
                Ok(ErrorText(says.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ErrorText, A::Error> {
                let mut says = None;
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "message" => says = Some(map.next_value::<String>()?),
                        _ => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(ErrorText(says.unwrap_or_else(|| "an error without a message".to_owned())))
            }
        }

        from.deserialize_any(Fields)
    }
}

/// The options of a call. `time` is the time limit of one transaction. `changes` selects `diffMode`.
pub(super) fn options(time: &str, changes: bool) -> Value {
    let mut options = json!({"tracer": "prestateTracer", "timeout": time});
    if changes {
        options["tracerConfig"] = json!({"diffMode": true});
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str = "0xa1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1";

    fn entry(answer: Value) -> Entry {
        serde_json::from_value(answer).unwrap()
    }

    #[test]
    fn a_result_is_read_with_and_without_its_envelope() {
        let result = json!({ALICE: {"balance": "0x5", "nonce": "0x2", "storage": {"0x7": "0x9"}}});
        for answer in [
            json!({"txHash": B256::ZERO, "result": result}),
            json!({"result": result, "error": null}),
            result.clone(),
        ] {
            let Traced::Prestate(prestate) = entry(answer.clone()).traced else {
                panic!("{answer}")
            };
            let (address, account) = prestate.before.first_key_value().unwrap();
            assert_eq!(*address, ALICE.parse::<Address>().unwrap());
            let expected = AccountFields { nonce: 2, balance: U256::from(5), ..Default::default() };
            assert_eq!(account.fields(), expected);
            assert_eq!(account.slots().collect::<Vec<_>>(), [(U256::from(7), U256::from(9))]);
        }
    }

    #[test]
    fn an_error_wins_over_a_wrong_hash_and_over_a_result() {
        for error in [json!("out of memory"), json!({"code": -1, "message": "out of memory"})] {
            let answer = json!({"txHash": B256::ZERO, "error": error, "result": {}});
            assert!(
                matches!(entry(answer).traced, Traced::Failed(says) if says == "out of memory")
            );
        }
    }

    #[test]
    fn results_of_other_tracers_are_recognised() {
        let logs = json!({"gas": 21000, "failed": false, "returnValue": "", "structLogs": []});
        let call = json!({"type": "CALL", "from": ALICE, "to": ALICE});
        for result in [logs, call] {
            let enveloped = json!({"result": result});
            assert!(matches!(entry(result).traced, Traced::OtherTracer));
            assert!(matches!(entry(enveloped).traced, Traced::OtherTracer));
        }
    }

    #[test]
    fn an_empty_result_is_a_result_and_a_missing_one_is_not() {
        for answer in
            [json!({}), json!({"result": {}}), json!({"txHash": B256::ZERO, "result": {}})]
        {
            assert!(matches!(entry(answer).traced, Traced::Prestate(_)));
        }
        for answer in [json!({"txHash": B256::ZERO}), json!({"txHash": B256::ZERO, "result": null})]
        {
            assert!(matches!(entry(answer).traced, Traced::Nothing));
        }
    }
}
