//! Finds the values that a block reads but a tracer's reply lacks.
//!
//! The tracer lists the state that each transaction touched, with the values that it read. The block is
//! executed over these values, untimed. Every other value that it reads is a [`MissingState`] and is treated as absent
//! for now. The caller queries a node for the gaps and executes the block again until no gap is left. Values
//! that the node cannot return become assumptions, which the block's file lists.
//!
//! Correctness lives in one rule. The tracer's values are those before a *transaction*, but the values before
//! the *block* are needed. So a traced value counts only if the tracer saw it no later than the transaction
//! that first reads it here. The block itself may have written a value that was seen later. For example,
//! tracers omit a new account until the block creates it.

use super::{
    PrepareError,
    body::{Body, OmmersRule, open_body},
    flat::{MalformedCode, empty_account, flat_state},
    flatten::{Recorder, Source},
    gas::check_gas,
    rules::chain_of,
};
use crate::{
    block::{AccountFields, TracedAccount, TracedBlock, TracedState},
    block::{Assumed, RecordedBlock, RecordedState},
    evm::{BlockContext, Chain, EvmEnv, FailedPhase, check_fields, run_block},
    state::{BlockState, PreAccount},
};
use alloy_consensus::{Block, BlockBody, Header};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{
    Address, B256, Bytes, U256,
    map::{AddressMap, HashMap},
};
use revm::{bytecode::Bytecode, primitives::hardfork::SpecId, state::AccountInfo};
use std::cell::{Cell, RefCell};

/// A value that a block reads and that is not known yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingState {
    /// An account before the block.
    Account(Address),
    /// A slot of a known account.
    Slot(Address, U256),
    /// The hash of an ancestor older than the parent.
    Ancestor(u64),
}

/// A traced block that is being completed.
#[derive(Debug)]
pub struct TraceCompletion {
    chain_id: u64,
    /// Encoding of the rules, to be stored with the block.
    rules: Bytes,
    chain: Chain,
    header: Header,
    body: Body,
    env: EvmEnv,
    traced: TracedState,
    /// Hashes of ommers that the block lists and that no node could return.
    unknown_ommers: Vec<B256>,
    access_list: Bytes,
    told: Answers,
    nothing: Nothing,
}

/// The result of one execution over the known values.
#[derive(Debug)]
pub enum Surveyed {
    /// Every value that the block reads is known or assumed.
    Whole(Box<RecordedBlock>),
    /// Values that are still missing.
    Gaps(Vec<MissingState>),
}

/// How an empty account in the tracer's reply is read before EIP-161.
///
/// Before that fork, a call to an account that did not exist cost more gas. Some tracers list absent accounts
/// as empty and others do not, so only the gas used by the block shows which reading is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nothing {
    Exists,
    Absent,
}

/// Values that filled gaps; `None` for a value that no node can return.
#[derive(Debug, Default)]
struct Answers {
    accounts: AddressMap<Option<AccountFields>>,
    slots: HashMap<(Address, U256), Option<U256>>,
    ancestors: HashMap<u64, Option<B256>>,
    headers: Vec<Bytes>,
}

impl TraceCompletion {
    /// Checks the body and recovers the senders.
    ///
    /// # Errors
    /// The chain is unknown, the gas is out of bounds, or the body does not match the header.
    pub fn new(traced: TracedBlock) -> Result<Self, PrepareError> {
        let TracedBlock { chain_id, block, unknown_ommers, rules, state, access_list } = traced;
        check_gas(&block)?;
        let Block { header, body } = block;
        let chain = chain_of(chain_id, &rules, &header)?;
        check_fields(&chain, &header)?;
        let body = open_body(&chain, &header, body, OmmersRule::of(&unknown_ommers))?;
        let (env, told, nothing) = (chain.evm_env(&header), Answers::default(), Nothing::Exists);
        Ok(Self {
            chain_id,
            rules,
            chain,
            header,
            body,
            env,
            traced: state,
            unknown_ommers,
            access_list,
            told,
            nothing,
        })
    }

    /// The block's header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Fills [`MissingState::Account`]; `None` if no node can return the account.
    pub fn fill_account(&mut self, address: Address, fields: Option<AccountFields>) {
        self.told.accounts.insert(address, fields);
    }

    /// Fills [`MissingState::Slot`]; `None` if no node can return the slot.
    pub fn fill_slot(&mut self, address: Address, slot: U256, value: Option<U256>) {
        self.told.slots.insert((address, slot), value);
    }

    /// Fills [`MissingState::Ancestor`] with headers that lead up to the block through their parent hashes.
    pub fn fill_ancestors(&mut self, headers: &[Header]) {
        let known = headers.iter().map(|header| (header.number, Some(header.hash_slow())));
        self.told.ancestors.extend(known);
        self.told.headers = headers.iter().map(|header| alloy_rlp::encode(header).into()).collect();
    }

    /// Marks [`MissingState::Ancestor`] as unknown.
    pub fn give_up_ancestor(&mut self, number: u64) {
        self.told.ancestors.insert(number, None);
    }

    /// The accounts for which the tracer gave no code. Most have none, but some tracers leave codes out.
    pub fn without_code(&self) -> Vec<Address> {
        let accounts = self.traced.accounts.iter();
        accounts.filter(|(_, account)| account.fields.code.is_empty()).map(|(of, _)| *of).collect()
    }

    /// Adds the code of an account from [`without_code`](Self::without_code), as it was before the block.
    pub fn fill_code(&mut self, address: Address, code: Bytes) {
        if let Some(account) = self.traced.accounts.get_mut(&address) {
            account.fields.code = code;
        }
    }

    /// Switches to the other reading of empty accounts, for a block with a result that does not match its
    /// header. Returns whether there is another reading.
    pub fn read_otherwise(&mut self) -> bool {
        let mut accounts = self.traced.accounts.values();
        let is_ambiguous =
            self.is_before_eip161() && accounts.any(|account| account.fields.is_nothing());
        is_ambiguous && std::mem::replace(&mut self.nothing, Nothing::Absent) == Nothing::Exists
    }

    fn is_before_eip161(&self) -> bool {
        !self.env.cfg_env.spec.is_enabled_in(SpecId::SPURIOUS_DRAGON)
    }

    /// Executes the block and returns the values that it reads and that are not known yet.
    ///
    /// # Errors
    /// A code is malformed, or the block is invalid although no value is missing.
    pub fn run(&self) -> Result<Surveyed, PrepareError> {
        let recorder = Recorder::new(Traced::new(self));
        let context = BlockContext {
            chain: &self.chain,
            header: &self.header,
            ommers: &self.body.ommers,
            withdrawals: self.body.withdrawals.as_deref(),
            env: &self.env,
        };
        let last = self.body.transactions.len();
        let between = |done: usize, db: &BlockState<&Recorder<Traced<'_>>>| {
            let next = if done < last { Position::Transaction(done) } else { Position::After };
            db.base().source().position.set(next);
            Ok::<_, FailedPhase>(())
        };
        let state = BlockState::new(&recorder);
        let result = run_block(&context, &self.body.transactions, state, between).map(|_| ());
        let failed = recorder.failed().map(PrepareError::Traced);
        let (read, Traced { gaps, assumed, .. }) = recorder.into_parts();
        let (gaps, assumed) = (gaps.into_inner(), assumed.into_inner());
        if !gaps.is_empty() {
            return Ok(Surveyed::Gaps(gaps));
        }
        result.map_err(|error: FailedPhase| failed.unwrap_or_else(|| error.into()))?;
        let flat = flat_state(read, self.told.headers.clone(), assumed);
        Ok(Surveyed::Whole(Box::new(self.recorded(RecordedState::Flat(flat)))))
    }

    fn recorded(&self, state: RecordedState) -> RecordedBlock {
        let Body { transactions, ommers, withdrawals } = &self.body;
        let transactions = transactions.iter().map(|recovered| recovered.inner().clone()).collect();
        let withdrawals = withdrawals.clone().map(Withdrawals::new);
        let body = BlockBody { transactions, ommers: ommers.clone(), withdrawals };
        let block = Block::new(self.header.clone(), body);
        let (rules, access_list) = (self.rules.clone(), self.access_list.clone());
        RecordedBlock { rules, access_list, ..RecordedBlock::new(self.chain_id, block, state) }
    }
}

/// Progress of the execution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// System calls before the first transaction.
    Before,
    Transaction(usize),
    /// Rewards, withdrawals and requests.
    After,
}

impl Position {
    /// Whether an account that the tracer first saw at transaction `seen` still had its value from before the
    /// block. The account is now read for the first time. System calls change no account.
    const fn has_account(self, seen: usize) -> bool {
        match self {
            Self::Before | Self::After => true,
            Self::Transaction(reading) => seen <= reading,
        }
    }

    /// The same for a slot. System calls write slots before the tracer sees any.
    const fn has_slot(self, seen: usize) -> bool {
        match self {
            Self::Before => false,
            Self::Transaction(reading) => seen <= reading,
            Self::After => true,
        }
    }
}

/// The tracer's values, the filled gaps and the values that are still missing.
#[derive(Debug)]
struct Traced<'a> {
    survey: &'a TraceCompletion,
    position: Cell<Position>,
    gaps: RefCell<Vec<MissingState>>,
    assumed: RefCell<Assumed>,
}

impl<'a> Traced<'a> {
    fn new(survey: &'a TraceCompletion) -> Self {
        let (position, gaps) = (Cell::new(Position::Before), RefCell::default());
        let assumed = Assumed { ommers: survey.unknown_ommers.clone(), ..Default::default() };
        Self { survey, position, gaps, assumed: RefCell::new(assumed) }
    }

    /// The traced value if it counts, else the value that filled the gap.
    fn account_fields(&self, address: Address) -> Option<Option<&AccountFields>> {
        let TraceCompletion { traced, told, .. } = self.survey;
        let traced = traced.accounts.get(&address);
        let counts = |account: &&TracedAccount| self.position.get().has_account(account.since);
        match traced.filter(counts) {
            Some(account) => Some(Some(&account.fields)),
            None => told.accounts.get(&address).map(Option::as_ref),
        }
    }

    /// The same for a slot.
    fn slot_value(&self, address: Address, slot: U256) -> Option<Option<U256>> {
        let TraceCompletion { traced, told, .. } = self.survey;
        let traced = traced.accounts.get(&address).and_then(|account| account.slots.get(&slot));
        match traced.filter(|traced| self.position.get().has_slot(traced.since)) {
            Some(traced) => Some(Some(traced.value)),
            None => told.slots.get(&(address, slot)).copied(),
        }
    }

    /// Reads an empty account. From EIP-161 on it does not exist. Before EIP-161 only a proof can show whether
    /// it exists.
    fn nothing_in(&self, address: Address) -> PreAccount {
        if !self.survey.is_before_eip161() {
            return absent();
        }
        let is_listed = self.survey.traced.accounts.contains_key(&address);
        let mut assumed = self.assumed.borrow_mut();
        match self.survey.nothing {
            Nothing::Exists if is_listed => {
                assumed.empty.push(address);
                empty_account()
            }
            _ => {
                assumed.absent.push(address);
                absent()
            }
        }
    }
}

fn absent() -> PreAccount {
    PreAccount { rest_is_zero: true, ..Default::default() }
}

impl Source for Traced<'_> {
    type Error = MalformedCode;

    fn account(&self, address: Address) -> Result<PreAccount, MalformedCode> {
        match self.account_fields(address) {
            Some(Some(fields)) if fields.is_nothing() => Ok(self.nothing_in(address)),
            Some(Some(fields)) => {
                Ok(PreAccount { info: Some(account_info(address, fields)?), ..Default::default() })
            }
            Some(None) => {
                self.assumed.borrow_mut().absent.push(address);
                Ok(absent())
            }
            None => {
                self.gaps.borrow_mut().push(MissingState::Account(address));
                Ok(absent())
            }
        }
    }

    fn slot(&self, address: Address, slot: U256) -> Result<U256, MalformedCode> {
        match self.slot_value(address, slot) {
            Some(Some(value)) => return Ok(value),
            Some(None) => self.assumed.borrow_mut().zero.push((address, slot)),
            None => self.gaps.borrow_mut().push(MissingState::Slot(address, slot)),
        }
        Ok(U256::ZERO)
    }

    /// Never called: every code comes with its account.
    fn code(&self, _hash: B256) -> Result<Bytecode, MalformedCode> {
        Ok(Bytecode::default())
    }

    fn ancestor(&self, number: u64) -> Result<B256, MalformedCode> {
        let header = &self.survey.header;
        if number.checked_add(1) == Some(header.number) {
            return Ok(header.parent_hash);
        }
        match self.survey.told.ancestors.get(&number) {
            Some(Some(hash)) => return Ok(*hash),
            Some(None) => self.assumed.borrow_mut().unknown_hash.push(number),
            None => self.gaps.borrow_mut().push(MissingState::Ancestor(number)),
        }
        Ok(B256::ZERO)
    }
}

fn account_info(address: Address, fields: &AccountFields) -> Result<AccountInfo, MalformedCode> {
    let AccountFields { nonce, balance, code } = fields;
    let code = Bytecode::new_raw_checked(code.clone())
        .map_err(|source| MalformedCode { address, source })?;
    Ok(AccountInfo::new(*balance, *nonce, code.hash_slow(), code))
}

#[cfg(test)]
mod tests;
