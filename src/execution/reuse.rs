//! Allocations that an EVM passes to the next EVM on the same thread, so that a new EVM for each
//! block is cheap. They are call frames, with stacks of 32 KiB each, and the table of hashes, of 64
//! KiB.
//!
//! Only allocations are reused, no content. Frames that remain on the stack after a panic are
//! removed. revm initialises a frame for each call, and the cached hashes are cleared.
//!
//! Frames share the memory of the EVM that they ran in. Frames of an EVM with a large memory are
//! freed. On threads with [`Buffers::Freed`], all allocations are.

use super::{beneficiary::WorkerEvm, hashes::Hashes};
use crate::threads::Buffers;
use revm::{Database, context_interface::local::FrameStack, handler::EthFrame};
use std::{cell::Cell, mem};

/// Frames that revm allocates at the start. Deeper calls are rare.
const FRAMES: usize = 8;

/// Maximum size of the memory that kept frames share, in bytes.
const MOST_MEMORY: usize = 256 << 10;

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

/// Keeps the allocations for the thread's next EVM, within the limits of this module.
pub(crate) fn leave<DB: Database, P>(evm: &mut WorkerEvm<DB, P>) {
    let (frames, hashes) = (mem::take(&mut evm.frame_stack), mem::take(&mut evm.ctx.chain));
    if Buffers::here() == Buffers::Kept {
        let is_large = evm.ctx.local.shared_memory_buffer.borrow().capacity() > MOST_MEMORY;
        let frames = if is_large { FrameStack::new_prealloc(FRAMES) } else { frames };
        LEFT.set(Some(KeptBuffers { frames, hashes }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{block::prepare, cache::sample, execution::worker};
    use revm::{database_interface::EmptyDB, interpreter::SharedMemory};
    use std::rc::Rc;

    /// Ends an EVM with a memory of this size, which a frame used, on a thread with this rule.
    /// Returns whether the thread keeps frames, and whether it keeps the memory.
    fn keeps(buffers: Buffers, memory: usize) -> (bool, bool) {
        let end = move || {
            let job = prepare(sample().expect("it is valid").swap_remove(0), |_| ());
            let mut evm = worker::evm(&job.expect("it is valid"), EmptyDB::default());
            let buffer = evm.ctx.local.shared_memory_buffer.clone();
            buffer.borrow_mut().reserve(memory);
            let mut first = evm.frame_stack.start_init();
            first.get(EthFrame::default).interpreter.memory =
                SharedMemory::new_with_buffer(buffer.clone());
            let buffer = Rc::downgrade(&{ buffer });
            buffers.apply();
            leave(&mut evm);
            drop(evm);
            let left = LEFT.take();
            (left.is_some(), buffer.strong_count() > 0)
        };
        std::thread::spawn(end).join().expect("it does not panic")
    }

    #[test]
    fn a_thread_keeps_frames_with_little_memory_only() {
        assert_eq!(keeps(Buffers::Kept, 4_000), (true, true));
        assert_eq!(keeps(Buffers::Kept, MOST_MEMORY + 1), (true, false));
    }

    #[test]
    fn a_thread_that_frees_its_buffers_keeps_nothing() {
        assert_eq!(keeps(Buffers::Freed, 4_000), (false, false));
    }
}
