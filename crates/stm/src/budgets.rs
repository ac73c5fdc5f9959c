//! Budgets of all spin-waits of the engine, in polls. They affect speed only.

use crate::sync::Backoff;

/// A lock that another worker holds. The polls outlast a full queue of threads. A holder that takes
/// longer was interrupted by the operating system.
#[cfg(not(feature = "shuttle"))]
pub(crate) const LOCK: Backoff = Backoff { most: 250, in_haste: 200 };

/// A worker without a task, before it sleeps. The polls take about as long as a wake-up. More polls
/// would slow the other thread of a shared core.
pub(crate) const IDLE: Backoff = Backoff { most: 250, in_haste: 150 };

/// A reader that waits for a running writer, per read of its read set. The polls take a few times as
/// long as the execution between two reads, which is about a microsecond. Waiting pays because a
/// reader of a stale value mostly aborts.
pub(crate) const WRITER_PER_READ: u32 = 240;

/// The same reader, before it yields to other threads between two polls. The polls take some
/// microseconds. Yielding is useful if the writer's thread is waiting for this core.
pub(crate) const WRITER_IN_HASTE: u32 = 500;

/// Polls that one yield of that reader counts for, if threads outnumber cores. A yield takes as long
/// as four polls if no other thread is runnable. The larger number shortens the wait if other threads
/// need the core.
pub(crate) const WRITER_PER_YIELD: u32 = 16;
