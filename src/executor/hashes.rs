//! `KECCAK256` with a memory: what a worker has hashed in this block, it looks up.
//!
//! Contracts hash the same few words again and again. Solidity finds the slot of a mapping's entry by hashing its key
//! and the mapping's own slot, anew for each look at it (Solidity documentation, "Layout of State Variables in
//! Storage"), and the transactions of a block look at the same entries. Of the hashes that recorded blocks ask for,
//! three fifths repeat one of the same block.
//!
//! A hash depends on nothing but its input, so what is remembered is never wrong. Yet it is forgotten as soon as another
//! execution begins, so that it helps nobody that a block is replayed many times.

use super::instructions::WorkerContext;
use alloy_primitives::{B256, KECCAK256_EMPTY, keccak256, map::DefaultHashBuilder};
use revm::{
    Database,
    bytecode::opcode,
    context_interface::Host as _,
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        interpreter::{EthInterpreter, resize_memory},
    },
};
use std::{fmt, hash::BuildHasher as _};

/// Longest input that is remembered, in bytes: longer ones are messages and codes, which hardly repeat.
const LONGEST: usize = 91;
const _: () = assert!(LONGEST <= u8::MAX as usize, "a length fits into a byte");

/// How many inputs are remembered, in 64 KiB: blocks of 30 Mgas gain little from more.
const PLACES: usize = 512;

/// An input and its hash.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: B256,
    /// The execution that hashed it.
    execution: u32,
    length: u8,
    input: [u8; LONGEST],
}

impl Known {
    /// What a place holds at first: the hash of nothing, which is true for whoever looks.
    const NOTHING: Self =
        Self { hash: KECCAK256_EMPTY, execution: 0, length: 0, input: [0; LONGEST] };

    fn is_of(&self, execution: u32, input: &[u8]) -> bool {
        self.execution == execution && self.input.get(..self.length.into()) == Some(input)
    }
}

/// What one worker has hashed. Each input has one place, where the latest stays.
#[derive(Default)]
pub struct Hashes {
    /// Empty until something is hashed, as in blocks of plain payments nothing is.
    known: Vec<Known>,
    /// Counts executions. What was hashed in another one is not known any more.
    execution: u32,
    places: DefaultHashBuilder,
}

impl fmt::Debug for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashes").finish_non_exhaustive()
    }
}

impl Hashes {
    /// Another execution begins, and nothing is known. The room stays.
    pub(super) fn forget(&mut self) {
        let next = self.execution.checked_add(1);
        self.execution = next.unwrap_or_else(|| {
            self.known.clear();
            1
        });
    }

    /// The Keccak-256 hash, remembered or computed.
    fn keccak256(&mut self, input: &[u8]) -> B256 {
        if input.len() > LONGEST {
            return keccak256(input);
        }
        if self.known.is_empty() {
            self.known = vec![Known::NOTHING; PLACES];
        }
        let known = &mut self.known[self.places.hash_one(input) as usize % PLACES];
        if !known.is_of(self.execution, input) {
            known.execution = self.execution;
            known.hash = keccak256(input);
            known.length = input.len() as u8;
            known.input[..input.len()].copy_from_slice(input);
        }
        known.hash
    }
}

/// Puts the instruction that remembers in place of revm's. Gas stays as it is.
pub fn install<DB: Database>(
    instructions: &mut EthInstructions<EthInterpreter, WorkerContext<DB>>,
) {
    let gas = instructions.gas_table()[opcode::KECCAK256 as usize];
    instructions.insert_instruction(opcode::KECCAK256, Instruction::new(hash_memory), gas);
}

/// The opcode as revm has it (Yellow Paper, appendix H, 0x20): operands are an offset in memory and a length.
fn hash_memory<DB: Database>(
    frame: InstructionContext<'_, WorkerContext<DB>, EthInterpreter>,
) -> InstructionExecResult {
    let (interpreter, host) = (frame.interpreter, frame.host);
    let operands = interpreter.stack.popn_top::<1>();
    let ([offset], top) = operands.ok_or(InstructionResult::StackUnderflow)?;
    let beyond = |_| InstructionResult::InvalidOperandOOG;
    let length = usize::try_from(*top).map_err(beyond)?;
    if !interpreter.gas.record_regular_cost(host.gas_params().keccak256_cost(length)) {
        return Err(InstructionResult::OutOfGas);
    }
    // Nothing is nowhere: its offset may be beyond any memory, and the memory does not grow.
    if length == 0 {
        *top = KECCAK256_EMPTY.into();
        return Ok(());
    }
    let offset = usize::try_from(offset).map_err(beyond)?;
    let (gas, memory) = (&mut interpreter.gas, &mut interpreter.memory);
    resize_memory(gas, memory, host.gas_params(), offset, length)?;
    *top = host.chain.keccak256(&interpreter.memory.slice_len(offset, length)).into();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;
    use revm::{
        Context, ExecuteEvm as _, MainBuilder as _, MainContext as _,
        bytecode::Bytecode,
        context::TxEnv,
        context_interface::result::ExecutionResult,
        database::{BENCH_CALLER, BENCH_TARGET, BenchmarkDB},
    };

    #[test]
    fn every_hash_is_that_of_its_input_whatever_was_hashed_before() {
        let mut hashes = Hashes::default();
        // More inputs than there are places, each of them twice, and lengths on both sides of the limit.
        for round in 0..2 {
            for number in 0..4 * PLACES {
                let input = number.to_be_bytes().repeat(1 + number % 16);
                assert_eq!(hashes.keccak256(&input), keccak256(&input), "{round}: {number}");
            }
        }
    }

    #[test]
    fn inputs_that_differ_in_length_alone_differ() {
        let mut hashes = Hashes { known: vec![Known::NOTHING; PLACES], ..Hashes::default() };
        for length in (0..=LONGEST + 1).rev().chain(0..=LONGEST) {
            let input = vec![0; length];
            assert_eq!(hashes.keccak256(&input), keccak256(&input), "{length}");
        }
    }

    /// A hash that nobody computes, in place of all that are known.
    fn mark(hashes: &mut Hashes) -> B256 {
        let mark = B256::repeat_byte(7);
        let known = hashes.known.iter_mut().filter(|known| known.length > 0);
        known.for_each(|known| known.hash = mark);
        mark
    }

    #[test]
    fn what_was_hashed_is_looked_up() {
        let mut hashes = Hashes::default();
        hashes.keccak256(b"input");
        let mark = mark(&mut hashes);
        assert_eq!(hashes.keccak256(b"input"), mark);
    }

    #[test]
    fn what_another_execution_has_hashed_is_forgotten() {
        for execution in [0, 5, u32::MAX] {
            let mut hashes = Hashes { execution, ..Hashes::default() };
            hashes.keccak256(b"input");
            let mark = mark(&mut hashes);
            assert_eq!(hashes.keccak256(b"input"), mark);
            hashes.forget();
            assert_eq!(hashes.keccak256(b"input"), keccak256(b"input"));
        }
    }

    /// Runs a contract, with revm's instruction or with the one that remembers.
    fn run(code: &[u8], remembers: bool) -> ExecutionResult {
        let db = BenchmarkDB::new_bytecode(Bytecode::new_raw(code.to_vec().into()));
        let context = Context::mainnet().with_db(db).with_chain(Hashes::default());
        let mut evm = context.build_mainnet();
        if remembers {
            install(&mut evm.instruction);
        }
        let call = TxEnv::builder().caller(BENCH_CALLER).call(BENCH_TARGET).gas_limit(100_000);
        evm.transact_one(call.build_fill()).expect("the call is valid")
    }

    /// Hashes this much memory from there, twice, and returns the second hash.
    fn hashing(offset: U256, length: U256) -> Vec<u8> {
        let (offset, length) = (offset.to_be_bytes::<32>(), length.to_be_bytes::<32>());
        let hash =
            [&[opcode::PUSH32], &length[..], &[opcode::PUSH32], &offset, &[opcode::KECCAK256]];
        let keep =
            [opcode::PUSH0, opcode::MSTORE, opcode::PUSH1, 32, opcode::PUSH0, opcode::RETURN];
        [&hash.concat()[..], &[opcode::POP], &hash.concat(), &keep].concat()
    }

    #[test]
    fn the_instruction_does_what_revms_does() {
        let sizes = [0, 1, 64, LONGEST, LONGEST + 1, 1 << 12].map(U256::from);
        let sizes = sizes.into_iter().chain([U256::from(1 << 30), U256::from(u64::MAX), U256::MAX]);
        for (offset, length) in
            sizes.clone().flat_map(|at| sizes.clone().map(move |size| (at, size)))
        {
            let code = hashing(offset, length);
            assert_eq!(run(&code, true), run(&code, false), "{length} bytes from {offset}");
        }
        assert!(run(&hashing(U256::ZERO, U256::from(64)), true).is_success());
        for operands in [&[][..], &[opcode::PUSH0]] {
            let code = [operands, &[opcode::KECCAK256]].concat();
            assert_eq!(run(&code, true), run(&code, false));
        }
    }
}
