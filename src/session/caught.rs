//! Turns a panic during the work on one block into an error of that block.

use eyre::eyre;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`. A panic is a bug of blockrace. It becomes an error; the panic message has gone to standard error.
pub(super) fn caught<T>(work: impl FnOnce() -> eyre::Result<T>) -> eyre::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(eyre!("it panicked; this is a bug")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        assert_eq!(caught(|| Ok(7)).expect("it ends well"), 7);
        let error =
            caught(|| -> eyre::Result<u8> { panic!("out of luck") }).expect_err("it panics");
        assert_eq!(error.to_string(), "it panicked; this is a bug");
    }
}
