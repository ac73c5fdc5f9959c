//! What `block-stm` would do with a block on more threads than there are cores: its engine, scheduler and memory, over
//! threads that are simulated and transactions that take the time that was measured of each.
//!
//! The engine decides what it decides in a race: who is executed when, who waits for whom, what is thrown away. In
//! place of the EVM a transaction reads and writes where the recorded one did, after the same shares of its time; what it
//! writes depends on everything that it has read, so that whoever reads outdated values writes others, in the same places;
//! only what it pays is always the same. Left out are the caches and memory that cores share, waiting for locks, what comes before
//! and after the transactions, and checks of what block order gives anyway: senders' nonces, and that there is enough.

use crate::{
    executor::block_stm::{
        engine::{Executed, TxTable, Vm, Worker},
        kinds::CallClasses,
        memory::{Memory, Observed, Write},
        read_set::Expected,
        running::Running,
        scheduler::Steps,
        view::IncarnationView,
    },
    threads::{Oversubscribed, WorkerPool},
    time::{self, Cost, InTime},
};
use alloy_primitives::U256;
use shuttle::{Config, MaxSteps, Runner};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

pub use crate::{executor::access::Location, time::Costs};

/// One that the engine executes as a whole, such as a transaction.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// How long it takes by itself, in nanoseconds.
    pub length: u64,
    /// Where it reads exactly, by the time after its begin.
    pub reads: Vec<(u64, Location)>,
    /// Where it writes.
    pub writes: Vec<(Location, Change)>,
    /// As the engine has them, [one bit each](Kinds::bits).
    pub kinds: u64,
}

/// How a step writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// What it writes depends on what it has read.
    Set,
    /// It pays, whatever it has read.
    Add,
}

/// What is to be executed.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// In block order.
    pub steps: Vec<Step>,
    /// Those that are started early, the first one first.
    pub early: Vec<usize>,
    /// How many accounts are numbered.
    pub accounts: usize,
    /// How many slots are.
    pub slots: usize,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// When the last result was final, in nanoseconds.
    pub length: u64,
    /// How many incarnations there were.
    pub incarnations: u64,
}

/// Executes the block on so many threads, each with a core to itself.
pub fn simulate(block: Block, threads: usize, costs: Costs) -> Simulated {
    let simulated = Arc::new(Mutex::new(Simulated::default()));
    let result = Arc::clone(&simulated);
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    Runner::new(InTime::new(costs), config).run(move || {
        *result.lock().expect("nobody panics with it") = run(&block, threads);
    });
    *simulated.lock().expect("nobody panics with it")
}

fn run(block: &Block, threads: usize) -> Simulated {
    let count = block.steps.len();
    let kinds: Vec<_> = block.steps.iter().map(|step| CallClasses::of_bits(step.kinds)).collect();
    let memory = Memory::new(block.accounts, block.slots);
    let running = Running::new(count, Oversubscribed::No).with_kinds(kinds.clone());
    let table = TxTable::new(Steps { count, early: &block.early, kinds: &kinds });
    let length = Mutex::new(0);
    WorkerPool(threads).run_on_all(|| {
        let commit = |_, ()| {
            *length.lock().expect("nobody panics with it") = time::now();
            ControlFlow::Continue(())
        };
        let observer = &crate::executor::observe::Unobserved;
        let worker = Worker { table: &table, memory: &memory, running: &running, commit, observer };
        worker.work(|| Recorded { block, view: IncarnationView::new(&memory, &running) });
    });
    let incarnations = table.incarnations().expect("all are committed").count;
    Simulated { length: length.into_inner().expect("nobody panics with it"), incarnations }
}

/// Repeats what was recorded.
struct Recorded<'a, 'm> {
    block: &'a Block,
    view: IncarnationView<'m>,
}

impl<'m> Vm<'m> for Recorded<'_, 'm> {
    type Output = ();

    fn view(&mut self) -> &mut IncarnationView<'m> {
        &mut self.view
    }

    fn execute(&mut self) -> Executed<()> {
        let step = &self.block.steps[self.view.tx()];
        let (mut elapsed, mut seen) = (0, U256::from(self.view.tx()));
        let mut expected = Vec::new();
        for (at, location) in &step.reads {
            time::pass(Cost::Work(at.saturating_sub(elapsed)));
            elapsed = elapsed.max(*at);
            let observed = match location {
                // As accounts are loaded: what is looked at is depended on later.
                Location::Balance(_) | Location::Nonce(_) => {
                    let seen = self.view.peek(*location).observed();
                    expected.push((*location, seen));
                    Ok(seen)
                }
                _ => self.view.read(*location),
            };
            match observed {
                Ok(observed) => seen = mixed(seen, observed),
                Err(_) => return Executed { writes: Vec::new(), output: (), steps: 1, cost: 0 },
            }
        }
        time::pass(Cost::Work(step.length.saturating_sub(elapsed)));
        for (location, seen) in expected {
            self.view.expect(location, Expected::Seen(seen));
        }
        let write = |(location, change): &(Location, Change)| match change {
            Change::Set => (*location, Write::Set(seen)),
            Change::Add => (*location, Write::Add(U256::ONE)),
        };
        Executed { writes: step.writes.iter().map(write).collect(), output: (), steps: 1, cost: 0 }
    }
}

/// Another number for each history of what was read.
fn mixed(seen: U256, observed: Observed) -> U256 {
    let read = observed.over(U256::ZERO).rotate_left(17);
    (seen ^ read).wrapping_mul(U256::from_limbs([0x9e37_79b9_7f4a_7c15, 1, 0, 0])).rotate_left(29)
}
