//! What a thread's EVM leaves for the next one on the same thread, and makes it cheap to have one for each block: call
//! frames, with stacks of 32 KiB each, and the table of hashes, of 64 KiB.
//!
//! Room is all that is handed on. Frames that a panic has left on the stack are taken from it, revm sets up a frame anew for
//! each call, and hashes are forgotten.

use super::{fees::WorkerEvm, hashes::Hashes};
use revm::{Database, context_interface::local::FrameStack, handler::EthFrame};
use std::{cell::Cell, mem};

/// As many frames as revm makes at the start: hardly any transaction calls deeper.
const FRAMES: usize = 8;

/// What there is to reuse.
pub(super) struct KeptBuffers {
    pub(super) frames: FrameStack<EthFrame>,
    pub(super) hashes: Hashes,
}

thread_local! {
    static LEFT: Cell<Option<KeptBuffers>> = const { Cell::new(None) };
}

/// What was left last on this thread, or else as good as new.
pub(super) fn take() -> KeptBuffers {
    let new =
        || KeptBuffers { frames: FrameStack::new_prealloc(FRAMES), hashes: Hashes::default() };
    let mut left = LEFT.take().unwrap_or_else(new);
    left.frames.clear();
    left.hashes.forget();
    left
}

/// Leaves it for the thread's next EVM.
pub(super) fn leave<DB: Database, P>(evm: &mut WorkerEvm<DB, P>) {
    let (frames, hashes) = (mem::take(&mut evm.frame_stack), mem::take(&mut evm.ctx.chain));
    LEFT.set(Some(KeptBuffers { frames, hashes }));
}
