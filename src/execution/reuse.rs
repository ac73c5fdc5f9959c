//! Allocations that an EVM passes to the next EVM on the same thread, so that a new EVM for each
//! block is cheap. They are call frames, with stacks of 32 KiB each, and the table of hashes, of 64
//! KiB.
//!
//! Only allocations are reused, no content. Frames that remain on the stack after a panic are
//! removed. revm initialises a frame for each call, and the cached hashes are cleared.

use super::{beneficiary::WorkerEvm, hashes::Hashes};
use revm::{Database, context_interface::local::FrameStack, handler::EthFrame};
use std::{cell::Cell, mem};

/// Frames that revm allocates at the start. Deeper calls are rare.
const FRAMES: usize = 8;

/// Reusable allocations.
pub(crate) struct KeptBuffers {
    pub(crate) frames: FrameStack<EthFrame>,
    pub(crate) hashes: Hashes,
}

thread_local! {
    static LEFT: Cell<Option<KeptBuffers>> = const { Cell::new(None) };
}

/// The last allocations of this thread, or new ones.
pub(crate) fn take() -> KeptBuffers {
    let new =
        || KeptBuffers { frames: FrameStack::new_prealloc(FRAMES), hashes: Hashes::default() };
    let mut left = LEFT.take().unwrap_or_else(new);
    left.frames.clear();
    left.hashes.forget();
    left
}

/// Keeps the allocations for the thread's next EVM.
pub(crate) fn leave<DB: Database, P>(evm: &mut WorkerEvm<DB, P>) {
    let (frames, hashes) = (mem::take(&mut evm.frame_stack), mem::take(&mut evm.ctx.chain));
    LEFT.set(Some(KeptBuffers { frames, hashes }));
}
