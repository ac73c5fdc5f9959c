//! The same question about many things, several to a request (JSON-RPC 2.0, section 6).
//!
//! A batch only saves round trips. What it leaves without an answer, for whatever reason, is asked
//! once more by itself, and only that answer counts as the node's. A node that refuses batches as such
//! is not sent any more of them, and neither is one for which the user set a budget: providers
//! count the calls in a batch, not the requests.

use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    client::{Client, Limits, Question, decode},
    error::{Fault, RpcError},
    retry::Contact,
};

/// Most calls in one batch. Small enough for what providers allow, and for a retry to cost little.
const MOST_CALLS: usize = 10;

/// What is known about a node and batches.
#[derive(Debug)]
pub(super) struct Batches {
    /// Set when they are of no use.
    useless: OnceCell<()>,
}

impl Batches {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { useless: OnceCell::new_with(limits.requests_per_second.map(|_| ())) }
    }
}

impl Client {
    /// Asks `method` with each of `params`; the answers are in their order.
    ///
    /// # Errors
    /// As [`Client::call`], for the first question that remains without an answer.
    pub(super) async fn call_each<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, RpcError> {
        let chunks = params.chunks(MOST_CALLS).map(|chunk| self.call_chunk(method, chunk));
        Ok(try_join_all(chunks).await?.into_iter().flatten().collect())
    }

    async fn call_chunk<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, RpcError> {
        let together = match params {
            [_, _, ..] if !self.batches().useless.initialized() => {
                self.call_together(method, params).await?
            }
            _ => Vec::new(),
        };
        let answers = together.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let alone =
            params.iter().zip(answers).map(async |(params, answer)| match answer.flatten() {
                Some(answer) => Ok(answer),
                None => self.call(method, params.clone()).await,
            });
        try_join_all(alone).await
    }

    /// One batch. No answers if the node is there and did not take it.
    async fn call_together<T: DeserializeOwned>(
        &self,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<Option<T>>, RpcError> {
        let question = Question::batch(method, params);
        let answers = self.persist(&question, Contact::Made, |answer, secrets| {
            let results = answer.results(question.id(), params.len(), secrets)?;
            Ok(results.into_iter().map(|json| decode(json?.get(), secrets).ok()).collect())
        });
        match answers.await {
            Err(RpcError::Failed { source, .. }) => {
                if is_refusal(&source) {
                    // Somebody else may have found out at the same time, which makes no difference.
                    let _ = self.batches().useless.set(());
                }
                Ok(Vec::new())
            }
            answers => answers,
        }
    }
}

/// Whether the node, or the gateway before it, takes no batches, or none of this size.
const fn is_refusal(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Refused { .. }
            | Fault::Answered { .. }
            | Fault::NoSuchMethod { .. }
            | Fault::NotJson { .. }
            | Fault::TooLarge { .. }
    )
}
