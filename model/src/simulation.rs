//! Simulates `block-stm` on any number of cores. The engine, scheduler and memory of `block-stm`
//! run on simulated threads, and each transaction takes its measured time.
//!
//! The engine makes the same decisions as in a race: which transaction is executed when, which one
//! waits for which, and which results are discarded. In place of the EVM, a transaction reads and
//! writes the recorded locations, after the recorded shares of its time. Each written value depends
//! on all values that the transaction has read. So outdated reads give different values at the same
//! locations. A payment is always the same.
//!
//! The simulation omits several costs: caches and memory that cores share, waiting for locks, and
//! the work before and after the transactions. It also omits checks that always hold in block
//! order: of senders' nonces, and of sufficient balances.

use crate::stm::{
    Oversubscribed,
    call_classes::CallClasses,
    engine::{Executed, TxTable, Vm, Worker, no_other_work},
    location::Write,
    memory::{Memory, Observed},
    observe::Unobserved,
    read_set::Expected,
    running::Running,
    scheduler::Steps,
    sync::time::{self, Cost, InTime},
    testing::on_threads,
    view::IncarnationView,
};
use alloy_primitives::U256;
use shuttle::{Config, MaxSteps, Runner};
use std::{
    ops::ControlFlow,
    sync::{Arc, Mutex},
};

pub use crate::stm::{location::Location, sync::time::Costs};

/// A unit that the engine executes as a whole, such as a transaction.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// Execution time, in nanoseconds.
    pub length: u64,
    /// Exact reads, by time since the start of the step.
    pub reads: Vec<(u64, Location)>,
    /// Locations that it writes.
    pub writes: Vec<(Location, Change)>,
    /// Call classes of the engine, [one bit each](Kinds::bits).
    pub kinds: u64,
}

/// How a step writes a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The value depends on all values that the step has read.
    Set,
    /// A payment, independent of all reads.
    Add,
}

/// A block to simulate.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// Steps in block order.
    pub steps: Vec<Step>,
    /// Steps that start early, the first one first.
    pub early: Vec<usize>,
    /// Number of account numbers.
    pub accounts: usize,
    /// Number of slot numbers.
    pub slots: usize,
}

/// Result of a simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Simulated {
    /// Time of the last commit, in nanoseconds.
    pub length: u64,
    /// Number of incarnations.
    pub incarnations: u64,
}

/// Executes the block on this number of threads, each with its own core.
pub fn simulate(block: Block, threads: usize, costs: Costs) -> Simulated {
    let simulated = Arc::new(Mutex::new(Simulated::default()));
    let result = Arc::clone(&simulated);
    let mut config = Config::new();
    config.stack_size = 1 << 18;
    config.max_steps = MaxSteps::None;
    config.silence_warnings = true;
    Runner::new(InTime::new(costs), config).run(move || {
        *result.lock().expect("no thread panics with the lock") = run(&block, threads);
    });
    *simulated.lock().expect("no thread panics with the lock")
}

fn run(block: &Block, threads: usize) -> Simulated {
    let count = block.steps.len();
    let kinds: Vec<_> = block.steps.iter().map(|step| CallClasses::of_bits(step.kinds)).collect();
    let memory = Memory::new(block.accounts, block.slots);
    let running = Running::new(count, Oversubscribed::No).with_kinds(kinds.clone());
    let table = TxTable::new(Steps { count, early: &block.early, kinds: &kinds });
    let length = Mutex::new(0);
    on_threads(threads, || {
        let commit = |_, ()| {
            *length.lock().expect("no thread panics with the lock") = time::now();
            ControlFlow::Continue(())
        };
        let observer = &Unobserved;
        let (table, memory, running, idle) = (&table, &memory, &running, no_other_work);
        let worker = Worker { table, memory, running, commit, idle, observer };
        worker.work(|| Recorded { block, view: IncarnationView::new(memory, running) });
    });
    let incarnations = table.incarnations().expect("all steps are committed").count;
    Simulated { length: length.into_inner().expect("no thread panics with the lock"), incarnations }
}

/// Repeats the recorded steps.
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
                // As when an account is loaded: the value is read without a dependency, which
                // follows later.
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
            self.view.expect(location, Expected::Exact(seen));
        }
        let write = |(location, change): &(Location, Change)| match change {
            Change::Set => (*location, Write::Set(seen)),
            Change::Add => (*location, Write::Add(U256::ONE)),
        };
        Executed { writes: step.writes.iter().map(write).collect(), output: (), steps: 1, cost: 0 }
    }
}

/// A number that differs for each sequence of read values.
fn mixed(seen: U256, observed: Observed) -> U256 {
    let read = observed.over(U256::ZERO).rotate_left(17);
    (seen ^ read).wrapping_mul(U256::from_limbs([0x9e37_79b9_7f4a_7c15, 1, 0, 0])).rotate_left(29)
}
