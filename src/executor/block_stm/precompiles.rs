//! Results of precompiled contracts, kept for their transaction's next incarnation.
//!
//! A precompile's output depends on nothing but its input, and some take longer than all else that their transaction
//! does. An incarnation that starts over mostly calls them with the same inputs as the one before. What one
//! transaction computed is no use to others: the baseline computes it for each of them, too.

use super::{memory::TxIndex, scheduler::Start, worker_state::WorkerState};
use crate::executor::{fees::WorkerEvm, instructions::WorkerContext};
use alloy_primitives::{
    Address, Bytes,
    map::{AddressMap, AddressSet, HashMap},
};
use parking_lot::Mutex;
use revm::{
    context_interface::{Cfg, ContextTr},
    handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::PrecompileOutput,
};

/// Gas of a call from which on its result is kept: copying the input costs a hundredth of computing it then.
const WORTH_KEEPING: u64 = 2_000;

/// The EVM of one worker, with these precompiles.
pub(super) type KeepingEvm<'a, 'm> = WorkerEvm<WorkerState<'a, 'm>, Precompiles<'a>>;

type Context<'a, 'm> = WorkerContext<WorkerState<'a, 'm>>;

/// A successful call.
#[derive(Clone, Debug)]
struct Kept {
    gas_used: u64,
    output: Bytes,
}

/// Results of one transaction's calls, by precompile and input.
type OfOne = AddressMap<HashMap<Bytes, Kept>>;

/// Results of all transactions' calls.
#[derive(Debug)]
pub(super) struct Results {
    /// Each guards what one transaction has computed so far. Never contended, as one worker at a time executes it.
    of_transactions: Box<[Mutex<OfOne>]>,
}

impl Results {
    /// Nothing is computed yet by so many.
    pub(super) fn new(transactions: usize) -> Self {
        Self { of_transactions: (0..transactions).map(|_| Mutex::default()).collect() }
    }

    fn recall(&self, tx: TxIndex, precompile: &Address, input: &[u8]) -> Option<Kept> {
        self.of_transactions[tx].lock().get(precompile)?.get(input).cloned()
    }

    fn keep(&self, tx: TxIndex, precompile: Address, input: &[u8], kept: Kept) {
        let mut results = self.of_transactions[tx].lock();
        results.entry(precompile).or_default().insert(Bytes::copy_from_slice(input), kept);
    }
}

/// One worker's precompiles.
#[derive(Debug)]
pub(super) struct Precompiles<'a> {
    ethereum: EthPrecompiles,
    results: &'a Results,
}

impl<'a> Precompiles<'a> {
    pub(super) const fn new(ethereum: EthPrecompiles, results: &'a Results) -> Self {
        Self { ethereum, results }
    }
}

impl<'a, 'm> PrecompileProvider<Context<'a, 'm>> for Precompiles<'_> {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <<Context<'a, 'm> as ContextTr>::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<Context<'a, 'm>>::set_spec(&mut self.ethereum, spec)
    }

    fn run(
        &mut self,
        context: &mut Context<'a, 'm>,
        inputs: &CallInputs,
    ) -> Result<Option<InterpreterResult>, String> {
        let view = &context.journaled_state.database.view;
        let (tx, start) = (view.tx(), view.start());
        let precompile = inputs.bytecode_address;
        if !self.ethereum.contains(&precompile) {
            return Ok(None);
        }
        let kept = self.results.recall(tx, &precompile, &inputs.input.as_bytes(context));
        if let Some(Kept { gas_used, output }) = kept {
            let output = PrecompileOutput::new(gas_used, output, inputs.reservoir);
            return Ok(Some(precompile_output_to_interpreter_result(output, inputs.gas_limit)));
        }
        let result = self.ethereum.run(context, inputs)?;
        // At the frontier an incarnation is the last one.
        let computed = result.as_ref().filter(|result| start == Start::Ahead && result.is_ok());
        if let Some(InterpreterResult { output, gas, .. }) = computed {
            let gas_used = gas.limit() - gas.remaining();
            if gas_used >= WORTH_KEEPING {
                let kept = Kept { gas_used, output: output.clone() };
                self.results.keep(tx, precompile, &inputs.input.as_bytes(context), kept);
            }
        }
        Ok(result)
    }

    fn warm_addresses(&self) -> &AddressSet {
        self.ethereum.warm_addresses()
    }

    fn contains(&self, address: &Address) -> bool {
        self.ethereum.contains(address)
    }
}
