//! What an incarnation's outcome depends on of the balances it loaded, out of what it demanded
//! ([`Demand`]): when it is done, that becomes what it *expects* of the balance, and its own change of it is
//! an addition.
//!
//! Nonces are looked at in the same way: nothing in the EVM asks for one but what creates accounts,
//! authorises (EIP-7702), or asks whether an account is empty.

use super::{
    memory::{AccountNumber, Location, Observed},
    read_set::Expected,
    view::IncarnationView,
};
use crate::{
    executor::demands::{BalanceRule, Demand, Need, Wanted},
    state::AccountFields,
};
use alloy_primitives::{Address, KECCAK256_EMPTY, U256, map::AddressMap};

/// An account that was loaded, as it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loaded {
    pub(super) number: AccountNumber,
    pub(super) address: Address,
    /// `None` if it did not exist.
    pub(super) found: Option<AccountFields>,
    /// What the block had written to its balance, where nothing that depends on it is noted yet.
    pub(super) balance: Option<Observed>,
    /// The balance before the block.
    pub(super) before: U256,
    /// What the block had written to its nonce, where nothing that depends on it is noted yet.
    pub(super) nonce: Option<Observed>,
}

impl Loaded {
    /// Neither nonce nor code, so that the balance alone decides whether the account is empty.
    fn is_bare(&self) -> bool {
        self.found.is_none_or(|found| found.nonce == 0 && found.code_hash == KECCAK256_EMPTY)
    }
}

/// Demands of one incarnation on the balances it loaded.
#[derive(Debug)]
pub(super) struct Demands {
    loaded: Vec<Loaded>,
    /// Where in `loaded` an account is, by its number. Left from before where the account there has
    /// another number.
    places: Vec<u32>,
    wanted: AddressMap<Wanted>,
    /// Whether emptiness of all accounts matters: EIP-7702 asks for that of authorities.
    emptiness_matters: bool,
    /// Whether the nonces of all accounts matter: something may have been created.
    nonces_matter: bool,
}

impl Demands {
    /// For as many accounts as are numbered.
    pub(super) fn new(accounts: usize) -> Self {
        Self {
            loaded: Vec::new(),
            places: vec![0; accounts],
            wanted: AddressMap::default(),
            emptiness_matters: false,
            nonces_matter: false,
        }
    }

    /// Starts over.
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

    /// The account as it was loaded, if it was.
    pub(super) fn loaded(&self, number: AccountNumber) -> Option<&Loaded> {
        let place = self.places[number as usize];
        self.loaded.get(place as usize).filter(|loaded| loaded.number == number)
    }

    /// Turns the demands into expectations of the view.
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

    /// What is wanted of an account in all.
    fn wanted(&self, loaded: &Loaded, rule: BalanceRule) -> Wanted {
        let mut wanted = self.wanted.get(&loaded.address).copied().unwrap_or_default();
        wanted.emptiness |= self.emptiness_matters;
        wanted.emptiness &= rule == BalanceRule::Emptiness && loaded.is_bare();
        wanted
    }

    /// A nonce that is not zero never becomes so again, unless the code's location says that the account
    /// was replaced.
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

    /// What is expected of Alice, who had 100 wei before the block and was paid 5 in it.
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
        let alice = all.loaded(0).expect("she was loaded");
        expected_balance(alice, all.wanted(alice, BalanceRule::Emptiness))
    }

    fn pay(amount: u64) -> Demand {
        Demand::Pay(U256::from(amount))
    }

    #[test]
    fn a_balance_that_nobody_asks_for_is_not_depended_on() {
        assert_eq!(expected(&[], true), None);
        assert_eq!(expected(&[Demand::Emptiness], false), None);
    }

    #[test]
    fn payments_depend_on_there_being_enough_for_all() {
        let enough = |minimum| {
            Some(Expected::AtLeast { before: U256::from(100), minimum: U256::from(minimum) })
        };
        assert_eq!(expected(&[pay(60)], true), enough(60));
        assert_eq!(expected(&[pay(60), pay(45)], true), enough(105));
    }

    #[test]
    fn what_may_not_be_enough_is_depended_on_exactly() {
        assert!(matches!(expected(&[pay(60), pay(46)], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[pay(1), Demand::Exact], true), Some(Expected::Seen(_))));
        assert!(matches!(expected(&[Demand::Emptiness], true), Some(Expected::Seen(_))));
    }
}
