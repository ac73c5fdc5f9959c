//! Puts a block's results together on all threads, each committing another part of the accounts.
//!
//! Accounts are parted by address, in ascending ranges. Each part goes through all journals in block order
//! and commits its own accounts, so that within a part everything happens as it would one after the other.
//! What transactions took for granted is checked here: that a sender's nonce is what the block says, and
//! that balances are what the transactions needed.

use crate::{
    block::ReplayJob,
    executor::{
        BlockOutcome, ExecuteError, WorkerPool,
        committer::State,
        demands::Need,
        fees::{paid, settled},
        kind::ExecutorKind,
        observe::{Activity, Event, Observer},
        tally::{Share, Tally},
        tasks::{Tasks, run_each},
        worker::{Attempt, TxOutcome},
    },
    state::{PostState, StateError},
};
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, B256, U256, map::AddressMap};
use parking_lot::Mutex;
use revm::{
    Database, DatabaseCommit, DatabaseRef,
    bytecode::Bytecode,
    context_interface::Block as _,
    state::{Account, AccountInfo, EvmState},
};

/// An attempt that may be committed.
pub(super) type Done<'a> = (&'a TxOutcome, &'a [(Address, Need)]);

/// All attempts; `None` if one is missing or invalid.
pub(super) fn outcomes(attempts: &[Option<Attempt>]) -> Option<Vec<Done<'_>>> {
    attempts.iter().map(|attempt| attempt.as_ref().and_then(outcome)).collect()
}

fn outcome(Attempt { output, needs }: &Attempt) -> Option<Done<'_>> {
    Some((output.as_ref().ok()?, needs))
}

/// Commits all of them in parts; `None` if one of them took something for granted that is not so.
///
/// # Errors
/// If the state could not answer.
pub(super) fn put_together<'a>(
    job: &'a ReplayJob,
    pool: &WorkerPool,
    begun: &State<'a>,
    done: &[Done<'_>],
    observer: &impl Observer,
) -> Result<Option<Parts<'a>>, ExecuteError> {
    let count = pool.threads().get();
    let begun = begun.clone().split(count, |address| part_of(address, count));
    let task = |(): &mut (), number: usize| {
        observer.tell(Event::Began(Activity::After));
        Part { job, number, count, state: begun[number].clone() }.commit_all(done)
    };
    let leave = |()| observer.tell(Event::Began(Activity::Absent));
    let tasks = Tasks { count, worker: |_| (), task, leave };
    let parts = run_each(pool, &tasks).ok_or(ENGINE_FAILED)?.results;
    observer.tell(Event::Began(Activity::After));
    let parts: Option<Vec<_>> = parts.into_iter().collect::<Result<_, StateError>>()?;
    Ok(parts.map(Parts))
}

const ENGINE_FAILED: ExecuteError = ExecuteError::Engine { executor: ExecutorKind::AccessList };

/// Which of `count` ranges of addresses this one is in.
fn part_of(address: &Address, count: usize) -> usize {
    (usize::from(u16::from_be_bytes([address[0], address[1]])) * count) >> 16
}

/// One part, as far as it is committed.
struct Part<'a> {
    job: &'a ReplayJob,
    number: usize,
    count: usize,
    state: State<'a>,
}

impl<'a> Part<'a> {
    /// Commits this part's share of every transaction, in block order; `None` at the first that took something
    /// for granted that is not so.
    fn commit_all(mut self, done: &[Done<'_>]) -> Result<Option<State<'a>>, StateError> {
        for (tx, (outcome, needs)) in done.iter().enumerate() {
            if !self.holds(tx, outcome, needs)? {
                return Ok(None);
            }
            self.commit(outcome)?;
        }
        Ok(Some(self.state))
    }

    /// Whether the account is in this part.
    fn is_mine(&self, address: &Address) -> bool {
        part_of(address, self.count) == self.number
    }

    /// Whether what the transaction took for granted is so.
    fn holds(
        &self,
        tx: usize,
        outcome: &TxOutcome,
        needs: &[(Address, Need)],
    ) -> Result<bool, StateError> {
        let transaction = &self.job.transactions[tx];
        let sender = transaction.signer();
        if self.is_mine(&sender) {
            let found = self.state.basic_ref(sender)?;
            if found.map_or(0, |info| info.nonce) != transaction.nonce() {
                return Ok(false);
            }
        }
        for (address, need) in needs.iter().filter(|(address, _)| self.is_mine(address)) {
            let found = self.state.basic_ref(*address)?;
            let balance = found.map_or(U256::ZERO, |info| info.balance);
            let seen = outcome.state.get(address).map(|account| account.original_info().balance);
            let holds = match need {
                Need::Exact => seen.is_none_or(|seen| seen == balance),
                Need::AtLeast(minimum) => balance >= *minimum,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Puts this part's accounts of a transaction into the state: what it changed on top of what was paid to them
    /// meanwhile, and the fee, if the beneficiary is among them.
    fn commit(&mut self, outcome: &TxOutcome) -> Result<(), StateError> {
        for (address, account) in &outcome.state {
            if account.is_touched() && self.is_mine(address) {
                let found = self.state.basic_ref(*address)?;
                self.state.commit_one(*address, account, settled(found, account));
            }
        }
        let env = &self.job.env;
        let beneficiary = env.block_env.beneficiary();
        let fee = outcome.deferred_fee.filter(|_| self.is_mine(&beneficiary));
        if let Some(fee) = fee
            && let Some(account) = paid(self.state.basic_ref(beneficiary)?, fee, env.cfg_env.spec)
        {
            self.state.commit_iter(&mut std::iter::once((beneficiary, account)));
        }
        Ok(())
    }
}

/// A block state in parts. To the block's last phase it is one database: every account is asked of, and committed
/// to, the part that it is in; codes and block hashes are the same in all of them.
#[derive(Debug)]
pub(super) struct Parts<'a>(Vec<State<'a>>);

impl Parts<'_> {
    /// Sums up gas and receipts, runs the phase after the last transaction, and says what changed. There
    /// are as many heaps of `journals` as parts; each is locked once, by whoever drops it.
    ///
    /// # Errors
    /// The block is invalid, or the state could not answer.
    pub(super) fn finish(
        self,
        job: &ReplayJob,
        pool: &WorkerPool,
        shares: Vec<Share>,
        journals: &[Mutex<Vec<EvmState>>],
    ) -> Result<BlockOutcome, ExecuteError> {
        let mut tally = Tally::new(job);
        for (tx, share) in shares.into_iter().enumerate() {
            tally.add(share).map_err(|source| ExecuteError::transaction(tx, source))?;
        }
        let (result, Parts(parts)) = tally.finish(self)?;
        let task = |(): &mut (), part: usize| {
            // Nobody needs them any more, and dropping them takes a while.
            drop(std::mem::take(&mut *journals[part].lock()));
            parts[part].post_state()
        };
        let tasks = Tasks { count: parts.len(), worker: |_| (), task, leave: drop };
        let changes = run_each(pool, &tasks).ok_or(ENGINE_FAILED)?.results;
        let mut post_state = PostState::default();
        for part in changes {
            post_state.accounts.extend(part?.accounts);
        }
        Ok(BlockOutcome {
            receipts: result.receipts,
            gas_used: result.gas_used,
            blob_gas_used: result.blob_gas_used,
            requests: result.requests,
            post_state,
        })
    }

    /// The part that an account is in.
    fn part(&self, address: &Address) -> &State<'_> {
        &self.0[part_of(address, self.0.len())]
    }
}

impl DatabaseCommit for Parts<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.commit_iter(&mut changes.into_iter());
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        let count = self.0.len();
        for (address, account) in changes {
            let part = &mut self.0[part_of(&address, count)];
            part.commit_iter(&mut std::iter::once((address, account)));
        }
    }
}

impl Database for Parts<'_> {
    type Error = StateError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, StateError> {
        self.part(&address).basic_ref(address)
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, StateError> {
        self.0[0].code_by_hash_ref(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, StateError> {
        self.part(&address).storage_ref(address, slot)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, StateError> {
        self.0[0].block_hash_ref(number)
    }
}
