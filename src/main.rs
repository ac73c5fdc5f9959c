//! The `blockrace` command, with the executors of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    blockrace::run([])
}
