//! The folder of `--output`: leaves out what is done there, and keeps each block as soon as it is done.

use super::Outcome;
use crate::{
    output::diagnose,
    report::{
        Settings,
        analysis::AnalysedBlock,
        counted,
        tables::{BlockResult, RacedBlock, TableSet},
        verification::VerifiedBlock,
    },
    session::{
        ALL_CACHED, AnalyzeOptions, BlockQuery, BlockSource, CheckOptions, DoneBefore,
        FolderBlocks, OutputFolder, OutputSettings, RunDescription, Selection, machine, provenance,
    },
};
use std::path::{Path, PathBuf};

/// The folder of `--output`, if the option is set.
pub(super) struct Kept {
    folder: Option<OutputFolder>,
    path: PathBuf,
    /// Name of this machine in the tables.
    machine: String,
}

/// A setting that decides results, by its option.
type Setting = (&'static str, String);

impl Kept {
    /// Opens the folder and leaves out of the selection what is done there. Says so on standard error. `run` are the
    /// settings of the report, which `merge` needs for a report of its own.
    ///
    /// # Errors
    /// If the folder cannot be used, or has results with other settings.
    pub(super) fn open(
        path: Option<&Path>,
        set: TableSet,
        settings: impl IntoIterator<Item = Setting>,
        run: Option<&Settings>,
        selection: &mut Selection,
    ) -> eyre::Result<(Self, Outcome)> {
        let Some(path) = path else {
            let none = Self { folder: None, path: PathBuf::new(), machine: String::new() };
            return Ok((none, Outcome::Verified));
        };
        let all = of_selection(selection).into_iter().chain(settings);
        let settings = OutputSettings::new(set, all);
        let may_grow = selection.query.blocks.is_none();
        let asked = selection.asked.clone().map(|numbers| FolderBlocks { numbers, may_grow });
        let mut folder = OutputFolder::open(path, set, &settings, asked.as_ref(), &provenance())?;
        if let Some(settings) = run {
            let settings = serde_json::to_value(settings)?;
            folder.describe(&RunDescription { provenance: provenance(), settings })?;
        }
        let machine = match set {
            TableSet::Verdicts => String::new(),
            TableSet::Analyses | TableSet::Races => folder.add_machine(&machine::describe())?,
        };
        let selected = selection.blocks.len();
        let blocks = std::mem::take(&mut selection.blocks);
        let (left, before) = folder.remaining(blocks)?;
        selection.blocks = left;
        let outcome = report_done(path, before, selected);
        Ok((Self { folder: Some(folder), path: path.to_owned(), machine }, outcome))
    }

    /// Keeps a verified block.
    pub(super) fn verdict(&mut self, block: impl FnOnce() -> VerifiedBlock) -> eyre::Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        folder.keep(&BlockResult::of_verdict(&block())?)
    }

    /// Keeps an analysed block.
    pub(super) fn analysis(&mut self, block: &AnalysedBlock) -> eyre::Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        folder.keep(&BlockResult::of_analysis(block, &self.machine)?)
    }

    /// Keeps a raced block.
    pub(super) fn race(&mut self, block: RacedBlock<'_>) -> eyre::Result<()> {
        let Some(folder) = &mut self.folder else { return Ok(()) };
        match BlockResult::of_race(block, &self.machine)? {
            Some(result) => folder.keep(&result),
            None => Ok(()),
        }
    }

    /// Uploads what is not in the bucket yet, after the last block.
    ///
    /// # Errors
    /// If the bucket cannot be written.
    pub(super) fn upload(&mut self) -> eyre::Result<()> {
        self.folder.as_mut().map_or(Ok(()), OutputFolder::flush)
    }

    /// Says which chunks are not finished.
    pub(super) fn finish(&self) {
        let unfinished = self.folder.as_ref().map_or(0, OutputFolder::unfinished);
        if unfinished > 0 {
            let chunks = counted(unfinished, "chunk");
            let path = self.path.display();
            diagnose(format_args!(
                "{chunks} of {path} lack results; the same command continues there"
            ));
        }
    }
}

/// Says what an earlier start has done. Its mismatches are part of the outcome.
fn report_done(path: &Path, before: DoneBefore, selected: usize) -> Outcome {
    let DoneBefore { blocks, mismatches } = before;
    let path = path.display();
    if blocks > 0 {
        diagnose(format_args!(
            "{path} has the results of {blocks} of {}; going on with the others",
            counted(selected, "block")
        ));
    }
    if mismatches > 0 {
        let wrong = counted(mismatches, "block");
        diagnose(format_args!("error: {wrong} of {path} did not match; see blockrace merge"));
        return Outcome::Mismatch;
    }
    Outcome::Verified
}

/// The settings that say which blocks, and under which rules. The shard is not one of them.
fn of_selection(selection: &Selection) -> [Setting; 4] {
    let BlockQuery { blocks, chain, filter, .. } = &selection.query;
    let filter = filter.arguments();
    let mut sources = selection.blocks.iter().filter_map(|(_, source)| source.as_ref().ok());
    let rules = sources.find_map(BlockSource::given_rules);
    [
        ("blocks", blocks.as_ref().map_or_else(|| ALL_CACHED.to_owned(), ToString::to_string)),
        ("--chain", chain.map_or_else(|| "any".to_owned(), |chain| chain.to_string())),
        ("filter", if filter.is_empty() { "none".to_owned() } else { filter.join(" ") }),
        ("--chain-config", rules.map_or_else(|| "none".to_owned(), |rules| rules.to_string())),
    ]
}

/// The settings of `verify`.
pub(super) fn of_check(options: &CheckOptions) -> [Setting; 1] {
    [("--executor", options.executor.to_string())]
}

/// The settings of `analyze`.
pub(super) fn of_analysis(options: &AnalyzeOptions) -> [Setting; 3] {
    let threads = options.threads.iter().map(ToString::to_string).collect::<Vec<_>>();
    [
        ("--threads", threads.join(",")),
        ("--iterations", options.runs.to_string()),
        ("build", build()),
    ]
}

/// The settings of `replay`.
pub(super) fn of_race(settings: &Settings) -> [Setting; 11] {
    let threads = settings.threads.iter().map(ToString::to_string).collect::<Vec<_>>();
    let limit = settings.time_limit_s;
    [
        ("--executors", settings.executors.join(",")),
        ("--threads", threads.join(",")),
        ("--iterations", settings.iterations.to_string()),
        ("--warmup", settings.warmup.to_string()),
        ("--time-limit", limit.map_or_else(|| "none".to_owned(), |limit| limit.to_string())),
        ("--seed", settings.seed.to_string()),
        ("--self-check", settings.self_check.to_string()),
        ("--pin", settings.pinned.to_string()),
        ("--asleep", settings.asleep.to_string()),
        ("--state-latency", format!("{}ns", settings.state_latency.as_nanos())),
        ("build", build()),
    ]
}

/// The build, which decides times.
fn build() -> String {
    let origin = provenance();
    let commit = origin.commit.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned());
    format!("{commit}, {}", origin.profile)
}
