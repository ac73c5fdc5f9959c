//! Handles Ctrl-C. The first one is acknowledged at once and ends the command in order, the second one ends the process
//! immediately.
//!
//! A separate thread waits for the signal, so that the second Ctrl-C works even if the command is busy.

use super::outcome::INTERRUPTED;
use crate::output::diagnose;
use std::{future::pending, io, process, thread};
use tokio::{
    runtime,
    signal::ctrl_c,
    sync::oneshot::{self, Receiver},
};

/// Installs the handler. The first Ctrl-C sends a message to the returned receiver; the second one ends the process.
///
/// # Errors
/// If the thread or its runtime cannot be started.
pub(super) fn watch() -> io::Result<Receiver<()>> {
    let (announce, interrupted) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let both = async move {
        if ctrl_c().await.is_err() {
            // The system has no such signal. `announce` must stay alive, since a closed channel looks like an interrupt
            // to `fetch`.
            return pending().await;
        }
        diagnose(
            "interrupted: the results so far follow when the current step ends; Ctrl-C again stops at once",
        );
        // The send fails only if the command has dropped the receiver, so it is ending anyway.
        let _ = announce.send(());
        if ctrl_c().await.is_ok() {
            process::exit(INTERRUPTED.into());
        }
    };
    thread::Builder::new().name("ctrl-c".into()).spawn(move || runtime.block_on(both))?;
    Ok(interrupted)
}
