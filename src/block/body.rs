//! Checks a block's body against its header and recovers senders.

use alloy_consensus::{
    BlockBody, Header, TxEnvelope,
    crypto::RecoveryError,
    proofs,
    transaction::{Recovered, SignerRecoverable},
};
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
}

/// Checks that transactions, ommers and withdrawals are those that the header commits to.
///
/// # Errors
/// [`BodyError`], but for [`BodyError::Sender`]: no sender is recovered.
pub fn check_body(header: &Header, body: &BlockBody<TxEnvelope>) -> Result<(), BodyError> {
    let expected = header.transactions_root;
    let actual = proofs::calculate_transaction_root(&body.transactions);
    if actual != expected {
        return Err(BodyError::TransactionsRoot { expected, actual });
    }
    let expected = header.ommers_hash;
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

/// Whether a signature's `s` may be above half the curve's order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignatureRule {
    /// Before Homestead.
    AnyS,
    /// EIP-2.
    LowS,
}

/// Recovers all senders, in parallel on the rayon pool that this is called in.
pub(super) fn recover_senders(
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
