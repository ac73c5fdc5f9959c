//! Commands under limits of time and memory, which the test enforces by polling.

use std::{
    fs,
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// Time limit of a command. It covers a slow machine with a debug build.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// Limit of the memory of a command, in kB.
pub(crate) const MOST_KILOBYTES: u64 = 1 << 20;

/// A command that has ended, with its peak memory.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) output: Output,
    pub(crate) kilobytes: u64,
}

/// Runs the command. Fails if it takes more than [`LIMIT`] or [`MOST_KILOBYTES`].
#[track_caller]
pub(crate) fn limited(command: &mut Command) -> Ended {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    end_within(command.spawn().expect("the command starts"), LIMIT, MOST_KILOBYTES)
}

/// Waits for the end of the process. Fails if it takes too long or too much memory.
#[track_caller]
pub(crate) fn end_within(mut child: Child, limit: Duration, most_kilobytes: u64) -> Ended {
    let (status, begin) = (format!("/proc/{}/status", child.id()), Instant::now());
    let mut kilobytes = 0;
    while child.try_wait().expect("the test owns it").is_none() {
        kilobytes = kilobytes.max(peak_kilobytes(&status));
        if begin.elapsed() > limit || kilobytes > most_kilobytes {
            child.kill().expect("the test owns it");
            let output = child.wait_with_output().expect("the test owns it");
            panic!("{kilobytes} kB after {:?}: {output:?}", begin.elapsed());
        }
        sleep(Duration::from_millis(10));
    }
    Ended { output: child.wait_with_output().expect("the test owns it"), kilobytes }
}

/// The peak memory of a process; zero if the system does not report it.
fn peak_kilobytes(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
