//! `KECCAK256` with a cache of the hashes that a worker has computed in this block.
//!
//! Contracts hash the same short inputs many times. Solidity computes the slot of a mapping's entry
//! from its key and the mapping's own slot, anew for each access (Solidity documentation, "Layout
//! of State Variables in Storage"). The transactions of a block access the same entries. In
//! recorded blocks, three of five hashed inputs repeat an earlier input of the same block.
//!
//! A hash depends only on its input, so a cached hash is never stale. Each execution still starts
//! with an empty cache. Otherwise repeated replays of one block would look faster than the first.

use alloy_primitives::{B256, KECCAK256_EMPTY, keccak256, map::DefaultHashBuilder};
use revm::{
    Context, Database, Journal,
    bytecode::opcode,
    context::{BlockEnv, CfgEnv, TxEnv},
    context_interface::Host as _,
    handler::instructions::EthInstructions,
    interpreter::{
        Instruction, InstructionContext, InstructionExecResult, InstructionResult,
        interpreter::{EthInterpreter, resize_memory},
    },
};
use std::{fmt, hash::BuildHasher as _};

/// The EVM context of a worker. Its part beside revm's own is the cache.
pub(crate) type WorkerContext<DB> = Context<BlockEnv, TxEnv, CfgEnv, DB, Journal<DB>, Hashes>;

/// Longest cached input, in bytes. Longer inputs are messages and codes, which rarely repeat.
const LONGEST: usize = 91;
const _: () = assert!(LONGEST <= u8::MAX as usize, "a length fits into a byte");

/// Number of cached inputs, in 64 KiB. Blocks of 30 Mgas gain little from more.
const PLACES: usize = 512;

/// An input and its hash.
#[derive(Clone, Copy, Debug)]
struct Known {
    hash: B256,
    /// Number of the execution that hashed it.
    execution: u32,
    length: u8,
    input: [u8; LONGEST],
}

impl Known {
    /// Initial content of an entry: the hash of the empty input, which is correct for every worker.
    const NOTHING: Self =
        Self { hash: KECCAK256_EMPTY, execution: 0, length: 0, input: [0; LONGEST] };

    fn is_of(&self, execution: u32, input: &[u8]) -> bool {
        self.execution == execution && self.input.get(..self.length.into()) == Some(input)
    }
}

/// Cached hashes of one worker. Each input maps to one entry, which holds the latest of its inputs.
#[derive(Default)]
pub struct Hashes {
    /// Empty until the first hash. Blocks of plain payments compute none.
    known: Vec<Known>,
    /// Number of the current execution. Entries of other executions are ignored.
    execution: u32,
    places: DefaultHashBuilder,
}

impl fmt::Debug for Hashes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hashes").finish_non_exhaustive()
    }
}

impl Hashes {
    /// Empties the cache for another execution. The allocation stays.
    pub(crate) fn forget(&mut self) {
        let next = self.execution.checked_add(1);
        self.execution = next.unwrap_or_else(|| {
            self.known.clear();
            1
        });
    }

    /// The Keccak-256 hash, cached or computed.
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

/// Replaces revm's instruction by the caching one. Gas costs stay the same.
pub fn install<DB: Database>(
    instructions: &mut EthInstructions<EthInterpreter, WorkerContext<DB>>,
) {
    let gas = instructions.gas_table()[opcode::KECCAK256 as usize];
    instructions.insert_instruction(opcode::KECCAK256, Instruction::new(hash_memory), gas);
}

/// The opcode as in revm (Yellow Paper, appendix H, 0x20). Its operands are an offset in memory and
/// a length.
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
    // An empty input has no place in memory: its offset may exceed any memory, and the memory does
    // not grow.
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
    fn hashes_are_correct_after_any_earlier_inputs() {
        let mut hashes = Hashes::default();
        // More inputs than entries, each of them twice, with lengths on both sides of the limit.
        for round in 0..2 {
            for number in 0..4 * PLACES {
                let input = number.to_be_bytes().repeat(1 + number % 16);
                assert_eq!(hashes.keccak256(&input), keccak256(&input), "{round}: {number}");
            }
        }
    }

    #[test]
    fn inputs_of_different_length_are_different() {
        let mut hashes = Hashes { known: vec![Known::NOTHING; PLACES], ..Hashes::default() };
        for length in (0..=LONGEST + 1).rev().chain(0..=LONGEST) {
            let input = vec![0; length];
            assert_eq!(hashes.keccak256(&input), keccak256(&input), "{length}");
        }
    }

    /// Replaces all cached hashes by a wrong one.
    fn mark(hashes: &mut Hashes) -> B256 {
        let mark = B256::repeat_byte(7);
        let known = hashes.known.iter_mut().filter(|known| known.length > 0);
        known.for_each(|known| known.hash = mark);
        mark
    }

    #[test]
    fn a_repeated_input_is_looked_up() {
        let mut hashes = Hashes::default();
        hashes.keccak256(b"input");
        let mark = mark(&mut hashes);
        assert_eq!(hashes.keccak256(b"input"), mark);
    }

    #[test]
    fn hashes_of_another_execution_are_ignored() {
        for execution in [0, 5, u32::MAX] {
            let mut hashes = Hashes { execution, ..Hashes::default() };
            hashes.keccak256(b"input");
            let mark = mark(&mut hashes);
            assert_eq!(hashes.keccak256(b"input"), mark);
            hashes.forget();
            assert_eq!(hashes.keccak256(b"input"), keccak256(b"input"));
        }
    }

    /// Runs a contract with revm's instruction or with the caching one.
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

    /// Code that hashes this memory twice and returns the second hash.
    fn hashing(offset: U256, length: U256) -> Vec<u8> {
        let (offset, length) = (offset.to_be_bytes::<32>(), length.to_be_bytes::<32>());
        let hash =
            [&[opcode::PUSH32], &length[..], &[opcode::PUSH32], &offset, &[opcode::KECCAK256]];
        let keep =
            [opcode::PUSH0, opcode::MSTORE, opcode::PUSH1, 32, opcode::PUSH0, opcode::RETURN];
        [&hash.concat()[..], &[opcode::POP], &hash.concat(), &keep].concat()
    }

    #[test]
    fn the_caching_instruction_behaves_as_that_of_revm() {
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
