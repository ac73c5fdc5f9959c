//! Commands under limits of time and memory, which the test enforces by polling.

use std::{
    fs,
    io::Read,
    process::{Child, Command, Output, Stdio},
    thread::{JoinHandle, sleep, spawn},
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
    // A full pipe would stop the process, so both are read while it runs.
    let (out, err) = (read_all(child.stdout.take()), read_all(child.stderr.take()));
    let joined = |reader: JoinHandle<Vec<u8>>| reader.join().expect("reading does not panic");
    let mut kilobytes = 0;
    while child.try_wait().expect("the test owns it").is_none() {
        kilobytes = kilobytes.max(peak_kilobytes(&status));
        if begin.elapsed() > limit || kilobytes > most_kilobytes {
            child.kill().expect("the test owns it");
            let said =
                String::from_utf8_lossy(&joined(err)).chars().take(2_000).collect::<String>();
            panic!("{kilobytes} kB after {:?}: {said}", begin.elapsed());
        }
        sleep(Duration::from_millis(10));
    }
    let status = child.wait().expect("the test owns it");
    Ended { output: Output { status, stdout: joined(out), stderr: joined(err) }, kilobytes }
}

/// Reads a stream of a process to its end.
fn read_all(stream: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            stream.read_to_end(&mut bytes).expect("a pipe is readable");
        }
        bytes
    })
}

/// The peak memory of a process; zero if the system does not report it.
fn peak_kilobytes(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
