//! Panics of one block's work, as errors of that block.

use eyre::eyre;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Does the work. A panic is a bug of ours and ends this work only; what it said went to standard error.
pub(super) fn caught<T>(work: impl FnOnce() -> eyre::Result<T>) -> eyre::Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(eyre!("it panicked; this is a bug")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_like_others() {
        assert_eq!(caught(|| Ok(7)).expect("it ends well"), 7);
        let error =
            caught(|| -> eyre::Result<u8> { panic!("out of luck") }).expect_err("it panics");
        assert_eq!(error.to_string(), "it panicked; this is a bug");
    }
}
