//! Checks a block's body against its header and recovers the senders.
//!
//! The checks cover the transactions root, the ommers hash, the withdrawals root and the signature rules of the
//! block's fork. The caller must trust the header by other means.

use crate::{
    block::{RecordedBlock, RecordedState},
    evm::Chain,
};
use alloy_consensus::{
    BlockBody, EMPTY_OMMER_ROOT_HASH, Header, Transaction, TxEnvelope,
    crypto::RecoveryError,
    proofs,
    transaction::{Recovered, SignerRecoverable},
};
use alloy_eips::eip4895::{Withdrawal, Withdrawals};
use alloy_primitives::B256;
use rayon::prelude::*;

/// Why a body does not belong to its header.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum BodyError {
    /// Yellow Paper, section 4.3.2: `H_t`.
    #[error("the transactions root is {actual}, but the header has {expected}")]
    TransactionsRoot { expected: B256, actual: B256 },
    /// Yellow Paper, section 4.3.2: `H_o`.
    #[error("the ommers hash is {actual}, but the header has {expected}")]
    OmmersHash { expected: B256, actual: B256 },
    /// EIP-4895.
    #[error("the withdrawals root is {}, but the header has {}", named(*actual), named(*expected))]
    WithdrawalsRoot { expected: Option<B256>, actual: Option<B256> },
    /// The signature is not one, or its `s` is high where Homestead forbids it (EIP-2).
    #[error("the sender of transaction {index} cannot be recovered")]
    Sender { index: usize, source: RecoveryError },
    /// A pre-Spurious Dragon transaction with a chain id in its signature (EIP-155). Such signatures were not
    /// yet valid.
    #[error("transaction {index} has a chain id in its signature (EIP-155) before Spurious Dragon")]
    SignedForChain { index: usize },
}

/// A root in words.
fn named(root: Option<B256>) -> String {
    root.map_or_else(|| "absent".to_owned(), |root| root.to_string())
}

/// A body that matches its header, ready to execute.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) transactions: Vec<Recovered<TxEnvelope>>,
    pub(super) ommers: Vec<Header>,
    pub(super) withdrawals: Option<Vec<Withdrawal>>,
}

/// Checks the body against the header and recovers the senders in parallel on the current rayon pool.
pub(super) fn open_body(
    chain: &Chain,
    header: &Header,
    body: BlockBody<TxEnvelope>,
    ommers: OmmersRule,
) -> Result<Body, BodyError> {
    check_body(header, &body, ommers)?;
    let rule = if chain.requires_low_s(header) { SignatureRule::LowS } else { SignatureRule::AnyS };
    let BlockBody { transactions, ommers, withdrawals } = body;
    if !chain.has_replay_protection(header)
        && let Some(index) = transactions.iter().position(is_signed_for_chain)
    {
        return Err(BodyError::SignedForChain { index });
    }
    let transactions = recover_senders(transactions, rule)?;
    Ok(Body { transactions, ommers, withdrawals: withdrawals.map(Withdrawals::into_inner) })
}

/// Whether the body must contain its ommers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OmmersRule {
    /// The ommers that the header commits to.
    Required,
    /// No ommers, because no node could return them.
    LeftOut,
}

impl OmmersRule {
    /// The rule for a block with these unavailable ommers.
    pub(super) const fn of(unknown: &[B256]) -> Self {
        if unknown.is_empty() { Self::Required } else { Self::LeftOut }
    }

    /// The rule for a block with this recorded state.
    pub(super) fn of_state(state: &RecordedState) -> Self {
        match state {
            RecordedState::Witness(_) => Self::Required,
            RecordedState::Flat(flat) => Self::of(&flat.assumed.ommers),
        }
    }
}

/// Checks that a recorded block's transactions, ommers and withdrawals match the commitments in its header.
/// Ommers that no node could return may be missing.
///
/// # Errors
/// Every [`BodyError`] except the signature errors [`BodyError::Sender`] and [`BodyError::SignedForChain`]:
/// this function recovers no senders.
pub fn check_recorded_body(recorded: &RecordedBlock) -> Result<(), BodyError> {
    let RecordedBlock { block, state, .. } = recorded;
    check_body(&block.header, &block.body, OmmersRule::of_state(state))
}

/// Checks transactions, ommers and withdrawals against the commitments in the header.
fn check_body(
    header: &Header,
    body: &BlockBody<TxEnvelope>,
    ommers: OmmersRule,
) -> Result<(), BodyError> {
    let expected = header.transactions_root;
    let actual = proofs::calculate_transaction_root(&body.transactions);
    if actual != expected {
        return Err(BodyError::TransactionsRoot { expected, actual });
    }
    let expected = match ommers {
        OmmersRule::Required => header.ommers_hash,
        OmmersRule::LeftOut => EMPTY_OMMER_ROOT_HASH,
    };
    let actual = proofs::calculate_ommers_root(&body.ommers);
    if actual != expected {
        return Err(BodyError::OmmersHash { expected, actual });
    }
    let expected = header.withdrawals_root;
    let actual = body.withdrawals.as_deref().map(|list| proofs::calculate_withdrawals_root(list));
    if actual != expected {
        return Err(BodyError::WithdrawalsRoot { expected, actual });
    }
    Ok(())
}

fn is_signed_for_chain(transaction: &TxEnvelope) -> bool {
    transaction.is_legacy() && transaction.chain_id().is_some()
}

/// Whether a signature's `s` may be above half the curve's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SignatureRule {
    /// Before Homestead.
    AnyS,
    /// EIP-2.
    LowS,
}

fn recover_senders(
    transactions: Vec<TxEnvelope>,
    rule: SignatureRule,
) -> Result<Vec<Recovered<TxEnvelope>>, BodyError> {
    transactions
        .into_par_iter()
        .enumerate()
        .map(|(index, transaction)| {
            let recovered = match rule {
                SignatureRule::AnyS => transaction.try_into_recovered_unchecked(),
                SignatureRule::LowS => transaction.try_into_recovered(),
            };
            recovered.map_err(|source| BodyError::Sender { index, source })
        })
        .collect()
}
