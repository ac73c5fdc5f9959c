//! Declares the arguments of `conformance`.

use super::{
    Executors, built_in_executors,
    number::{MOST_JOBS, MOST_SECONDS, positive},
    parse_threads,
};
use crate::conformance::NetworkRules;
use clap::Args;
use std::{
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
};

/// Arguments of `conformance`.
#[derive(Debug, Args)]
pub struct ConformanceArgs {
    /// Blockchain tests of ethereum/tests or execution-spec-tests: files, folders, or archives (.tar.gz)
    #[arg(value_name = "PATH", required = true)]
    pub paths: Vec<PathBuf>,
    /// Comma-separated executors, or "all"; the baseline, sequential, always runs
    #[arg(long, value_name = "NAMES", default_value = "all", value_parser = built_in_executors)]
    pub executors: Executors,
    /// Comma-separated thread counts of the parallel executors
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "1,2,8",
        value_parser = parse_threads
    )]
    pub threads: Vec<NonZeroUsize>,
    /// Run only tests with a matching FILE::NAME; * matches any text, ? one character
    #[arg(long, value_name = "GLOB")]
    pub filter: Option<String>,
    /// Run the tests of NETWORK by the rules of FORK. FORK+7928 adds block access lists, as in Amsterdam=Osaka+7928
    #[arg(long, value_name = "NETWORK=FORK")]
    pub network_rules: Vec<NetworkRules>,
    /// Number of files to run in parallel [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = positive::<NonZeroUsize, MOST_JOBS>)]
    pub jobs: Option<NonZeroUsize>,
    /// Write the results to FILE as JSON; - is standard output
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Time limit per block and executor, in seconds
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = positive::<NonZeroU64, MOST_SECONDS>)]
    pub time_limit: NonZeroU64,
}
