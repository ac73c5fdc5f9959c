//! Receipts without bloom filters, as executors produce them. Verification computes the filters.

use alloy_consensus::{EthereumReceipt, TxEnvelope, TxType};
use alloy_evm::{
    Evm,
    eth::receipt_builder::{ReceiptBuilder, ReceiptBuilderCtx},
};

/// Type, status, cumulative gas and logs of one transaction.
pub type Receipt = EthereumReceipt<TxType>;

/// Builds [`Receipt`]s. alloy-evm's own builder also computes bloom filters, which are not part of the timed
/// work.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainReceipts;

impl ReceiptBuilder for PlainReceipts {
    type Transaction = TxEnvelope;
    type Receipt = Receipt;

    fn build_receipt<E: Evm>(&self, ctx: ReceiptBuilderCtx<'_, TxType, E>) -> Receipt {
        EthereumReceipt {
            tx_type: ctx.tx_type,
            success: ctx.result.is_success(),
            cumulative_gas_used: ctx.cumulative_gas_used,
            logs: ctx.result.into_logs(),
        }
    }
}
