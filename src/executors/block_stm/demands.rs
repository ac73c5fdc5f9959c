//! Balance dependencies of an incarnation.
//!
//! The EVM reports a [`Demand`] for each use of a balance. When the incarnation ends, the demands become
//! expectations of its read set. The incarnation's own change of a balance is an addition.
//!
//! Nonces are handled in the same way. In the EVM, only three things depend on the nonce of an account:
//! creating an account, authorising a delegation (EIP-7702), and asking whether an account is empty.

use crate::{
    execution::{
        demands::{BalanceRule, Demand, Need, Wanted},
        location::{AccountNumber, Location},
    },
    state::AccountFields,
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256, map::AddressMap};
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
}

impl Loaded {
    /// Returns whether the account has neither nonce nor code. Its balance alone then decides whether it is
    /// empty.
    fn is_bare(&self) -> bool {
        self.found.is_none_or(|found| found.nonce == 0 && found.code_hash == KECCAK256_EMPTY)
    }
}

/// Demands of one incarnation on the balances that it loaded.
#[derive(Debug)]
pub(super) struct Demands {
    loaded: Vec<Loaded>,
    /// Position in `loaded` by account index. An entry is stale if the account at that position has another
    /// index.
    places: Vec<u32>,
    wanted: AddressMap<Wanted>,
    /// Whether emptiness of all accounts matters. EIP-7702 asks for the emptiness of authorities.
    emptiness_matters: bool,
    /// Whether the nonces of all accounts matter, since an account may have been created.
    nonces_matter: bool,
}

impl Demands {
    /// Creates an empty set for this many accounts.
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            loaded: Vec::new(),
            places: vec![0; accounts],
            wanted: AddressMap::default(),
            emptiness_matters: false,
            nonces_matter: false,
        }
    }

    /// Removes all demands.
    pub(super) fn clear(&mut self) {
        self.loaded.clear();
        self.wanted.clear();
        self.emptiness_matters = false;
        self.nonces_matter = false;
    }

    pub(super) fn demand(&mut self, address: Address, demand: Demand) {
        self.wanted.entry(address).or_default().add(demand);
    }

    pub(super) const fn demand_emptiness_of_all(&mut self) {
        self.emptiness_matters = true;
        self.nonces_matter = true;
    }

    pub(super) const fn demand_nonces_of_all(&mut self) {
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

    /// Adds the demands to the view's read set.
    pub(super) fn settle(&self, view: &mut IncarnationView<'_>, rule: BalanceRule) {
        for loaded in &self.loaded {
            let wanted = self.wanted(loaded, rule);
            if let Some(expected) = expected_balance(loaded, wanted) {
                view.expect(Location::Balance(loaded.number), expected);
            }
            if let Some(seen) = loaded.nonce.filter(|_| self.needs_nonce(wanted)) {
                view.expect(Location::Nonce(loaded.number), Expected::Seen(seen));
            }
        }
    }

    /// Returns the demands on an account as a whole.
    fn wanted(&self, loaded: &Loaded, rule: BalanceRule) -> Wanted {
        let mut wanted = self.wanted.get(&loaded.address).copied().unwrap_or_default();
        wanted.emptiness |= self.emptiness_matters;
        wanted.emptiness &= rule == BalanceRule::Emptiness && loaded.is_bare();
        wanted
    }

    /// Returns whether the nonce matters. A nonzero nonce never becomes zero again, unless the account is
    /// replaced. In that case the code's location changes.
    const fn needs_nonce(&self, wanted: Wanted) -> bool {
        self.nonces_matter || wanted.exact || wanted.emptiness
    }
}

fn expected_balance(loaded: &Loaded, wanted: Wanted) -> Option<Expected> {
    let (seen, before) = (loaded.balance?, loaded.before);
    Some(match wanted.need(seen.over(before))? {
        Need::Exact => Expected::Seen(seen),
        Need::AtLeast(minimum) => Expected::AtLeast { before, minimum },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: Address = Address::repeat_byte(0xa1);

    /// Returns the expectation on Alice's balance. She had 100 wei before the block and received 5 in it.
    fn expected(demands: &[Demand], bare: bool) -> Option<Expected> {
        let mut all = Demands::new(1);
        for demand in demands {
            all.demand(ALICE, *demand);
        }
        all.demand(Address::ZERO, Demand::Exact);
        let balance = Some(Observed { set: None, added: Some(U256::from(5)) });
        let (nonce, code_hash) = (u64::from(!bare), KECCAK256_EMPTY);
        let found = Some(AccountFields { nonce, balance: U256::from(105), code_hash });
        let before = U256::from(100);
        all.add(Loaded { number: 0, address: ALICE, found, balance, before, nonce: None });
        let alice = all.loaded(0).expect("Alice was loaded");
        expected_balance(alice, all.wanted(alice, BalanceRule::Emptiness))
    }

    fn pay(amount: u64) -> Demand {
        Demand::Pay(U256::from(amount))
    }

    #[test]
    fn an_unused_balance_is_no_dependency() {
        assert_eq!(expected(&[], true), None);
        assert_eq!(expected(&[Demand::Emptiness], false), None);
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
        assert!(matches!(expected(&[pay(60), pay(46)], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[pay(1), Demand::Exact], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[Demand::Emptiness], true), Some(Expected::Seen(_))));
    }
}
