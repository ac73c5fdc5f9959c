//! Random worlds for proptest, which shrinks a failing one.

use super::{
    BUDGETS, CONTRACTS, Deed, FORKS, Fork, HOLLOW, Op, Place, QUEUES, SENDERS, STRANGER, Tx, World,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

/// Any world of any fork.
pub(crate) fn world() -> impl Strategy<Value = World> {
    of_fork(fork())
}

/// Any world of Amsterdam.
pub(crate) fn of_amsterdam() -> impl Strategy<Value = World> {
    of_fork(Just(Fork::Amsterdam))
}

fn of_fork(fork: impl Strategy<Value = Fork>) -> impl Strategy<Value = World> {
    let programs = vec(vec(op(), 0..6), usize::from(CONTRACTS));
    let slots = vec((0..CONTRACTS, 0..4_u8, 0..4_u8), 0..6);
    // A balance that is unlimited, or may be too small for a few transactions.
    let purse = prop_oneof![3 => Just(u64::MAX), 1 => 2_000_000..20_000_000_u64];
    let purses = vec(purse, usize::from(SENDERS));
    let withdrawals = vec((place(), 0..3_u8), 0..3);
    let children = vec((0..2_u8, option::of(0..CONTRACTS)), 0..2);
    let budgets = vec(0..BUDGETS.len() as u8, 0..4);
    let large = prop_oneof![7 => Just(None), 1 => (0..CONTRACTS).prop_map(Some)];
    let accounts = (programs, slots, children, purses, large);
    let world = (fork, place(), accounts, (txs(), budgets), withdrawals);
    world.prop_map(|(fork, beneficiary, accounts, (txs, budgets), withdrawals)| {
        let (programs, slots, children, purses, large) = accounts;
        World {
            fork,
            beneficiary,
            programs,
            slots,
            children,
            purses,
            txs,
            withdrawals,
            budgets,
            large,
        }
    })
}

/// The newest forks are chosen most often.
fn fork() -> impl Strategy<Value = Fork> {
    prop_oneof![1 => select(&FORKS[..]), 1 => select(&FORKS[11..])]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        3 => (0..=STRANGER).prop_map(Place::Sender),
        5 => (0..CONTRACTS).prop_map(Place::Contract),
        2 => (0..2_u8).prop_map(Place::Child),
        2 => Just(Place::Beneficiary),
        1 => (1..5_u8).prop_map(Place::Precompile),
        1 => Just(Place::Hollow),
        1 => (0..QUEUES).prop_map(Place::Queue),
        1 => Just(Place::Unobserved),
    ]
}

/// Few transactions of all kinds, sometimes with enough payments after them that some are executed together.
fn txs() -> impl Strategy<Value = Vec<Tx>> {
    let payment = Tx { from: 0, deed: Deed::Call(Place::Sender(1), 1), tip: 0 };
    let payments = prop_oneof![8 => Just(0_usize), 2 => Just(40), 1 => Just(300)];
    (vec(tx(), 0..14), payments).prop_map(move |(mut txs, payments)| {
        txs.resize(txs.len() + payments, payment);
        txs
    })
}

/// The greatest sizes of a code, and one byte more (EIP-170, EIP-7954).
const SIZES: [u32; 4] = [0x6000, 0x6001, 0x1_0000, 0x1_0001];

fn tx() -> impl Strategy<Value = Tx> {
    let value = || prop_oneof![2 => Just(0_u16), 1 => Just(1), 1 => 2..2000_u16];
    let deed = prop_oneof![
        8 => (place(), value()).prop_map(|(to, value)| Deed::Call(to, value)),
        1 => (0..3_u8, value()).prop_map(|(kind, value)| Deed::Deploy(kind, value)),
        1 => (0..QUEUES, 0..3_u16).prop_map(|(number, fee)| Deed::Request(number, fee)),
        2 => (0..=HOLLOW, option::of(0..CONTRACTS)).prop_map(|(authority, code)| Deed::Delegate(authority, code)),
    ];
    let large = select(&SIZES[..]).prop_map(Deed::DeployLarge);
    let deed = prop_oneof![50 => deed, 1 => large];
    (0..SENDERS, deed, 0..3_u8).prop_map(|(from, deed, tip)| Tx { from, deed, tip })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![of_storage(), of_accounts(), of_calls(), of_control(), of_the_block()]
}

fn slot() -> impl Strategy<Value = u8> {
    0..4_u8
}

fn of_storage() -> impl Strategy<Value = Op> {
    prop_oneof![
        3 => slot().prop_map(Op::Increment),
        2 => (slot(), 0..3_u8).prop_map(|(slot, value)| Op::Set(slot, value)),
        1 => (slot(), slot()).prop_map(|(from, to)| Op::Copy(from, to)),
        1 => slot().prop_map(Op::Transient),
        1 => slot().prop_map(Op::Log),
        1 => slot().prop_map(Op::Digest),
    ]
}

fn of_accounts() -> impl Strategy<Value = Op> {
    prop_oneof![
        (place(), slot()).prop_map(|(of, slot)| Op::Balance(of, slot)),
        slot().prop_map(Op::OwnBalance),
        (place(), slot()).prop_map(|(of, slot)| Op::CodeHash(of, slot)),
        (place(), slot()).prop_map(|(of, slot)| Op::CodeSize(of, slot)),
    ]
}

fn of_calls() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (place(), 0..4_u8).prop_map(|(to, value)| Op::Call(to, value)),
        1 => place().prop_map(Op::Delegate),
        1 => place().prop_map(Op::Static),
        1 => (0..2_u8).prop_map(Op::Create),
        2 => (0..2_u8).prop_map(Op::Create2),
    ]
}

fn of_control() -> impl Strategy<Value = Op> {
    prop_oneof![
        slot().prop_map(Op::RevertIfOdd),
        slot().prop_map(Op::StopIfOdd),
        place().prop_map(Op::Destroy),
    ]
}

fn of_the_block() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u8, slot()).prop_map(|(back, slot)| Op::BlockHash(back, slot)),
        slot().prop_map(Op::History),
        slot().prop_map(Op::Beacon),
        slot().prop_map(Op::Gas),
        slot().prop_map(Op::SlotNumber),
        (slot(), slot()).prop_map(|(from, to)| Op::Deep(from, to)),
    ]
}
