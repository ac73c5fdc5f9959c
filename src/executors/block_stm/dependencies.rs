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
    /// Whether it was not empty before the block, and no transaction has written its code. It is then never empty: a
    /// balance falls only by a transaction of the account, which raises its nonce, or by its code.
    pub(super) lasts: bool,
}

impl Loaded {
    /// Returns whether the balance or the nonce decides whether the account is empty. Code is an exact dependency. An
    /// account that lasts can still be found empty, if a transaction of it published between the reads of its nonce and
    /// of its balance.
    fn may_be_empty(&self) -> bool {
        self.found.is_none_or(|found| {
            found.code_hash == KECCAK256_EMPTY
                && !(self.lasts && (found.nonce > 0 || !found.balance.is_zero()))
        })
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
    use alloy_primitives::B256;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// Returns the expectation on Alice's balance of 105 wei. She had 100 of it before the block.
    fn expected(uses: &[BalanceUse]) -> Option<Expected> {
        of_alice(uses, Loaded { before: U256::from(100), lasts: true, ..alice(0, 105) })
    }

    /// Alice as she was found. She is new in the block.
    fn alice(nonce: u64, balance: u64) -> Loaded {
        let balance = U256::from(balance);
        Loaded {
            number: 0,
            address: ALICE,
            found: Some(AccountFields { nonce, balance, code_hash: KECCAK256_EMPTY }),
            balance: Some(Observed { set: Some(balance), added: None }),
            before: U256::ZERO,
            nonce: None,
            lasts: false,
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
        assert_eq!(expected(&[]), None);
    }

    #[test]
    fn payments_depend_on_a_minimum_for_their_sum() {
        let enough = |minimum| {
            Some(Expected::AtLeast { before: U256::from(100), minimum: U256::from(minimum) })
        };
        assert_eq!(expected(&[pay(60)]), enough(60));
        assert_eq!(expected(&[pay(60), pay(45)]), enough(105));
    }

    #[test]
    fn an_insufficient_balance_is_an_exact_dependency() {
        assert!(matches!(expected(&[pay(60), pay(46)]), Some(Expected::Exact(_))));
        assert!(matches!(expected(&[pay(1), BalanceUse::Exact]), Some(Expected::Exact(_))));
    }

    #[test]
    fn an_account_that_lasts_is_no_dependency_if_it_is_found() {
        assert_eq!(expected(&[BalanceUse::Emptiness]), None);
        let spent = Loaded { lasts: true, ..alice(1, 0) };
        assert_eq!(of_alice(&[BalanceUse::Emptiness], spent), None);
    }

    #[test]
    fn an_account_with_code_is_never_empty() {
        let code_hash = B256::repeat_byte(1);
        let contract = Some(AccountFields { nonce: 0, balance: U256::ZERO, code_hash });
        let found = Loaded { found: contract, ..alice(0, 0) };
        assert_eq!(of_alice(&[BalanceUse::Emptiness], found), None);
    }

    #[test]
    fn an_account_that_lasts_and_is_found_empty_is_an_exact_dependency() {
        // Its own transaction published after the nonce was read, and before the balance was.
        let torn = Loaded { before: U256::from(100), lasts: true, ..alice(0, 0) };
        let expected = of_alice(&[BalanceUse::Emptiness], torn);
        assert!(matches!(expected, Some(Expected::Exact(_))));
    }

    #[test]
    fn emptiness_of_an_account_of_this_block_depends_on_any_balance() {
        let any = Expected::AtLeast { before: U256::ZERO, minimum: U256::ONE };
        assert_eq!(of_alice(&[BalanceUse::Emptiness], alice(0, 105)), Some(any));
        // The transaction that raised the nonce may turn out to be without effect.
        assert_eq!(of_alice(&[BalanceUse::Emptiness], alice(1, 105)), Some(any));
    }
}
