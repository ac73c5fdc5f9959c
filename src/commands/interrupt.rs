//! Handles Ctrl-C. The first one is acknowledged at once and ends the command in order, the second one ends the process
//! immediately.
//!
//! A separate thread waits for the signal, so that Ctrl-C works even if the command is busy. A command that has not
//! ended within [`GRACE`] is ended there, unless it is writing its results. Commands without this handler end at the
//! first Ctrl-C by the system's default.

use super::outcome::INTERRUPTED;
use crate::{output::diagnose, threads::Interrupt};
use std::{future::pending, io, process, thread, time::Duration};
use tokio::{
    runtime,
    signal::ctrl_c,
    sync::oneshot::{self, Receiver},
    time::timeout,
};

/// Ends the process at the first Ctrl-C, also where the system ignores it, as for a background job of a shell.
///
/// # Errors
/// If the thread or its runtime cannot be started.
pub(super) fn end_at_ctrl_c() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let end = async {
        if ctrl_c().await.is_ok() {
            process::exit(INTERRUPTED.into());
        }
    };
    thread::Builder::new().name("ctrl-c".into()).spawn(move || runtime.block_on(end))?;
    Ok(())
}

/// Time that a command has to end by itself.
const GRACE: Duration = Duration::from_millis(1_500);

/// The first Ctrl-C of a command.
#[derive(Debug)]
pub(super) struct CtrlC {
    /// Receives a message, for asynchronous code.
    pub(super) received: Receiver<()>,
    /// Is raised, for other code and for watchdogs.
    pub(super) raised: Interrupt,
    /// The command raises it before it writes its results, which may take longer than the grace.
    pub(super) results_are_written: Interrupt,
}

/// Installs the handler.
///
/// # Errors
/// If the thread or its runtime cannot be started.
pub(super) fn watch() -> io::Result<CtrlC> {
    let (announce, received) = oneshot::channel();
    let [raised, results_are_written] = [(); 2].map(|()| Interrupt::default());
    let handles = (raised.clone(), results_are_written.clone());
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let both = async move {
        let (raised, results_are_written) = handles;
        if ctrl_c().await.is_err() {
            // The system has no such signal. `announce` must stay alive, since a closed channel looks like an interrupt
            // to `fetch`.
            return pending().await;
        }
        raised.raise();
        diagnose(
            "interrupted: the results so far follow when the current step ends; Ctrl-C again stops at once",
        );
        // The send fails only if the command has dropped the receiver, so it is ending anyway.
        let _ = announce.send(());
        let again = timeout(GRACE, ctrl_c()).await;
        // Only another Ctrl-C ends the writing of results.
        if again.is_err() && results_are_written.is_raised() && ctrl_c().await.is_err() {
            return pending().await;
        }
        process::exit(INTERRUPTED.into());
    };
    thread::Builder::new().name("ctrl-c".into()).spawn(move || runtime.block_on(both))?;
    Ok(CtrlC { received, raised, results_are_written })
}
