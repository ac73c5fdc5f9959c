//! Recognises the answer of a backend that lags behind the head that the node stated.
//!
//! A load balancer spreads requests over several backends. A backend that has not imported a block yet answers
//! `null` or "block not found" for it, although another backend stated a newer head. Such an answer is retried. For a
//! block above the head it is final.
//!
//! The known head never decreases. It is the largest number that the node stated as its head or returned as a block.

use std::pin::Pin;

use alloy_primitives::{BlockNumber, U64};
use serde_json::json;
use tokio::sync::Mutex;

use super::{
    client::Client,
    error::{Fault, RpcError},
    wording::is_unknown_block,
};

/// Distance from the head within which a backend may lag. For an older block another reason is more likely.
const NEAR_HEAD: u64 = 128;

/// The newest block of a node, as far as its answers show.
///
/// The lock guards the number and is never held while a request is open.
#[derive(Debug, Default)]
pub(super) struct KnownHead(Mutex<Option<BlockNumber>>);

impl KnownHead {
    /// Notes that the node has this block.
    pub(super) async fn note(&self, number: BlockNumber) {
        let mut head = self.0.lock().await;
        *head = (*head).max(Some(number));
    }

    async fn get(&self) -> Option<BlockNumber> {
        *self.0.lock().await
    }
}

impl Client {
    /// Asks for the newest block that the node has.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(super) async fn head(&self) -> Result<BlockNumber, RpcError> {
        let head = self.call::<U64>("eth_blockNumber", json!([])).await?.to();
        self.known_head().note(head).await;
        Ok(head)
    }

    /// [`head`](Self::head) as a boxed future, for a call that itself is part of a call.
    fn boxed_head(
        &self,
    ) -> Pin<Box<dyn Future<Output = Result<BlockNumber, RpcError>> + Send + '_>> {
        Box::pin(self.head())
    }

    /// Converts a fault of a call about a block to [`Fault::Lagging`] if the node stated that it has the block. Every
    /// other fault is returned unchanged.
    pub(super) async fn recognise_lag(&self, about: Option<BlockNumber>, fault: Fault) -> Fault {
        let Some(number) = about.filter(|_| denies_block(&fault)) else { return fault };
        match self.head_from(number).await {
            Some(head) => {
                let near = number.saturating_add(NEAR_HEAD) >= head;
                Fault::Lagging { head, near, answer: Box::new(fault) }
            }
            None => fault,
        }
    }

    /// The head of the node, if it is at `number` or above. The node is asked only if its known head is lower.
    async fn head_from(&self, number: BlockNumber) -> Option<BlockNumber> {
        let known = self.known_head().get().await.filter(|head| *head >= number);
        if known.is_some() {
            return known;
        }
        self.boxed_head().await.ok().filter(|head| *head >= number)
    }
}

/// Whether the node answered that it does not have a block.
fn denies_block(fault: &Fault) -> bool {
    match fault {
        Fault::Null => true,
        Fault::Answered { says, .. } => is_unknown_block(says.as_str()),
        _ => false,
    }
}
