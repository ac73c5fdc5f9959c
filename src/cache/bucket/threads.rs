//! Threads of a bucket's own, for callers that wait.
//!
//! object_store is asynchronous, and the calls of a cache are not. Requests run on these threads, and the caller waits
//! for the answer on a channel. So a call works on any thread, inside and outside of another runtime.

use std::{
    future::Future,
    io,
    sync::mpsc::{self, Receiver},
};

use tokio::runtime::{Builder, Runtime};

use super::fault::BucketFault;

/// Threads that sign and send requests.
const COUNT: usize = 2;

/// The threads. They end with this value, without waiting for requests.
#[derive(Debug)]
pub(super) struct Threads(Option<Runtime>);

impl Threads {
    pub(super) fn start() -> Result<Self, BucketFault> {
        let mut builder = Builder::new_multi_thread();
        let built = builder.worker_threads(COUNT).thread_name("bucket").enable_all().build();
        match built {
            Ok(runtime) => Ok(Self(Some(runtime))),
            Err(error) => Err(BucketFault::Other { text: format!("no threads: {error}") }),
        }
    }

    /// Starts work whose result arrives on the channel.
    pub(super) fn start_work<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Receiver<T> {
        let (sender, result) = mpsc::sync_channel(1);
        if let Some(runtime) = &self.0 {
            runtime.spawn(async move {
                // Without a receiver, no caller needs the result.
                let _ = sender.send(work.await);
            });
        }
        result
    }

    /// Waits for the result of work.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = io::Result<T>> + Send + 'static,
    ) -> io::Result<T> {
        self.start_work(work).recv().unwrap_or_else(|_| Err(ended()))
    }
}

/// The error of work that ended without a result, such as by a panic.
pub(super) fn ended() -> io::Error {
    io::Error::other("the request ended without a result")
}

impl Drop for Threads {
    fn drop(&mut self) {
        // A runtime that waits for its threads must not be dropped inside of another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
