//! The engine against block order, with a toy machine in place of the EVM.
//!
//! A toy transaction reads and writes locations that depend on what it has read, so that an
//! incarnation on outdated values goes astray, writes elsewhere, and leaves estimates in the way.

use super::{
    engine::{Board, Executed, Incarnations, Machine, Steps, Worker},
    memory::{AccountNumber, Blocked, Location, Memory, TxIndex, Write},
    read_set::Expected,
    running::Running,
    view::View,
};
use crate::executor::{Crowding, WorkerPool, observe::Nobody};
use alloy_primitives::U256;
use parking_lot::Mutex;
use proptest::prelude::*;
use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicBool, Ordering},
};

/// One step of a toy transaction. Numbers select a location, together with what was read so far.
#[derive(Clone, Copy, Debug)]
enum Step {
    Read(u8),
    /// Reads a location that depends on what was read before.
    ReadFollowing(u8),
    Set(u8),
    SetFollowing(u8),
    Add(u8),
    /// Takes from a balance if there is enough, and sets it to nothing if not.
    Spend(u8),
    /// Empties an account's storage.
    Empty(u8),
    /// Does the steps that follow only if what was read is odd.
    StopIfEven,
}

type Program = Vec<Step>;

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

fn balance(choice: u8) -> Location {
    Location::Balance(u32::from(choice % ACCOUNTS))
}

/// The account that a slot belongs to.
fn owner(location: Location) -> Option<AccountNumber> {
    match location {
        Location::Slot(account, _) | Location::OtherSlot(account, _) => Some(account),
        _ => None,
    }
}

fn memory() -> Memory {
    Memory::new(ACCOUNTS.into(), (ACCOUNTS * (SLOTS + 1)).into())
}

fn all_locations() -> Vec<Location> {
    (0..ACCOUNTS * (SLOTS + 1)).map(location).collect()
}

/// The value before the block.
fn before(location: Location) -> U256 {
    match location {
        Location::Slot(_, slot) => U256::from(slot + 100),
        _ => U256::from(1_000),
    }
}

/// Where a toy transaction reads.
trait Below {
    fn read(&mut self, location: Location) -> Result<U256, Blocked>;
    /// Whether the value is at least this; only that is depended on.
    fn has(&mut self, location: Location, amount: U256) -> bool;
}

impl Below for BTreeMap<Location, U256> {
    fn read(&mut self, location: Location) -> Result<U256, Blocked> {
        Ok(self[&location])
    }

    fn has(&mut self, location: Location, amount: U256) -> bool {
        self[&location] >= amount
    }
}

impl Below for View<'_> {
    fn read(&mut self, location: Location) -> Result<U256, Blocked> {
        View::read(self, location).map(|observed| observed.over(before(location)))
    }

    fn has(&mut self, location: Location, minimum: U256) -> bool {
        let (seen, before) = (self.peek(location).observed(), before(location));
        let enough = seen.over(before) >= minimum;
        let at_least = Expected::AtLeast { before, minimum };
        self.expect(location, if enough { at_least } else { Expected::Seen(seen) });
        enough
    }
}

/// What a transaction did so far.
#[derive(Default)]
struct Toy {
    seen: U256,
    writes: BTreeMap<Location, Write>,
    emptied: BTreeMap<Location, Write>,
}

impl Toy {
    fn run(
        &mut self,
        tx: TxIndex,
        program: &[Step],
        below: &mut impl Below,
    ) -> Result<(), Blocked> {
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
                Step::Empty(choice) => self.empty(tx, u32::from(choice % ACCOUNTS)),
                Step::StopIfEven if !self.seen.bit(0) => return Ok(()),
                Step::StopIfEven => {}
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

    /// Takes most of what is there before the block, so that others' writes decide whether it can. Does
    /// nothing if the transaction wrote there before.
    fn spend(&mut self, location: Location, below: &mut impl Below) {
        let amount = U256::from(600);
        if !self.writes.contains_key(&location) && below.has(location, amount) {
            self.add(location, U256::ZERO.wrapping_sub(amount));
        }
    }

    fn empty(&mut self, tx: TxIndex, account: AccountNumber) {
        self.writes.retain(|at, _| owner(*at) != Some(account));
        self.emptied.insert(Location::Storage(account), Write::Set(U256::from(tx)));
    }
}

struct ToyMachine<'a, 'm> {
    programs: &'a [Program],
    view: View<'m>,
}

impl<'m> Machine<'m> for ToyMachine<'_, 'm> {
    type Output = U256;

    fn view(&mut self) -> &mut View<'m> {
        &mut self.view
    }

    fn execute(&mut self) -> Executed<U256> {
        let (tx, mut toy) = (self.view.tx(), Toy::default());
        // What a blocked incarnation returns is dropped, so the error is not needed.
        let _ = toy.run(tx, &self.programs[tx], &mut self.view);
        let writes = toy.writes.into_iter().chain(toy.emptied).collect();
        Executed { writes, output: toy.seen, steps: 1, cost: 1 }
    }
}

/// What block order gives: what every transaction saw, and the state after them.
fn in_order(programs: &[Program]) -> (Vec<U256>, BTreeMap<Location, U256>) {
    let mut state: BTreeMap<_, _> =
        all_locations().into_iter().map(|at| (at, before(at))).collect();
    let mut seen = Vec::new();
    for (tx, program) in programs.iter().enumerate() {
        let mut toy = Toy::default();
        toy.run(tx, program, &mut state).expect("nothing blocks in block order");
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

fn pool(threads: usize) -> WorkerPool {
    let threads = NonZeroUsize::new(threads).expect("tests ask for threads");
    WorkerPool::new(threads).expect("the system has a few threads left")
}

/// Executes on all threads of the pool. `None` if not everything was committed.
fn run<'m, M: Machine<'m>>(
    pool: &WorkerPool,
    steps: Steps<'_>,
    memory: &'m Memory,
    running: &'m Running,
    machine: impl Fn() -> M + Sync,
    commit: impl FnMut(TxIndex, M::Output) -> ControlFlow<()> + Send,
) -> Option<Incarnations> {
    let (board, commit) = (&Board::new(steps), Mutex::new(commit));
    pool.run_on_all(|| {
        let commit = |tx, output| (commit.lock())(tx, output);
        Worker { board, memory, running, commit, observer: &Nobody }.work(&mut machine());
    });
    board.incarnations()
}

/// What the engine gives, in the same form.
fn in_parallel(
    programs: &[Program],
    pool: &WorkerPool,
) -> (Vec<U256>, BTreeMap<Location, U256>, Incarnations) {
    let (memory, mut seen) = (memory(), Vec::new());
    let running = Running::new(programs.len(), Crowding::Roomy);
    let incarnations = run(
        pool,
        Steps { count: programs.len(), early: &[] },
        &memory,
        &running,
        || ToyMachine { programs, view: View::new(&memory, &running) },
        |tx, output| {
            assert_eq!(tx, seen.len(), "transactions commit in order");
            seen.push(output);
            ControlFlow::Continue(())
        },
    );
    let after = |at| memory.read(at, programs.len()).map(|observed| observed.over(before(at)));
    let state = all_locations()
        .into_iter()
        .map(|at| (at, after(at).expect("no estimates are left after the block")))
        .collect();
    (seen, state, incarnations.expect("no worker panics"))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => any::<u8>().prop_map(Step::Read),
        2 => any::<u8>().prop_map(Step::ReadFollowing),
        3 => any::<u8>().prop_map(Step::Set),
        2 => any::<u8>().prop_map(Step::SetFollowing),
        2 => any::<u8>().prop_map(Step::Add),
        2 => any::<u8>().prop_map(Step::Spend),
        1 => any::<u8>().prop_map(Step::Empty),
        1 => Just(Step::StopIfEven),
    ]
}

fn programs() -> impl Strategy<Value = Vec<Program>> {
    prop::collection::vec(prop::collection::vec(step(), 0..8), 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_outcome_is_that_of_block_order(programs in programs()) {
        let (seen, state) = in_order(&programs);
        for threads in [1, 2, 4] {
            let (actual_seen, actual_state, incarnations) = in_parallel(&programs, &pool(threads));
            prop_assert_eq!(&actual_seen, &seen, "with {} threads", threads);
            prop_assert_eq!(&actual_state, &state, "with {} threads", threads);
            prop_assert!(incarnations.count >= programs.len() as u64);
        }
    }
}

#[test]
fn one_thread_executes_everything_once() {
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 50];
    let (_, _, incarnations) = in_parallel(&programs, &pool(1));
    assert_eq!(incarnations, Incarnations { count: 50, cost: 50 });
}

#[test]
fn additions_do_not_conflict() {
    let programs = vec![vec![Step::Add(0)]; 200];
    let (_, state, incarnations) = in_parallel(&programs, &pool(4));
    assert_eq!(state[&balance(0)], U256::from(1_000 + 200 * 7));
    assert_eq!(incarnations.count, 200, "nobody reads what they add to");
}

#[test]
fn a_long_chain_of_dependents_ends() {
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 300];
    let (seen, state) = in_order(&programs);
    for threads in [2, 8] {
        let (actual_seen, actual_state, _) = in_parallel(&programs, &pool(threads));
        assert_eq!((&actual_seen, &actual_state), (&seen, &state), "with {threads} threads");
    }
}

#[test]
fn a_commit_can_end_the_run() {
    let (memory, mut committed) = (memory(), 0);
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 50];
    let running = Running::new(programs.len(), Crowding::Roomy);
    let run = run(
        &pool(2),
        Steps { count: programs.len(), early: &[] },
        &memory,
        &running,
        || ToyMachine { programs: &programs, view: View::new(&memory, &running) },
        |tx, _| {
            committed += 1;
            if tx == 9 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    );
    assert_eq!(run, None);
    assert_eq!(committed, 10);
}

/// Panics at the first transaction it gets.
struct Broken<'a, 'm>(ToyMachine<'a, 'm>, &'a AtomicBool);

impl<'m> Machine<'m> for Broken<'_, 'm> {
    type Output = U256;

    fn view(&mut self) -> &mut View<'m> {
        self.0.view()
    }

    fn execute(&mut self) -> Executed<U256> {
        if self.0.view.tx() == 3 {
            self.1.store(true, Ordering::Relaxed);
            panic!("this machine is meant to break");
        }
        self.0.execute()
    }
}

#[test]
fn a_worker_that_panics_ends_the_run_and_nobody_waits_for_it() {
    let (memory, broke) = (memory(), AtomicBool::new(false));
    let programs = vec![vec![Step::Read(0), Step::Set(0)]; 50];
    let running = Running::new(programs.len(), Crowding::Roomy);
    let run = || {
        run(
            &pool(4),
            Steps { count: programs.len(), early: &[] },
            &memory,
            &running,
            || {
                Broken(
                    ToyMachine { programs: &programs, view: View::new(&memory, &running) },
                    &broke,
                )
            },
            |_, _| ControlFlow::Continue(()),
        )
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(broke.load(Ordering::Relaxed));
}
