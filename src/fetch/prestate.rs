//! The flat pre-state of a block, from a node that has a `prestateTracer` and no witness.
//!
//! `debug_traceBlockByNumber` answers with one entry per transaction. The entry holds the accounts
//! and slots that the transaction touched, as they were before *that transaction*. Some recordings
//! hold the state of the whole block in the first entry and leave the others empty.
//!
//! The first occurrence of a value is kept, with its position, because a later one may show a write
//! of the block itself. Even a first occurrence may show such a write, if the tracer omitted an
//! account while it was empty. `block::Survey` decides which values are valid.
//!
//! Values in no entry are fetched at the parent with methods such as `eth_getBalance`. A node
//! without these methods, or without the state, cannot answer. This is a result and not an error:
//! the caller must record an assumption.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use alloy_consensus::{Block, Header, TxEnvelope};
use alloy_primitives::{Address, B256, BlockNumber, Bytes, ChainId, U64, U256};
use futures::future::{join, try_join};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{block::CheckedBlock, error::FetchError, node::Node, redact::SafeText};

/// A block, and a tracer's state before its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedBlock {
    /// The id of the block's chain (EIP-155).
    pub chain_id: ChainId,
    /// Header, transactions, ommers, and from Shanghai withdrawals.
    pub block: Block<TxEnvelope>,
    /// Hashes of the block's ommers, if the node does not have all of them. The block then holds no
    /// ommers.
    pub unknown_ommers: Vec<B256>,
    /// The tracer's answer.
    pub state: TracedState,
}

/// The state before a block's transactions from a tracer's answer, first occurrences only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TracedState {
    /// Accounts by address.
    pub accounts: HashMap<Address, TracedAccount>,
}

/// The first occurrence of an account in the tracer's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracedAccount {
    /// The index, from 0, of the transaction before which the account had these fields.
    pub since: usize,
    /// Nonce, balance and code at that point.
    pub fields: AccountFields,
    /// Slots by key.
    pub slots: HashMap<U256, TracedSlot>,
}

/// The first occurrence of a slot in the tracer's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedSlot {
    /// The index, from 0, of the transaction before which the slot had this value.
    pub since: usize,
    /// The value at that point.
    pub value: U256,
}

/// An account without its storage, as a node answers it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountFields {
    /// Number of transactions sent, or of contracts that a contract created.
    pub nonce: u64,
    /// In wei.
    pub balance: U256,
    /// Empty if the account has no code.
    pub code: Bytes,
}

impl AccountFields {
    /// Whether the account is empty, so that it may not exist at all.
    pub fn is_nothing(&self) -> bool {
        self.nonce == 0 && self.balance.is_zero() && self.code.is_empty()
    }
}

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
}

impl TracedState {
    /// Adds the account as it was before transaction `since`. Known values are not replaced.
    fn add(&mut self, since: usize, address: Address, answer: &AccountAnswer) {
        let account = self.accounts.entry(address).or_insert_with(|| TracedAccount {
            since,
            fields: answer.fields(),
            slots: HashMap::new(),
        });
        for (key, value) in answer.storage.iter().flatten() {
            if let Entry::Vacant(free) = account.slots.entry(*key) {
                free.insert(TracedSlot { since, value: *value });
            }
        }
    }

    /// Checks the answer against the block's transactions. `safe` makes text from the node
    /// printable.
    fn from_answer(
        block: &CheckedBlock,
        entries: Vec<EntryAnswer>,
        safe: impl Fn(&str) -> SafeText,
    ) -> Result<Self, FetchError> {
        let number = block.header.number;
        let (expected, found) = (block.transactions().len(), entries.len());
        if expected != found {
            return Err(FetchError::TraceLength { number, expected, found });
        }
        let mut state = Self::default();
        for (index, (entry, transaction)) in
            entries.into_iter().zip(block.transactions()).enumerate()
        {
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
                state.add(index, *address, account);
            }
        }
        Ok(state)
    }
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
        Ok(TracedBlock { chain_id, block, unknown_ommers, state })
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
        TracedState::from_answer(block, entries, |text| self.client().safe_words(text))
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
