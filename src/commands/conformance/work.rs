//! Distributes test files to jobs and collects the results of the tests.
//!
//! The calling thread reads one file ahead and gives it to the first job that requests one. A fixed distribution
//! would be uneven, since some files take a thousand times as long as others.

use super::Context;
use crate::{
    conformance::{self, FilesError, Found, Glob, NetworkRules, Panel, Skipped, TestFile, visit},
    executors::ExecutorKind,
    progress::Progress,
    report::conformance::{TestRow, failed_file},
    threads::PoolError,
};
use eyre::eyre;
use std::{
    num::NonZeroUsize,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::mpsc::{self, Receiver, Sender, SyncSender},
    thread,
    time::Duration,
};

/// Settings of every job.
pub(super) struct Orders {
    pub(super) executors: Vec<ExecutorKind>,
    pub(super) threads: Vec<NonZeroUsize>,
    pub(super) filter: Option<Glob>,
    pub(super) rules: Vec<NetworkRules>,
    pub(super) limit: Duration,
}

/// The results of all paths.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Tests, sorted by file and name.
    pub(super) tests: Vec<TestRow>,
    /// Errors of files that could not be read.
    pub(super) unreadable: Vec<FilesError>,
    /// Entries that are not test files.
    pub(super) skipped: Vec<Skipped>,
}

/// A job's request for a file: the channel on which the job waits.
type Ask = SyncSender<TestFile>;

/// Runs the tests of all files, one file per job at a time.
///
/// # Errors
/// If the threads cannot be started.
pub(super) fn run_all(
    paths: &[PathBuf],
    orders: &Orders,
    jobs: NonZeroUsize,
    context: &Context,
) -> eyre::Result<Results> {
    let progress = Progress::new(context.chatter, 0, "files");
    let (ask, asked) = mpsc::channel();
    let mut results = thread::scope(|scope| {
        let job = |_| {
            let (ask, progress) = (ask.clone(), progress.clone());
            scope.spawn(move || work(orders, &ask, &progress))
        };
        let workers: Vec<_> = (0..jobs.get()).map(job).collect();
        drop(ask);
        let mut results = deal(paths, asked, &progress);
        let rows = workers
            .into_iter()
            .map(|worker| Ok(worker.join().map_err(|_| eyre!("a worker panicked"))??))
            .collect::<eyre::Result<Vec<_>>>()?;
        results.tests = rows.into_iter().flatten().collect();
        Ok::<_, eyre::Report>(results)
    })?;
    progress.finish();
    results.tests.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    Ok(results)
}

/// Sends each file to a waiting job. Ends early if no job is left. The results hold no tests yet.
fn deal(paths: &[PathBuf], asked: Receiver<Ask>, progress: &Progress) -> Results {
    let mut results = Results::default();
    for path in paths {
        let flow = visit(path, &mut |file| {
            match file {
                Err(error) => results.unreadable.push(error),
                Ok(Found::Skipped(skipped)) => results.skipped.push(skipped),
                Ok(Found::File(file)) => {
                    progress.expect(1);
                    let Ok(desk) = asked.recv() else { return ControlFlow::Break(()) };
                    progress.at(&file.name);
                    // The send succeeds, since a job waits for the answer to its request.
                    let _ = desk.send(file);
                }
            }
            ControlFlow::Continue(())
        });
        if flow.is_break() {
            break;
        }
    }
    results
}

/// Requests files and runs their tests until no file is left.
fn work(
    orders: &Orders,
    ask: &Sender<Ask>,
    progress: &Progress,
) -> Result<Vec<TestRow>, PoolError> {
    let mut panel = Panel::new(&orders.executors, &orders.threads, orders.limit)?;
    let mut rows = Vec::new();
    loop {
        let (desk, inbox) = mpsc::sync_channel(1);
        let Some(file) = ask.send(desk).ok().and_then(|()| inbox.recv().ok()) else {
            return Ok(rows);
        };
        rows.extend(run_file(&file, orders, &mut panel, progress));
        progress.step();
    }
}

fn run_file(
    file: &TestFile,
    orders: &Orders,
    panel: &mut Panel,
    progress: &Progress,
) -> Vec<TestRow> {
    let tests = match conformance::tests(&file.content) {
        Ok(tests) => tests,
        Err(error) => return vec![failed_file(&file.name, &error)],
    };
    let filter = orders.filter.as_ref();
    let wanted =
        |name: &str| filter.is_none_or(|glob| glob.matches(&format!("{}::{name}", file.name)));
    let mut rows = Vec::new();
    for (name, text) in tests.into_iter().filter(|(name, _)| wanted(name)) {
        // A panic in one test must not end the suite. Panics of executors are caught earlier, in the panel.
        let run = catch_unwind(AssertUnwindSafe(|| conformance::run(text, &orders.rules, panel)));
        let row = match run {
            Ok(run) => TestRow::new(&file.name, &name, &run),
            Err(_) => TestRow::panicked(&file.name, &name),
        };
        progress.note(&row.to_string());
        rows.push(row);
    }
    rows
}
