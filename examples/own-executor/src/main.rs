//! The whole `blockrace` command line, with an executor of its own: optimistic, in fixed batches.
//!
//! ```sh
//! cargo run --release -p own-executor -- replay --executors fixed-batches,block-stm
//! ```

mod fixed_batches;

use std::process::ExitCode;

fn main() -> ExitCode {
    blockrace::run([fixed_batches::factory()])
}
