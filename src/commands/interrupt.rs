//! Handles Ctrl-C and SIGTERM, which batch systems send. The first signal is acknowledged at once and ends the command in
//! order, the second one ends the process immediately.
//!
//! A separate thread waits for the signals, so that they work even if the command is busy. A command that has not
//! ended within [`GRACE`] is ended there, unless it is writing its results. Commands that keep no results end at the
//! first signal.

use super::outcome::{EndSignal, Outcome};
use crate::{
    cli::LimitArgs,
    output::{diagnose, interject},
    report::counted,
    threads::{ExecutionLimit, Interrupt},
};
use std::{
    future::pending,
    io, process,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};
use tokio::{
    runtime::{self, Runtime},
    sync::oneshot::{self, Receiver},
    time::timeout,
};

/// Ends the process at the first signal, also where the system ignores it, as for a background job of a shell.
///
/// # Errors
/// If the thread, its runtime or the handlers cannot be installed.
pub(super) fn end_at_signal() -> io::Result<()> {
    let (runtime, mut signals) = listen()?;
    let end = async move {
        let signal = signals.next().await;
        process::exit(signal.exit_code().into());
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(end))?;
    Ok(())
}

/// Time that a command has to end by itself.
const GRACE: Duration = Duration::from_millis(1_500);

/// The first signal that ends a command.
#[derive(Debug)]
pub(super) struct Interruption {
    /// Receives a message, for asynchronous code.
    pub(super) received: Receiver<()>,
    /// Is raised, for other code and for watchdogs.
    pub(super) raised: Interrupt,
    /// The command raises it before it writes its results, which may take longer than the grace.
    pub(super) results_are_written: Interrupt,
    signal: Arc<OnceLock<EndSignal>>,
}

impl Interruption {
    /// The outcome of a command that has ended early.
    pub(super) fn outcome(&self) -> Outcome {
        Outcome::Interrupted(self.signal.get().copied().unwrap_or(EndSignal::CtrlC))
    }
}

impl Interruption {
    /// The limit of executions, which a signal ends as well.
    pub(super) fn limit(&self, limit: LimitArgs) -> ExecutionLimit {
        ExecutionLimit { time: limit.time(), interrupt: self.raised.clone() }
    }

    /// The outcome of a command that has left out blocks. Says how many. Incomplete results are in no file.
    pub(super) fn ended(&self, left: usize) -> Outcome {
        if left == 0 {
            return Outcome::Verified;
        }
        let blocks = counted(left, "block");
        diagnose(format_args!("{blocks} not done; no result file is written"));
        self.outcome()
    }
}

/// Installs the handlers.
///
/// # Errors
/// If the thread, its runtime or the handlers cannot be installed.
pub(super) fn watch() -> io::Result<Interruption> {
    let (announce, received) = oneshot::channel();
    let [raised, results_are_written] = [(); 2].map(|()| Interrupt::default());
    let signal = Arc::<OnceLock<_>>::default();
    let handles = (raised.clone(), results_are_written.clone(), signal.clone());
    let (runtime, mut signals) = listen()?;
    let both = async move {
        let (raised, results_are_written, first) = handles;
        let signal = signals.next().await;
        // Only this task sets the signal.
        let _ = first.set(signal);
        raised.raise();
        interject(format_args!(
            "{}: the results so far follow when the current step ends; a second signal stops at once",
            signal.word()
        ));
        // The send fails only if the command has dropped the receiver, so it is ending anyway.
        let _ = announce.send(());
        let again = timeout(GRACE, signals.next()).await;
        // Only another signal ends the writing of results.
        if again.is_err() && results_are_written.is_raised() {
            signals.next().await;
        }
        process::exit(signal.exit_code().into());
    };
    thread::Builder::new().name("signals".into()).spawn(move || runtime.block_on(both))?;
    Ok(Interruption { received, raised, results_are_written, signal })
}

/// Registers the signals. From here on they no longer end the process by themselves.
fn listen() -> io::Result<(Runtime, Signals)> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _inside = runtime.enter();
        Signals::new()?
    };
    Ok((runtime, signals))
}

/// The signals that end a command.
#[cfg(unix)]
struct Signals {
    ctrl_c: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        let ctrl_c = signal(SignalKind::interrupt())?;
        Ok(Self { ctrl_c, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) -> EndSignal {
        tokio::select! {
            Some(()) = self.ctrl_c.recv() => EndSignal::CtrlC,
            Some(()) = self.terminate.recv() => EndSignal::Terminate,
            // The system sends no signals any more.
            else => pending().await,
        }
    }
}

/// The signals that end a command: only Ctrl-C on systems without SIGTERM.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> EndSignal {
        match tokio::signal::ctrl_c().await {
            Ok(()) => EndSignal::CtrlC,
            // `announce` must stay alive, since a closed channel looks like an interrupt to `fetch`.
            Err(_) => pending().await,
        }
    }
}
