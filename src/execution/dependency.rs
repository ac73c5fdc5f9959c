//! How the outcome of a transaction depends on the values that it reads.
//!
//! A slot or a code that is read is an exact dependency. Balances and nonces are not. revm loads a
//! whole account for every call, balance included. Few outcomes depend on that balance: receiving a
//! payment works with any balance, and paying works with any sufficient one. So loading an account
//! is not a read of its balance. This module collects the uses of balances while the transaction
//! runs: opcodes that return a balance (such as `BALANCE`), payments, and operations that check
//! whether an account is empty (EIP-161). At the end they become a [`Dependency`] for each balance.
//! The transaction's own change of a balance is an addition.
//!
//! The rules depend on the fork; see [`BalanceRule`].

use alloy_primitives::{Address, TxKind, U256, map::AddressMap};
use revm::{
    context::TxEnv,
    context_interface::{Transaction as _, TransactionType},
    primitives::hardfork::SpecId,
};

/// How an outcome depends on a value that it read. The variants ascend in strictness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Dependency {
    /// No dependency: the block itself contains the value. This is the sender's nonce.
    Known,
    /// The balance must be sufficient. The transaction only pays from it.
    AtLeast {
        /// Required balance, in wei.
        minimum: U256,
        /// Balance of the account before the block, or as the reader found it, in wei.
        before: U256,
    },
    /// The exact value.
    Exact,
}

impl Dependency {
    /// Whether the value `now` serves as well as `seen`, the value that was read.
    pub(crate) fn holds(self, seen: U256, now: U256) -> bool {
        match self {
            Self::Known => true,
            Self::AtLeast { minimum, .. } => now >= minimum,
            Self::Exact => now == seen,
        }
    }
}

/// When a transaction may load balances and nonces without depending on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BalanceRule {
    /// If the account exists. Whether it is empty does not matter. Before EIP-161 an account can
    /// exist and be empty, and its existence matters. An executor with attempts on the pre-state
    /// does not know whether the account exists by now. Such an executor depends on each balance that it loads.
    Existence,
    /// Always. Nonce, code and balance determine the whole account (EIP-161).
    Emptiness,
}

impl BalanceRule {
    pub(crate) fn of(spec: SpecId) -> Self {
        if spec.is_enabled_in(SpecId::SPURIOUS_DRAGON) { Self::Emptiness } else { Self::Existence }
    }
}

/// One use of an account's balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BalanceUse {
    /// The exact amount matters.
    Exact,
    /// This amount is paid from the balance.
    Pay(U256),
    /// Emptiness of the account matters. It depends on the balance only if the account has neither
    /// nonce nor code.
    Emptiness,
}

/// A database that collects how a transaction uses balances.
pub(crate) trait BalanceTracker {
    /// Adds a use of the account's balance.
    fn note_use(&mut self, address: Address, balance_use: BalanceUse);

    /// The transaction may create or destroy an account from now on.
    fn note_replacement(&mut self) {}

    /// Whether any loaded account is empty may matter.
    fn note_emptiness_of_all(&mut self);
}

/// Reports the dependencies that a transaction has in any case.
pub(crate) fn announce(
    tracker: &mut impl BalanceTracker,
    sender: Address,
    env: &TxEnv,
    spec: SpecId,
) {
    // If the amount overflows, the transaction is invalid with any balance.
    let spends = env.max_balance_spending().unwrap_or(U256::MAX);
    tracker.note_use(sender, BalanceUse::Pay(spends));
    if env.tx_type() == TransactionType::Eip7702 {
        tracker.note_emptiness_of_all();
    }
    let pays_for_new_accounts = creation_has_a_price(spec);
    match env.kind() {
        TxKind::Create => {
            tracker.note_replacement();
            if pays_for_new_accounts {
                tracker.note_emptiness_of_all();
            }
        }
        // A payment to an empty account costs state gas (EIP-2780).
        TxKind::Call(to) if pays_for_new_accounts && !env.value().is_zero() => {
            tracker.note_use(to, BalanceUse::Emptiness);
        }
        TxKind::Call(_) => {}
    }
}

/// Whether a creation costs state gas, unless the account has a balance already (EIP-8037).
pub(crate) const fn creation_has_a_price(spec: SpecId) -> bool {
    spec.is_enabled_in(SpecId::AMSTERDAM)
}

/// All uses of one account's balance by a transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BalanceUses {
    exact: bool,
    emptiness: bool,
    /// Sum of all payments.
    paid: U256,
}

impl BalanceUses {
    const fn add(&mut self, balance_use: BalanceUse) {
        match balance_use {
            BalanceUse::Exact => self.exact = true,
            BalanceUse::Emptiness => self.emptiness = true,
            // The sum suffices in every order, with any incoming payments in between.
            BalanceUse::Pay(amount) => self.paid = self.paid.saturating_add(amount),
        }
    }

    /// Whether the account's nonce matters, too.
    pub(crate) const fn include_the_nonce(self) -> bool {
        self.exact || self.emptiness
    }

    /// The dependency on a balance of this amount. It is `None` if any balance would do.
    pub(crate) fn dependency(self, balance: U256, before: U256) -> Option<Dependency> {
        // An account with neither nonce nor code makes no payment, so any balance keeps it from being empty.
        let least = if self.emptiness { U256::ONE } else { U256::ZERO };
        match self.paid.max(least) {
            _ if self.exact => Some(Dependency::Exact),
            U256::ZERO => None,
            minimum if balance >= minimum => Some(Dependency::AtLeast { minimum, before }),
            _ => Some(Dependency::Exact),
        }
    }
}

/// Uses of balances by one transaction or batch.
#[derive(Debug, Default)]
pub(crate) struct UsesByAccount {
    uses: AddressMap<BalanceUses>,
    /// Whether emptiness of every account matters. EIP-7702 checks it for authorities.
    emptiness_matters: bool,
}

impl UsesByAccount {
    /// Starts over.
    pub(crate) fn clear(&mut self) {
        self.uses.clear();
        self.emptiness_matters = false;
    }

    /// Adds a use of the emptiness of every account.
    pub(crate) const fn note_emptiness_of_all(&mut self) {
        self.emptiness_matters = true;
    }

    pub(crate) fn note(&mut self, address: Address, balance_use: BalanceUse) {
        self.uses.entry(address).or_default().add(balance_use);
    }

    /// Uses of the account's balance. `may_be_empty` is `false` if its emptiness does not depend on the
    /// balance, for example since it has code.
    pub(crate) fn of(&self, address: Address, may_be_empty: bool) -> BalanceUses {
        let mut uses = self.uses.get(&address).copied().unwrap_or_default();
        uses.emptiness |= self.emptiness_matters;
        uses.emptiness &= may_be_empty;
        uses
    }
}

/// A balance that was loaded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loaded {
    pub(crate) address: Address,
    pub(crate) balance: U256,
    /// Neither nonce nor code. The balance alone decides whether the account is empty.
    pub(crate) bare: bool,
}

/// Dependencies of one transaction on the balances that it loaded.
#[derive(Debug, Default)]
pub(crate) struct Dependencies {
    loaded: Vec<Loaded>,
    uses: UsesByAccount,
}

impl Dependencies {
    /// Starts over for the next transaction.
    pub(crate) fn clear(&mut self) {
        self.loaded.clear();
        self.uses.clear();
    }

    pub(crate) const fn note_emptiness_of_all(&mut self) {
        self.uses.note_emptiness_of_all();
    }

    pub(crate) fn note_use(&mut self, address: Address, balance_use: BalanceUse) {
        self.uses.note(address, balance_use);
    }

    pub(crate) fn loaded(&mut self, loaded: Loaded) {
        self.loaded.push(loaded);
    }

    /// Dependencies of the transaction. Each account occurs at most once.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Address, Dependency)> {
        self.loaded.iter().filter_map(|Loaded { address, balance, bare }| {
            let uses = self.uses.of(*address, *bare);
            Some((*address, uses.dependency(*balance, *balance)?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// The dependency on Alice's balance, which is 105 wei.
    fn dependency(uses: &[BalanceUse], bare: bool) -> Option<Dependency> {
        let mut all = Dependencies::default();
        for one in uses {
            all.note_use(ALICE, *one);
        }
        all.note_use(Address::ZERO, BalanceUse::Exact);
        all.loaded(Loaded { address: ALICE, balance: U256::from(105), bare });
        all.iter().next().map(|(_, dependency)| dependency)
    }

    fn pay(amount: u64) -> BalanceUse {
        BalanceUse::Pay(U256::from(amount))
    }

    #[test]
    fn a_loaded_balance_is_no_dependency_by_itself() {
        assert_eq!(dependency(&[], true), None);
        assert_eq!(dependency(&[BalanceUse::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_their_sum() {
        let enough = |minimum| {
            let before = U256::from(105);
            Some(Dependency::AtLeast { minimum: U256::from(minimum), before })
        };
        assert_eq!(dependency(&[pay(60)], true), enough(60));
        assert_eq!(dependency(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn an_insufficient_balance_is_an_exact_dependency() {
        assert_eq!(dependency(&[pay(60), pay(46)], true), Some(Dependency::Exact));
        assert_eq!(dependency(&[pay(1), BalanceUse::Exact], true), Some(Dependency::Exact));
    }

    #[test]
    fn emptiness_depends_on_any_balance_and_an_empty_account_on_the_exact_one() {
        let any = Dependency::AtLeast { minimum: U256::ONE, before: U256::from(105) };
        assert_eq!(dependency(&[BalanceUse::Emptiness], true), Some(any));
        let uses = BalanceUses { emptiness: true, ..BalanceUses::default() };
        assert_eq!(uses.dependency(U256::ZERO, U256::ZERO), Some(Dependency::Exact));
    }
}
