//! Deals test files out to jobs, and collects what came of their tests.
//!
//! The calling thread reads files, one ahead, and gives each to whoever asks first: some files take a
//! thousand times as long as others.

use super::Context;
use crate::{
    conformance::{self, FilesError, Glob, Panel, TestFile, visit},
    executor::{ExecutorKind, PoolError},
    progress::Progress,
    report::conformance::{TestRow, failed_file},
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

/// What every job does with its files.
pub(super) struct Orders {
    pub(super) executors: Vec<ExecutorKind>,
    pub(super) threads: Vec<NonZeroUsize>,
    pub(super) filter: Option<Glob>,
    pub(super) limit: Duration,
}

/// A job that is ready for a file, by where to send it.
type Ask = SyncSender<TestFile>;

/// Runs the tests of all files, as many files as there are `jobs` at a time. The rows are in the order of
/// files and tests; beside them, what could not be read.
///
/// # Errors
/// If the threads cannot be had.
pub(super) fn run_all(
    paths: &[PathBuf],
    orders: &Orders,
    jobs: NonZeroUsize,
    context: &Context,
) -> eyre::Result<(Vec<TestRow>, Vec<FilesError>)> {
    let progress = Progress::new(context.chatter, 0, "files");
    let (ask, asked) = mpsc::channel();
    let (mut rows, unreadable) = thread::scope(|scope| {
        let job = |_| {
            let (ask, progress) = (ask.clone(), progress.clone());
            scope.spawn(move || work(orders, &ask, &progress))
        };
        let workers: Vec<_> = (0..jobs.get()).map(job).collect();
        drop(ask);
        let unreadable = deal(paths, asked, &progress);
        let rows = workers
            .into_iter()
            .map(|worker| Ok(worker.join().map_err(|_| eyre!("a worker panicked"))??))
            .collect::<eyre::Result<Vec<_>>>()?;
        Ok::<_, eyre::Report>((rows.into_iter().flatten().collect::<Vec<_>>(), unreadable))
    })?;
    progress.finish();
    rows.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
    Ok((rows, unreadable))
}

/// Hands out all files, until nobody asks any more.
fn deal(paths: &[PathBuf], asked: Receiver<Ask>, progress: &Progress) -> Vec<FilesError> {
    let mut unreadable = Vec::new();
    for path in paths {
        let flow = visit(path, &mut |file| {
            match file {
                Err(error) => unreadable.push(error),
                Ok(file) => {
                    progress.expect(1);
                    let Ok(desk) = asked.recv() else { return ControlFlow::Break(()) };
                    progress.at(&*file.name);
                    // A job that asks waits until it is answered.
                    let _ = desk.send(file);
                }
            }
            ControlFlow::Continue(())
        });
        if flow.is_break() {
            break;
        }
    }
    unreadable
}

/// Asks for files and runs their tests, until there are none.
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
        rows.extend(run_file(&file, orders.filter.as_ref(), &mut panel, progress));
        progress.step();
    }
}

fn run_file(
    file: &TestFile,
    filter: Option<&Glob>,
    panel: &mut Panel,
    progress: &Progress,
) -> Vec<TestRow> {
    let tests = match conformance::tests(&file.content) {
        Ok(tests) => tests,
        Err(error) => return vec![failed_file(&file.name, &error)],
    };
    let wanted =
        |name: &str| filter.is_none_or(|glob| glob.matches(&format!("{}::{name}", file.name)));
    let mut rows = Vec::new();
    for (name, text) in tests.into_iter().filter(|(name, _)| wanted(name)) {
        // Nothing in a file may end the suite; what a panel's executors do is caught closer to them.
        let run = catch_unwind(AssertUnwindSafe(|| conformance::run(text, panel)));
        let row = match run {
            Ok(run) => TestRow::new(&file.name, &name, &run),
            Err(_) => TestRow::panicked(&file.name, &name),
        };
        progress.note(&row.to_string());
        rows.push(row);
    }
    rows
}
