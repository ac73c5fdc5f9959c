//! Dependencies of an incarnation on balances and nonces.
//!
//! The EVM reports each use of a balance. When the incarnation ends, the uses become expectations of its read
//! set. The incarnation's own change of a balance is an addition.
//!
//! Nonces are handled in the same way. In the EVM, only three things depend on the nonce of an account:
//! creating an account, authorising a delegation (EIP-7702), and asking whether an account is empty.

use crate::{
    execution::{
        dependency::{BalanceRule, BalanceUse, BalanceUses, Dependency, UsesByAccount},
        location::{AccountNumber, Location},
    },
    state::AccountFields,
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256};
use blockrace_stm::{memory::Observed, read_set::Expected, view::IncarnationView};

/// A loaded account, as it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) number: AccountNumber,
    pub(super) address: Address,
    /// `None` if it did not exist.
    pub(super) found: Option<AccountFields>,
    /// Block's writes to its balance. `None` if the read set already has the dependency.
    pub(super) balance: Option<Observed>,
    /// Balance before the block.
    pub(super) before: U256,
    /// Block's writes to its nonce. `None` if the read set already has the dependency.
    pub(super) nonce: Option<Observed>,
    /// Block's writes to its code, on which the incarnation depends.
    pub(super) code: Observed,
}

impl Loaded {
    /// Returns whether the account has neither nonce nor code. Its balance alone then decides whether it is
    /// empty.
    fn is_bare(&self) -> bool {
        self.found.is_none_or(|found| found.nonce == 0 && found.code_hash == KECCAK256_EMPTY)
    }

    /// Returns whether no transaction of the block has made the account empty. A balance falls only by a
    /// transaction of the account, which raises its nonce, or by its code. New and removed code is written.
    fn stays(&self) -> bool {
        !self.before.is_zero() && self.code == Observed::default()
    }

    /// Returns whether the balance or the nonce decides whether the account is empty.
    fn may_be_empty(&self) -> bool {
        self.is_bare() && !self.stays()
    }
}

/// Dependencies of one incarnation on the accounts that it loaded.
#[derive(Debug)]
pub(super) struct Dependencies {
    loaded: Vec<Loaded>,
    /// Position in `loaded` by account index. An entry is stale if the account at that position has another
    /// index.
    places: Vec<u32>,
    uses: UsesByAccount,
    /// Whether the nonces of all accounts matter, since an account may have been created.
    nonces_matter: bool,
}

impl Dependencies {
    /// Creates an empty set for this many accounts.
    pub(super) fn new(accounts: usize) -> Self {
        let (places, uses) = (vec![0; accounts], UsesByAccount::default());
        Self { loaded: Vec::new(), places, uses, nonces_matter: false }
    }

    /// Removes all accounts and uses.
    pub(super) fn clear(&mut self) {
        self.loaded.clear();
        self.uses.clear();
        self.nonces_matter = false;
    }

    pub(super) fn note_use(&mut self, address: Address, balance_use: BalanceUse) {
        self.uses.note(address, balance_use);
    }

    pub(super) const fn note_emptiness_of_all(&mut self) {
        self.uses.note_emptiness_of_all();
        self.nonces_matter = true;
    }

    pub(super) const fn note_nonces_of_all(&mut self) {
        self.nonces_matter = true;
    }

    pub(super) fn add(&mut self, loaded: Loaded) {
        self.places[loaded.number as usize] = self.loaded.len() as u32;
        self.loaded.push(loaded);
    }

    /// Returns the account as it was loaded, if it was.
    pub(super) fn loaded(&self, number: AccountNumber) -> Option<&Loaded> {
        let place = self.places[number as usize];
        self.loaded.get(place as usize).filter(|loaded| loaded.number == number)
    }

    /// Adds the dependencies to the view's read set.
    pub(super) fn settle(&self, view: &mut IncarnationView<'_>, rule: BalanceRule) {
        for loaded in &self.loaded {
            let uses = self.uses_of(loaded, rule);
            if let Some(expected) = expected_balance(loaded, uses) {
                view.expect(Location::Balance(loaded.number), expected);
            }
            // A nonzero nonce never becomes zero again, unless the account is replaced. In that case the code's
            // location changes.
            let needs_nonce = self.nonces_matter || uses.include_the_nonce();
            if let Some(seen) = loaded.nonce.filter(|_| needs_nonce) {
                view.expect(Location::Nonce(loaded.number), Expected::Exact(seen));
            }
        }
    }

    fn uses_of(&self, loaded: &Loaded, rule: BalanceRule) -> BalanceUses {
        self.uses.of(loaded.address, rule == BalanceRule::Emptiness && loaded.may_be_empty())
    }
}

fn expected_balance(loaded: &Loaded, uses: BalanceUses) -> Option<Expected> {
    let seen = loaded.balance?;
    match uses.dependency(seen.over(loaded.before), loaded.before)? {
        Dependency::Known => None,
        Dependency::Exact => Some(Expected::Exact(seen)),
        Dependency::AtLeast { minimum, before } => Some(Expected::AtLeast { before, minimum }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// Returns the expectation on Alice's balance of 105 wei. She had 100 of it before the block.
    fn expected(uses: &[BalanceUse], bare: bool) -> Option<Expected> {
        let before = U256::from(100);
        of_alice(uses, Loaded { before, ..alice(u64::from(!bare)) })
    }

    /// Alice as she was found. She received her 105 wei in the block.
    fn alice(nonce: u64) -> Loaded {
        let balance = U256::from(105);
        Loaded {
            number: 0,
            address: ALICE,
            found: Some(AccountFields { nonce, balance, code_hash: KECCAK256_EMPTY }),
            balance: Some(Observed { set: Some(balance), added: None }),
            before: U256::ZERO,
            nonce: None,
            code: Observed::default(),
        }
    }

    fn of_alice(uses: &[BalanceUse], loaded: Loaded) -> Option<Expected> {
        let mut all = Dependencies::new(1);
        for one in uses {
            all.note_use(ALICE, *one);
        }
        all.note_use(Address::ZERO, BalanceUse::Exact);
        all.add(loaded);
        let alice = all.loaded(0).expect("Alice was loaded");
        expected_balance(alice, all.uses_of(alice, BalanceRule::Emptiness))
    }

    fn pay(amount: u64) -> BalanceUse {
        BalanceUse::Pay(U256::from(amount))
    }

    #[test]
    fn an_unused_balance_is_no_dependency() {
        assert_eq!(expected(&[], true), None);
        assert_eq!(expected(&[BalanceUse::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_a_minimum_for_their_sum() {
        let enough = |minimum| {
            Some(Expected::AtLeast { before: U256::from(100), minimum: U256::from(minimum) })
        };
        assert_eq!(expected(&[pay(60)], true), enough(60));
        assert_eq!(expected(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn an_insufficient_balance_is_an_exact_dependency() {
        assert!(matches!(expected(&[pay(60), pay(46)], true), Some(Expected::Exact(_))));
        assert!(matches!(expected(&[pay(1), BalanceUse::Exact], true), Some(Expected::Exact(_))));
    }

    #[test]
    fn emptiness_depends_on_any_balance_of_this_block() {
        let any = Expected::AtLeast { before: U256::ZERO, minimum: U256::ONE };
        assert_eq!(of_alice(&[BalanceUse::Emptiness], alice(0)), Some(any));
        assert_eq!(of_alice(&[BalanceUse::Emptiness], alice(1)), None);
    }

    #[test]
    fn an_account_with_a_balance_before_the_block_stays() {
        assert_eq!(expected(&[BalanceUse::Emptiness], true), None);
    }

    #[test]
    fn an_account_with_written_code_may_be_empty() {
        // A contract at her address was created, and destroyed itself.
        let code = Observed { set: Some(U256::ZERO), added: None };
        let before = U256::from(100);
        let any = Expected::AtLeast { before, minimum: U256::ONE };
        let loaded = Loaded { before, code, ..alice(0) };
        assert_eq!(of_alice(&[BalanceUse::Emptiness], loaded), Some(any));
    }
}
