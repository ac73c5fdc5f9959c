//! The URL of a bucket: a scheme, a name and a prefix. It holds no secret, so messages may show it.

use std::fmt;

/// Maximum length of a bucket's name; Google allows the longest ones.
const MAX_NAME: usize = 222;

/// The service of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// Amazon S3, and services that speak its protocol.
    S3,
    /// Google Cloud Storage.
    Google,
    /// Azure Blob Storage.
    Azure,
}

impl Service {
    const fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Google => "gs",
            Self::Azure => "az",
        }
    }

    fn of(scheme: &str) -> Option<Self> {
        [Self::S3, Self::Google, Self::Azure].into_iter().find(|service| service.scheme() == scheme)
    }

    /// The settings that give the credentials.
    pub(super) const fn remedy(self) -> &'static str {
        match self {
            Self::S3 => {
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, for a profile with: \
                 eval \"$(aws configure export-credentials --format env)\"; see docs/scale-out.md"
            }
            Self::Google => {
                "set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login; \
                 see docs/scale-out.md"
            }
            Self::Azure => {
                "set AZURE_STORAGE_ACCOUNT, and AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN; \
                 see docs/scale-out.md"
            }
        }
    }
}

/// The URL of a bucket, such as `s3://bucket/prefix`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketUrl {
    pub(super) service: Service,
    pub(super) name: String,
    /// Parts of the prefix, joined by `/`; empty without one.
    pub(super) prefix: String,
}

/// The reason that a URL is not that of a bucket. No message quotes the URL, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// An at sign, as after a user or a password.
    #[error("a user name or password does not belong there; credentials come from the environment")]
    User,
    /// A query or a fragment.
    #[error("a query does not belong there; credentials come from the environment")]
    Query,
    /// No name, or one with other characters than those of a bucket.
    #[error("write it as s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX")]
    Name,
    /// An empty part, a dot or two dots, or a control character.
    #[error(
        "its prefix has an empty part, a dot or two dots in place of a part, or a control character"
    )]
    Prefix,
}

/// Prints the URL without a slash at its end.
impl fmt::Display for BucketUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = if self.prefix.is_empty() { "" } else { "/" };
        write!(f, "{}://{}{separator}{}", self.service.scheme(), self.name, self.prefix)
    }
}

impl BucketUrl {
    /// Parses the text after `://`. Returns `None` if the scheme is not that of a bucket.
    pub(in super::super) fn parse(scheme: &str, rest: &str) -> Option<Result<Self, UrlError>> {
        let service = Service::of(scheme)?;
        Some(Self::of(service, rest))
    }

    fn of(service: Service, rest: &str) -> Result<Self, UrlError> {
        let (name, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if rest.contains(['?', '#']) {
            return Err(UrlError::Query);
        }
        if rest.contains('@') {
            return Err(UrlError::User);
        }
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(is_plain) {
            return Err(UrlError::Name);
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let is_part = |part: &str| {
            !["", ".", ".."].contains(&part) && !part.contains(|char: char| char.is_control())
        };
        if !prefix.is_empty() && !prefix.split('/').all(is_part) {
            return Err(UrlError::Prefix);
        }
        Ok(Self { service, name: name.to_owned(), prefix: prefix.to_owned() })
    }
}
