//! Checks a block's body against its header and recovers senders.

use crate::{
    cache::{RecordedBlock, RecordedState},
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
    #[error("the transactions have root {actual}, the header says {expected}")]
    TransactionsRoot { expected: B256, actual: B256 },
    /// Yellow Paper, section 4.3.2: `H_o`.
    #[error("the ommers have hash {actual}, the header says {expected}")]
    OmmersHash { expected: B256, actual: B256 },
    /// EIP-4895.
    #[error("the withdrawals have root {actual:?}, the header says {expected:?}")]
    WithdrawalsRoot { expected: Option<B256>, actual: Option<B256> },
    /// The signature is not one, or its `s` is high where Homestead forbids it (EIP-2).
    #[error("the sender of transaction {index} cannot be recovered")]
    Sender { index: usize, source: RecoveryError },
    /// Signed for one chain (EIP-155) before Spurious Dragon, when no such signature was known.
    #[error("transaction {index} is signed for one chain, which came with Spurious Dragon")]
    SignedForChain { index: usize },
}

/// A body that belongs to its header, ready to execute.
#[derive(Debug)]
pub(super) struct Body {
    pub(super) transactions: Vec<Recovered<TxEnvelope>>,
    pub(super) ommers: Vec<Header>,
    pub(super) withdrawals: Option<Vec<Withdrawal>>,
}

/// Checks the body against the header and recovers senders, in parallel on the rayon pool that this is
/// called in.
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

/// Whether a body has to have its ommers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OmmersRule {
    /// Those that the header commits to.
    Required,
    /// None at all, since nobody had them.
    LeftOut,
}

impl OmmersRule {
    /// The rule for a block of which these ommers are unknown.
    pub(super) const fn of(unknown: &[B256]) -> Self {
        if unknown.is_empty() { Self::Required } else { Self::LeftOut }
    }

    /// The rule for a block with this state.
    pub(super) fn of_state(state: &RecordedState) -> Self {
        match state {
            RecordedState::Witness(_) => Self::Required,
            RecordedState::Flat(flat) => Self::of(&flat.assumed.ommers),
        }
    }
}

/// Checks that a recorded block's transactions, ommers and withdrawals are those that its header commits
/// to, ommers that nobody had left out.
///
/// # Errors
/// [`BodyError`], but for [`BodyError::Sender`]: no sender is recovered.
pub fn check_recorded_body(recorded: &RecordedBlock) -> Result<(), BodyError> {
    let RecordedBlock { block, state, .. } = recorded;
    check_body(&block.header, &block.body, OmmersRule::of_state(state))
}

/// Checks that transactions, ommers and withdrawals are those that the header commits to.
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
