//! Reads an HTTP answer and converts it to a result or a [`Fault`].
//!
//! Providers differ in what they put into the HTTP status and into the JSON-RPC error, so both are
//! examined. A permanent JSON-RPC error takes precedence over the status. Otherwise the status
//! counts. `retry` decides how to react to a [`Fault`].

use std::{borrow::Cow, time::Duration};

use reqwest::{Response, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    budget::{Budget, Share},
    error::Fault,
    json::for_each_item,
    redact::{SafeText, Secrets, TransportError},
    retry_after::retry_after,
    wording::{is_missing_state, is_rate_limit, is_too_large, stated_delay},
};

/// Bytes that are read of an answer with an error status. They are enough for an error message.
const LARGEST_REFUSAL: usize = 64 << 10;

/// The longest error message that is decoded, in bytes.
const LONGEST_MESSAGE: usize = 64 << 10;

/// Status, `Retry-After` and body of an HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
    /// The memory of the body. It is returned when the answer is decoded and dropped.
    _share: Share,
}

/// A JSON-RPC 2.0 response object (section 5).
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Id,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<ErrorObject<'a>>,
}

/// The id of an answer. Some gateways convert the number of the request to a string. Any other id is `None`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Id(Option<u64>);

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let id = <&RawValue>::deserialize(from)?.get();
        Ok(Self(id.trim_matches('"').parse().ok()))
    }
}

/// A JSON-RPC 2.0 error object (section 5.1).
#[derive(Debug, Deserialize)]
struct ErrorObject<'a> {
    code: i64,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
}

impl ErrorObject<'_> {
    /// The message, or the start of it if it is too long to be one.
    fn message(&self) -> Cow<'_, str> {
        let Some(json) = self.message.map(RawValue::get) else { return Cow::default() };
        let start = json.as_bytes().get(..LONGEST_MESSAGE);
        match start {
            Some(start) => String::from_utf8_lossy(start),
            None => serde_json::from_str(json).unwrap_or_default(),
        }
    }
}

/// Distinguishes `null` from an absent field.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Answer {
    /// Reads the whole answer, or only its start if the status is an error.
    pub(super) async fn read(mut response: Response, budget: &Budget) -> Result<Self, Fault> {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let mut share = budget.share();
        let body = if status.is_success() {
            read_whole(&mut response, &mut share).await?
        } else {
            read_start(&mut response, LARGEST_REFUSAL).await
        };
        Ok(Self { status, retry_after, body, _share: share })
    }

    /// A whole answer that arrived over a persistent connection.
    ///
    /// # Errors
    /// [`Fault::TooLarge`] if no answer may be as large.
    pub(super) async fn of_stream(body: Vec<u8>, budget: &Budget) -> Result<Self, Fault> {
        let mut share = budget.share();
        share.grow_to(body.len()).await?;
        Ok(Self { status: StatusCode::OK, retry_after: None, body, _share: share })
    }

    /// Length of the body in bytes.
    pub(super) fn length(&self) -> u64 {
        self.body.len() as u64
    }

    /// The `result`, as JSON.
    pub(super) fn result(&self, id: u64, secrets: &Secrets) -> Result<&RawValue, Fault> {
        match serde_json::from_slice::<Envelope<'_>>(&self.body) {
            Ok(Envelope { error: Some(error), .. }) => Err(self.fault_of(&error, secrets)),
            _ if !self.status.is_success() => Err(self.fault_of_status(&self.body, secrets)),
            Ok(Envelope { id: found, result: Some(result), .. }) if found == Id(Some(id)) => {
                Ok(result)
            }
            Ok(Envelope { result: Some(_), .. }) => Err(Fault::WrongId),
            Ok(_) => Err(Fault::NotJson {
                says: SafeText::new(&self.body, secrets),
                source: SafeText::new(b"neither result nor error", secrets),
            }),
            Err(error) => Err(Fault::NotJson {
                says: SafeText::new(&self.body, secrets),
                source: SafeText::of_json(&error, secrets),
            }),
        }
    }

    /// The `result` of each call of a batch. The ids count up from `first`. `None` for a call
    /// without a result or with an error.
    pub(super) fn results<'a>(
        &'a self,
        first: u64,
        count: usize,
        secrets: &Secrets,
    ) -> Result<Vec<Option<&'a RawValue>>, Fault> {
        let mut results = vec![None; count];
        let take = |Envelope { id: Id(id), result, error }: Envelope<'a>| {
            let position = id.and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
            if let Some(slot) = position.and_then(|position| results.get_mut(position)) {
                *slot = if error.is_none() { result } else { None };
            }
            Ok(())
        };
        let text = std::str::from_utf8(&self.body).unwrap_or_default().trim_ascii_start();
        if !text.starts_with('[') || for_each_item(text, take).is_err() {
            // An answer that is not a list has its error in the form of a single answer.
            return self.result(first, secrets).and(Err(Fault::WrongId));
        }
        if !self.status.is_success() {
            return Err(self.fault_of_status(&self.body, secrets));
        }
        Ok(results)
    }

    fn fault_of(&self, error: &ErrorObject<'_>, secrets: &Secrets) -> Fault {
        let message = error.message();
        let says = self.quote(message.as_bytes(), secrets);
        match error.code {
            code if is_rate_limit(code, &message) => {
                let retry_after = self.retry_after.or_else(|| stated_delay(&message));
                Fault::RateLimited { retry_after, says }
            }
            -32601 | -32004 => Fault::NoSuchMethod { says },
            code if self.status.is_success() && is_too_large(code, &message) => {
                Fault::Oversized { says }
            }
            -32700 | -32600 | -32603 | -32000 if !self.may_pass() && is_of_no_method(&message) => {
                Fault::NoSuchMethod { says }
            }
            // anvil's words over a persistent connection, and hardhat's for a tracer.
            -32602 if says_invalid_for_missing(&message) => Fault::NoSuchMethod { says },
            _ if !self.status.is_success() => self.fault_of_status(message.as_bytes(), secrets),
            -32603 if message.contains("method handler crashed") => Fault::Crashed { says },
            -32002..=-32000 if is_of_time(&message) => Fault::OutOfTime { says },
            -32603 if !is_missing_state(&message) => Fault::Internal { says },
            code => Fault::Answered { code, says },
        }
    }

    /// Whether the status is that of a transient fault.
    fn may_pass(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500..=599)
    }

    /// The words of the node. An answer about keys is not quoted, since it may be about the user's key.
    fn quote(&self, says: &[u8], secrets: &Secrets) -> SafeText {
        let is_of_keys = matches!(self.status.as_u16(), 401 | 403 | 407);
        SafeText::new(if is_of_keys { b"" } else { says }, secrets)
    }

    fn fault_of_status(&self, says: &[u8], secrets: &Secrets) -> Fault {
        let says = self.quote(says, secrets);
        let (status, retry_after) = (self.status.as_u16(), self.retry_after);
        match status {
            429 => Fault::RateLimited { retry_after, says },
            408 | 500..=599 => Fault::Unavailable { status, retry_after, says },
            _ => Fault::Refused { status, says },
        }
    }
}

/// Whether the message says that the node does not offer a method. Nodes use different codes for
/// it. A method that is missing only for some blocks, or only now, does not count.
fn is_of_no_method(message: &str) -> bool {
    let message = message.to_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
    let no_tracer = message.contains("custom tracers not implemented");
    no_tracer
        || message.contains("method")
            && says(&["not supported", "unsupported", "not available", "does not exist"])
            && !says(&[" block", " state", "archiv", "histor", "tempor"])
}

/// Whether the message calls the parameters invalid because the node lacks the method.
fn says_invalid_for_missing(message: &str) -> bool {
    let words = ["did not match any variant of untagged enum", "only supports the default tracer"];
    words.iter().any(|words| message.contains(words))
}

/// Whether the message says that the call took too long. Its code otherwise means missing data.
fn is_of_time(message: &str) -> bool {
    let message = message.to_lowercase();
    ["timed out", "timeout", "deadline exceeded"].iter().any(|words| message.contains(words))
}

/// The fault behind an error of the HTTP library.
pub(super) fn fault_of_transport(error: reqwest::Error) -> Fault {
    let cause = TransportError::new(error);
    if cause.is_unsendable() {
        Fault::Unsendable(cause)
    } else if cause.is_connect() {
        Fault::NoConnection(cause)
    } else if cause.is_timeout() {
        Fault::TimedOut(cause)
    } else {
        Fault::BrokenOff(cause)
    }
}

/// Reads the whole body, as far as the budget allows. The bytes count after decompression.
async fn read_whole(response: &mut Response, share: &mut Share) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fault_of_transport)? {
        let length = body.len() + chunk.len();
        share.grow_to(length).await?;
        if body.capacity() < length {
            // The usual growth by half or more would take several times the text for a moment.
            body.reserve_exact(chunk.len() + length / 4);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The start of an answer with an error status. The status already describes the fault, so a broken
/// connection is ignored here.
async fn read_start(response: &mut Response, limit: usize) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        body.extend_from_slice(&chunk);
        if body.len() >= limit {
            break;
        }
    }
    body.truncate(limit);
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::redact::secrets_of;
    use serde_json::json;

    const ID: u64 = 7;

    fn answer_of(status: StatusCode, body: &str) -> Answer {
        let share = Budget::new(1).share();
        Answer { status, retry_after: None, body: body.into(), _share: share }
    }

    fn fault(status: u16, body: &str) -> Fault {
        read(status, body).unwrap_err()
    }

    fn read(status: u16, body: &str) -> Result<String, Fault> {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = answer_of(status, body);
        let secrets = secrets_of(Some(&"http://h".parse().unwrap()), [].into_iter());
        answer.result(ID, &secrets).map(|result| result.get().to_owned())
    }

    fn error(code: i64) -> String {
        format!(
            r#"{{"jsonrpc":"2.0","id":null,"error":{{"code":{code},"message":"m","data":[1]}}}}"#
        )
    }

    #[test]
    fn a_null_result_is_a_result() {
        assert_eq!(read(200, r#"{"id":7,"result":null}"#).unwrap(), "null");
        assert_eq!(read(200, r#"{"id":7,"result":{"a":1},"error":null}"#).unwrap(), r#"{"a":1}"#);
    }

    fn read_batch(status: u16, body: &str) -> Result<Vec<Option<String>>, Fault> {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = answer_of(status, body);
        let secrets = secrets_of(Some(&"http://h".parse().unwrap()), [].into_iter());
        let results = answer.results(ID, 3, &secrets)?;
        Ok(results.into_iter().map(|json| json.map(|json| json.get().to_owned())).collect())
    }

    #[test]
    fn batch_results_are_in_order_and_failed_or_missing_ones_are_none() {
        let failed = r#"{"id":8,"error":{"code":-32005}}"#;
        let body = format!(r#"[{{"id":9,"result":"c"}},{failed},{{"id":7,"result":"a"}}]"#);
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read_batch(200, &body).unwrap(), [text("\"a\""), None, text("\"c\"")]);
        let strange = r#"[{"id":6,"result":1},{"id":10,"result":1},{"id":"x7","result":1},{}]"#;
        assert_eq!(read_batch(200, strange).unwrap(), [None, None, None]);
    }

    #[test]
    fn an_answer_that_is_not_a_batch_names_its_fault() {
        assert!(matches!(read_batch(200, &error(-32600)), Err(Fault::Answered { .. })));
        assert!(matches!(read_batch(200, &error(-32005)), Err(Fault::RateLimited { .. })));
        assert!(matches!(read_batch(200, r#"{"id":7,"result":1}"#), Err(Fault::WrongId)));
        assert!(matches!(read_batch(200, "<html>"), Err(Fault::NotJson { .. })));
        assert!(matches!(read_batch(413, "[]"), Err(Fault::Refused { .. })));
    }

    #[test]
    fn an_id_may_be_a_string() {
        assert_eq!(read(200, r#"{"id":"7","result":1}"#).unwrap(), "1");
        assert!(matches!(fault(200, r#"{"id":"8","result":1}"#), Fault::WrongId));
        assert!(matches!(fault(200, r#"{"id":[7],"result":1}"#), Fault::WrongId));
    }

    #[test]
    fn ids_are_checked() {
        assert!(matches!(fault(200, r#"{"id":8,"result":1}"#), Fault::WrongId));
        assert!(matches!(fault(200, r#"{"result":1}"#), Fault::WrongId));
    }

    #[test]
    fn an_id_may_be_a_string_and_any_other_value_is_another_id() {
        assert_eq!(read(200, r#"{"id":"7","result":1}"#).unwrap(), "1");
        for id in ["null", "-7", "7.0", "[7]", r#"{"a":[7]}"#, "true", r#""seven""#] {
            let body = format!(r#"{{"id":{id},"result":1}}"#);
            assert!(matches!(fault(200, &body), Fault::WrongId), "{id}");
        }
    }

    #[test]
    fn a_message_of_any_size_or_kind_is_read() {
        for message in [r#""m""#.to_owned(), format!("\"{}\"", "m".repeat(1 << 20)), "[1]".into()] {
            let body = format!(r#"{{"id":7,"error":{{"code":-32601,"message":{message}}}}}"#);
            assert!(matches!(fault(200, &body), Fault::NoSuchMethod { .. }));
        }
    }

    #[test]
    fn an_answer_that_is_not_a_response_object_is_not_json_rpc() {
        for body in ["", "<html>", r#"{"id":7}"#, "[]", "3", r#"{"id":7,"result":"0x"#] {
            assert!(matches!(fault(200, body), Fault::NotJson { .. }), "{body}");
        }
    }

    #[test]
    fn error_codes_map_to_their_faults() {
        assert!(matches!(fault(200, &error(-32005)), Fault::RateLimited { .. }));
        assert!(matches!(fault(200, &error(-32603)), Fault::Internal { .. }));
        assert!(matches!(fault(200, &error(-32601)), Fault::NoSuchMethod { .. }));
        for code in [-32602, -32000] {
            assert!(
                matches!(fault(200, &error(code)), Fault::Answered { code: c, .. } if c == code)
            );
        }
    }

    #[test]
    fn messages_distinguish_faults_with_the_same_code() {
        let said = |code: i64, message: &str| {
            let error = json!({"id": ID, "error": {"code": code, "message": message}});
            fault(200, &error.to_string())
        };
        let missing = [
            said(-32600, "Unsupported method: debug_executionWitness on ETH_MAINNET"),
            said(-32603, "method debug_executionWitness is not supported"),
            said(-32000, "The method does not exist / is not available"),
            said(-32700, "The method debug_executionWitness does not exist/is not available"),
            said(-32000, "custom tracers not implemented"),
            said(-32602, "Hardhat currently only supports the default tracer, so no tracer"),
        ];
        assert!(missing.iter().all(|fault| matches!(fault, Fault::NoSuchMethod { .. })));
        assert!(matches!(said(-32603, "method handler crashed"), Fault::Crashed { .. }));
        for late in [said(-32002, "request timed out"), said(-32000, "execution timeout")] {
            assert!(matches!(late, Fault::OutOfTime { .. }), "{late}");
        }
        for code in [-32000, -32603] {
            assert!(matches!(said(code, "missing trie node"), Fault::Answered { .. }), "{code}");
        }
        for passing in
            ["method is temporarily not available", "method not supported for old blocks"]
        {
            assert!(matches!(said(-32000, passing), Fault::Answered { .. }), "{passing}");
        }
        assert!(matches!(said(-32600, "Must be authenticated!"), Fault::Answered { .. }));
    }

    #[test]
    fn statuses_map_to_their_faults() {
        for status in [408, 500, 502, 503, 504, 520] {
            assert!(matches!(fault(status, "<html>"), Fault::Unavailable { .. }), "{status}");
        }
        for status in [301, 400, 401, 403, 404] {
            assert!(matches!(fault(status, "<html>"), Fault::Refused { .. }), "{status}");
        }
        assert!(matches!(fault(429, ""), Fault::RateLimited { .. }));
    }

    #[test]
    fn both_the_status_and_the_json_rpc_error_are_read() {
        assert!(matches!(fault(500, &error(-32601)), Fault::NoSuchMethod { .. }));
        assert!(matches!(fault(503, &error(-32000)), Fault::Unavailable { .. }));
        assert!(matches!(fault(403, &error(-32603)), Fault::Refused { .. }));
        assert!(matches!(fault(400, &error(-32005)), Fault::RateLimited { .. }));
    }
}
