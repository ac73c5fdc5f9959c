//! Tests of the whole module against a scripted node on loopback.

mod access_list;
mod client;
mod lag;
mod node;
mod prestate;
mod probe;
mod redaction;
mod server;

use std::{num::NonZeroUsize, time::Duration};

use super::{Client, Limits};

/// A client with short time limits and few retries.
fn client(url: &str) -> Client {
    let limits = Limits {
        concurrency: NonZeroUsize::new(4).unwrap(),
        requests_per_second: None,
        max_retries: 2,
        timeout: Duration::from_millis(300),
        ..Limits::default()
    };
    Client::new(&url.parse().unwrap(), &[], limits).unwrap()
}
