//! The place of a cache or of an output as the user types it: a folder, or the URL of a bucket.

use std::path::{Path, PathBuf};

use super::{BucketUrl, UrlError};

/// The place of a cache or of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A folder, whether or not it exists.
    Folder(PathBuf),
    /// A bucket with a prefix.
    Bucket(BucketUrl),
}

/// The reason that a text names no place. No message quotes the text, which may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationError {
    /// A URL of another kind.
    #[error("the URL begins with another scheme than s3://, gs:// or az://")]
    Scheme,
    /// The URL is not that of a bucket.
    #[error("the URL of the bucket cannot be used")]
    Url(#[from] UrlError),
}

impl Location {
    /// Parses `s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`. Anything without `://` is the path
    /// of a folder.
    ///
    /// # Errors
    ///
    /// If a URL has another scheme, a user, a query, or no valid bucket.
    pub fn parse(text: &Path) -> Result<Self, LocationError> {
        let Some((scheme, rest)) = text.to_str().and_then(|text| text.split_once("://")) else {
            return Ok(Self::Folder(text.to_owned()));
        };
        let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric());
        match BucketUrl::parse(scheme, rest) {
            Some(url) => Ok(Self::Bucket(url?)),
            None if is_scheme => Err(LocationError::Scheme),
            // A folder may have a name like `a/b://c`.
            None => Ok(Self::Folder(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, LocationError> {
        Location::parse(Path::new(text))
    }

    #[test]
    fn a_bucket_has_a_scheme_and_anything_else_is_a_folder() {
        for folder in ["cache", "/a/b", "./s3:/bucket", "s3", "a/b://c"] {
            assert_eq!(parse(folder), Ok(Location::Folder(folder.into())));
        }
        for (text, shown) in [
            ("s3://bucket", "s3://bucket"),
            ("s3://my.bucket-1/a/b/", "s3://my.bucket-1/a/b"),
            ("gs://bucket/a", "gs://bucket/a"),
            ("az://container/a b", "az://container/a b"),
        ] {
            let Ok(Location::Bucket(url)) = parse(text) else { panic!("{text}") };
            assert_eq!(url.to_string(), shown);
        }
    }

    #[test]
    fn an_unusable_url_is_refused_without_quoting_it() {
        for text in [
            "https://key-0123@host/bucket",
            "file:///key-0123",
            "s3://user:key-0123@bucket/a",
            "s3://bucket/a?token=key-0123",
            "s3://bucket/a#key-0123",
            "s3://bucket:9000/key-0123",
            "s3://",
            "s3:///key-0123",
            "s3://bucket/a//key-0123",
            "s3://bucket/../key-0123",
            "s3://bucket/key-0123\n",
        ] {
            let error = eyre::Report::from(parse(text).unwrap_err());
            let said = format!("{error:#}");
            assert!(said.starts_with("the URL "), "{text}: {said}");
            assert!(!said.contains("key-0123"), "{text}: {said}");
        }
    }
}
