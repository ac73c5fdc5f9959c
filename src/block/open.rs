//! A block whose body belongs to its header, before anything is known of the state.

use super::{
    BodyError, Proof, ReceiptStatus, ReplayJob,
    body::{Body, OmmersRule, open_body},
};
use crate::{
    evm::{BlockContext, Chain, EvmEnv},
    state::{NumberedState, PreState},
};
use alloy_consensus::{Block, Header, TxEnvelope, transaction::Recovered};
use alloy_eips::eip4895::Withdrawal;
use std::time::Duration;

/// Header, transactions with their senders, ommers and withdrawals, and the rules that hold for them.
#[derive(Debug)]
pub struct OpenBlock {
    chain: Chain,
    header: Header,
    body: Body,
    env: EvmEnv,
}

/// What is known of the state before a block, and of the roots in its receipts.
#[derive(Debug)]
pub(super) struct Before {
    pub(super) pre_state: PreState,
    pub(super) proof: Proof,
    pub(super) receipt_status: ReceiptStatus,
}

impl OpenBlock {
    /// Checks the body against the header and recovers senders, on the rayon pool that this is called
    /// in.
    ///
    /// # Errors
    /// If the body is not the header's, or a signature is none.
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

    /// A block of transactions whose senders are known already, without ommers. Nothing is checked:
    /// the roots in the header may be anything.
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

    /// Whether receipts hold a status, not a state root (EIP-658).
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
            numbered_state: NumberedState::new(&pre_state),
            pre_state,
            state_latency: Duration::ZERO,
            proof,
            receipt_status,
            chain,
            header,
        }
    }
}
