//! Small worlds with conflicting transactions: few accounts, few slots, one block.

pub(crate) mod agree;
pub(crate) mod generate;
mod program;
mod requests;
mod transactions;

pub(crate) use alloy_hardforks::EthereumHardfork as Fork;
pub(crate) use program::{Op, child_address};
pub(crate) use requests::QUEUES;
pub(crate) use transactions::BUDGETS;

use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_hardforks::ForkCondition;
use alloy_primitives::{Address, B256, Bytes, U256, map::HashMap};
use blockrace::{
    block::{FoundedAccount, FullState, OpenBlock, Rehearsal},
    evm::{Chain, FailedPhase},
    state::{AccountChange, PostState},
};
use k256::ecdsa::SigningKey;
use std::{collections::BTreeMap, sync::LazyLock};
use transactions::BASE_FEE;

/// Number of the block.
const NUMBER: u64 = 300;
/// Number of accounts that send. [`CONTRACTS`] is the number of accounts with programs.
pub(crate) const SENDERS: u8 = 4;
/// Index of a key without an account.
pub(crate) const STRANGER: u8 = SENDERS;
/// Index of the key of [`Place::Hollow`].
pub(crate) const HOLLOW: u8 = STRANGER + 1;
const KEYS: usize = HOLLOW as usize + 1;
pub(crate) const CONTRACTS: u8 = 4;

/// Every fork that a block of the test is executed under.
pub(crate) const FORKS: [Fork; 16] = [
    Fork::Frontier,
    Fork::Homestead,
    Fork::Tangerine,
    Fork::SpuriousDragon,
    Fork::Byzantium,
    Fork::Petersburg,
    Fork::Istanbul,
    Fork::Berlin,
    Fork::London,
    Fork::Paris,
    Fork::Shanghai,
    Fork::Cancun,
    Fork::Prague,
    Fork::Osaka,
    Fork::Bpo1,
    Fork::Amsterdam,
];

/// An address with a role in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// An account with a key.
    Sender(u8),
    /// A contract with a program.
    Contract(u8),
    /// The contract that contract 0 creates with a salt.
    Child(u8),
    /// The beneficiary of the fees.
    Beneficiary,
    /// A precompiled contract, counted from 1.
    Precompile(u8),
    /// An account with a key that exists but is empty. Such accounts existed before EIP-161 and stay until they
    /// are touched. Under Amsterdam it does not exist.
    Hollow,
    /// A contract that queues requests to the consensus layer, or its address before the fork that has it.
    Queue(u8),
    /// An account that does not exist.
    Unobserved,
}

/// The action of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Pays an account and runs its code, if any.
    Call(Place, u16),
    /// Creates a child contract by transaction.
    Deploy(u8, u16),
    /// Deploys a code of this many zero bytes.
    DeployLarge(u32),
    /// Queues a request to the consensus layer for a fee in wei.
    Request(u8, u16),
    /// Sets or clears the delegation of a sender's account to a contract's code, and calls it (EIP-7702).
    Delegate(u8, Option<u8>),
}

/// A transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tx {
    pub(crate) from: u8,
    pub(crate) deed: Deed,
    /// Tip of the beneficiary in wei per unit of gas.
    pub(crate) tip: u8,
}

/// A state and a block on top of it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) fork: Fork,
    pub(crate) beneficiary: Place,
    /// Programs of the contracts, by number.
    pub(crate) programs: Vec<Vec<Op>>,
    /// Slots of contracts that are set before the block.
    pub(crate) slots: Vec<(u8, u8, u8)>,
    /// Children of contract 0 that exist before the block, by salt: with a contract's program, or with a
    /// balance alone.
    pub(crate) children: Vec<(u8, Option<u8>)>,
    /// Balance in wei of each sender; senders without an entry are rich.
    pub(crate) purses: Vec<u64>,
    pub(crate) txs: Vec<Tx>,
    pub(crate) withdrawals: Vec<(Place, u8)>,
    /// Gas limits under Amsterdam, as indices of [`BUDGETS`]. They are used in turn.
    pub(crate) budgets: Vec<u8>,
    /// A contract with a code of the greatest size.
    pub(crate) large: Option<u8>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            fork: Fork::Cancun,
            beneficiary: Place::Unobserved,
            programs: Vec::new(),
            slots: Vec::new(),
            children: Vec::new(),
            purses: Vec::new(),
            txs: Vec::new(),
            withdrawals: Vec::new(),
            budgets: Vec::new(),
            large: None,
        }
    }
}

fn key(sender: u8) -> B256 {
    B256::with_last_byte(sender + 1)
}

fn sender(number: u8) -> Address {
    // Deriving the addresses anew took most of the time of generated worlds.
    static ADDRESSES: LazyLock<[Address; KEYS]> = LazyLock::new(|| {
        std::array::from_fn(|number| {
            let key = SigningKey::from_slice(key(number as u8).as_slice());
            Address::from_private_key(&key.expect("a small number is a key"))
        })
    });
    ADDRESSES[usize::from(number)]
}

/// Some senders have sent before the block, others have not.
fn first_nonce(sender: u8) -> u64 {
    if sender < SENDERS { u64::from(sender) } else { 0 }
}

pub(crate) fn contract(number: u8) -> Address {
    Address::repeat_byte(0xc0 + number)
}

impl World {
    pub(crate) fn address(&self, place: Place) -> Address {
        match place {
            Place::Sender(number) => sender(number),
            Place::Contract(number) => contract(number),
            Place::Child(kind) => child_address(contract(0), kind),
            Place::Beneficiary => match self.beneficiary {
                Place::Beneficiary => Address::repeat_byte(0xbe),
                other => self.address(other),
            },
            Place::Precompile(number) => Address::with_last_byte(number),
            Place::Hollow => sender(HOLLOW),
            Place::Queue(number) => requests::address(number),
            Place::Unobserved => Address::repeat_byte(0x99),
        }
    }

    /// The state before the block.
    fn accounts(&self) -> BTreeMap<Address, FoundedAccount> {
        let mut accounts = BTreeMap::new();
        for number in 0..SENDERS {
            let purse = self.purses.get(usize::from(number)).copied();
            let balance = purse.map_or(U256::from(10).pow(U256::from(24)), U256::from);
            let nonce = first_nonce(number);
            accounts
                .insert(sender(number), FoundedAccount { nonce, balance, ..Default::default() });
        }
        for (number, program) in (0..).zip(&self.programs) {
            let mut code = program::compile(program, self.fork, &|place| self.address(place));
            if self.large == Some(number) {
                code = padded(&code, self.fork);
            }
            let slots = self.slots.iter().filter(|(of, ..)| *of == number);
            let slots: BTreeMap<_, _> = slots.map(|(_, slot, value)| (*slot, *value)).collect();
            let slots =
                slots.into_iter().map(|(slot, value)| (U256::from(slot), U256::from(value)));
            let balance = U256::from(1000);
            let account = FoundedAccount { nonce: 1, balance, code, slots: slots.collect() };
            accounts.insert(contract(number), account);
        }
        for (kind, program) in &self.children {
            let mut account = FoundedAccount { balance: U256::from(7), ..Default::default() };
            if let Some(program) = program.and_then(|number| self.programs.get(usize::from(number)))
            {
                account.nonce = 1;
                account.code = program::compile(program, self.fork, &|place| self.address(place));
                account.slots = [(U256::ZERO, U256::from(5))].into();
            }
            accounts.insert(self.address(Place::Child(*kind)), account);
        }
        // No empty account is left since the merge (EIP-7523). A block's own access list cannot tell that one is removed.
        if self.fork < Fork::Amsterdam {
            accounts.insert(self.address(Place::Hollow), FoundedAccount::default());
        }
        let one_wei = FoundedAccount { balance: U256::ONE, ..Default::default() };
        accounts.insert(self.address(Place::Precompile(1)), one_wei);
        accounts.insert(program::BEACON, program::system_contract(0x42, 0));
        accounts.insert(program::HISTORY, program::system_contract(0x43, 1));
        accounts.extend(requests::contracts(self.fork));
        accounts
    }

    fn header(&self) -> Header {
        let since = |fork| self.fork >= fork;
        Header {
            number: NUMBER,
            timestamp: 10_000,
            gas_limit: if since(Fork::Amsterdam) { 1_000_000_000 } else { 30_000_000 },
            beneficiary: self.address(Place::Beneficiary),
            parent_hash: ancestor(NUMBER - 1),
            difficulty: if since(Fork::Paris) { U256::ZERO } else { U256::from(131_072) },
            base_fee_per_gas: since(Fork::London).then_some(BASE_FEE),
            blob_gas_used: since(Fork::Cancun).then_some(0),
            excess_blob_gas: since(Fork::Cancun).then_some(0),
            parent_beacon_block_root: since(Fork::Cancun).then_some(B256::repeat_byte(0xbb)),
            requests_hash: since(Fork::Prague).then_some(B256::ZERO),
            block_access_list_hash: since(Fork::Amsterdam).then_some(B256::ZERO),
            slot_number: since(Fork::Amsterdam).then_some(0x5107),
            ..Default::default()
        }
    }

    fn chain(&self) -> Chain {
        let forks = Fork::VARIANTS.iter().copied();
        let forks = forks.filter(|fork| *fork <= self.fork && *fork != Fork::Dao);
        let condition = |fork| match fork > Fork::Paris {
            true => ForkCondition::ZERO_TIMESTAMP,
            false => ForkCondition::ZERO_BLOCK,
        };
        Chain::of_forks(1, forks.map(|fork| (fork, condition(fork))))
    }

    /// Makes the block ready by executing it once in order.
    pub(crate) fn rehearse(&self) -> Rehearsal {
        let mut ledger = FullState::default();
        let root = ledger.found(self.accounts()).expect("a state makes a trie");
        let withdrawals = (self.fork >= Fork::Shanghai).then(|| self.withdrawals());
        let (chain, header) = (self.chain(), self.header());
        let block = OpenBlock::unchecked(chain, header, self.transactions(), withdrawals);
        let ancestors: HashMap<_, _> =
            (NUMBER - 256..NUMBER).map(|number| (number, ancestor(number))).collect();
        ledger.rehearse(block, root, ancestors).expect("the ledger knows the whole state")
    }

    fn withdrawals(&self) -> Vec<Withdrawal> {
        let withdrawal = |(to, amount): &(Place, u8)| Withdrawal {
            address: self.address(*to),
            amount: u64::from(*amount),
            ..Default::default()
        };
        self.withdrawals.iter().map(withdrawal).collect()
    }

    /// The world without the transactions that make its block invalid.
    pub(crate) fn made_valid(mut self) -> (Self, Rehearsal) {
        loop {
            let rehearsal = self.rehearse();
            let failed = rehearsal.result.as_ref().err().map(FailedPhase::transaction);
            match failed {
                None => return (self, rehearsal),
                Some(Some(index)) => drop(self.txs.remove(index)),
                Some(None) => panic!("system calls of a world work: {:?}", rehearsal.result),
            }
        }
    }
}

/// The code with zero bytes behind it, up to the greatest size of a code.
fn padded(code: &Bytes, fork: Fork) -> Bytes {
    let size = if fork >= Fork::Amsterdam { 0x1_0000 } else { 0x6000 };
    let mut code = code.to_vec();
    code.resize(size, 0);
    code.into()
}

fn ancestor(number: u64) -> B256 {
    B256::from(U256::from(number << 32))
}

/// The change of an account, if it changed.
pub(crate) fn change(post: &PostState, address: Address) -> Option<&AccountChange> {
    let found = post.accounts.iter().find(|(of, _)| *of == address);
    found.map(|(_, change)| change)
}
