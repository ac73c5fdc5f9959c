//! Runs the engine with a toy machine: accounts that pay each other.
//!
//! `cargo run -p blockrace-stm --example toy_vm`
//!
//! Each transaction pays half of one account's balance to another account. Its amount depends on the
//! payments before it. The program executes the block in order and with four workers, and compares
//! the balances.

use alloy_primitives::U256;
use blockrace_stm::{
    Oversubscribed,
    engine::{Executed, TxTable, Vm, Worker, no_other_work},
    location::{Location, Write},
    memory::{Blocked, Memory},
    observe::Unobserved,
    running::Running,
    scheduler::Steps,
    view::IncarnationView,
};
use std::{ops::ControlFlow, thread};

const ACCOUNTS: usize = 50;
const TRANSACTIONS: usize = 2_000;
const WORKERS: usize = 4;

/// Balance of every account before the block.
const BEFORE: U256 = U256::from_limbs([1_000_000, 0, 0, 0]);

/// Pays half of the balance of `from` to `to`.
#[derive(Clone, Copy)]
struct Payment {
    from: u32,
    to: u32,
}

/// Some payments, always the same ones.
fn block() -> Vec<Payment> {
    let account = |number: usize| (number % ACCOUNTS) as u32;
    let payment = |tx| Payment { from: account(tx * tx + 7), to: account(tx * 31 + 3) };
    (0..TRANSACTIONS).map(payment).filter(|payment| payment.from != payment.to).collect()
}

fn in_order(block: &[Payment]) -> Vec<U256> {
    let mut balances = vec![BEFORE; ACCOUNTS];
    for Payment { from, to } in block {
        let amount = balances[*from as usize] >> 1;
        balances[*from as usize] -= amount;
        balances[*to as usize] += amount;
    }
    balances
}

/// The machine of one worker. It reads through the view, and adds the value before the block.
struct Bank<'a, 'm> {
    block: &'a [Payment],
    view: IncarnationView<'m>,
}

impl Bank<'_, '_> {
    /// The writes of a payment and its amount. The payment to the other account is an addition, so
    /// it depends on nothing.
    fn pay(&mut self) -> Result<(Vec<(Location, Write)>, U256), Blocked> {
        let Payment { from, to } = self.block[self.view.tx()];
        let balance = self.view.read(Location::Balance(from))?.over(BEFORE);
        let amount = balance >> 1;
        let writes = vec![
            (Location::Balance(from), Write::Set(balance - amount)),
            (Location::Balance(to), Write::Add(amount)),
        ];
        Ok((writes, amount))
    }
}

impl<'m> Vm<'m> for Bank<'_, 'm> {
    type Output = U256;

    fn view(&mut self) -> &mut IncarnationView<'m> {
        &mut self.view
    }

    fn execute(&mut self) -> Executed<U256> {
        // The engine drops the result of a blocked incarnation.
        let (writes, output) = self.pay().unwrap_or_default();
        Executed { writes, output, steps: 1, cost: 1 }
    }
}

fn in_parallel(block: &[Payment]) -> Vec<U256> {
    let memory = Memory::new(ACCOUNTS, 0);
    let running = Running::new(block.len(), Oversubscribed::Yes);
    let table = TxTable::new(Steps { count: block.len(), ..Steps::default() });
    let work = || {
        let commit = |_tx, _amount| ControlFlow::Continue(());
        let observer = &Unobserved;
        let (table, memory, running, idle) = (&table, &memory, &running, no_other_work);
        let worker = Worker { table, memory, running, commit, idle, observer };
        worker.work(|| Bank { block, view: IncarnationView::new(memory, running) });
    };
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let incarnations = table.incarnations().expect("no worker panics");
    println!("{} transactions took {} incarnations", block.len(), incarnations.count);
    let balance = |account| memory.settled(Location::Balance(account as u32)).over(BEFORE);
    (0..ACCOUNTS).map(balance).collect()
}

fn main() {
    let block = block();
    let (expected, actual) = (in_order(&block), in_parallel(&block));
    assert_eq!(actual, expected, "the balances are those of block order");
    let total: U256 = actual.iter().sum();
    println!("{ACCOUNTS} balances are those of block order; their sum is {total}");
}
