//! The opcodes that ask for balances, telling the worker's state before they run.
//!
//! Each wrapper looks at the operands on the stack, notes the demand, and calls revm's own
//! instruction. A note too many costs a conflict at most; a stack that is too short is revm's business.

use super::{demands::Demand, worker_state::WorkerState};
use alloy_primitives::{Address, U256};
use revm::{
    Context, Journal,
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
pub(super) type WorkerContext<'a, 'm> =
    Context<BlockEnv, TxEnv, CfgEnv, WorkerState<'a, 'm>, Journal<WorkerState<'a, 'm>>, ()>;

type Frame<'f, 'a, 'm> = InstructionContext<'f, WorkerContext<'a, 'm>, EthInterpreter>;

/// Puts the wrappers in place of the instructions they wrap. Gas stays as it is.
pub(super) fn install<'a, 'm>(
    instructions: &mut EthInstructions<EthInterpreter, WorkerContext<'a, 'm>>,
) {
    let wrappers: [(u8, Instruction<EthInterpreter, WorkerContext<'a, 'm>>); 8] = [
        (opcode::BALANCE, Instruction::new(balance)),
        (opcode::SELFBALANCE, Instruction::new(self_balance)),
        (opcode::EXTCODEHASH, Instruction::new(code_hash)),
        (opcode::SELFDESTRUCT, Instruction::new(self_destruct)),
        (opcode::CALL, Instruction::new(call::<{ opcode::CALL }>)),
        (opcode::CALLCODE, Instruction::new(call::<{ opcode::CALLCODE }>)),
        (opcode::CREATE, Instruction::new(create::<false>)),
        (opcode::CREATE2, Instruction::new(create::<true>)),
    ];
    for (opcode, wrapper) in wrappers {
        let gas = instructions.gas_table()[opcode as usize];
        instructions.insert_instruction(opcode, wrapper, gas);
    }
}

/// The operand at `depth` below the top of the stack.
fn operand(frame: &Frame<'_, '_, '_>, depth: usize) -> Option<U256> {
    frame.interpreter.stack.data().iter().rev().nth(depth).copied()
}

fn address(operand: U256) -> Address {
    Address::from_word(operand.into())
}

fn running(frame: &Frame<'_, '_, '_>) -> Address {
    frame.interpreter.input.target_address()
}

fn demand(frame: &mut Frame<'_, '_, '_>, address: Address, demand: Demand) {
    frame.host.journaled_state.database.demand(address, demand);
}

fn balance(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        demand(&mut frame, address(of), Demand::Exact);
    }
    host::balance(frame)
}

fn self_balance(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    let of = running(&frame);
    demand(&mut frame, of, Demand::Exact);
    host::selfbalance(frame)
}

fn code_hash(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    if let Some(of) = operand(&frame, 0) {
        demand(&mut frame, address(of), Demand::Emptiness);
    }
    host::extcodehash(frame)
}

fn self_destruct(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    frame.host.journaled_state.database.note_replacement();
    let from = running(&frame);
    demand(&mut frame, from, Demand::Exact);
    if let Some(to) = operand(&frame, 0) {
        demand(&mut frame, address(to), Demand::Emptiness);
    }
    host::selfdestruct(frame)
}

/// A call that pays charges for creating an empty recipient, and needs enough to pay.
fn call<const KIND: u8>(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    if let (Some(to), Some(value)) = (operand(&frame, 1), operand(&frame, 2))
        && !value.is_zero()
    {
        let from = running(&frame);
        demand(&mut frame, from, Demand::Pay(value));
        demand(&mut frame, address(to), Demand::Emptiness);
    }
    contract::call::<KIND, _, _>(frame)
}

fn create<const IS_CREATE2: bool>(mut frame: Frame<'_, '_, '_>) -> InstructionExecResult {
    frame.host.journaled_state.database.note_replacement();
    if let Some(value) = operand(&frame, 0).filter(|value| !value.is_zero()) {
        let from = running(&frame);
        demand(&mut frame, from, Demand::Pay(value));
    }
    contract::create::<IS_CREATE2, _, _>(frame)
}
