//! Declares the arguments of `merge`.

use clap::Args;
use std::path::PathBuf;

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Folders or buckets of --output, or files of replay --json, of one command with the same settings
    #[arg(value_name = "OUT", required = true)]
    pub sources: Vec<PathBuf>,
    /// Name of the machine whose results are printed and written [default: all, each by itself]
    #[arg(long, value_name = "NAME")]
    pub machine: Option<String>,
    /// Write the results of replay or analyze to FILE as CSV; - is standard output, for any result
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Write the results to FILE as JSON, as replay, analyze and verify do
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the results of replay to FILE as Markdown, for a pull request
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Write the results of replay or analyze to FILE as a self-contained HTML page
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}
