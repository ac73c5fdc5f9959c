//! The EVM of a block's phases: alloy-evm's, with the gas of system calls that the EIPs give them.
//!
//! A system call has 30,000,000 gas (EIP-4788, EIP-7002). From Amsterdam on it also has state gas for 16 new slots
//! (EIP-8037). revm adds both up and gives the sum as regular gas, in every fork. A block with a system call that needs
//! more than its limit would be accepted.

use alloy_evm::{Evm, eth::EthEvmContext, precompiles::PrecompilesMap};
use alloy_primitives::{Address, Bytes};
use revm::{
    Context, ExecuteEvm as _,
    context::{
        BlockEnv, CfgEnv, ContextSetters as _, ContextTr, Evm as RevmEvm, JournalTr, TxEnv,
        result::{EVMError, HaltReason, ResultAndState},
    },
    context_interface::Cfg as _,
    handler::{
        EthFrame, EvmTr, EvmTrError, FrameResult, FrameTr, Handler, SystemCallTx as _,
        instructions::EthInstructions, system_call::SYSTEM_CALL_GAS_LIMIT,
    },
    inspector::NoOpInspector,
    interpreter::{
        GasTracker, InitialAndFloorGas, interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
    primitives::hardfork::SpecId,
    state::EvmState,
};
use std::marker::PhantomData;

use super::{EvmDatabase, EvmEnv};

/// Gas of a system call, without state gas.
const REGULAR_GAS: u64 = 30_000_000;

/// State gas of a system call (EIP-8037).
const STATE_GAS: u64 = SYSTEM_CALL_GAS_LIMIT - REGULAR_GAS;

type Inner<DB> = RevmEvm<
    EthEvmContext<DB>,
    NoOpInspector,
    EthInstructions<EthInterpreter, EthEvmContext<DB>>,
    PrecompilesMap,
    EthFrame,
>;

/// An EVM over a state of type `DB`.
#[expect(missing_debug_implementations, reason = "revm's own type has none")]
pub struct BlockEvm<DB: EvmDatabase>(Inner<DB>);

impl<DB: EvmDatabase> BlockEvm<DB> {
    pub(super) const fn new(evm: Inner<DB>) -> Self {
        Self(evm)
    }
}

impl<DB: EvmDatabase> Evm for BlockEvm<DB> {
    type DB = DB;
    type Tx = TxEnv;
    type Error = EVMError<DB::Error>;
    type HaltReason = HaltReason;
    type Spec = SpecId;
    type BlockEnv = BlockEnv;
    type Precompiles = PrecompilesMap;
    type Inspector = NoOpInspector;

    fn block(&self) -> &BlockEnv {
        &self.0.ctx.block
    }

    fn cfg_env(&self) -> &CfgEnv {
        &self.0.ctx.cfg
    }

    fn chain_id(&self) -> u64 {
        self.0.ctx.cfg.chain_id
    }

    fn transact_raw(&mut self, tx: TxEnv) -> Result<ResultAndState, Self::Error> {
        self.0.transact(tx)
    }

    fn transact_system_call(
        &mut self,
        caller: Address,
        contract: Address,
        data: Bytes,
    ) -> Result<ResultAndState, Self::Error> {
        self.0.set_tx(TxEnv::new_system_tx_with_caller(caller, contract, data));
        let mut handler = SystemCall::<_, Self::Error, _>(PhantomData);
        let result = handler.run_system_call(&mut self.0)?;
        Ok(ResultAndState::new(result, self.0.finalize()))
    }

    fn finish(self) -> (DB, EvmEnv) {
        let Context { block: block_env, cfg: cfg_env, journaled_state, .. } = self.0.ctx;
        (journaled_state.database, EvmEnv { block_env, cfg_env })
    }

    fn set_inspector_enabled(&mut self, _enabled: bool) {}

    fn components(&self) -> (&DB, &NoOpInspector, &PrecompilesMap) {
        (&self.0.ctx.journaled_state.database, &self.0.inspector, &self.0.precompiles)
    }

    fn components_mut(&mut self) -> (&mut DB, &mut NoOpInspector, &mut PrecompilesMap) {
        let Inner::<DB> { ctx, inspector, precompiles, .. } = &mut self.0;
        (&mut ctx.journaled_state.database, inspector, precompiles)
    }
}

/// revm's handler with the limits of a system call.
struct SystemCall<EVM, ERROR, FRAME>(PhantomData<(EVM, ERROR, FRAME)>);

impl<EVM, ERROR, FRAME> Handler for SystemCall<EVM, ERROR, FRAME>
where
    EVM: EvmTr<Context: ContextTr<Journal: JournalTr<State = EvmState>>, Frame = FRAME>,
    ERROR: EvmTrError<EVM>,
    FRAME: FrameTr<FrameResult = FrameResult, FrameInit = FrameInit>,
{
    type Evm = EVM;
    type Error = ERROR;
    type HaltReason = HaltReason;

    fn tx_gas(&self, evm: &mut EVM, _: &InitialAndFloorGas) -> GasTracker {
        let splits_gas = evm.ctx_ref().cfg().is_amsterdam_eip8037_enabled();
        let state_gas = if splits_gas { STATE_GAS } else { 0 };
        GasTracker::new(REGULAR_GAS + state_gas, REGULAR_GAS, state_gas)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_evm::{EthEvmFactory, EvmFactory as _};
    use alloy_primitives::{U256, hex};
    use revm::{bytecode::Bytecode, database::InMemoryDB, state::AccountInfo};

    const CONTRACT: Address = Address::repeat_byte(0xcc);

    /// Gas that a contract has in its first instruction, in this fork.
    fn first_gas(spec: SpecId) -> U256 {
        // GAS, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
        let code = Bytecode::new_raw(Bytes::from_static(&hex!("5a5f5260205ff3")));
        let mut db = InMemoryDB::default();
        db.insert_account_info(CONTRACT, AccountInfo::default().with_code(code));
        let env = EvmEnv::new(CfgEnv::new_with_spec(spec), BlockEnv::default());
        let mut evm = BlockEvm::new(EthEvmFactory::default().create_evm(db, env).into_inner());
        let called = evm.transact_system_call(Address::ZERO, CONTRACT, Bytes::new());
        let output = called.expect("the state is known").result.into_output();
        U256::from_be_slice(&output.expect("the call succeeds"))
    }

    #[test]
    fn a_system_call_has_thirty_million_gas_in_every_fork() {
        for spec in [SpecId::CANCUN, SpecId::PRAGUE, SpecId::OSAKA, SpecId::AMSTERDAM] {
            assert_eq!(first_gas(spec), U256::from(REGULAR_GAS - 2), "{spec:?}");
        }
    }
}
