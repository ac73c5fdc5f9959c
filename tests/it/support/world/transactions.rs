//! The transactions of a world.

use super::{
    Deed, Fork, KEYS, Tx, World, contract, first_nonce, key,
    program::{child_init, large_init},
    requests, sender,
};
use alloy_consensus::{
    SignableTransaction, TxEip1559, TxEip7702, TxEnvelope, TxLegacy,
    crypto::secp256k1::sign_message, transaction::Recovered,
};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Address, Bytes, Signature, TxKind, U256};

/// Base fee in wei, from London on.
pub(super) const BASE_FEE: u64 = 7;
/// Enough gas for a dozen steps with calls. It is small enough that `block-stm` may execute a call and a
/// payment together.
const GAS_LIMIT: u64 = 300_000;
/// Gas limits under Amsterdam. A new slot costs 97,920 of state gas (EIP-8037), so most of them can run out. What
/// exceeds 2^24 is a reservoir of state gas.
pub(crate) const BUDGETS: [u64; 5] = [2_000_000, 300_000, 60_000, 16_900_000, 20_000_000];
/// Gas limit of a transaction that deploys a large code under Amsterdam: 65,536 bytes cost 100,270,080 of state gas.
const LARGE_GAS_LIMIT: u64 = 130_000_000;

impl World {
    pub(super) fn transactions(&self) -> Vec<Recovered<TxEnvelope>> {
        let mut nonces: [u64; KEYS] = std::array::from_fn(|key| first_nonce(key as u8));
        let numbered = self.txs.iter().enumerate();
        numbered.map(|(at, tx)| self.transaction(*tx, self.gas_limit(at), &mut nonces)).collect()
    }

    /// The gas limit of the transaction at this index.
    fn gas_limit(&self, at: usize) -> u64 {
        if self.fork < Fork::Amsterdam {
            return GAS_LIMIT;
        }
        if matches!(self.txs[at].deed, Deed::DeployLarge(_)) {
            return LARGE_GAS_LIMIT;
        }
        let budget = self.budgets.get(at % self.budgets.len().max(1)).copied().unwrap_or_default();
        BUDGETS[usize::from(budget) % BUDGETS.len()]
    }

    fn transaction(
        &self,
        tx: Tx,
        gas_limit: u64,
        nonces: &mut [u64; KEYS],
    ) -> Recovered<TxEnvelope> {
        let nonce = nonces[usize::from(tx.from)];
        nonces[usize::from(tx.from)] += 1;
        let (to, value, input) = match tx.deed {
            Deed::Call(to, value) => {
                (TxKind::Call(self.address(to)), U256::from(value), Bytes::new())
            }
            Deed::Deploy(kind, value) => (TxKind::Create, U256::from(value), child_init(kind)),
            Deed::DeployLarge(size) => (TxKind::Create, U256::ZERO, large_init(size)),
            Deed::Request(number, fee) => {
                let (value, input) = requests::request(number, fee);
                (TxKind::Call(requests::address(number)), value, input)
            }
            Deed::Delegate(authority, code) if self.fork >= Fork::Prague => {
                let signed = authorization(authority, code, nonces);
                return self.delegation(tx, nonce, gas_limit, sender(authority), signed);
            }
            Deed::Delegate(authority, _) => {
                (TxKind::Call(sender(authority)), U256::ZERO, Bytes::new())
            }
        };
        let (london, tip) = (self.fork >= Fork::London, u128::from(tx.tip));
        let envelope = if london && tx.tip % 2 == 1 {
            let tx = TxEip1559 {
                chain_id: 1,
                nonce,
                gas_limit,
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
                gas_limit,
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
        gas_limit: u64,
        to: Address,
        authorization: SignedAuthorization,
    ) -> Recovered<TxEnvelope> {
        let tip = u128::from(tx.tip);
        let signed = TxEip7702 {
            chain_id: 1,
            nonce,
            gas_limit,
            max_fee_per_gas: u128::from(BASE_FEE) + tip,
            max_priority_fee_per_gas: tip,
            to,
            authorization_list: vec![authorization],
            ..Default::default()
        };
        let signed = signed.into_signed(Signature::test_signature());
        Recovered::new_unchecked(TxEnvelope::Eip7702(signed), sender(tx.from))
    }
}

/// An authorization signed by the authority, with its expected nonce at that point.
fn authorization(authority: u8, code: Option<u8>, nonces: &mut [u64; KEYS]) -> SignedAuthorization {
    let nonce = nonces[usize::from(authority)];
    nonces[usize::from(authority)] += 1;
    let address = code.map_or(Address::ZERO, contract);
    let authorization = Authorization { chain_id: U256::ONE, address, nonce };
    let signed = sign_message(key(authority), authorization.signature_hash());
    authorization.into_signed(signed.expect("a hash can be signed"))
}
