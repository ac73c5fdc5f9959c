//! Budgets of the spin-waits outside the engine, in polls. They affect speed only.
//!
//! The Block-STM engine has its own table.

use blockrace_stm::sync::Backoff;

/// A value that another thread makes, before the waiting thread sleeps. The polls take about as long
/// as making most values, and as long as waking a thread.
pub(super) const VALUE: Backoff = Backoff { most: 1_500, in_haste: 500 };

/// Work for a woken thread. The polls take some tenths of a millisecond, which is longer than the
/// work before the first task.
pub(super) const WORK: Backoff = Backoff { most: 20_000, in_haste: 20_000 };

/// All threads of a pool to be awake. The polls take longer than waking the threads one after the
/// other.
pub(super) const AWAKE: Backoff = Backoff { most: 5_000, in_haste: 500 };
