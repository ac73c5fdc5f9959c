//! Fuzzes files of blockchain tests: no content causes a panic, and all executors agree.

#![no_main]

use blockrace::{
    conformance::{Ending, Failure, Panel, run, tests},
    executors::ExecutorKind,
};
use libfuzzer_sys::fuzz_target;
use std::{cell::RefCell, num::NonZeroUsize, time::Duration};

thread_local! {
    static PANEL: RefCell<Panel> = RefCell::new(
        Panel::new(&[ExecutorKind::BLOCK_STM], &[NonZeroUsize::MIN], Duration::from_secs(20))
            .expect("threads are available"),
    );
}

fuzz_target!(|file: &[u8]| {
    let Ok(tests) = tests(file) else { return };
    for (_, test) in tests {
        let run = PANEL.with_borrow_mut(|panel| run(test, &[], panel));
        if let Ending::Failed(failure @ Failure::Trouble { .. }) = run.ending {
            panic!("{failure:?}");
        }
    }
});
