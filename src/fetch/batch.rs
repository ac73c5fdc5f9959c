//! Many calls of one method, several in each request (JSON-RPC 2.0, section 6).
//!
//! A batch only saves round trips. A call without an answer in the batch is sent again alone, and
//! only the second answer counts. No more batches are sent to a node that rejects them. No batches
//! are sent either if the user set a budget, because providers count the calls of a batch, not the
//! requests.

use alloy_primitives::BlockNumber;
use futures::future::try_join_all;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::{
    client::{Client, Limits, Question, decode},
    error::{Fault, RpcError},
    retry::Contact,
};

/// Maximum number of calls in one batch. It is within the limits of providers, and a retry costs
/// little.
const MOST_CALLS: usize = 10;

/// Whether batches are worth sending to a node.
#[derive(Debug)]
pub(super) struct Batches {
    /// Set when batches are useless.
    useless: OnceCell<()>,
}

/// Meaning of a failed call for the calls that were sent with it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Denial {
    /// All of them fail.
    Fails,
    /// A call for which the node lacks the data has no answer.
    SkipsLack,
    /// A call that the node denies for any reason has no answer.
    Skips,
}

impl Denial {
    fn of<T>(self, answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
        let skips = |error: &RpcError| match self {
            Self::Fails => false,
            Self::SkipsLack => error.is_not_there(),
            Self::Skips => error.is_denial() && !error.is_method_missing(),
        };
        match answer {
            Err(error) if skips(&error) => Ok(None),
            answer => answer.map(Some),
        }
    }
}

impl Batches {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { useless: OnceCell::new_with(limits.requests_per_second.map(|_| ())) }
    }
}

impl Client {
    /// Calls `method` once with each of `params`, all needed by block `number`. The answers have the order of `params`.
    ///
    /// # Errors
    /// As [`Client::call`], for the first call that has no answer.
    pub(super) async fn call_each<T: DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
    ) -> Result<Vec<T>, RpcError> {
        let all = self.call_all(number, method, params, Denial::Fails).await?;
        // A denial ended the call, so no answer is missing.
        Ok(all.into_iter().flatten().collect())
    }

    /// As [`call_each`](Self::call_each), with `None` for each call that `denial` allows to have no answer.
    ///
    /// # Errors
    /// If the node lacks the method, or a call fails for another reason.
    pub(super) async fn call_all<T: DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
        denial: Denial,
    ) -> Result<Vec<Option<T>>, RpcError> {
        let chunk = |chunk| self.call_chunk(number, method, chunk, denial);
        let chunks = try_join_all(params.chunks(MOST_CALLS).map(chunk)).await?;
        Ok(chunks.into_iter().flatten().collect())
    }

    async fn call_chunk<T: DeserializeOwned>(
        &self,
        number: BlockNumber,
        method: &'static str,
        params: &[Value],
        denial: Denial,
    ) -> Result<Vec<Option<T>>, RpcError> {
        let together = match params {
            [_, _, ..] if !self.batches().useless.initialized() => {
                self.call_together(method, params).await?
            }
            _ => Vec::new(),
        };
        let answers = together.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let alone =
            params.iter().zip(answers).map(async |(params, answer)| match answer.flatten() {
                Some(answer) => Ok(Some(answer)),
                None => denial.of(self.call_about(number, method, params.clone()).await),
            });
        try_join_all(alone).await
    }

    /// Sends one batch. Returns no answers if the node was reached and rejected the batch.
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
                    // `set` fails if another task has set it already, which is harmless.
                    let _ = self.batches().useless.set(());
                }
                Ok(Vec::new())
            }
            answers => answers,
        }
    }
}

/// Whether the node, or the gateway before it, rejects batches. A batch with too large an answer is split, and says
/// nothing about smaller ones.
const fn is_refusal(fault: &Fault) -> bool {
    matches!(
        fault,
        Fault::Refused { .. }
            | Fault::Answered { .. }
            | Fault::NoSuchMethod { .. }
            | Fault::NotJson { .. }
    )
}
