//! Small contracts, described step by step, and their bytecode.

use super::{Fork, Place};
use alloy_eips::eip4788::SYSTEM_ADDRESS;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use blockrace::block::FoundedAccount;

/// A step of a contract. Slots are few, so that contracts conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// Increments a slot.
    Increment(u8),
    /// Sets a slot to a value.
    Set(u8, u8),
    /// Copies a slot to another.
    Copy(u8, u8),
    /// Stores a balance in a slot.
    Balance(Place, u8),
    /// Stores the contract's own balance in a slot (EIP-1884).
    OwnBalance(u8),
    /// Stores a code's hash in a slot (EIP-1052).
    CodeHash(Place, u8),
    /// Stores a code's size in a slot.
    CodeSize(Place, u8),
    /// Stores the remaining gas in a slot, so that every cost is visible.
    Gas(u8),
    /// Calls with a value and stores the success in slot 6.
    Call(Place, u8),
    /// Calls code in the contract's own storage.
    Delegate(Place),
    /// Calls without permission to write (EIP-214).
    Static(Place),
    /// Reverts if a slot is odd.
    RevertIfOdd(u8),
    /// Stops if a slot is odd.
    StopIfOdd(u8),
    /// Self-destructs in favour of an address.
    Destroy(Place),
    /// Creates a contract at an address derived from the nonce, and stores the address in slot 5.
    Create(u8),
    /// Creates a contract at an address derived from the salt (EIP-1014), and stores the address in slot 5.
    Create2(u8),
    /// Stores the hash of an earlier block in a slot, by distance.
    BlockHash(u8, u8),
    /// Stores the parent's hash from the contract of EIP-2935 in a slot.
    History(u8),
    /// Stores the beacon root for this block's time from the contract of EIP-4788 in a slot.
    Beacon(u8),
    /// Emits a log with a slot as its topic.
    Log(u8),
    /// Replaces a slot by its digest, computed by a slow precompiled contract.
    Digest(u8),
    /// Stores the slot number in a slot (EIP-7843).
    SlotNumber(u8),
    /// Mixes a slot with a deep stack by DUPN, SWAPN and EXCHANGE (EIP-8024), and stores the result in another.
    Deep(u8, u8),
    /// Adds a slot to its transient storage and copies the sum back (EIP-1153).
    Transient(u8),
}

/// Gas that calls forward: enough for some steps, and a bound for call cycles.
const CALL_GAS: u64 = 40_000;

/// The same under Amsterdam, where a new slot costs 97,920 more (EIP-8037).
const CALL_STATE_GAS: u64 = 250_000;

/// Number of values above a slot's in [`Op::Deep`]: the least that `DUPN` and `SWAPN` reach below.
const DEPTH: u8 = 16;

/// Immediates of `DUPN` and `SWAPN` for 17, and of `EXCHANGE` for 1 and 2.
const SEVENTEEN: u8 = 128;
const ONE_AND_TWO: u8 = 142;

const RIPEMD_160: Address = Address::with_last_byte(3);

/// Number of bytes digested at once: 4,560 gas.
const DIGESTED: u64 = 1_024;

/// Bytecode under construction.
#[derive(Clone, Debug, Default)]
struct Code(Vec<u8>);

impl Code {
    fn op(&mut self, opcode: u8) -> &mut Self {
        self.0.push(opcode);
        self
    }

    fn push(&mut self, value: impl TryInto<U256, Error: std::fmt::Debug>) -> &mut Self {
        let value: U256 = value.try_into().expect("a word");
        let bytes = value.to_be_bytes_trimmed_vec();
        let bytes = if bytes.is_empty() { vec![0] } else { bytes };
        self.op(0x5f + bytes.len() as u8).0.extend(bytes);
        self
    }

    fn push_address(&mut self, address: Address) -> &mut Self {
        self.op(0x73).0.extend(address);
        self
    }

    fn sload(&mut self, slot: u8) -> &mut Self {
        self.push(slot).op(0x54)
    }

    fn sstore(&mut self, slot: u8) -> &mut Self {
        self.push(slot).op(0x55)
    }

    /// Runs `body` if the top of the stack is not zero.
    fn when(&mut self, body: impl FnOnce(&mut Self)) -> &mut Self {
        self.op(0x15).op(0x61);
        let patch = self.0.len();
        self.op(0).op(0).op(0x57);
        body(self);
        let target = (self.0.len() as u16).to_be_bytes();
        self.0[patch..patch + 2].copy_from_slice(&target);
        self.op(0x5b)
    }

    fn store_in_memory(&mut self, bytes: &[u8]) -> &mut Self {
        for (index, chunk) in bytes.chunks(32).enumerate() {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            self.op(0x7f).0.extend(word);
            self.push(index as u64 * 32).op(0x52);
        }
        self
    }

    /// Queries a system contract with a word and stores the answer.
    fn ask(&mut self, contract: Address, about: u8, offset: u8, slot: u8) -> &mut Self {
        self.push(offset).op(about).op(0x03).push(0u8).op(0x52);
        self.push(32u8).push(32u8).push(32u8).push(0u8).push_address(contract);
        self.push(CALL_GAS).op(0xfa).op(0x50).push(32u8).op(0x51).sstore(slot)
    }
}

/// The bytecode of a contract with these steps. Steps that the fork does not support are left out.
pub(crate) fn compile(ops: &[Op], fork: Fork, places: &impl Fn(Place) -> Address) -> Bytes {
    let mut code = Code::default();
    for op in ops.iter().filter(|op| is_in(**op, fork)) {
        step(&mut code, *op, fork, places);
    }
    code.op(0x00);
    code.0.into()
}

fn is_in(op: Op, fork: Fork) -> bool {
    fork >= match op {
        Op::Delegate(_) => Fork::Homestead,
        Op::Static(_) => Fork::Byzantium,
        Op::CodeHash(..) | Op::Create2(_) => Fork::Petersburg,
        Op::OwnBalance(_) => Fork::Istanbul,
        Op::Beacon(_) | Op::Transient(_) => Fork::Cancun,
        Op::History(_) => Fork::Prague,
        Op::SlotNumber(_) | Op::Deep(..) => Fork::Amsterdam,
        _ => Fork::Frontier,
    }
}

fn step(code: &mut Code, op: Op, fork: Fork, places: &impl Fn(Place) -> Address) {
    let gas = if fork >= Fork::Amsterdam { CALL_STATE_GAS } else { CALL_GAS };
    match op {
        Op::Increment(slot) => code.sload(slot).push(1u8).op(0x01).sstore(slot),
        Op::Set(slot, value) => code.push(value).sstore(slot),
        Op::Copy(from, to) => code.sload(from).sstore(to),
        Op::Balance(of, slot) => code.push_address(places(of)).op(0x31).sstore(slot),
        Op::OwnBalance(slot) => code.op(0x47).sstore(slot),
        Op::CodeHash(of, slot) => code.push_address(places(of)).op(0x3f).sstore(slot),
        Op::CodeSize(of, slot) => code.push_address(places(of)).op(0x3b).sstore(slot),
        Op::Gas(slot) => code.op(0x5a).sstore(slot),
        Op::Call(to, value) => {
            code.push(0u8).push(0u8).push(0u8).push(0u8).push(value);
            code.push_address(places(to)).push(gas).op(0xf1).sstore(6)
        }
        Op::Delegate(to) => call_without_value(code, places(to), gas, 0xf4),
        Op::Static(to) => call_without_value(code, places(to), gas, 0xfa),
        Op::RevertIfOdd(slot) => code.sload(slot).push(1u8).op(0x16).when(|code| {
            let undo = if fork >= Fork::Byzantium { 0xfd } else { 0xfe };
            code.push(0u8).push(0u8).op(undo);
        }),
        Op::StopIfOdd(slot) => code.sload(slot).push(1u8).op(0x16).when(|code| {
            code.op(0x00);
        }),
        Op::Destroy(heir) => code.push_address(places(heir)).op(0xff),
        Op::Create(kind) => {
            let init = child_init(kind);
            code.store_in_memory(&init).push(init.len() as u64).push(0u8).push(0u8);
            code.op(0xf0).sstore(5)
        }
        Op::Create2(kind) => {
            let init = child_init(kind);
            code.store_in_memory(&init).push(kind).push(init.len() as u64).push(0u8).push(0u8);
            code.op(0xf5).sstore(5)
        }
        Op::BlockHash(back, slot) => code.push(back).op(0x43).op(0x03).op(0x40).sstore(slot),
        Op::History(slot) => code.ask(HISTORY, 0x43, 1, slot),
        Op::Beacon(slot) => code.ask(BEACON, 0x42, 0, slot),
        Op::Log(slot) => code.sload(slot).push(0u8).push(0u8).op(0xa1),
        Op::Digest(slot) => {
            code.sload(slot).push(0u8).op(0x52);
            code.push(32u8).push(0u8).push(DIGESTED).push(0u8).push(0u8).push_address(RIPEMD_160);
            code.push(CALL_GAS).op(0xf1).op(0x50).push(0u8).op(0x51).sstore(slot)
        }
        Op::SlotNumber(slot) => code.op(0x4b).sstore(slot),
        Op::Deep(from, to) => deep(code, from, to),
        Op::Transient(slot) => {
            code.push(slot).op(0x5c).sload(slot).op(0x01).push(slot).op(0x5d);
            code.push(slot).op(0x5c).sstore(slot)
        }
    };
}

/// Reaches below sixteen values on the stack.
fn deep(code: &mut Code, from: u8, to: u8) -> &mut Code {
    code.sload(from);
    for value in 1..=DEPTH {
        code.push(value);
    }
    code.op(0xe6).op(SEVENTEEN).push(1u8).op(0x01);
    code.op(0xe7).op(SEVENTEEN).op(0xe8).op(ONE_AND_TWO);
    for _ in 0..=DEPTH {
        code.op(0x03);
    }
    code.sstore(to)
}

fn call_without_value(code: &mut Code, to: Address, gas: u64, call: u8) -> &mut Code {
    code.push(0u8).push(0u8).push(0u8).push(0u8).push_address(to).push(gas).op(call).sstore(6)
}

/// Initialisation code of a contract with a code of zero bytes.
pub(crate) fn large_init(size: u32) -> Bytes {
    let mut init = Code::default();
    init.push(u64::from(size)).push(0u8).op(0xf3);
    init.0.into()
}

/// Initialisation code of a contract that counts its calls in slot 0. When it is paid, it self-destructs in
/// favour of its caller. The creation of an odd kind fails if it is paid.
pub(crate) fn child_init(kind: u8) -> Bytes {
    let mut runtime = Code::default();
    runtime.sload(0).push(1u8).op(0x01).sstore(0).op(0x34).when(|code| {
        code.op(0x33).op(0xff);
    });
    let mut init = Code::default();
    init.push(kind + 1).sstore(1);
    if kind % 2 == 1 {
        init.op(0x34).when(|code| {
            code.op(0xfe);
        });
    }
    let rest = 2 + 2 + 2 + 1 + 2 + 2 + 1;
    let (length, offset) = (runtime.0.len() as u8, init.0.len() as u8 + rest);
    init.push(length).push(offset).push(0u8).op(0x39).push(length).push(0u8).op(0xf3);
    init.0.extend(runtime.0);
    init.0.into()
}

/// The address at which a contract creates a child with its salt.
pub(crate) fn child_address(creator: Address, kind: u8) -> Address {
    creator.create2(B256::with_last_byte(kind), keccak256(child_init(kind)))
}

/// The history contract (EIP-2935).
pub(crate) const HISTORY: Address = alloy_eips::eip2935::HISTORY_STORAGE_ADDRESS;
/// The beacon roots contract (EIP-4788).
pub(crate) const BEACON: Address = alloy_eips::eip4788::BEACON_ROOTS_ADDRESS;

/// A contract that stores values from system calls, indexed by the word `about` minus `before`. Other callers
/// can read them.
pub(crate) fn system_contract(about: u8, before: u8) -> FoundedAccount {
    let mut code = Code::default();
    code.push_address(SYSTEM_ADDRESS).op(0x33).op(0x14).when(|code| {
        code.push(0u8).op(0x35).push(before).op(about).op(0x03).op(0x55).op(0x00);
    });
    code.push(0u8).op(0x35).op(0x54).push(0u8).op(0x52).push(32u8).push(0u8).op(0xf3);
    FoundedAccount { nonce: 1, code: code.0.into(), ..Default::default() }
}
