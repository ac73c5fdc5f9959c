//! The opcodes that ask for balances, telling the worker's database before they run.
//!
//! Each wrapper looks at the operands on the stack, notes the demand, and calls revm's own
//! instruction. A note too many costs a conflict at most; a stack that is too short is revm's business.
//!
//! Which opcodes these are follows from the Yellow Paper's definitions (appendix H): `BALANCE` and `SELFBALANCE`
//! (EIP-1884) put a balance on the stack; `EXTCODEHASH` (EIP-1052) tells an empty account from one without code;
//! `CALL`, `CALLCODE`, `CREATE` and `CREATE2` pay out of the running account, and fail where there is not
//! enough; `SELFDESTRUCT` hands over all there is. No other opcode's result depends on a balance.

use super::{
    demands::{Demand, Demanding},
    hashes::Hashes,
};
use alloy_primitives::{Address, U256};
use revm::{
    Context, Database, Journal,
    bytecode::opcode,
    context::{BlockEnv, CfgEnv, TxEnv},
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult,
        instructions::{contract, host},
        interpreter::EthInterpreter,
        interpreter_types::InputsTr,
    },
};

/// The EVM's context in a worker.
pub(super) type WorkerContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, Hashes>;

type Frame<'f, DB> = InstructionContext<'f, WorkerContext<DB>, EthInterpreter>;

/// Puts the wrappers in place of the instructions they wrap. Gas stays as it is.
pub(super) fn install<DB: Database + Demanding>(
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

/// The operand at `depth` below the top of the stack, 0 being the top; `None` where the stack ends before.
fn operand<DB: Database>(frame: &Frame<'_, DB>, depth: usize) -> Option<U256> {
    frame.interpreter.stack.data().iter().rev().nth(depth).copied()
}

/// The account that an operand names: its low 20 bytes, whatever stands above them.
fn address(operand: U256) -> Address {
    Address::from_word(operand.into())
}

/// The account whose code runs, as far as balances go: under `DELEGATECALL` it is the caller's.
fn running<DB: Database>(frame: &Frame<'_, DB>) -> Address {
    frame.interpreter.input.target_address()
}

/// Notes the demand with the database.
fn demand<DB: Database + Demanding>(frame: &mut Frame<'_, DB>, address: Address, demand: Demand) {
    frame.host.journaled_state.database.demand(address, demand);
}

/// Operand 0 is the account.
fn balance<DB: Database + Demanding>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        demand(&mut frame, address(of), Demand::Exact);
    }
    host::balance(frame)
}

/// No operand: it is the running account's.
fn self_balance<DB: Database + Demanding>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    let of = running(&frame);
    demand(&mut frame, of, Demand::Exact);
    host::selfbalance(frame)
}

/// Operand 0 is the account; the result is 0 where it is empty (EIP-161), which a balance decides if it has
/// neither nonce nor code.
fn code_hash<DB: Database + Demanding>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        demand(&mut frame, address(of), Demand::Emptiness);
    }
    host::extcodehash(frame)
}

fn self_destruct<DB: Database + Demanding>(mut frame: Frame<'_, DB>) -> InstructionExecResult {
    frame.host.journaled_state.database.note_replacement();
    let from = running(&frame);
    demand(&mut frame, from, Demand::Exact);
    if let Some(to) = operand(&frame, 0) {
        demand(&mut frame, address(to), Demand::Emptiness);
    }
    host::selfdestruct(frame)
}

/// A call that pays charges for creating an empty recipient, and needs enough to pay.
fn call<const KIND: u8, DB: Database + Demanding>(
    mut frame: Frame<'_, DB>,
) -> InstructionExecResult {
    if let (Some(to), Some(value)) = (operand(&frame, 1), operand(&frame, 2))
        && !value.is_zero()
    {
        let from = running(&frame);
        demand(&mut frame, from, Demand::Pay(value));
        demand(&mut frame, address(to), Demand::Emptiness);
    }
    contract::call::<KIND, _, _>(frame)
}

fn create<const IS_CREATE2: bool, DB: Database + Demanding>(
    mut frame: Frame<'_, DB>,
) -> InstructionExecResult {
    frame.host.journaled_state.database.note_replacement();
    if let Some(value) = operand(&frame, 0).filter(|value| !value.is_zero()) {
        let from = running(&frame);
        demand(&mut frame, from, Demand::Pay(value));
    }
    contract::create::<IS_CREATE2, _, _>(frame)
}
