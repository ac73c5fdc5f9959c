//! Connects to a bucket with the credentials and settings of the cloud's own tools.

use std::{env, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    azure::{AzureConfigKey, MicrosoftAzureBuilder},
    gcp::{GoogleCloudStorageBuilder, GoogleConfigKey},
};

use super::{
    fault::BucketFault,
    http::Connector,
    url::{BucketUrl, Service},
};

/// Time limit of a request. An object may have a gigabyte.
const TIME_LIMIT: &str = "300 seconds";

/// Retries of a request. The waits grow to some seconds, so a bucket that stays away is noticed after about half a
/// minute.
fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: Duration::from_millis(100),
            max_backoff: Duration::from_secs(15),
            base: 3.,
        },
        max_retries: 10,
        retry_timeout: Duration::from_secs(120),
    }
}

/// The bucket of a URL. Sends no request.
///
/// # Errors
/// If a setting in the environment cannot be used.
pub(super) fn connect(url: &BucketUrl) -> Result<Arc<dyn ObjectStore>, BucketFault> {
    let connected = match url.service {
        Service::S3 => s3(url),
        Service::Google => google(url),
        Service::Azure => azure(url),
    };
    connected.map_err(|error| BucketFault::of(&error))
}

fn s3(url: &BucketUrl) -> object_store::Result<Arc<dyn ObjectStore>> {
    let limit = AmazonS3ConfigKey::Client(ClientConfigKey::Timeout);
    let bucket = AmazonS3Builder::from_env()
        .with_config(limit, TIME_LIMIT)
        .with_bucket_name(&url.name)
        .with_retry(retries())
        // A deletion of single objects is part of every service that speaks the protocol.
        .with_disable_bulk_delete(true)
        .with_http_connector(Connector(url.service));
    Ok(Arc::new(bucket.build()?))
}

fn google(url: &BucketUrl) -> object_store::Result<Arc<dyn ObjectStore>> {
    let limit = GoogleConfigKey::Client(ClientConfigKey::Timeout);
    let bucket = GoogleCloudStorageBuilder::from_env()
        .with_config(limit, TIME_LIMIT)
        .with_bucket_name(&url.name)
        .with_retry(retries())
        .with_http_connector(Connector(url.service));
    Ok(Arc::new(bucket.build()?))
}

fn azure(url: &BucketUrl) -> object_store::Result<Arc<dyn ObjectStore>> {
    let mut bucket = MicrosoftAzureBuilder::from_env();
    // The names of Azure's own tool, which the library does not read.
    for (name, key) in [
        ("AZURE_STORAGE_ACCOUNT", AzureConfigKey::AccountName),
        ("AZURE_STORAGE_KEY", AzureConfigKey::AccessKey),
    ] {
        if let (Ok(value), None) = (env::var(name), bucket.get_config_value(&key)) {
            bucket = bucket.with_config(key, value);
        }
    }
    let limit = AzureConfigKey::Client(ClientConfigKey::Timeout);
    let bucket = bucket
        .with_config(limit, TIME_LIMIT)
        .with_container_name(&url.name)
        .with_retry(retries())
        .with_http_connector(Connector(url.service));
    Ok(Arc::new(bucket.build()?))
}
