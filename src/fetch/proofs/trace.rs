//! Accounts and slots that a block touches, according to geth's `prestateTracer`.
//!
//! The tracer is called by block number, by block hash, or per transaction, whichever the node
//! supports. Its answers list the accounts that each transaction touches. With `diffMode` they also
//! list the state after each transaction. A witness of proofs needs only their names, and `prestate` the values.

use alloy_consensus::{Header, TxEnvelope};
use alloy_primitives::{B256, BlockNumber, U64};
use serde_json::{Value, json};

use super::{
    super::{
        block_error::FetchError,
        choice::WitnessChoice,
        json::AtMost,
        node::Node,
        tracer::{self, Entry, Prestate, Traced},
    },
    touched::Touched,
};

/// The most transactions of one answer. Each needs 21,000 gas.
const MOST_TRANSACTIONS: usize = 1 << 19;

/// The method by which a node traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceMethod {
    /// `debug_traceBlockByNumber`
    BlockByNumber,
    /// `debug_traceBlockByHash`
    BlockByHash,
    /// `debug_traceTransaction`
    Transaction,
    /// All of them are missing.
    Missing,
    /// The node traces, but not by `prestateTracer`.
    Ignored,
}

/// The content of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TraceMode {
    /// The state before each transaction.
    Before,
    /// The differences that each transaction makes. Values that are only read are omitted.
    Changes,
}

/// A trace of a block's transactions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) mode: TraceMode,
    pub(crate) header: &'a Header,
    /// The hash of the header.
    pub(crate) hash: B256,
    pub(crate) transactions: &'a [TxEnvelope],
}

impl Prestate {
    fn add_to(self, touched: &mut Touched) {
        for (address, account) in self.before.into_iter().chain(self.after) {
            touched.touch(address, account.slots().map(|(key, _)| key));
            if let Some(code) = account.code.filter(|code| !code.is_empty()) {
                touched.add_code(code);
            }
        }
    }
}

/// The accounts, slots and codes of all entries. A failed entry names none. Execution of the block then shows what is
/// missing.
fn touched_by(entries: Vec<Entry>) -> Touched {
    let mut touched = Touched::default();
    for entry in entries {
        if let Traced::Prestate(prestate) = entry.traced {
            prestate.add_to(&mut touched);
        }
    }
    touched
}

impl Node {
    /// Accounts, slots and codes that the transactions touch.
    pub(super) async fn trace(&self, wanted: Wanted<'_>) -> Result<Touched, FetchError> {
        if wanted.transactions.is_empty() {
            return Ok(Touched::default());
        }
        Ok(touched_by(self.entries(wanted).await?))
    }

    /// The tracer's entries, one for each transaction. The first block finds out which method the node has. If the
    /// trace of a whole block is too large, its transactions are traced one by one.
    pub(in super::super) async fn entries(
        &self,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Entry>, FetchError> {
        let mut first = None;
        let find_out = async || {
            let (method, entries) = self.find_trace_method(wanted).await?;
            first = Some(entries);
            Ok::<_, FetchError>(method)
        };
        let method = *self.trace_method.get_or_try_init(find_out).await?;
        match first {
            Some(entries) => entries,
            None => self.trace_by(method, wanted).await,
        }
    }

    /// Tries the methods in turn. Returns the first that works, with its answer.
    async fn find_trace_method(
        &self,
        wanted: Wanted<'_>,
    ) -> Result<(TraceMethod, Result<Vec<Entry>, FetchError>), FetchError> {
        let mut lacking = TraceMethod::Missing;
        for method in
            [TraceMethod::BlockByNumber, TraceMethod::BlockByHash, TraceMethod::Transaction]
        {
            match self.trace_by(method, wanted).await {
                Ok(entries) => return Ok((method, Ok(entries))),
                // A tracer that is ignored says more than a missing method.
                Err(FetchError::TracerIgnored { .. }) => lacking = TraceMethod::Ignored,
                Err(error) if error.is_method_missing() => {}
                Err(error) => return Err(error),
            }
        }
        Ok((lacking, self.trace_by(lacking, wanted).await))
    }

    async fn trace_by(
        &self,
        method: TraceMethod,
        wanted: Wanted<'_>,
    ) -> Result<Vec<Entry>, FetchError> {
        let number = wanted.header.number;
        let options = tracer::options(&self.tracer_time(), wanted.mode == TraceMode::Changes);
        let all = |AtMost(entries): AtMost<Entry, MOST_TRANSACTIONS>| entries;
        let block = match method {
            TraceMethod::BlockByNumber => {
                let params = json!([U64::from(number), options]);
                self.ask(number, "debug_traceBlockByNumber", params).await.map(all)
            }
            TraceMethod::BlockByHash => {
                let params = json!([wanted.hash, options]);
                self.ask(number, "debug_traceBlockByHash", params).await.map(all)
            }
            TraceMethod::Transaction => {
                self.trace_each(number, &options, wanted.transactions).await
            }
            TraceMethod::Missing => return Err(self.no_way(WitnessChoice::Prestate)),
            TraceMethod::Ignored => return Err(FetchError::TracerIgnored { number }),
        };
        let entries: Vec<Entry> = match block {
            Err(error) if error.is_too_large() && method != TraceMethod::Transaction => {
                self.trace_each(number, &options, wanted.transactions).await?
            }
            other => other?,
        };
        match entries.iter().any(|entry| matches!(entry.traced, Traced::OtherTracer)) {
            true => Err(FetchError::TracerIgnored { number }),
            false => Ok(entries),
        }
    }

    async fn trace_each(
        &self,
        number: BlockNumber,
        options: &Value,
        transactions: &[TxEnvelope],
    ) -> Result<Vec<Entry>, FetchError> {
        let hashes = transactions.iter().map(TxEnvelope::tx_hash);
        let params: Vec<_> = hashes.map(|hash| json!([hash, options])).collect();
        self.ask_each(number, "debug_traceTransaction", &params).await
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, U256};

    use super::*;

    fn touched(answer: Value) -> Touched {
        touched_by(serde_json::from_value(answer).unwrap())
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
