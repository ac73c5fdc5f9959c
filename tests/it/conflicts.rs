//! Every pair of conflicting operations within one block, under all forks.

use crate::support::world;

use alloy_primitives::{Address, U256};
use blockrace::execution::BlockOutcome;
use world::{
    Deed, FORKS, Fork, HOLLOW, Op, Place, STRANGER, Tx, World,
    agree::{chain, check, outcome, panel},
    change,
};

/// Contracts with one effect each, which another contract undoes, reads or repeats.
fn programs() -> Vec<Vec<Op>> {
    use Place::{Beneficiary, Child, Contract, Hollow, Precompile, Sender, Unobserved};
    vec![
        vec![Op::Create2(0)],
        vec![Op::Balance(Beneficiary, 0), Op::OwnBalance(1), Op::Balance(Sender(1), 2)],
        vec![Op::Increment(0), Op::Log(0)],
        vec![Op::Destroy(Sender(2))],
        vec![Op::Call(Contract(3), 1), Op::Gas(0)],
        vec![
            Op::Balance(Contract(3), 0),
            Op::CodeSize(Contract(3), 1),
            Op::CodeHash(Contract(3), 2),
        ],
        vec![Op::Increment(0), Op::Increment(1), Op::RevertIfOdd(0)],
        vec![Op::Call(Contract(6), 1), Op::Delegate(Contract(6)), Op::Copy(0, 3), Op::Gas(2)],
        vec![Op::Destroy(Beneficiary)],
        vec![Op::BlockHash(1, 0), Op::History(1), Op::Beacon(2)],
        vec![
            Op::Call(Precompile(1), 1),
            Op::Balance(Precompile(1), 0),
            Op::Balance(Precompile(2), 1),
        ],
        vec![
            Op::Call(Hollow, 0),
            Op::Call(Unobserved, 0),
            Op::CodeHash(Hollow, 0),
            Op::CodeHash(Unobserved, 1),
        ],
        vec![Op::Call(Child(0), 0), Op::CodeSize(Child(0), 0), Op::Gas(1)],
        vec![Op::Call(Child(0), 1)],
        vec![Op::Set(0, 0), Op::Set(1, 1), Op::Delegate(Contract(2))],
        vec![Op::Call(Sender(3), 0), Op::CodeHash(Sender(3), 0), Op::Balance(Sender(3), 1)],
        vec![Op::Create(0), Op::CodeSize(Child(0), 1)],
        vec![Op::Transient(0), Op::Static(Contract(2)), Op::Gas(1)],
        vec![Op::Create2(1), Op::Call(Child(1), 1), Op::Create2(1)],
    ]
}

/// Possible transactions: calls of the contracts, payments, deployments, delegations.
fn deeds() -> Vec<Deed> {
    use Place::{Beneficiary, Child, Contract, Hollow, Precompile, Sender, Unobserved};
    let contracts = (0..programs().len() as u8).map(|number| Deed::Call(Contract(number), 1));
    let others = [
        Deed::Call(Beneficiary, 0),
        Deed::Call(Beneficiary, 5),
        Deed::Call(Sender(3), 7),
        Deed::Call(Child(0), 0),
        Deed::Call(Child(0), 1),
        Deed::Call(Hollow, 0),
        Deed::Call(Unobserved, 0),
        Deed::Call(Unobserved, 1),
        Deed::Call(Precompile(2), 1),
        Deed::Deploy(0, 0),
        Deed::Deploy(1, 1),
        Deed::Delegate(3, Some(2)),
        Deed::Delegate(3, Some(3)),
        Deed::Delegate(3, None),
    ];
    contracts.chain(others).collect()
}

/// Beneficiaries: a new account, a sender, contracts that read balances or self-destruct, a precompiled
/// contract, an account that does not exist yet.
const BENEFICIARIES: [Place; 8] = [
    Place::Beneficiary,
    Place::Sender(0),
    Place::Sender(2),
    Place::Contract(1),
    Place::Contract(3),
    Place::Contract(8),
    Place::Precompile(2),
    Place::Hollow,
];

#[test]
fn all_executors_agree_on_every_pair_of_deeds_under_every_fork() {
    let (deeds, mut panel) = (deeds(), panel());
    for (index, fork) in FORKS.into_iter().enumerate() {
        for (first, one) in deeds.iter().enumerate() {
            for (second, other) in deeds.iter().enumerate() {
                let tx = |from, deed: &Deed, tip| Tx { from, deed: *deed, tip };
                let world = World {
                    fork,
                    beneficiary: BENEFICIARIES[(index + first + second) % BENEFICIARIES.len()],
                    programs: programs(),
                    slots: vec![(6, 0, 1), (2, 0, 3), (14, 0, 1), (3, 0, 1)],
                    txs: vec![tx(0, one, 1), tx(1, other, 0), tx(0, one, 2), tx(2, other, 1)],
                    ..World::default()
                };
                if let Err(error) = check(world, &mut panel) {
                    panic!("{fork}: {one:?} and {other:?}: {}", chain(&error));
                }
            }
        }
    }
}

fn call(from: u8, contract: u8) -> Tx {
    Tx { from, deed: Deed::Call(Place::Contract(contract), 0), tip: 0 }
}

fn deed(from: u8, deed: Deed) -> Tx {
    Tx { from, deed, tip: 0 }
}

/// The value of a slot after the block, if it changed.
fn slot(outcome: &BlockOutcome, of: Address, slot: u8) -> Option<u64> {
    let change = change(&outcome.post_state, of)?;
    let found = change.slots.iter().find(|(key, _)| *key == U256::from(slot));
    found.map(|(_, value)| value.saturating_to())
}

fn statuses(outcome: &BlockOutcome) -> Vec<bool> {
    outcome.receipts.iter().map(|receipt| receipt.success).collect()
}

#[test]
fn every_transaction_increments_the_same_slot() {
    let programs = vec![vec![Op::Increment(0)]];
    let txs = (0..40).map(|index| call(index % 4, 0)).collect();
    let outcome = outcome(&World { programs, txs, ..World::default() });
    assert_eq!(slot(&outcome, world::contract(0), 0), Some(40));
}

#[test]
fn a_precompile_is_called_again_with_the_current_input() {
    let programs = vec![vec![Op::Digest(0), Op::Digest(0), Op::Digest(1)]];
    let txs = (0..40).map(|index| call(index % 4, 0)).collect();
    let outcome = outcome(&World { programs, txs, ..World::default() });
    let change = change(&outcome.post_state, world::contract(0)).expect("its slots were written");
    let [(_, eighty), (_, forty)] = change.slots[..] else { panic!("there are two digests") };
    assert_ne!(eighty, forty, "one digest took 80 steps, the other 40");
}

#[test]
fn a_balance_read_includes_all_earlier_payments() {
    let programs = vec![vec![Op::OwnBalance(0)], vec![Op::Call(Place::Contract(0), 3)]];
    let txs = vec![call(0, 1), deed(1, Deed::Call(Place::Contract(0), 10)), call(2, 1), call(3, 0)];
    let outcome = outcome(&World { programs, txs, ..World::default() });
    assert_eq!(slot(&outcome, world::contract(0), 0), Some(1000 + 3 + 10 + 3));
}

#[test]
fn the_beneficiary_reads_all_earlier_fees() {
    let programs = vec![vec![Op::Balance(Place::Beneficiary, 0)]];
    let beneficiary = Place::Beneficiary;
    let pay = |from| Tx { from, deed: Deed::Call(Place::Sender(3), 1), tip: 2 };
    let txs = vec![pay(0), pay(1), call(2, 0), pay(0)];
    let outcome = outcome(&World { beneficiary, programs, txs, ..World::default() });
    assert_eq!(slot(&outcome, world::contract(0), 0), Some(2 * 2 * 21_000));
}

#[test]
fn a_contract_can_be_called_as_soon_as_it_is_deployed() {
    let programs = vec![vec![Op::Create2(0)]];
    let child = || deed(1, Deed::Call(Place::Child(0), 0));
    let txs = vec![child(), call(0, 0), child(), child()];
    let world = World { programs, txs, ..World::default() };
    let outcome = outcome(&world);
    assert_eq!(slot(&outcome, world.address(Place::Child(0)), 0), Some(2));
}

/// Until Cancun, a contract that self-destructs is removed with its storage and can be created again. From
/// Cancun on it stays (EIP-6780).
#[test]
fn a_contract_is_destroyed_and_created_again() {
    let count = |fork| {
        let programs = vec![vec![Op::Create2(0)]];
        let child = |value| deed(1, Deed::Call(Place::Child(0), value));
        let txs = vec![call(0, 0), child(0), child(0), child(1), call(2, 0), child(0)];
        let world = World { fork, programs, txs, ..World::default() };
        slot(&outcome(&world), world.address(Place::Child(0)), 0)
    };
    for fork in [Fork::Petersburg, Fork::Berlin, Fork::Shanghai] {
        assert_eq!(count(fork), Some(1), "{fork}");
    }
    for fork in [Fork::Cancun, Fork::Osaka] {
        assert_eq!(count(fork), Some(4), "{fork}");
    }
}

#[test]
fn storage_that_was_cleared_reads_as_zero() {
    let programs =
        vec![vec![Op::Destroy(Place::Sender(2))], vec![Op::Balance(Place::Contract(0), 0)]];
    let slots = vec![(0, 0, 9), (1, 0, 5)];
    let fork = Fork::Shanghai;
    let txs = vec![call(0, 1), call(1, 0), call(2, 1)];
    let outcome = outcome(&World { fork, programs, slots, txs, ..World::default() });
    assert_eq!(slot(&outcome, world::contract(1), 0), Some(0));
    let gone = change(&outcome.post_state, world::contract(0)).expect("it changed");
    assert_eq!((gone.account, gone.storage_cleared), (None, true));
}

#[test]
fn reverted_writes_are_not_visible() {
    let inner = vec![Op::Increment(0), Op::RevertIfOdd(0)];
    let programs = vec![inner, vec![Op::Delegate(Place::Contract(0)), Op::Copy(0, 1)]];
    let slots = vec![(1, 0, 2)];
    let txs = vec![call(0, 1), call(1, 0), call(2, 1)];
    let outcome = outcome(&World { programs, slots, txs, ..World::default() });
    assert_eq!(statuses(&outcome), [true, false, true]);
    assert_eq!(slot(&outcome, world::contract(1), 1), Some(2));
    assert_eq!(change(&outcome.post_state, world::contract(0)), None);
}

#[test]
fn transactions_of_one_sender_mix_with_those_of_others() {
    let programs = vec![vec![Op::Increment(0)]];
    let txs = (0..30).map(|index| if index % 5 == 4 { call(1, 0) } else { call(0, 0) }).collect();
    let world = World { programs, txs, ..World::default() };
    let outcome = outcome(&world);
    let account = change(&outcome.post_state, world.address(Place::Sender(0)));
    assert_eq!(account.and_then(|change| change.account).map(|account| account.nonce), Some(24));
    assert_eq!(slot(&outcome, world::contract(0), 0), Some(30));
}

#[test]
fn a_delegation_is_set_changed_and_cleared_between_calls() {
    let programs = vec![vec![Op::Increment(0)], vec![Op::Increment(1)]];
    let run = || deed(0, Deed::Call(Place::Sender(3), 0));
    let delegate = |code| deed(1, Deed::Delegate(3, code));
    // Setting a delegation also calls the account.
    let txs = vec![
        run(),
        delegate(Some(0)),
        run(),
        delegate(Some(1)),
        run(),
        run(),
        delegate(None),
        run(),
    ];
    let world = World { fork: Fork::Prague, programs, txs, ..World::default() };
    let outcome = outcome(&world);
    let delegated = world.address(Place::Sender(3));
    assert_eq!((slot(&outcome, delegated, 0), slot(&outcome, delegated, 1)), (Some(2), Some(3)));
}

#[test]
fn transactions_read_the_writes_of_system_calls() {
    let programs = vec![vec![Op::BlockHash(1, 0), Op::History(1), Op::Beacon(2)]];
    let txs = vec![call(0, 0), call(1, 0)];
    let outcome = outcome(&World { fork: Fork::Prague, programs, txs, ..World::default() });
    let read = |at| slot(&outcome, world::contract(0), at);
    assert!(read(0).is_some() && read(0) == read(1), "EIP-2935 and BLOCKHASH agree");
    assert!(read(2).is_some(), "EIP-4788 has the parent's beacon root");
}

/// EIP-161 removes touched empty accounts. Before it they stay, and a touch can even create one.
#[test]
fn empty_accounts_that_are_touched_stay_until_spurious_dragon() {
    let touch = |fork| {
        let txs = vec![
            deed(0, Deed::Call(Place::Unobserved, 0)),
            deed(1, Deed::Call(Place::Unobserved, 0)),
        ];
        let world = World { fork, beneficiary: Place::Beneficiary, txs, ..World::default() };
        change(&outcome(&world).post_state, world.address(Place::Unobserved)).is_some()
    };
    assert!(touch(Fork::Frontier));
    assert!(touch(Fork::Tangerine));
    assert!(!touch(Fork::SpuriousDragon));
    assert!(!touch(Fork::Prague));
}

#[test]
fn precompiled_contracts_have_balances() {
    let programs =
        vec![vec![Op::Call(Place::Precompile(2), 1), Op::Balance(Place::Precompile(2), 0)]];
    let txs = vec![call(0, 0), deed(1, Deed::Call(Place::Precompile(2), 5)), call(2, 0)];
    let outcome = outcome(&World { programs, txs, ..World::default() });
    assert_eq!(slot(&outcome, world::contract(0), 0), Some(7));
}

#[test]
fn a_self_destructed_beneficiary_still_earns_fees() {
    let beneficiary = Place::Contract(0);
    let programs = vec![vec![Op::Destroy(Place::Sender(3))]];
    let pay = |from| Tx { from, deed: Deed::Call(Place::Sender(2), 1), tip: 1 };
    let destroy = Tx { tip: 1, ..call(1, 0) };
    let txs = vec![pay(0), destroy, pay(1)];
    let fork = Fork::Shanghai;
    let outcome = outcome(&World { fork, beneficiary, programs, txs, ..World::default() });
    // The fee of the transaction that destroys the beneficiary is lost.
    let left = change(&outcome.post_state, world::contract(0)).and_then(|change| change.account);
    assert_eq!(left.map(|account| account.balance), Some(U256::from(21_000)));
}

/// Enough payments for `block-stm` to execute several together, even on eight threads.
fn payments() -> impl Iterator<Item = Tx> {
    (0..160).map(|_| deed(3, Deed::Call(Place::Sender(0), 1)))
}

/// The given transactions between many payments.
fn among_payments(txs: &[Tx]) -> Vec<Tx> {
    payments().chain(txs.iter().copied()).chain(payments()).collect()
}

/// An authorization costs less gas if the account exists, and being touched does not make it exist (EIP-7702).
#[test]
fn a_touched_absent_account_delegates() {
    let delegate = |from| deed(from, Deed::Delegate(STRANGER, Some(0)));
    let touch = deed(0, Deed::Call(Place::Sender(STRANGER), 0));
    let gas = |txs: &[Tx]| {
        let programs = vec![vec![Op::Increment(0)]];
        let txs = among_payments(txs);
        outcome(&World { fork: Fork::Prague, programs, txs, ..World::default() }).gas_used
    };
    assert_eq!(gas(&[touch, delegate(1)]) + gas(&[]), gas(&[touch]) + gas(&[delegate(1)]));
    let pay = deed(0, Deed::Call(Place::Sender(STRANGER), 1));
    assert!(gas(&[pay, delegate(1)]) < gas(&[touch, delegate(1)]), "a paid account exists");
}

/// EIP-161: the touch removes the account, and the next payment creates it again.
#[test]
fn an_empty_account_is_touched_and_then_paid() {
    let hollow = |value| deed(1, Deed::Call(Place::Hollow, value));
    let cleared = |txs: &[Tx]| {
        let txs = among_payments(txs);
        let world = World { fork: Fork::SpuriousDragon, txs, ..World::default() };
        let outcome = outcome(&world);
        let left = change(&outcome.post_state, world.address(Place::Hollow)).expect("it changed");
        (left.account.map(|account| account.balance), left.storage_cleared)
    };
    let five = Some(U256::from(5));
    assert_eq!(cleared(&[hollow(0)]), (None, true));
    assert_eq!(cleared(&[hollow(5)]), (five, false));
    assert_eq!(cleared(&[hollow(0), hollow(5)]), (five, true));
    assert_eq!(cleared(&[hollow(5), hollow(0)]), (five, false));
}

/// EIP-161: a zero fee removes the beneficiary, and the next fee creates it again.
#[test]
fn a_zero_fee_removes_an_empty_beneficiary() {
    for fork in [Fork::SpuriousDragon, Fork::Cancun] {
        let pay = |from, tip| Tx { from, deed: Deed::Call(Place::Sender(1), 1), tip };
        let txs = vec![pay(0, 0), pay(2, 2)];
        let world = World { fork, beneficiary: Place::Hollow, txs, ..World::default() };
        let outcome = outcome(&world);
        let left = change(&outcome.post_state, world.address(Place::Hollow)).expect("it changed");
        assert!(left.account.is_some() && left.storage_cleared, "{fork}");
    }
}

/// EIP-7702: an empty account that exists in the state gets the refund of an existing account until it is
/// touched.
#[test]
fn an_empty_account_is_touched_and_then_delegates() {
    let delegate = |from| deed(from, Deed::Delegate(HOLLOW, Some(0)));
    let touch = deed(0, Deed::Call(Place::Hollow, 0));
    let gas = |txs: &[Tx]| {
        let (programs, txs) = (vec![vec![Op::Increment(0)]], txs.to_vec());
        outcome(&World { fork: Fork::Prague, programs, txs, ..World::default() }).gas_used
    };
    assert!(gas(&[delegate(1)]) < gas(&[touch, delegate(1)]) - gas(&[touch]), "it is gone then");
}

/// An account that has sent before is paid like any other existing account, however often it has sent.
#[test]
fn senders_are_paid_between_their_transactions() {
    let pay = |from, to| deed(from, Deed::Call(Place::Sender(to), 7));
    let programs = vec![vec![Op::Call(Place::Sender(0), 3), Op::Gas(0)]];
    let txs = [pay(0, 1), pay(1, 0), call(2, 0), pay(0, 2), pay(0, 0), call(1, 0), pay(2, 0)];
    for fork in FORKS {
        let world =
            World { fork, programs: programs.clone(), txs: txs.to_vec(), ..World::default() };
        let outcome = outcome(&world);
        let left =
            change(&outcome.post_state, world.address(Place::Sender(0))).expect("it changed");
        assert_eq!(left.account.map(|account| account.nonce), Some(3), "{fork}");
    }
}

/// Before EIP-161 a zero fee creates the beneficiary, so a call to it costs no more than a call to an existing
/// account.
#[test]
fn a_zero_fee_creates_the_beneficiary_before_eip161() {
    let gas = |fork, beneficiary| {
        let programs = vec![vec![Op::Call(Place::Beneficiary, 1), Op::Gas(0)]];
        let pay = deed(0, Deed::Call(Place::Sender(1), 1));
        let txs = [pay, call(1, 0), call(2, 0)].into_iter().chain(among_payments(&[])).collect();
        outcome(&World { fork, beneficiary, programs, txs, ..World::default() }).gas_used
    };
    for fork in [Fork::Frontier, Fork::Homestead, Fork::Tangerine] {
        assert_eq!(gas(fork, Place::Beneficiary), gas(fork, Place::Hollow), "{fork}");
    }
}
