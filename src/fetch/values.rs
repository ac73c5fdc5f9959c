//! Single values of the state before a block, with methods such as `eth_getBalance`.
//!
//! A node without these methods, or without the state, cannot answer. This is a result and not an error: the caller must
//! record an assumption. Values of one kind are requested in batches.

use alloy_primitives::{Address, B256, BlockNumber, Bytes, U64, U256};
use futures::future::try_join;
use serde_json::{Value, json};

use super::{batch::Denial, block_error::FetchError, node::Node};
use crate::block::AccountFields;

impl Node {
    /// Accounts before block `number`, in the same order. `None` for each that the node cannot return.
    ///
    /// The balance of the first account is requested alone. If the node lacks it, it lacks the state, and is not asked
    /// for the rest.
    ///
    /// # Errors
    /// If a call fails for another reason.
    pub async fn accounts_before(
        &self,
        number: BlockNumber,
        of: &[Address],
    ) -> Result<Vec<Option<AccountFields>>, FetchError> {
        let params: Vec<_> = of.iter().map(|of| json!([of, parent(number)])).collect();
        let [first, rest @ ..] = &params[..] else { return Ok(Vec::new()) };
        let balance = self.values::<U256>(number, "eth_getBalance", std::slice::from_ref(first));
        let mut balances = balance.await?;
        if balances == [None] {
            return Ok(vec![None; of.len()]);
        }
        balances.extend(self.values(number, "eth_getBalance", rest).await?);
        let nonces = self.values::<U64>(number, "eth_getTransactionCount", &params);
        let codes = self.values::<Bytes>(number, "eth_getCode", &params);
        let (nonces, codes) = try_join(nonces, codes).await?;
        let fields = |((balance, nonce), code): ((Option<U256>, Option<U64>), Option<Bytes>)| {
            Some(AccountFields { balance: balance?, nonce: nonce?.to(), code: code? })
        };
        Ok(balances.into_iter().zip(nonces).zip(codes).map(fields).collect())
    }

    /// Slots before block `number`, in the same order. `None` for each that the node cannot return.
    ///
    /// # Errors
    /// If a call fails for another reason.
    pub async fn slots_before(
        &self,
        number: BlockNumber,
        slots: &[(Address, U256)],
    ) -> Result<Vec<Option<U256>>, FetchError> {
        let params = |(of, slot): &(Address, U256)| json!([of, B256::from(*slot), parent(number)]);
        let params: Vec<_> = slots.iter().map(params).collect();
        // Some nodes omit leading zeros, which `U256` accepts.
        self.values(number, "eth_getStorageAt", &params).await
    }

    /// The codes of accounts before block `number`, in the same order. `None` if the node lacks the method or the
    /// state. The first code is requested alone, so that such a node gets one request.
    ///
    /// # Errors
    /// If a call fails for another reason.
    pub async fn codes_before(
        &self,
        number: BlockNumber,
        of: &[Address],
    ) -> Result<Option<Vec<Bytes>>, FetchError> {
        let (first, rest) = of.split_at(of.len().min(1));
        let parent = number.saturating_sub(1);
        let mut codes = match self.codes(number, parent, first).await {
            Ok(codes) => codes,
            Err(error) if error.is_lack() => return Ok(None),
            Err(error) => return Err(error),
        };
        codes.extend(self.codes(number, parent, rest).await?);
        Ok(Some(codes))
    }

    /// Values of one method. If one of these methods is missing, the node is not called again.
    async fn values<T: serde::de::DeserializeOwned + Clone>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<Option<T>>, FetchError> {
        if self.lacks_state_methods() {
            return Ok(vec![None; params.len()]);
        }
        match self.ask_all(number, method, params, Denial::SkipsLack).await {
            Err(error) if error.is_method_missing() => {
                self.note_lack_of_state_methods();
                Ok(vec![None; params.len()])
            }
            values => values,
        }
    }
}

/// The number of the parent, as a parameter. Block 0 is never fetched.
fn parent(number: BlockNumber) -> U64 {
    U64::from(number.saturating_sub(1))
}
