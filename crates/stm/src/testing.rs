//! Toy machine in place of the EVM, and the outcome of its programs in block order.
//!
//! A toy transaction reads and writes locations that depend on earlier reads. An incarnation with stale reads
//! therefore writes to wrong locations and leaves estimates there.
//!
//! The unit tests use it, and model checks do.

mod threads;

pub use threads::{handed_on_up_to, in_parallel, on_threads, run, with_hints};

use crate::{
    call_classes::CallClasses,
    engine::{Executed, Vm},
    location::{AccountNumber, Location, TxIndex, Write},
    memory::{Blocked, Memory},
    read_set::Expected,
    scheduler::ExecutionPoint,
    view::IncarnationView,
};
use alloy_primitives::U256;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Step of a toy transaction. Some steps combine their number with the values read so far to select a location.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// Reads a location.
    Read(u8),
    /// Reads a location that depends on earlier reads.
    ReadFollowing(u8),
    /// Replaces a value by a number that depends on earlier reads.
    Set(u8),
    /// The same, at a location that depends on earlier reads.
    SetFollowing(u8),
    /// Adds to a balance.
    Add(u8),
    /// Subtracts from a balance if it suffices. Does nothing if it does not.
    Spend(u8),
    /// Clears an account's storage.
    Empty(u8),
    /// Ends the transaction if the values read so far make an even number.
    StopIfEven,
    /// Assumes the nonce that the lower transactions' `Count` steps give, and increments it.
    Count(u8),
    /// Increments a nonce without an announcement, if the values read so far make an odd number.
    Surprise(u8),
}

/// Steps of a toy transaction.
pub type Program = Vec<Step>;

const ACCOUNTS: u8 = 3;
const SLOTS: u8 = 3;

fn location(choice: u8) -> Location {
    let account = u32::from(choice % ACCOUNTS);
    match choice / ACCOUNTS % (SLOTS + 1) {
        SLOTS => Location::Balance(account),
        0 => Location::OtherSlot(account, U256::ZERO),
        slot => Location::Slot(account, u32::from(slot * ACCOUNTS) + account),
    }
}

/// Returns the location of a balance.
pub fn balance(choice: u8) -> Location {
    Location::Balance(u32::from(choice % ACCOUNTS))
}

fn nonce(choice: u8) -> Location {
    Location::Nonce(u32::from(choice % ACCOUNTS))
}

/// Returns the account that a slot belongs to.
fn owner(location: Location) -> Option<AccountNumber> {
    match location {
        Location::Slot(account, _) | Location::OtherSlot(account, _) => Some(account),
        _ => None,
    }
}

/// Creates an empty memory that reuses the allocations of an earlier block. That block read and wrote every
/// location.
pub fn memory() -> Memory {
    let (accounts, slots) = (ACCOUNTS.into(), (ACCOUNTS * (SLOTS + 1)).into());
    let used = Memory::new(accounts, slots);
    for at in all_locations() {
        used.note_reader(at, 1);
        used.publish(0, &vec![], &vec![(at, Write::Set(U256::MAX))]);
    }
    used.start_over(accounts, slots)
}

fn all_locations() -> Vec<Location> {
    (0..ACCOUNTS * (SLOTS + 1)).map(location).chain((0..ACCOUNTS).map(nonce)).collect()
}

/// Returns the value before the block.
fn before(location: Location) -> U256 {
    match location {
        Location::Slot(_, slot) => U256::from(slot + 100),
        Location::Nonce(account) => U256::from(account),
        _ => U256::from(1_000),
    }
}

/// State that a toy transaction reads from.
trait Below {
    fn read(&mut self, location: Location) -> Result<U256, Blocked>;
    /// Returns whether the value is at least `amount`. The transaction depends on nothing else about the value.
    fn has(&mut self, location: Location, amount: U256) -> bool;
    /// Returns the value. It is probably `probably`.
    fn guess(&mut self, location: Location, probably: U256) -> Result<U256, Blocked>;
}

impl Below for BTreeMap<Location, U256> {
    fn read(&mut self, location: Location) -> Result<U256, Blocked> {
        Ok(self[&location])
    }

    fn has(&mut self, location: Location, amount: U256) -> bool {
        self[&location] >= amount
    }

    fn guess(&mut self, location: Location, _: U256) -> Result<U256, Blocked> {
        Ok(self[&location])
    }
}

impl Below for IncarnationView<'_> {
    fn read(&mut self, location: Location) -> Result<U256, Blocked> {
        IncarnationView::read(self, location).map(|observed| observed.over(before(location)))
    }

    fn has(&mut self, location: Location, minimum: U256) -> bool {
        let (seen, before) = (self.peek(location).observed(), before(location));
        let enough = seen.over(before) >= minimum;
        let at_least = Expected::AtLeast { before, minimum };
        self.expect(location, if enough { at_least } else { Expected::Exact(seen) });
        enough
    }

    fn guess(&mut self, location: Location, probably: U256) -> Result<U256, Blocked> {
        match self.start() {
            ExecutionPoint::AtCommit => Below::read(self, location),
            ExecutionPoint::Speculative => {
                self.expect(
                    location,
                    Expected::Known { before: before(location), value: probably },
                );
                Ok(probably)
            }
        }
    }
}

/// State of a toy transaction.
#[derive(Default)]
struct Toy {
    seen: U256,
    writes: BTreeMap<Location, Write>,
    emptied: BTreeMap<Location, Write>,
}

impl Toy {
    /// Runs the last of these programs.
    fn run(&mut self, programs: &[Program], below: &mut impl Below) -> Result<(), Blocked> {
        let Some((program, lower)) = programs.split_last() else { return Ok(()) };
        for step in program {
            let shift = self.seen.byte(0);
            let following = |choice: u8| location(choice.wrapping_add(shift));
            match *step {
                Step::Read(choice) => self.read(location(choice), below)?,
                Step::ReadFollowing(choice) => self.read(following(choice), below)?,
                Step::Set(choice) => self.set(location(choice)),
                Step::SetFollowing(choice) => self.set(following(choice)),
                Step::Add(choice) => self.add(balance(choice), U256::from(7)),
                Step::Spend(choice) => self.spend(balance(choice), below),
                Step::Empty(choice) => self.empty(lower.len(), u32::from(choice % ACCOUNTS)),
                Step::StopIfEven if !self.seen.bit(0) => return Ok(()),
                Step::StopIfEven => {}
                Step::Count(choice) => self.count(lower, nonce(choice), below)?,
                Step::Surprise(choice) if self.seen.bit(0) => self.add(nonce(choice), U256::ONE),
                Step::Surprise(_) => {}
            }
        }
        Ok(())
    }

    fn read(&mut self, location: Location, below: &mut impl Below) -> Result<(), Blocked> {
        let found = if self.own_emptied(location) { U256::ZERO } else { below.read(location)? };
        let value = match self.writes.get(&location) {
            None => found,
            Some(Write::Set(value)) => *value,
            Some(Write::Add(value)) => found.wrapping_add(*value),
        };
        self.seen = self.seen.wrapping_mul(U256::from(31)).wrapping_add(value) >> 1;
        Ok(())
    }

    fn own_emptied(&self, location: Location) -> bool {
        owner(location)
            .is_some_and(|account| self.emptied.contains_key(&Location::Storage(account)))
    }

    fn set(&mut self, location: Location) {
        self.writes.insert(location, Write::Set(self.seen.wrapping_add(U256::ONE)));
    }

    fn add(&mut self, location: Location, more: U256) {
        let sum = match self.writes.get(&location) {
            None => Write::Add(more),
            Some(Write::Set(value)) => Write::Set(value.wrapping_add(more)),
            Some(Write::Add(value)) => Write::Add(value.wrapping_add(more)),
        };
        self.writes.insert(location, sum);
    }

    /// Subtracts most of the value before the block. Writes of other transactions therefore decide whether it
    /// suffices. Does nothing if the transaction has written to the location before.
    fn spend(&mut self, location: Location, below: &mut impl Below) {
        let amount = U256::from(600);
        if !self.writes.contains_key(&location) && below.has(location, amount) {
            self.add(location, U256::ZERO.wrapping_sub(amount));
        }
    }

    /// Does nothing if the transaction has written to the location before.
    fn count(
        &mut self,
        lower: &[Program],
        location: Location,
        below: &mut impl Below,
    ) -> Result<(), Blocked> {
        if self.writes.contains_key(&location) {
            return Ok(());
        }
        let counts = |step: &Step| matches!(step, Step::Count(at) if nonce(*at) == location);
        let counted = lower.iter().filter(|program| program.iter().any(counts)).count();
        let found = below.guess(location, before(location) + U256::from(counted))?;
        self.seen = self.seen.wrapping_add(found);
        self.writes.insert(location, Write::Set(found.wrapping_add(U256::ONE)));
        Ok(())
    }

    fn empty(&mut self, tx: TxIndex, account: AccountNumber) {
        self.writes.retain(|at, _| owner(*at) != Some(account));
        self.emptied.insert(Location::Storage(account), Write::Set(U256::from(tx)));
    }
}

/// Executes toy transactions.
#[derive(Debug)]
pub struct ToyMachine<'a, 'm> {
    /// All transactions of the block.
    pub programs: &'a [Program],
    /// View of the current incarnation.
    pub view: IncarnationView<'m>,
}

impl<'m> Vm<'m> for ToyMachine<'_, 'm> {
    type Output = U256;

    fn view(&mut self) -> &mut IncarnationView<'m> {
        &mut self.view
    }

    fn execute(&mut self) -> Executed<U256> {
        let (tx, mut toy) = (self.view.tx(), Toy::default());
        // The engine drops the result of a blocked incarnation, so the error is not needed.
        let _ = toy.run(&self.programs[..=tx], &mut self.view);
        let writes = toy.writes.into_iter().chain(toy.emptied).collect();
        Executed { writes, output: toy.seen, steps: 1, cost: 1 }
    }
}

/// Values that each transaction saw, and the state after the block.
pub type Outcome = (Vec<U256>, BTreeMap<Location, U256>);

/// Returns the write of a slot, as a hint.
pub fn hint(choice: u8, value: u64) -> (Location, Write) {
    let slots = ACCOUNTS * SLOTS;
    (location(choice % slots), Write::Set(U256::from(value)))
}

/// Returns the outcome of block order.
pub fn in_order(programs: &[Program]) -> Outcome {
    let mut state: BTreeMap<_, _> =
        all_locations().into_iter().map(|at| (at, before(at))).collect();
    let mut seen = Vec::new();
    for tx in 0..programs.len() {
        let mut toy = Toy::default();
        toy.run(&programs[..=tx], &mut state).expect("nothing blocks in block order");
        for at in all_locations().into_iter().filter(|at| toy.own_emptied(*at)) {
            state.insert(at, U256::ZERO);
        }
        for (at, write) in toy.writes {
            let old = state[&at];
            state.insert(
                at,
                match write {
                    Write::Set(value) => value,
                    Write::Add(value) => old.wrapping_add(value),
                },
            );
        }
        seen.push(toy.seen);
    }
    (seen, state)
}

/// Returns the call class of a program. Programs with the same first step share one. Programs that begin with a
/// payment have none.
fn kind(program: &[Step]) -> CallClasses {
    match program.first() {
        None | Some(Step::Add(_) | Step::StopIfEven) => CallClasses::default(),
        Some(Step::Read(choice) | Step::ReadFollowing(choice)) => CallClasses::of((*choice).into()),
        Some(Step::Set(choice) | Step::SetFollowing(choice)) => {
            CallClasses::of(16 + u64::from(*choice))
        }
        Some(Step::Spend(choice) | Step::Empty(choice)) => CallClasses::of(32 + u64::from(*choice)),
        Some(Step::Count(choice) | Step::Surprise(choice)) => {
            CallClasses::of(48 + u64::from(*choice))
        }
    }
}

/// Generates a step.
pub fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Read),
        2 => any::<u8>().prop_map(Step::ReadFollowing),
        3 => any::<u8>().prop_map(Step::Set),
        2 => any::<u8>().prop_map(Step::SetFollowing),
        2 => any::<u8>().prop_map(Step::Add),
        2 => any::<u8>().prop_map(Step::Spend),
        1 => any::<u8>().prop_map(Step::Empty),
        1 => Just(Step::StopIfEven),
        2 => any::<u8>().prop_map(Step::Count),
        1 => any::<u8>().prop_map(Step::Surprise),
    ]
}
