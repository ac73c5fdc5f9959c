//! Accounts and slots that a block touches, according to `eth_createAccessList`.
//!
//! This is for nodes without a tracer. Each transaction is simulated alone on the state before the block, so the lists
//! only come close to what the block touches. A transaction that depends on an earlier one may fail there. It then has
//! no list, and execution of the block shows what is missing.

use alloy_consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, BlockNumber, U64};
use alloy_rpc_types_eth::{TransactionInput, TransactionRequest};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{batch::Denial, block_error::FetchError, node::Node},
    touched::Touched,
};

/// The fields of the answer to `eth_createAccessList` that are used. A reverted transaction has a list, too.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    access_list: AccessList,
}

impl Node {
    /// Accounts and slots that the transactions touch if each is executed alone. Nothing if the node lacks the method.
    pub(super) async fn access_lists(
        &self,
        number: BlockNumber,
        transactions: &[TxEnvelope],
    ) -> Result<Touched, FetchError> {
        if self.no_access_lists.initialized() {
            return Ok(Touched::default());
        }
        let parent = U64::from(number.saturating_sub(1));
        let requests = transactions.iter().filter(|one| is_call(one)).filter_map(request);
        let params: Vec<Value> = requests.map(|request| json!([request, parent])).collect();
        match self.ask_all(number, "eth_createAccessList", &params, Denial::Skips).await {
            Ok(answers) => Ok(touched(answers)),
            Err(error) if error.is_method_missing() => {
                // `set` fails if another task has set it already, which is harmless.
                let _ = self.no_access_lists.set(());
                Ok(Touched::default())
            }
            Err(error) => Err(error),
        }
    }
}

fn touched(answers: Vec<Option<Answer>>) -> Touched {
    let mut touched = Touched::default();
    for item in answers.into_iter().flatten().flat_map(|answer| answer.access_list.0) {
        touched.touch(item.address, item.storage_keys.into_iter().map(Into::into));
    }
    touched
}

/// Whether a transaction may touch more than its sender and its recipient. A transfer of ether to a contract executes
/// code if it has more gas than the minimum.
fn is_call(transaction: &TxEnvelope) -> bool {
    const GAS_OF_TRANSFER: u64 = 21_000;
    transaction.gas_limit() > GAS_OF_TRANSFER
}

/// The call that simulates a transaction. It has no nonce, since earlier transactions of the block are not executed. A
/// blob transaction is simulated without its blobs, which a node would demand. `None` if the signature is invalid.
fn request(transaction: &TxEnvelope) -> Option<TransactionRequest> {
    let from: Address = transaction.recover_signer_unchecked().ok()?;
    let is_dynamic = transaction.is_dynamic_fee();
    Some(TransactionRequest {
        from: Some(from),
        to: Some(transaction.kind()),
        gas: Some(transaction.gas_limit()),
        gas_price: transaction.gas_price(),
        max_fee_per_gas: is_dynamic.then(|| transaction.max_fee_per_gas()),
        max_priority_fee_per_gas: transaction.max_priority_fee_per_gas(),
        value: Some(transaction.value()),
        input: TransactionInput::new(transaction.input().clone()),
        access_list: transaction.access_list().cloned(),
        authorization_list: transaction.authorization_list().map(<[_]>::to_vec),
        ..TransactionRequest::default()
    })
}
