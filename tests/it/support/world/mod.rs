//! Small worlds with conflicting transactions: few accounts, few slots, one block.

pub(crate) mod agree;
pub(crate) mod generate;
mod program;

pub(crate) use alloy_hardforks::EthereumHardfork as Fork;
pub(crate) use program::{Op, child_address, child_init};

use alloy_consensus::{
    Header, SignableTransaction, TxEip1559, TxEip7702, TxEnvelope, TxLegacy, transaction::Recovered,
};
use alloy_eips::{
    eip4895::Withdrawal,
    eip7702::{Authorization, SignedAuthorization},
};
use alloy_hardforks::ForkCondition;
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, map::HashMap};
use blockrace::{
    block::{FoundedAccount, FullState, OpenBlock, Rehearsal},
    evm::{Chain, FailedPhase},
    state::{AccountChange, PostState},
};
use k256::ecdsa::SigningKey;
use std::collections::BTreeMap;

/// Number of the block.
const NUMBER: u64 = 300;
/// Base fee in wei, from London on.
const BASE_FEE: u64 = 7;
/// Enough gas for a dozen steps with calls. It is small enough that `block-stm` may execute a call and a
/// payment together.
const GAS_LIMIT: u64 = 300_000;
/// Number of accounts that send. [`CONTRACTS`] is the number of accounts with programs.
pub(crate) const SENDERS: u8 = 4;
/// Index of a key without an account.
pub(crate) const STRANGER: u8 = SENDERS;
/// Index of the key of [`Place::Hollow`].
pub(crate) const HOLLOW: u8 = STRANGER + 1;
const KEYS: usize = HOLLOW as usize + 1;
pub(crate) const CONTRACTS: u8 = 4;

/// Every fork that a block of the test is executed under.
pub(crate) const FORKS: [Fork; 15] = [
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
    /// are touched.
    Hollow,
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
        }
    }
}

fn key(sender: u8) -> SigningKey {
    SigningKey::from_slice(B256::with_last_byte(sender + 1).as_slice()).expect("a small key is one")
}

fn sender(number: u8) -> Address {
    Address::from_public_key(key(number).verifying_key())
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
            Place::Unobserved => Address::repeat_byte(0x99),
        }
    }

    /// The state before the block.
    fn accounts(&self) -> BTreeMap<Address, FoundedAccount> {
        let mut accounts = BTreeMap::new();
        for number in 0..SENDERS {
            let purse = self.purses.get(usize::from(number)).copied();
            let balance = purse.map_or(U256::from(10).pow(U256::from(18)), U256::from);
            let nonce = first_nonce(number);
            accounts
                .insert(sender(number), FoundedAccount { nonce, balance, ..Default::default() });
        }
        for (number, program) in (0..).zip(&self.programs) {
            let code = program::compile(program, self.fork, &|place| self.address(place));
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
        accounts.insert(self.address(Place::Hollow), FoundedAccount::default());
        let one_wei = FoundedAccount { balance: U256::ONE, ..Default::default() };
        accounts.insert(self.address(Place::Precompile(1)), one_wei);
        accounts.insert(program::BEACON, program::system_contract(0x42, 0));
        accounts.insert(program::HISTORY, program::system_contract(0x43, 1));
        accounts
    }

    fn header(&self) -> Header {
        let since = |fork| self.fork >= fork;
        Header {
            number: NUMBER,
            timestamp: 10_000,
            gas_limit: 30_000_000,
            beneficiary: self.address(Place::Beneficiary),
            parent_hash: ancestor(NUMBER - 1),
            difficulty: if since(Fork::Paris) { U256::ZERO } else { U256::from(131_072) },
            base_fee_per_gas: since(Fork::London).then_some(BASE_FEE),
            blob_gas_used: since(Fork::Cancun).then_some(0),
            excess_blob_gas: since(Fork::Cancun).then_some(0),
            parent_beacon_block_root: since(Fork::Cancun).then_some(B256::repeat_byte(0xbb)),
            requests_hash: since(Fork::Prague).then_some(B256::ZERO),
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

    fn transactions(&self) -> Vec<Recovered<TxEnvelope>> {
        let mut nonces: [u64; KEYS] = std::array::from_fn(|key| first_nonce(key as u8));
        self.txs.iter().map(|tx| self.transaction(*tx, &mut nonces)).collect()
    }

    fn transaction(&self, tx: Tx, nonces: &mut [u64; KEYS]) -> Recovered<TxEnvelope> {
        let nonce = nonces[usize::from(tx.from)];
        nonces[usize::from(tx.from)] += 1;
        let (to, value, input) = match tx.deed {
            Deed::Call(to, value) => (TxKind::Call(self.address(to)), value, Bytes::new()),
            Deed::Deploy(kind, value) => (TxKind::Create, value, child_init(kind)),
            Deed::Delegate(authority, code) if self.fork >= Fork::Prague => {
                let signed = authorization(authority, code, nonces);
                return self.delegation(tx, nonce, sender(authority), signed);
            }
            Deed::Delegate(authority, _) => (TxKind::Call(sender(authority)), 0, Bytes::new()),
        };
        let value = U256::from(value);
        let (london, tip) = (self.fork >= Fork::London, u128::from(tx.tip));
        let envelope = if london && tx.tip % 2 == 1 {
            let tx = TxEip1559 {
                chain_id: 1,
                nonce,
                gas_limit: GAS_LIMIT,
                max_fee_per_gas: u128::from(BASE_FEE) + tip,
                max_priority_fee_per_gas: tip,
                to,
                value,
                input,
                ..Default::default()
            };
            tx.into_signed(Signature::test_signature()).into()
        } else {
            let tx = TxLegacy {
                chain_id: (self.fork >= Fork::SpuriousDragon).then_some(1),
                nonce,
                gas_price: if london { u128::from(BASE_FEE) + tip } else { tip },
                gas_limit: GAS_LIMIT,
                to,
                value,
                input,
            };
            tx.into_signed(Signature::test_signature()).into()
        };
        Recovered::new_unchecked(envelope, sender(tx.from))
    }

    fn delegation(
        &self,
        tx: Tx,
        nonce: u64,
        to: Address,
        authorization: SignedAuthorization,
    ) -> Recovered<TxEnvelope> {
        let tip = u128::from(tx.tip);
        let signed = TxEip7702 {
            chain_id: 1,
            nonce,
            gas_limit: GAS_LIMIT,
            max_fee_per_gas: u128::from(BASE_FEE) + tip,
            max_priority_fee_per_gas: tip,
            to,
            authorization_list: vec![authorization],
            ..Default::default()
        };
        let signed = signed.into_signed(Signature::test_signature());
        Recovered::new_unchecked(TxEnvelope::Eip7702(signed), sender(tx.from))
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

fn ancestor(number: u64) -> B256 {
    B256::from(U256::from(number << 32))
}

/// An authorization signed by the authority, with its expected nonce at that point.
fn authorization(authority: u8, code: Option<u8>, nonces: &mut [u64; KEYS]) -> SignedAuthorization {
    let nonce = nonces[usize::from(authority)];
    nonces[usize::from(authority)] += 1;
    let address = code.map_or(Address::ZERO, contract);
    let authorization = Authorization { chain_id: U256::ONE, address, nonce };
    let signed = key(authority)
        .sign_prehash_recoverable(authorization.signature_hash().as_slice())
        .expect("a hash can be signed");
    authorization.into_signed(Signature::from(signed))
}

/// The change of an account, if it changed.
pub(crate) fn change(post: &PostState, address: Address) -> Option<&AccountChange> {
    let found = post.accounts.iter().find(|(of, _)| *of == address);
    found.map(|(_, change)| change)
}
