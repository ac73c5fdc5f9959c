//! What `conformance` takes.

use super::{Executors, parse_threads};
use clap::Args;
use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub struct ConformanceArgs {
    /// Blockchain tests as ethereum/tests and execution-spec-tests publish them: files, folders, or
    /// archives (.tar.gz)
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Executors to run, with commas between, or "all"; the baseline, sequential, always runs
    #[arg(long, value_name = "NAMES", default_value = "all")]
    pub executors: Executors,
    /// Numbers of threads for the parallel executors, with commas between
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "1,2,8",
        value_parser = parse_threads
    )]
    pub threads: Vec<NonZeroUsize>,
    /// Only tests whose file and name (FILE::NAME) are like this; * is any text, ? any character
    #[arg(long, value_name = "GLOB")]
    pub filter: Option<String>,
    /// Files that are worked on side by side [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Also write the results to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How long an executor may take for a block before it is left behind
    #[arg(long, value_name = "SECONDS", default_value = "300")]
    pub time_limit: NonZeroU64,
}
