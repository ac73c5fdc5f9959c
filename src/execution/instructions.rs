//! Wraps the opcodes that depend on balances, and reports each dependency to the worker's database.
//!
//! Each wrapper reads the operands on the stack, records the dependency, and calls revm's own
//! instruction. A superfluous dependency costs at most a needless conflict. revm handles a stack
//! that is too short.
//!
//! The opcodes follow from the Yellow Paper (appendix H). The opcodes `BALANCE` and `SELFBALANCE`
//! (EIP-1884) return a balance. The opcode `EXTCODEHASH` (EIP-1052) distinguishes an empty account
//! from one without code. The opcodes `CALL`, `CALLCODE`, `CREATE` and `CREATE2` pay from the
//! running account and fail if its balance is too low. The opcode `SELFDESTRUCT` transfers the
//! whole balance. From Amsterdam on, `CREATE` and `CREATE2` cost more if the new account has no balance (EIP-8037). No
//! other opcode depends on a balance.

use super::{
    dependency::{BalanceTracker, BalanceUse, creation_has_a_price},
    hashes::WorkerContext,
};
use alloy_primitives::{Address, U256};
use revm::{
    Database,
    bytecode::opcode,
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult,
        instructions::{contract, host},
        interpreter::EthInterpreter,
        interpreter_types::{InputsTr, RuntimeFlag as _},
    },
};

type Frame<'f, DB> = InstructionContext<'f, WorkerContext<DB>, EthInterpreter>;

/// Replaces the instructions by their wrappers. Gas costs stay the same.
pub(crate) fn install<DB: Database + BalanceTracker>(
    instructions: &mut EthInstructions<EthInterpreter, WorkerContext<DB>>,
) {
    let wrappers: [(u8, Instruction<EthInterpreter, WorkerContext<DB>>); 8] = [
        (opcode::BALANCE, Instruction::new(balance)),
        (opcode::SELFBALANCE, Instruction::new(self_balance)),
        (opcode::EXTCODEHASH, Instruction::new(code_hash)),
        (opcode::SELFDESTRUCT, Instruction::new(self_destruct)),
        (opcode::CALL, Instruction::new(call::<{ opcode::CALL }, DB>)),
        (opcode::CALLCODE, Instruction::new(call::<{ opcode::CALLCODE }, DB>)),
        (opcode::CREATE, Instruction::new(create::<false, DB>)),
        (opcode::CREATE2, Instruction::new(create::<true, DB>)),
    ];
    for (opcode, wrapper) in wrappers {
        let gas = instructions.gas_table()[opcode as usize];
        instructions.insert_instruction(opcode, wrapper, gas);
    }
}

/// The operand at `depth` below the top of the stack, which has depth 0; `None` if the stack is
/// shorter.
fn operand<DB: Database>(frame: &Frame<'_, DB>, depth: usize) -> Option<U256> {
    frame.interpreter.stack.data().iter().rev().nth(depth).copied()
}

/// The account that an operand names: its low 20 bytes. The other bytes are ignored.
fn address(operand: U256) -> Address {
    Address::from_word(operand.into())
}

/// The account with the balance that the running code uses. Under `DELEGATECALL` it is the
/// caller's.
fn running<DB: Database>(frame: &Frame<'_, DB>) -> Address {
    frame.interpreter.input.target_address()
}

/// Reports the use to the database.
fn note_use<DB: Database + BalanceTracker>(
    frame: &mut Frame<'_, DB>,
    address: Address,
    balance_use: BalanceUse,
) {
    frame.host.journaled_state.database.note_use(address, balance_use);
}

/// Operand 0 is the account.
fn balance<DB: Database + BalanceTracker>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        note_use(&mut frame, address(of), BalanceUse::Exact);
    }
    host::balance(frame)
}

/// It has no operand and returns the running account's balance.
fn self_balance<DB: Database + BalanceTracker>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    let of = running(&frame);
    note_use(&mut frame, of, BalanceUse::Exact);
    host::selfbalance(frame)
}

/// Operand 0 is the account. The result is 0 for an empty account (EIP-161). Without nonce and
/// code, the balance decides whether it is empty.
fn code_hash<DB: Database + BalanceTracker>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        note_use(&mut frame, address(of), BalanceUse::Emptiness);
    }
    host::extcodehash(frame)
}

fn self_destruct<DB: Database + BalanceTracker>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    frame.host.journaled_state.database.note_replacement();
    let from = running(&frame);
    note_use(&mut frame, from, BalanceUse::Exact);
    if let Some(to) = operand(&frame, 0) {
        note_use(&mut frame, address(to), BalanceUse::Emptiness);
    }
    host::selfdestruct(frame)
}

/// A call with a value costs more gas if the recipient is empty, and it needs a sufficient balance.
fn call<const KIND: u8, DB: Database + BalanceTracker>(
    mut frame: Frame<'_, DB>,
) -> InstructionExecResult {
    if let (Some(to), Some(value)) = (operand(&frame, 1), operand(&frame, 2))
        && !value.is_zero()
    {
        let from = running(&frame);
        note_use(&mut frame, from, BalanceUse::Pay(value));
        note_use(&mut frame, address(to), BalanceUse::Emptiness);
    }
    contract::call::<KIND, _, _>(frame)
}

fn create<const IS_CREATE2: bool, DB: Database + BalanceTracker>(
    mut frame: Frame<'_, DB>,
) -> InstructionExecResult {
    let has_price = creation_has_a_price(frame.interpreter.runtime_flag.spec_id());
    let database = &mut frame.host.journaled_state.database;
    database.note_replacement();
    if has_price {
        // The address of the new account follows from values that are not known yet.
        database.note_emptiness_of_all();
    }
    if let Some(value) = operand(&frame, 0).filter(|value| !value.is_zero()) {
        let from = running(&frame);
        note_use(&mut frame, from, BalanceUse::Pay(value));
    }
    contract::create::<IS_CREATE2, _, _>(frame)
}
