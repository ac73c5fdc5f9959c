//! Why a bucket did not serve a request.
//!
//! A message has the status and the code of the answer, and never its text: S3 repeats the access key there, and Azure
//! the signed request. `http` replaces a refused answer by a [`BucketFault`], so that no text of the service reaches
//! an error of the library at all.

use std::{
    error::Error,
    fmt::{self, Display},
    io::{self, ErrorKind},
};

use object_store::client::{HttpError, HttpErrorKind};

use crate::{
    secrets::Secrets,
    text::{one_line, shortened},
};

/// Maximum length of a text of the library or the system in a message, in bytes.
const MAX_TEXT: usize = 300;

/// Why a bucket did not serve a request. The caller names the object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "the messages name the fields")]
pub enum BucketFault {
    /// The service answered that there is no such bucket.
    #[error("there is no such bucket; create it, or correct its name")]
    NoBucket,

    /// Wrong or expired credentials, a lack of permissions, or another region.
    #[error(
        "the service refuses the request (HTTP status {status}{code}); check the credentials, the permissions and the \
         region: {remedy}"
    )]
    Refused { status: u16, code: Code, remedy: &'static str },

    /// The environment has no credentials, and neither has the machine.
    #[error("there are no credentials; {remedy}")]
    NoCredentials { remedy: &'static str },

    /// The service is busy or broken. All retries failed.
    #[error("the service answered HTTP status {status}{code}; try again later")]
    Busy { status: u16, code: Code },

    /// The connection failed or broke. All retries failed.
    #[error("{what}: {cause}; try again later")]
    Connection { what: &'static str, cause: String },

    /// An object with another size than the service stated.
    #[error("the answer ended early; try again later")]
    CutShort,

    /// Settings in the environment that cannot be used, or an answer of another form.
    #[error("{text}")]
    Other { text: String },
}

/// The code of an answer, such as `AccessDenied`; empty if there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code(String);

/// Codes of a missing bucket or container.
const NO_BUCKET: [&str; 3] = ["NoSuchBucket", "ContainerNotFound", "ContainerBeingDeleted"];

impl Code {
    /// The code in the XML of an answer.
    pub(super) fn of(body: &str) -> Self {
        let code = body.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
        let code = code.map(|(code, _)| code).unwrap_or_default();
        let is_code = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        Self(if is_code { code.to_owned() } else { String::new() })
    }

    pub(super) fn is_of_missing_bucket(&self) -> bool {
        NO_BUCKET.contains(&self.0.as_str())
    }
}

/// Prints `, AccessDenied`, or nothing.
impl Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, ", {}", self.0) }
    }
}

impl BucketFault {
    /// Whether the same request may succeed later.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Busy { .. } | Self::Connection { .. } | Self::CutShort => true,
            Self::NoBucket
            | Self::Refused { .. }
            | Self::NoCredentials { .. }
            | Self::Other { .. } => false,
        }
    }

    /// The fault behind an error of the library.
    pub(super) fn of(error: &object_store::Error) -> Self {
        let Some(http) = find::<HttpError>(error) else {
            let text = Secrets::new(secret_settings()).hide(&error.to_string());
            let text = one_line(&shortened(&text, MAX_TEXT)).to_string();
            return Self::Other { text };
        };
        if let Some(fault) = find::<Self>(http) {
            return fault.clone();
        }
        Self::of_connection(http)
    }

    /// The fault of a request without a whole answer.
    pub(super) fn of_connection(http: &HttpError) -> Self {
        let what = match http.kind() {
            HttpErrorKind::Connect => "no connection to the service",
            HttpErrorKind::Timeout => "no answer within the time limit",
            _ => "the connection broke",
        };
        let cause = innermost(http).to_string();
        Self::Connection { what, cause: one_line(&shortened(&cause, MAX_TEXT)).to_string() }
    }

    /// The fault as an error of a file.
    pub(super) fn into_io(self) -> io::Error {
        let kind = if self.is_transient() { ErrorKind::Other } else { ErrorKind::PermissionDenied };
        io::Error::new(kind, self)
    }
}

/// An error of the library as that of a file. A missing object is a missing file.
pub(super) fn io_error(error: &object_store::Error) -> io::Error {
    match error {
        object_store::Error::NotFound { .. } => ErrorKind::NotFound.into(),
        error => BucketFault::of(error).into_io(),
    }
}

/// Whether an answer ended early. The client types faults before the answer, and the library has retried them.
pub(super) fn broke_off(error: &object_store::Error) -> bool {
    let fault = find::<BucketFault>(error);
    find::<HttpError>(error).is_some() && fault.is_none_or(|fault| *fault == BucketFault::CutShort)
}

/// Finds an error of a type in a chain of causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// Values of the variables that may hold credentials.
fn secret_settings() -> Vec<String> {
    let is_of_service =
        |name: &str| ["AWS_", "GOOGLE_", "AZURE_"].iter().any(|start| name.starts_with(start));
    let is_secret = |name: &str| {
        ["KEY", "SECRET", "TOKEN", "SAS", "PASSWORD", "ENDPOINT", "URL"]
            .iter()
            .any(|word| name.contains(word))
    };
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| is_of_service(name) && is_secret(name))
        .map(|(_, value)| value)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_code_is_taken_from_an_answer() {
        let body =
            "<?xml?><Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>KEY</AWSAccessKeyId>";
        assert_eq!(Code::of(body).to_string(), ", InvalidAccessKeyId");
        for body in ["", "<Code>", "<Code>a b</Code>", "<Code>\u{1b}[2J</Code>", "<h1>503</h1>"] {
            assert_eq!(Code::of(body).to_string(), "");
        }
    }

    #[test]
    fn a_fault_is_found_behind_an_error_of_the_library() {
        let busy = BucketFault::Busy { status: 503, code: Code::default() };
        let http = HttpError::new(HttpErrorKind::Request, busy.clone());
        let error = object_store::Error::Generic { store: "S3", source: Box::new(http) };
        assert_eq!(BucketFault::of(&error), busy);
        assert!(busy.is_transient());

        let broken = HttpError::new(HttpErrorKind::Decode, io::Error::other("reset by peer"));
        let error = object_store::Error::Generic { store: "S3", source: Box::new(broken) };
        let fault = BucketFault::of(&error);
        assert!(fault.is_transient());
        assert_eq!(fault.to_string(), "the connection broke: reset by peer; try again later");
    }
}
