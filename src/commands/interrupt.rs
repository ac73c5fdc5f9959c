//! Ctrl-C: once to end in order, twice to end at once.
//!
//! Watched on a thread of its own, so that the second one works whatever the command is busy with.

use super::outcome::INTERRUPTED;
use std::{future::pending, io, process, thread};
use tokio::{
    runtime,
    signal::ctrl_c,
    sync::oneshot::{self, Receiver},
};

/// From now on Ctrl-C does not end the process, but is announced here. A second one ends it.
///
/// # Errors
/// If the system has no thread left.
pub(super) fn watch() -> io::Result<Receiver<()>> {
    let (announce, interrupted) = oneshot::channel();
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let both = async move {
        if ctrl_c().await.is_err() {
            // There is no such signal here. To drop `announce` would look like one.
            return pending().await;
        }
        // Whoever does not listen any more has ended anyway.
        let _ = announce.send(());
        if ctrl_c().await.is_ok() {
            process::exit(INTERRUPTED.into());
        }
    };
    thread::Builder::new().name("ctrl-c".into()).spawn(move || runtime.block_on(both))?;
    Ok(interrupted)
}
