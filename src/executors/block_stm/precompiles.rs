//! Cache of precompile results, for the next incarnation of the same transaction.
//!
//! The output of a precompile depends only on its input. Some precompiles take longer than the rest of their
//! transaction. A new incarnation mostly calls them with the inputs of the previous one. Other transactions
//! cannot use the result, since a signature or a proof rarely occurs twice.

use super::stm_db::StmDb;
use crate::execution::{beneficiary::WorkerEvm, hashes::WorkerContext, location::TxIndex};
use alloy_primitives::{
    Address, Bytes,
    map::{AddressMap, AddressSet, HashMap},
};
use blockrace_stm::scheduler::ExecutionPoint;
use parking_lot::Mutex;
use revm::{
    context_interface::{Cfg, ContextTr},
    handler::{EthPrecompiles, PrecompileProvider, precompile_output_to_interpreter_result},
    interpreter::{CallInputs, InterpreterResult},
    precompile::PrecompileOutput,
};

/// Minimum gas of a cached call. From here on, copying the input costs a hundredth of computing the result.
const LEAST_GAS: u64 = 2_000;

/// Minimum gas of a cached call per byte of input. Hashes and copies of much memory are therefore not cached.
/// The block's gas limit bounds the size of the cache.
const LEAST_GAS_PER_BYTE: u64 = 2;

/// EVM of a worker with cached precompiles.
pub(super) type CachingEvm<'m> = WorkerEvm<StmDb<'m>, Precompiles<'m>>;

type Context<'m> = WorkerContext<StmDb<'m>>;

/// Result of a successful call.
#[derive(Clone, Debug)]
struct Kept {
    gas_used: u64,
    output: Bytes,
}

impl Kept {
    const fn is_worth_keeping(&self, input: &[u8]) -> bool {
        self.gas_used >= LEAST_GAS && self.gas_used >= LEAST_GAS_PER_BYTE * input.len() as u64
    }
}

/// Results of one transaction's calls, by precompile and input.
type OfOne = AddressMap<HashMap<Bytes, Kept>>;

/// Results of all transactions' calls.
#[derive(Debug)]
pub(super) struct Results {
    /// Each lock guards the results of one transaction. It is never contended, since one worker at a time
    /// executes a transaction.
    of_transactions: Box<[Mutex<OfOne>]>,
}

impl Results {
    /// Creates an empty cache for this many transactions.
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

/// Precompiles of one worker.
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

impl<'m> PrecompileProvider<Context<'m>> for Precompiles<'_> {
    type Output = InterpreterResult;

    fn set_spec(&mut self, spec: <<Context<'m> as ContextTr>::Cfg as Cfg>::Spec) -> bool {
        PrecompileProvider::<Context<'m>>::set_spec(&mut self.ethereum, spec)
    }

    fn run(
        &mut self,
        context: &mut Context<'m>,
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
        // An incarnation at the commit index is the last one, so its results are not cached.
        let computed =
            result.as_ref().filter(|result| start == ExecutionPoint::Speculative && result.is_ok());
        if let Some(InterpreterResult { output, gas, .. }) = computed {
            let input = inputs.input.as_bytes(context);
            let kept = Kept { gas_used: gas.limit() - gas.remaining(), output: output.clone() };
            if kept.is_worth_keeping(&input) {
                self.results.keep(tx, precompile, &input, kept);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(gas_used: u64) -> Kept {
        Kept { gas_used, output: Bytes::new() }
    }

    #[test]
    fn a_result_is_cached_per_transaction_precompile_and_input() {
        let (results, precompile) = (Results::new(2), Address::with_last_byte(1));
        results.keep(0, precompile, b"input", kept(3_000));
        let gas = |tx, precompile, input: &[u8]| {
            results.recall(tx, &precompile, input).map(|kept| kept.gas_used)
        };
        assert_eq!(gas(0, precompile, b"input"), Some(3_000));
        assert_eq!(gas(0, precompile, b"other"), None);
        assert_eq!(gas(0, Address::with_last_byte(2), b"input"), None);
        assert_eq!(gas(1, precompile, b"input"), None);
    }

    #[test]
    fn cheap_calls_and_long_inputs_are_not_cached() {
        let (ecrecover, identity_of_a_megabyte) = (3_000, 15 + 3 * (1 << 15));
        assert!(kept(ecrecover).is_worth_keeping(&[0; 128]));
        assert!(!kept(identity_of_a_megabyte).is_worth_keeping(&vec![0; 1 << 20]));
        assert!(!kept(600).is_worth_keeping(&[]));
    }
}
