//! Accounts and slots that a block touches, according to geth's `prestateTracer`.
//!
//! The tracer is called by block number, by block hash, or per transaction, whichever the node
//! supports. Its answers list the accounts that each transaction touches. With `diffMode` they also
//! list the state after each transaction. Values are ignored, because they are read from proofs.

use std::collections::BTreeMap;

use alloy_consensus::{Header, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde::{Deserialize, de::IgnoredAny};
use serde_json::{Value, json};

use super::{
    super::{error::FetchError, node::Node},
    touched::Touched,
};

/// The method by which a node traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceMethod {
    /// `debug_traceBlockByNumber`
    BlockByNumber,
    /// `debug_traceBlockByHash`
    BlockByHash,
    /// `debug_traceTransaction`
    Transaction,
}

/// The content of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceMode {
    /// The state before each transaction.
    Before,
    /// The differences that each transaction makes. Values that are only read are omitted.
    Changes,
}

/// One transaction of a block. A failed trace has no result. Execution of the block then shows what
/// is missing.
#[derive(Debug, Deserialize)]
struct TransactionTrace {
    #[serde(default)]
    result: Option<Prestate>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Prestate {
    Changes { pre: Accounts, post: Accounts },
    Before(Accounts),
}

type Accounts = BTreeMap<Address, TracedAccount>;

#[derive(Debug, Deserialize)]
struct TracedAccount {
    #[serde(default)]
    code: Option<Bytes>,
    #[serde(default)]
    storage: Option<BTreeMap<U256, IgnoredAny>>,
}

impl Prestate {
    fn add_to(self, touched: &mut Touched) {
        let (before, after) = match self {
            Self::Before(before) => (before, Accounts::new()),
            Self::Changes { pre, post } => (pre, post),
        };
        for (address, TracedAccount { code, storage }) in before.into_iter().chain(after) {
            touched.touch(address, storage.into_iter().flat_map(BTreeMap::into_keys));
            if let Some(code) = code.filter(|code| !code.is_empty()) {
                touched.add_code(code);
            }
        }
    }
}

impl TraceMode {
    fn options(self, time: &str) -> Value {
        match self {
            Self::Before => json!({"tracer": "prestateTracer", "timeout": time}),
            Self::Changes => json!({
                "tracer": "prestateTracer",
                "timeout": time,
                "tracerConfig": {"diffMode": true}
            }),
        }
    }
}

impl Node {
    /// Accounts, slots and codes that the transactions touch. The first block finds out which
    /// method the node has.
    pub(super) async fn trace(
        &self,
        mode: TraceMode,
        header: &Header,
        hash: B256,
        transactions: &[TxEnvelope],
    ) -> Result<Touched, FetchError> {
        if transactions.is_empty() {
            return Ok(Touched::default());
        }
        let traced = |method| self.trace_by(method, mode, header, hash, transactions);
        let mut first = None;
        let find_out = async || {
            for method in [TraceMethod::BlockByNumber, TraceMethod::BlockByHash] {
                match traced(method).await {
                    Ok(touched) => {
                        first = Some(touched);
                        return Ok(method);
                    }
                    Err(error) if error.is_method_missing() => {}
                    Err(error) => return Err(error),
                }
            }
            first = Some(traced(TraceMethod::Transaction).await?);
            Ok(TraceMethod::Transaction)
        };
        let method = *self.trace_method.get_or_try_init(find_out).await?;
        match first {
            Some(touched) => Ok(touched),
            None => traced(method).await,
        }
    }

    async fn trace_by(
        &self,
        method: TraceMethod,
        mode: TraceMode,
        header: &Header,
        hash: B256,
        transactions: &[TxEnvelope],
    ) -> Result<Touched, FetchError> {
        let (number, options) = (header.number, mode.options(&self.tracer_time()));
        let block = |method, tag: Value| self.ask(number, method, json!([tag, options]));
        let traces: Vec<TransactionTrace> = match method {
            TraceMethod::BlockByNumber => {
                block("debug_traceBlockByNumber", json!(U64::from(number))).await?
            }
            TraceMethod::BlockByHash => block("debug_traceBlockByHash", json!(hash)).await?,
            TraceMethod::Transaction => {
                let hashes = transactions.iter().map(TxEnvelope::tx_hash);
                let params: Vec<_> = hashes.map(|hash| json!([hash, options])).collect();
                let states = self.ask_each(number, "debug_traceTransaction", &params).await?;
                states.into_iter().map(|state| TransactionTrace { result: Some(state) }).collect()
            }
        };
        let mut touched = Touched::default();
        for state in traces.into_iter().filter_map(|trace| trace.result) {
            state.add_to(&mut touched);
        }
        Ok(touched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touched(answer: Value) -> Touched {
        let traces: Vec<TransactionTrace> = serde_json::from_value(answer).unwrap();
        let mut touched = Touched::default();
        for state in traces.into_iter().filter_map(|trace| trace.result) {
            state.add_to(&mut touched);
        }
        touched
    }

    #[test]
    fn all_transactions_of_a_block_are_read_in_either_mode() {
        let [a, b] = [1, 2].map(Address::repeat_byte);
        let slot = B256::with_last_byte(9);
        let mut expected = Touched::account(a, [U256::from(9)]);
        expected.touch(b, []);
        expected.add_code("0x6001".parse().unwrap());
        let account =
            json!({"balance": "0x1", "code": "0x6001", "storage": {slot.to_string(): slot}});
        for answer in [
            json!([{"txHash": slot, "result": {a.to_string(): account}}, {"result": {b.to_string(): {"nonce": 1}}}]),
            json!([{"result": {"pre": {a.to_string(): account}, "post": {b.to_string(): {"code": "0x"}}}}]),
            json!([{"error": "out of time"}, {"result": {a.to_string(): account, b.to_string(): {"storage": null}}}]),
        ] {
            assert_eq!(touched(answer.clone()), expected, "{answer}");
        }
    }
}
