//! Reads an HTTP answer and converts it to a result or a [`Fault`].
//!
//! Providers differ in what they put into the HTTP status and into the JSON-RPC error, so both are
//! examined. A permanent JSON-RPC error takes precedence over the status. Otherwise the status
//! counts. `retry` decides how to react to a [`Fault`].

use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{
    error::Fault,
    redact::{SafeText, Secrets, TransportError},
    retry_after::retry_after,
    wording::{is_missing_state, is_rate_limit, is_too_large, stated_delay},
};

/// The largest answer that is read, after decompression. Witnesses have tens of megabytes.
pub(super) const LARGEST_ANSWER: usize = 512 << 20;

/// Bytes that are read of an answer with an error status. They are enough for an error message.
const LARGEST_REFUSAL: usize = 64 << 10;

/// Status, `Retry-After` and body of an HTTP answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    body: Vec<u8>,
}

/// A JSON-RPC 2.0 response object (section 5).
#[derive(Debug, Deserialize)]
struct Envelope<'a> {
    #[serde(default)]
    id: Id,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<ErrorObject>,
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
struct ErrorObject {
    code: i64,
    #[serde(default)]
    message: String,
}

/// Distinguishes `null` from an absent field.
fn present<'de, D: Deserializer<'de>>(from: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(from).map(Some)
}

impl Answer {
    /// Reads the whole answer, or only its start if the status is an error.
    pub(super) async fn read(mut response: Response) -> Result<Self, Fault> {
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let body = if status.is_success() {
            read_whole(&mut response, LARGEST_ANSWER).await?
        } else {
            read_start(&mut response, LARGEST_REFUSAL).await
        };
        Ok(Self { status, retry_after, body })
    }

    /// A whole answer that arrived over a persistent connection.
    pub(super) const fn of_stream(body: Vec<u8>) -> Self {
        Self { status: StatusCode::OK, retry_after: None, body }
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
    pub(super) fn results(
        &self,
        first: u64,
        count: usize,
        secrets: &Secrets,
    ) -> Result<Vec<Option<&RawValue>>, Fault> {
        let Ok(envelopes) = serde_json::from_slice::<Vec<Envelope<'_>>>(&self.body) else {
            // An answer that is not a list has its error in the form of a single answer.
            return self.result(first, secrets).and(Err(Fault::WrongId));
        };
        if !self.status.is_success() {
            return Err(self.fault_of_status(&self.body, secrets));
        }
        let mut results = vec![None; count];
        for Envelope { id, result, error } in envelopes {
            let position = id.0.and_then(|id| usize::try_from(id.checked_sub(first)?).ok());
            if let Some(slot) = position.and_then(|position| results.get_mut(position)) {
                *slot = if error.is_none() { result } else { None };
            }
        }
        Ok(results)
    }

    fn fault_of(&self, error: &ErrorObject, secrets: &Secrets) -> Fault {
        let says = SafeText::new(error.message.as_bytes(), secrets);
        match error.code {
            code if is_rate_limit(code, &error.message) => {
                let retry_after = self.retry_after.or_else(|| stated_delay(&error.message));
                Fault::RateLimited { retry_after, says }
            }
            -32601 | -32004 => Fault::NoSuchMethod { says },
            code if self.status.is_success() && is_too_large(code, &error.message) => {
                Fault::Oversized { says }
            }
            -32700 | -32600 | -32603 | -32000
                if !self.may_pass() && is_of_no_method(&error.message) =>
            {
                Fault::NoSuchMethod { says }
            }
            _ if !self.status.is_success() => {
                self.fault_of_status(error.message.as_bytes(), secrets)
            }
            -32603 if error.message.contains("method handler crashed") => Fault::Crashed { says },
            -32002..=-32000 if is_of_time(&error.message) => Fault::OutOfTime { says },
            -32603 if !is_missing_state(&error.message) => Fault::Internal { says },
            code => Fault::Answered { code, says },
        }
    }

    /// Whether the status is that of a transient fault.
    fn may_pass(&self) -> bool {
        matches!(self.status.as_u16(), 408 | 429 | 500..=599)
    }

    fn fault_of_status(&self, says: &[u8], secrets: &Secrets) -> Fault {
        let says = SafeText::new(says, secrets);
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

async fn read_whole(response: &mut Response, limit: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(fault_of_transport)? {
        if body.len() + chunk.len() > limit {
            return Err(Fault::TooLarge { limit });
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
    use serde_json::json;

    const ID: u64 = 7;

    fn fault(status: u16, body: &str) -> Fault {
        read(status, body).unwrap_err()
    }

    fn read(status: u16, body: &str) -> Result<String, Fault> {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer { status, retry_after: None, body: body.into() };
        let secrets = Secrets::of(Some(&"http://h".parse().unwrap()), [].into_iter());
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
        let answer = Answer { status, retry_after: None, body: body.into() };
        let secrets = Secrets::of(Some(&"http://h".parse().unwrap()), [].into_iter());
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
