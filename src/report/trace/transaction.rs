//! Facts of transactions in the slices of a trace, and the reasons of aborted incarnations.

use super::{Subject, location};
use crate::{
    block::ReplayJob,
    execution::{
        BlockOutcome,
        location::TxIndex,
        observe::{Conflict, Event},
    },
    insight::Trace,
};
use alloy_consensus::{Transaction as _, transaction::TxHashRef as _};
use alloy_primitives::{Address, B256};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Facts of a transaction that its slices carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedTx {
    /// Its hash.
    pub hash: B256,
    /// Gas used, after refunds.
    pub gas: u64,
    /// The account that it calls, or the contract that it creates.
    pub to: Address,
    /// The kind of that account.
    pub target: Target,
}

/// The kind of a transaction's target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// An account with code before the block.
    Contract,
    /// Any other account. The block may have created a contract there.
    Account,
    /// A contract that the transaction creates.
    Created,
}

impl Target {
    /// The key of the address in a slice.
    const fn key(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::Account => "to",
            Self::Created => "creates",
        }
    }
}

/// The transactions of a block, with the gas that they used.
pub fn transactions(job: &ReplayJob, outcome: &BlockOutcome) -> Vec<TracedTx> {
    let mut before = 0;
    let transactions = job.transactions.iter().zip(&outcome.receipts);
    let traced = transactions.map(|(transaction, receipt)| {
        let sum = receipt.cumulative_gas_used;
        let gas = sum.saturating_sub(std::mem::replace(&mut before, sum));
        let (to, target) = match transaction.to() {
            Some(to) if has_code(job, to) => (to, Target::Contract),
            Some(to) => (to, Target::Account),
            None => (transaction.signer().create(transaction.nonce()), Target::Created),
        };
        TracedTx { hash: *transaction.tx_hash(), gas, to, target }
    });
    traced.collect()
}

fn has_code(job: &ReplayJob, address: Address) -> bool {
    let account = job.pre_state.accounts.get(&address).and_then(|account| account.info.as_ref());
    account.is_some_and(|info| !info.is_empty_code_hash())
}

/// Reasons of the aborted incarnations in a trace.
pub(super) struct Aborts(HashMap<(TxIndex, u32), String>);

impl Aborts {
    pub(super) fn of(trace: &Trace, subject: &Subject) -> Self {
        let reasons = trace.moments.iter().filter_map(|moment| match moment.event {
            Event::Aborted { tx, over } => Some(((tx, moment.incarnation), reason(over, subject))),
            _ => None,
        });
        Self(reasons.collect())
    }
}

/// The reason of an abort in words.
fn reason(over: Option<Conflict>, subject: &Subject) -> String {
    let read = over.and_then(|over| location(over.at, subject));
    let read = read.unwrap_or_else(|| "a value".to_owned());
    match over.and_then(|over| over.by) {
        Some(by) => format!("transaction {by} wrote {read} after it was read"),
        None => format!("{read} changed after it was read"),
    }
}

/// Arguments of a slice about an incarnation of a transaction.
pub(super) fn arguments(
    tx: TxIndex,
    incarnation: u32,
    subject: &Subject,
    aborts: &Aborts,
) -> Value {
    let mut arguments = of_transaction(tx, subject);
    arguments.insert("incarnation".to_owned(), json!(incarnation));
    if let Some(reason) = aborts.0.get(&(tx, incarnation)) {
        arguments.insert("aborted because".to_owned(), json!(reason));
    }
    Value::Object(arguments)
}

/// The index of a transaction, and its facts if they are known.
pub(super) fn of_transaction(tx: TxIndex, subject: &Subject) -> Map<String, Value> {
    let mut arguments = Map::from_iter([("tx".to_owned(), json!(tx))]);
    if let Some(TracedTx { hash, gas, to, target }) = subject.transactions.get(tx) {
        arguments.insert("hash".to_owned(), json!(hash));
        arguments.insert("gas".to_owned(), json!(gas));
        arguments.insert(target.key().to_owned(), json!(to.to_checksum(None)));
    }
    arguments
}
