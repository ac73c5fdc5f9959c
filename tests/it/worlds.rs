//! Generated worlds with few keys and many conflicts, of all forks and of Amsterdam. All executors must agree on each of
//! them.
//!
//! `BLOCKRACE_WORLDS` sets the number of worlds, and `BLOCKRACE_SEED` selects them. A failure prints the
//! smallest world that still fails. Add that world to this file as a separate test.

use crate::support::world;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    env,
    str::FromStr,
};
use world::{
    Deed, Fork, Op, Place, Tx, World,
    agree::{chain, check, outcome, panel},
};

fn number<N: FromStr>(variable: &str, default: N) -> N {
    let set = env::var(variable).ok();
    set.map_or(default, |text| text.parse().ok().expect("the variable is a number"))
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    let config = Config {
        cases,
        failure_persistence: None,
        max_shrink_time: 60_000,
        max_shrink_iters: u32::MAX,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

#[test]
fn all_executors_agree_on_generated_worlds() {
    all_agree(600, &world::generate::world());
}

#[test]
fn all_executors_agree_on_generated_worlds_of_amsterdam() {
    all_agree(100, &world::generate::of_amsterdam());
}

/// `usual` is the number of worlds without `BLOCKRACE_WORLDS`.
fn all_agree(usual: u32, worlds: &impl Strategy<Value = World>) {
    let panel = RefCell::new(panel());
    // A race fails in few of many runs. Once it has failed, smaller worlds are tried repeatedly.
    let tries = Cell::new(1);
    let mut runner = runner(number("BLOCKRACE_WORLDS", usual), number("BLOCKRACE_SEED", 1));
    let result = runner.run(worlds, |world| {
        for _ in 0..tries.get() {
            check(world.clone(), &mut panel.borrow_mut()).map_err(|error| {
                tries.set(300);
                TestCaseError::fail(chain(&error))
            })?;
        }
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}

#[test]
fn most_generated_transactions_are_valid_and_all_forks_occur() {
    let (all, valid, forks) = (Cell::new(0), Cell::new(0), RefCell::new(BTreeSet::new()));
    let run = runner(300, 7).run(&world::generate::world(), |world| {
        all.set(all.get() + world.txs.len());
        forks.borrow_mut().insert(world.fork);
        valid.set(valid.get() + world.made_valid().0.txs.len());
        Ok(())
    });
    run.expect("no single world can fail");
    assert!(valid.get() * 10 > all.get() * 7, "{valid:?} of {all:?} transactions are valid");
    assert_eq!(forks.into_inner().len(), world::FORKS.len());
}

/// Found by seed 3.
#[test]
fn before_eip161_an_account_created_by_a_zero_payment_keeps_the_next_one() {
    for fork in [Fork::Frontier, Fork::Homestead, Fork::Tangerine] {
        let tx = |to, tip| Tx { from: 0, deed: Deed::Call(to, 0), tip };
        let world = World {
            fork,
            txs: vec![tx(Place::Precompile(1), 0), tx(Place::Beneficiary, 1)],
            ..World::default()
        };
        let outcome = outcome(&world);
        let beneficiary = world.address(Place::Beneficiary);
        let paid =
            world::change(&outcome.post_state, beneficiary).and_then(|change| change.account);
        let paid = paid.map(|account| account.balance.to::<u128>());
        assert_eq!(paid, Some(5_000_000_000_000_000_000 + 21_000));
    }
}

/// Found by seed 4. The assumed nonce of a sender was never compared with its real nonce. This happened if all
/// earlier transactions were published when the sender's transaction started.
#[test]
fn an_assumed_nonce_is_validated() {
    let tx = |from, deed| Tx { from, deed, tip: 0 };
    let world = World {
        fork: Fork::Prague,
        beneficiary: Place::Sender(0),
        programs: vec![vec![Op::Create2(0)]],
        txs: vec![tx(0, Deed::Delegate(3, Some(0))), tx(3, Deed::Call(Place::Sender(0), 0))],
        ..World::default()
    };
    let failed = world.rehearse().result.expect_err("the delegated account creates a contract");
    assert_eq!(failed.transaction(), Some(1));
    let mut panel = panel();
    for _ in 0..500 {
        if let Err(error) = check(world.clone(), &mut panel) {
            panic!("{}", chain(&error));
        }
    }
}

/// Found by seed 21. Stale withdrawals from one contract can add up to more than its balance. The speculative
/// balance could then not take another payment, so a transaction failed without a dependency on a balance.
#[test]
fn a_payment_that_overflows_depends_on_the_balance() {
    let tx = |to, value| Tx { from: 0, deed: Deed::Call(to, value), tip: 0 };
    let contract = Place::Contract(2);
    let world = World {
        fork: Fork::Cancun,
        beneficiary: Place::Sender(0),
        programs: vec![vec![], vec![], vec![Op::Destroy(Place::Sender(0))], vec![]],
        txs: vec![tx(contract, 0), tx(contract, 0), tx(contract, 1000), tx(Place::Sender(0), 0)],
        purses: vec![u64::MAX; 4],
        ..World::default()
    };
    let mut panel = panel();
    for _ in 0..500 {
        if let Err(error) = check(world.clone(), &mut panel) {
            panic!("{}", chain(&error));
        }
    }
}

/// Found by seed 1. The recorder of a block's accesses assumed nonces and compared none of them. So executors
/// with oracle knowledge named a later transaction than the first invalid one.
#[test]
fn the_first_invalid_transaction_is_named() {
    let tx = |from, deed| Tx { from, deed, tip: 0 };
    let world = World {
        fork: Fork::Prague,
        programs: vec![vec![Op::Create(0)]],
        txs: vec![
            tx(2, Deed::Delegate(3, Some(0))),
            tx(3, Deed::Call(Place::Sender(0), 1)),
            tx(2, Deed::Call(Place::Child(0), 1)),
        ],
        ..World::default()
    };
    let failed = world.rehearse().result.expect_err("the delegation took the nonce");
    assert_eq!(failed.transaction(), Some(1));
    if let Err(error) = check(world, &mut panel()) {
        panic!("{}", chain(&error));
    }
}

/// Found by seeds 5003 and 5004. A block access list reported a read of a slot as a write. The storage of the
/// slot had been emptied, and the contract was created again and ran out of gas.
#[test]
fn reading_an_emptied_storage_is_not_a_write() {
    for fork in [Fork::Petersburg, Fork::Shanghai] {
        let tx = |to, value| Tx { from: 0, deed: Deed::Call(to, value), tip: 0 };
        let (child, creator, caller) = (Place::Child(0), Place::Contract(0), Place::Contract(2));
        let world = World {
            fork,
            programs: vec![vec![Op::Create2(0)], vec![], vec![Op::Call(creator, 0)]],
            txs: vec![tx(creator, 0), tx(child, 1), tx(caller, 0)],
            ..World::default()
        };
        outcome(&world);
    }
}

/// Found by seed 2007. An account that ended up empty was treated as removed, as from EIP-161 on.
#[test]
fn before_eip161_a_zero_payment_recreates_a_destroyed_account() {
    for fork in [Fork::Frontier, Fork::Homestead, Fork::Tangerine] {
        let (destroyed, caller) = (Place::Contract(3), Place::Contract(1));
        let tx = |from| Tx { from, deed: Deed::Call(caller, 0), tip: 0 };
        let world = World {
            fork,
            beneficiary: caller,
            programs: vec![
                vec![],
                vec![Op::Call(destroyed, 0), Op::Create(0)],
                vec![],
                vec![Op::Destroy(Place::Sender(0))],
            ],
            purses: vec![u64::MAX; 4],
            txs: vec![tx(3), tx(1), tx(0)],
            ..World::default()
        };
        outcome(&world);
    }
}

/// Found by review. The changes of the last phase are applied on top of those of transactions. A slot of the
/// emptied storage was looked up there that had never been read before the block.
#[test]
fn a_recreated_contract_is_paid_after_the_last_transaction() {
    for fork in [Fork::Petersburg, Fork::Shanghai] {
        let child = Place::Child(0);
        let tx = |to| Tx { from: 0, deed: Deed::Call(to, 0), tip: 0 };
        let world = World {
            fork,
            beneficiary: child,
            programs: vec![vec![Op::Create2(0)], vec![Op::Destroy(Place::Unobserved)]],
            children: vec![(0, Some(1))],
            txs: vec![tx(child), tx(Place::Contract(0))],
            withdrawals: vec![(child, 1)],
            ..World::default()
        };
        outcome(&world);
    }
}
