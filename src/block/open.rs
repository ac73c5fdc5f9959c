//! A block with a checked body, before its pre-state is known.

use super::{
    BodyError, Proof, ReceiptStatus, ReplayJob,
    body::{Body, OmmersRule, open_body},
};
use crate::{
    evm::{BlockContext, Chain, EvmEnv},
    state::{IndexedState, PreState},
};
use alloy_consensus::{Block, Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use std::time::Duration;

/// A block with its header, transactions, senders, ommers and withdrawals, and the rules that apply to it.
#[derive(Debug)]
pub struct OpenBlock {
    chain: Chain,
    header: Header,
    body: Body,
    env: EvmEnv,
}

/// The pre-state of a block with its proof, and the outcome field of its receipts.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) pre_state: PreState,
    pub(super) proof: Proof,
    pub(super) receipt_status: ReceiptStatus,
}

impl OpenBlock {
    /// Checks the body against the header and recovers the senders on the current rayon pool.
    ///
    /// # Errors
    /// The body does not match the header, or a signature is invalid.
    pub fn open(chain: Chain, block: Block<TxEnvelope>) -> Result<Self, BodyError> {
        Self::open_with(chain, block, OmmersRule::Required)
    }

    pub(super) fn open_with(
        chain: Chain,
        Block { header, body }: Block<TxEnvelope>,
        ommers: OmmersRule,
    ) -> Result<Self, BodyError> {
        let body = open_body(&chain, &header, body, ommers)?;
        let env = chain.evm_env(&header);
        Ok(Self { chain, header, body, env })
    }

    /// Makes a block without ommers from transactions with known senders. It checks nothing, so the roots in
    /// the header may have any value.
    pub fn unchecked(
        chain: Chain,
        header: Header,
        transactions: Vec<Recovered<TxEnvelope>>,
        withdrawals: Option<Vec<Withdrawal>>,
    ) -> Self {
        let env = chain.evm_env(&header);
        let body = Body { transactions, ommers: Vec::new(), withdrawals };
        Self { chain, header, body, env }
    }

    /// The block's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    pub(super) fn transactions(&self) -> &[Recovered<TxEnvelope>] {
        &self.body.transactions
    }

    /// Whether receipts hold a status instead of a state root (EIP-658).
    pub(super) fn has_status(&self) -> bool {
        self.chain.has_status_receipts(&self.header)
    }

    pub(super) fn context(&self) -> BlockContext<'_> {
        BlockContext {
            chain: &self.chain,
            header: &self.header,
            ommers: &self.body.ommers,
            withdrawals: self.body.withdrawals.as_deref(),
            env: &self.env,
        }
    }

    pub(super) fn into_job(self, before: Before) -> ReplayJob {
        let Self { chain, header, body, env } = self;
        let Body { transactions, ommers, withdrawals } = body;
        let Before { pre_state, proof, receipt_status } = before;
        ReplayJob {
            hash: header.hash_slow(),
            transactions,
            ommers,
            withdrawals,
            env,
            indexed_state: IndexedState::new(&pre_state),
            pre_state,
            state_latency: Duration::ZERO,
            proof,
            receipt_status,
            access_list: None,
            chain,
            header,
        }
    }
}
