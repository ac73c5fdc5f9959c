//! Declares the options of every command.

use super::COMMON;
use crate::{output::MessageFormat, units::ByteSize};
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// Options of every command.
#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Folder of cached blocks, or a bucket: s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX [default:
    /// blockrace in the user's cache folder]
    #[arg(
        long,
        visible_alias = "cache",
        value_name = "DIR|URL",
        global = true,
        env = "BLOCKRACE_CACHE_DIR",
        hide_env_values = true,
        help_heading = COMMON
    )]
    pub cache_dir: Option<PathBuf>,
    /// Size of the local copy of blocks of a bucket, such as 500MB or 8GiB; 0 for none
    #[arg(
        long,
        value_name = "SIZE",
        global = true,
        default_value = "8GiB",
        env = "BLOCKRACE_CACHE_COPY_LIMIT",
        help_heading = COMMON
    )]
    pub cache_copy_limit: ByteSize,
    /// Print only the conclusion: no blocks and no progress bar
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = COMMON)]
    pub quiet: bool,
    /// Print more about each block
    #[arg(short, long, global = true, help_heading = COMMON)]
    pub verbose: bool,
    /// Colour of the output
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        env = "BLOCKRACE_COLOR",
        help_heading = COMMON
    )]
    pub color: ColorArg,
    /// Form of progress and messages on standard error
    #[arg(long, value_name = "FORM", global = true, default_value = "human", help_heading = COMMON)]
    pub message_format: MessageFormatArg,
}

/// Values of `--message-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MessageFormatArg {
    /// Text, and a progress bar on a terminal
    Human,
    /// One JSON object per line
    Json,
}

impl From<MessageFormatArg> for MessageFormat {
    fn from(argument: MessageFormatArg) -> Self {
        match argument {
            MessageFormatArg::Human => Self::Human,
            MessageFormatArg::Json => Self::Json,
        }
    }
}

/// Values of `--color`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorArg {
    /// Colour on a terminal, unless NO_COLOR is set
    Auto,
    /// Always colour
    Always,
    /// No colour
    Never,
}
