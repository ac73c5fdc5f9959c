//! The pre-state of one execution, with optional simulated latency of a disk.
//!
//! Flat state in memory answers within nanoseconds, which no client's database does. With a latency, the first
//! read of every account and every slot takes that long, for every executor alike. A read is *first* if no
//! thread of this execution has read the value before. A second thread that reads it meanwhile waits for the
//! same answer; later reads return at once.
//!
//! An execution that knows all its reads beforehand can load them by one batch. The batch takes the same latency once,
//! whatever its size: disks and networks serve many outstanding reads at a time.
//!
//! The waiting thread sleeps, so other threads can use the processor. The sleep takes at least the given
//! latency. The system's timer adds about 55 µs on Linux, which is its default timer slack, and up to 15 ms on
//! Windows. So results with latency are comparable on one machine only.
//!
//! Slots of an account with known empty storage have no latency, as its account shows that there is nothing to
//! read.

use super::{IndexedState, PreState, StateError};
use alloy_primitives::{Address, B256, U256};
use revm::{DatabaseRef, bytecode::Bytecode, state::AccountInfo};
use std::{sync::OnceLock, thread, time::Duration};

/// The pre-state for one execution.
#[derive(Debug)]
pub struct Storage<'a> {
    known: &'a PreState,
    waits: Option<Waits<'a>>,
}

/// The waits of one execution.
#[derive(Debug)]
struct Waits<'a> {
    numbers: &'a IndexedState,
    latency: Duration,
    reads: Reads,
}

/// Finished reads.
#[derive(Debug)]
enum Reads {
    /// First reads, by index.
    Each { accounts: Vec<OnceLock<()>>, slots: Vec<OnceLock<()>> },
    /// One batch with all values.
    AtOnce(OnceLock<()>),
}

/// A value of the pre-state, by its index.
#[derive(Clone, Copy)]
enum Value {
    Account(u32),
    Slot(u32),
}

impl<'a> Storage<'a> {
    /// A state without latency.
    pub const fn instant(known: &'a PreState) -> Self {
        Self { known, waits: None }
    }

    /// A state with `latency` on every first read; none if that is zero. `numbers` must hold the same state.
    pub fn slow(known: &'a PreState, numbers: &'a IndexedState, latency: Duration) -> Self {
        let unread = |count| std::iter::repeat_with(OnceLock::new).take(count).collect();
        let reads = || Reads::Each {
            accounts: unread(numbers.accounts().len()),
            slots: unread(numbers.slots().len()),
        };
        Self { known, waits: Waits::new(numbers, latency, reads) }
    }

    /// A state that one batch of reads loads. The batch takes `latency`, and every read waits for it.
    pub fn at_once(known: &'a PreState, numbers: &'a IndexedState, latency: Duration) -> Self {
        let reads = || Reads::AtOnce(OnceLock::new());
        Self { known, waits: Waits::new(numbers, latency, reads) }
    }

    /// Waits for a first read of the account with this index. Callers use it before they read a
    /// [`IndexedState`] directly.
    pub fn wait_for_account(&self, number: u32) {
        if let Some(waits) = &self.waits {
            waits.wait(Value::Account(number));
        }
    }

    /// The same for a slot.
    pub fn wait_for_slot(&self, number: u32) {
        if let Some(waits) = &self.waits {
            waits.wait(Value::Slot(number));
        }
    }

    /// Waits for a first read of the account or of its slot. Callers use it if they have the value from another
    /// source.
    pub fn wait_for(&self, address: Address, slot: Option<U256>) {
        match (&self.waits, slot) {
            (Some(waits), Some(slot)) => waits.slot(address, slot),
            (Some(waits), None) => waits.account(address),
            (None, _) => {}
        }
    }
}

impl<'a> Waits<'a> {
    /// `None` without latency.
    fn new(
        numbers: &'a IndexedState,
        latency: Duration,
        reads: impl FnOnce() -> Reads,
    ) -> Option<Self> {
        (!latency.is_zero()).then(|| Self { numbers, latency, reads: reads() })
    }

    /// The first caller sleeps; concurrent callers block until it wakes.
    fn wait(&self, value: Value) {
        let read = match (&self.reads, value) {
            (Reads::AtOnce(batch), _) => Some(batch),
            (Reads::Each { accounts, .. }, Value::Account(number)) => accounts.get(number as usize),
            (Reads::Each { slots, .. }, Value::Slot(number)) => slots.get(number as usize),
        };
        if let Some(read) = read {
            read.get_or_init(|| thread::sleep(self.latency));
        }
    }

    fn account(&self, address: Address) {
        if let Ok(account) = self.numbers.account(address) {
            self.wait(Value::Account(account.number));
        }
    }

    fn slot(&self, address: Address, slot: U256) {
        let listed = self.numbers.account(address).and_then(|account| account.slot(slot));
        if let Ok(Some(listed)) = listed {
            self.wait(Value::Slot(listed.number));
        }
    }
}

impl DatabaseRef for Storage<'_> {
    type Error = StateError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.wait_for(address, None);
        self.known.basic_ref(address)
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, StateError> {
        self.known.code_by_hash_ref(hash)
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.wait_for(address, Some(slot));
        self.known.storage_ref(address, slot)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, StateError> {
        self.known.block_hash_ref(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::PreAccount;
    use std::time::Instant;

    const ALICE: Address = Address::repeat_byte(0xa1);
    const LATENCY: Duration = Duration::from_millis(20);

    fn known() -> PreState {
        let slots = std::iter::once((U256::ONE, U256::from(7))).collect();
        let account = PreAccount { info: Some(AccountInfo::default()), slots, rest_is_zero: false };
        PreState { accounts: std::iter::once((ALICE, account)).collect(), ..Default::default() }
    }

    fn elapsed(work: impl FnOnce()) -> Duration {
        let start = Instant::now();
        work();
        start.elapsed()
    }

    #[test]
    fn only_the_first_read_of_an_account_and_of_a_slot_waits() {
        let (known, numbers) = (known(), IndexedState::new(&known()));
        let storage = Storage::slow(&known, &numbers, LATENCY);
        let read = || {
            assert!(storage.basic_ref(ALICE).expect("it is known").is_some());
            assert_eq!(storage.storage_ref(ALICE, U256::ONE), Ok(U256::from(7)));
        };
        assert!(elapsed(read) >= 2 * LATENCY);
        assert!(elapsed(read) < LATENCY);
    }

    #[test]
    fn a_concurrent_read_waits_for_the_first_one() {
        let (known, numbers) = (known(), IndexedState::new(&known()));
        let storage = Storage::slow(&known, &numbers, LATENCY);
        let both = elapsed(|| {
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| assert!(elapsed(|| storage.wait_for_account(0)) > LATENCY / 2));
                }
            });
        });
        assert!(both < 2 * LATENCY, "they wait at the same time: {both:?}");
    }

    #[test]
    fn a_batch_waits_once_for_all_values() {
        let (known, numbers) = (known(), IndexedState::new(&known()));
        let storage = Storage::at_once(&known, &numbers, LATENCY);
        let read = || {
            assert!(storage.basic_ref(ALICE).expect("it is known").is_some());
            assert_eq!(storage.storage_ref(ALICE, U256::ONE), Ok(U256::from(7)));
        };
        assert!(elapsed(read) >= LATENCY);
        assert!(elapsed(read) < LATENCY);
    }

    #[test]
    fn without_latency_no_reads_are_tracked() {
        let (known, numbers) = (known(), IndexedState::new(&known()));
        assert!(Storage::slow(&known, &numbers, Duration::ZERO).waits.is_none());
    }
}
