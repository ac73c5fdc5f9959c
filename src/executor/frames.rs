//! Call frames that a thread's EVM leaves for the next one on the same thread: with their stacks, of 32 KiB each, they are
//! most of what it takes to make an EVM, which every worker does for every block.
//!
//! Nothing is handed on in them, since revm sets up a frame anew for each call.

use revm::{context_interface::local::FrameStack, handler::EthFrame};
use std::{cell::Cell, mem};

/// What an EVM runs its calls in.
pub(super) type Frames = FrameStack<EthFrame>;

/// As many as revm makes at the start: hardly any transaction calls deeper.
const FRAMES: usize = 8;

thread_local! {
    static LEFT: Cell<Option<Frames>> = const { Cell::new(None) };
}

/// Those that were left last on this thread, or else new ones.
pub(super) fn take() -> Frames {
    LEFT.take().unwrap_or_else(|| Frames::new_prealloc(FRAMES))
}

/// Leaves them for the thread's next EVM.
pub(super) fn leave(frames: &mut Frames) {
    LEFT.set(Some(mem::take(frames)));
}
