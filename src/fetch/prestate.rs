//! The flat pre-state of a block, from a node that has a `prestateTracer` and no witness.
//!
//! `debug_traceBlockByNumber` answers with one entry per transaction. The entry holds the accounts
//! and slots that the transaction touched, as they were before *that transaction*. Some recordings
//! hold the state of the whole block in the first entry and leave the others empty.
//!
//! The first occurrence of a value is kept, with its position, because a later one may show a write
//! of the block itself. Even a first occurrence may show such a write, if the tracer omitted an
//! account while it was empty. `block::TraceCompletion` decides which values are valid.
//!
//! Values in no entry are fetched at the parent with methods such as `eth_getBalance`. A node
//! without these methods, or without the state, cannot answer. This is a result and not an error:
//! the caller must record an assumption.

use std::collections::BTreeMap;

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, BlockNumber, Bytes, U64, U256};
use futures::future::{join, try_join};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::block::{AccountFields, TracedBlock, TracedState};

use super::{block::CheckedBlock, error::FetchError, node::Node, redact::SafeText};

/// One transaction's entry in the tracer's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EntryAnswer {
    #[serde(default)]
    tx_hash: Option<B256>,
    #[serde(default)]
    result: Option<BTreeMap<Address, AccountAnswer>>,
    #[serde(default)]
    error: Option<Value>,
}

/// A missing field and null both mean zero or empty.
#[derive(Debug, Deserialize)]
struct AccountAnswer {
    #[serde(default)]
    balance: Option<U256>,
    #[serde(default)]
    nonce: Option<NonceAnswer>,
    #[serde(default)]
    code: Option<Bytes>,
    /// Hex of any length.
    #[serde(default)]
    storage: Option<BTreeMap<U256, U256>>,
}

/// geth and reth write a number, other clients hex.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum NonceAnswer {
    Number(u64),
    Hex(U64),
}

impl AccountAnswer {
    fn fields(&self) -> AccountFields {
        let nonce = match self.nonce {
            None => 0,
            Some(NonceAnswer::Number(nonce)) => nonce,
            Some(NonceAnswer::Hex(nonce)) => nonce.to(),
        };
        let balance = self.balance.unwrap_or_default();
        AccountFields { nonce, balance, code: self.code.clone().unwrap_or_default() }
    }

    fn slots(&self) -> impl Iterator<Item = (U256, U256)> {
        self.storage.iter().flatten().map(|(key, value)| (*key, *value))
    }
}

/// Checks the answer against the block's transactions. `safe` makes text from the node
/// printable.
fn traced_state(
    block: &CheckedBlock,
    entries: Vec<EntryAnswer>,
    safe: impl Fn(&str) -> SafeText,
) -> Result<TracedState, FetchError> {
    let number = block.header.number;
    let (expected, found) = (block.transactions().len(), entries.len());
    if expected != found {
        return Err(FetchError::TraceLength { number, expected, found });
    }
    let mut state = TracedState::default();
    for (index, (entry, transaction)) in entries.into_iter().zip(block.transactions()).enumerate() {
        let (expected, stated) = (*transaction.tx_hash(), entry.tx_hash);
        if let Some(stated) = stated.filter(|stated| *stated != expected) {
            return Err(FetchError::WrongTrace { number, index, stated, expected });
        }
        let Some(accounts) = entry.result else {
            let says = safe(&match entry.error {
                Some(Value::String(says)) => says,
                Some(other) => other.to_string(),
                None => "no result".to_owned(),
            });
            return Err(FetchError::TraceFailed { number, index, says });
        };
        for (address, account) in &accounts {
            state.add(index, *address, account.fields(), account.slots());
        }
    }
    Ok(state)
}

impl Node {
    /// Fetches a block with its ommers and the answer of the node's `prestateTracer`.
    ///
    /// # Errors
    /// The node lacks the block or the tracer. The node answers with another block. A call fails
    /// permanently.
    pub async fn fetch_block_flat(&self, number: BlockNumber) -> Result<TracedBlock, FetchError> {
        let block = self.block(number).await?;
        let (ommers, state) = join(self.ommers(&block), self.traced_state(&block)).await;
        self.traced(block, ommers, state?)
    }

    /// Combines the parts. No receipt depends on an ommer, so the node may lack them.
    pub(super) fn traced(
        &self,
        block: CheckedBlock,
        ommers: Result<Vec<Header>, FetchError>,
        state: TracedState,
    ) -> Result<TracedBlock, FetchError> {
        let (ommers, unknown_ommers) = match ommers {
            Ok(ommers) => (ommers, Vec::new()),
            Err(error) if error.is_lack() => (Vec::new(), block.ommer_hashes.clone()),
            Err(error) => return Err(error),
        };
        let (chain_id, block) = (self.chain_id(), block.with_ommers(ommers));
        let rules = self.rules.clone();
        Ok(TracedBlock { chain_id, block, unknown_ommers, rules, state })
    }

    pub(super) async fn traced_state(
        &self,
        block: &CheckedBlock,
    ) -> Result<TracedState, FetchError> {
        if block.transactions().is_empty() {
            return Ok(TracedState::default());
        }
        let number = block.header.number;
        let options = json!({"tracer": "prestateTracer", "timeout": self.tracer_time()});
        let params = json!([U64::from(number), options]);
        let entries = self.ask(number, "debug_traceBlockByNumber", params).await?;
        traced_state(block, entries, |text| self.client().safe_words(text))
    }

    /// An account before block `number`. `None` if the node lacks the method or the state.
    ///
    /// # Errors
    /// If a call fails for another reason.
    pub async fn account_before(
        &self,
        number: BlockNumber,
        address: Address,
    ) -> Result<Option<AccountFields>, FetchError> {
        let params = json!([address, parent(number)]);
        // The balance comes first. If the node does not have it, the other calls are not needed.
        let Some(balance) = self.state(number, "eth_getBalance", params.clone()).await? else {
            return Ok(None);
        };
        let nonce = self.state::<U64>(number, "eth_getTransactionCount", params.clone());
        let (nonce, code) = try_join(nonce, self.state(number, "eth_getCode", params)).await?;
        let fields = |(nonce, code): (U64, _)| AccountFields { nonce: nonce.to(), balance, code };
        Ok(nonce.zip(code).map(fields))
    }

    /// A slot before block `number`. `None` if the node lacks the method or the state.
    ///
    /// # Errors
    /// If the call fails for another reason.
    pub async fn slot_before(
        &self,
        number: BlockNumber,
        address: Address,
        slot: U256,
    ) -> Result<Option<U256>, FetchError> {
        let params = json!([address, B256::from(slot), parent(number)]);
        // Some nodes omit leading zeros.
        self.state(number, "eth_getStorageAt", params).await
    }

    /// Fetches a part of the state. If one of these methods is missing, the node is not called
    /// again.
    async fn state<T: serde::de::DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: Value,
    ) -> Result<Option<T>, FetchError> {
        if self.lacks_state_methods() {
            return Ok(None);
        }
        match self.ask(number, method, params).await {
            Ok(value) => Ok(Some(value)),
            Err(FetchError::Rpc { source, .. }) if source.is_method_missing() => {
                self.note_lack_of_state_methods();
                Ok(None)
            }
            Err(error) if error.is_lack() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The number of the parent, as a parameter. Block 0 is never fetched.
fn parent(number: BlockNumber) -> U64 {
    U64::from(number.saturating_sub(1))
}
