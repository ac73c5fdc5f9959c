//! A short chain with states that are hard to prove by single proofs.
//!
//! Headers of anvil show three deviations from Ethereum. First, the genesis header has the empty trie's root
//! although accounts are funded, so block 1 cannot be proved.
//!
//! Second, anvil does not make the system calls of EIP-4788, EIP-7002 and EIP-7251. Without the beacon roots
//! contract, the first call has no effect on either side. The other two contracts are deployed and have no
//! effect while their queues are empty. The parent hashes of EIP-2935 are kept as on mainnet.
//!
//! Third, storage tries up to 1.7.1 keep slots that were set to zero, as leaves with the value zero. The
//! account trie keeps accounts that were only read or were destroyed. No other client computes the roots of
//! such blocks. So these blocks come last, and [`Chain`] holds the first of them.

use super::anvil::Anvil;
use alloy_consensus::{SignableTransaction, TxEip7702, TxEnvelope, crypto::secp256k1};
use alloy_eips::{
    eip2718::Encodable2718,
    eip7002::{WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, WITHDRAWAL_REQUEST_PREDEPLOY_CODE},
    eip7251::{CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, CONSOLIDATION_REQUEST_PREDEPLOY_CODE},
    eip7702::Authorization,
};
use alloy_primitives::{Address, B256, Bytes, U64, U256, b256, hex, keccak256};
use alloy_trie::EMPTY_ROOT_HASH;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};

/// The first block that can be proved.
pub(crate) const FIRST: u64 = 2;

/// Stores pairs of slot and value from its input.
const STORE: &[u8] = &hex!("5f5b8036111560175780602001358135556040016001565b00");
/// Creates a contract with its input as initialisation code.
const FACTORY: &[u8] = &hex!("365f5f37365f5ff000");
/// Sends its value to the address in its input.
const FORWARDER: &[u8] = &hex!("5f5f5f5f345f355af100");
/// Stores the hash of the block with the number in its input.
const HASHES: &[u8] = &hex!("5f35405f5500");
/// Stores the size of the code at the address in its input.
const SIZES: &[u8] = &hex!("5f353b5f5500");
/// Self-destructs in favour of the caller.
const DOOMED: &[u8] = &hex!("33ff");
/// Fails with an invalid instruction.
const INVALID: &[u8] = &hex!("fe");

/// The key of anvil's account 5, from its well-known mnemonic.
const AUTHORITY_KEY: B256 =
    b256!("0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba");
const AUTHORITY: usize = 5;

/// The blocks of a built chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The first block with a deletion that an anvil up to 1.7.1 omits.
    pub(crate) first_deletion: u64,
    pub(crate) last: u64,
    /// Whether this anvil deletes as Ethereum does.
    pub(crate) deletes: bool,
}

/// Builds blocks on an anvil.
pub(crate) struct Scenario<'a> {
    anvil: &'a Anvil,
    accounts: Vec<Address>,
    rng: StdRng,
}

impl<'a> Scenario<'a> {
    pub(crate) async fn new(anvil: &'a Anvil) -> Self {
        let accounts = anvil.call("eth_accounts", json!([])).await;
        let accounts = serde_json::from_value(accounts).expect("addresses");
        Self { anvil, accounts, rng: StdRng::seed_from_u64(7) }
    }

    /// Builds the chain.
    pub(crate) async fn build(mut self) -> Chain {
        for (address, code) in [
            (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, &WITHDRAWAL_REQUEST_PREDEPLOY_CODE),
            (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, &CONSOLIDATION_REQUEST_PREDEPLOY_CODE),
        ] {
            self.anvil.call("anvil_setCode", json!([address, code])).await;
        }
        self.mine().await;
        let store = self.deploy(STORE).await;
        let other_store = self.deploy(STORE).await;
        self.mine().await;
        self.growth(other_store).await;
        self.transfers().await;
        self.creations().await;
        self.delegations(store).await;

        let first_deletion = self.head().await + 1;
        self.absent_accounts().await;
        self.doomed_at_birth().await;
        self.undone_delegation().await;
        self.collapses(store).await;
        self.random_writes(other_store).await;
        Chain { first_deletion, last: self.head().await, deletes: self.deletes(store).await }
    }

    async fn head(&self) -> u64 {
        let head = self.anvil.call("eth_blockNumber", json!([])).await;
        serde_json::from_value::<U64>(head).expect("a number").to()
    }

    /// Whether a storage is empty after all its slots were deleted.
    async fn deletes(&self, store: Address) -> bool {
        let proof = self.anvil.call("eth_getProof", json!([store, [], "latest"])).await;
        proof["storageHash"] == json!(EMPTY_ROOT_HASH)
    }

    async fn mine(&self) {
        self.anvil.call("evm_mine", json!([])).await;
    }

    /// Sends a transaction to be mined.
    async fn send(&self, from: usize, mut fields: Value) -> B256 {
        fields["from"] = json!(self.accounts[from]);
        fields["gas"] = json!("0xf4240");
        let hash = self.anvil.call("eth_sendTransaction", json!([fields])).await;
        serde_json::from_value(hash).expect("a hash")
    }

    /// Deploys `code` and returns its future address. Account 1 only deploys.
    async fn deploy(&self, code: &[u8]) -> Address {
        let deployer = self.accounts[1];
        let nonce = self.anvil.call("eth_getTransactionCount", json!([deployer, "pending"])).await;
        self.send(1, json!({"data": initialisation(code)})).await;
        deployer.create(serde_json::from_value::<U64>(nonce).expect("a number").to())
    }

    async fn write(&self, store: Address, pairs: impl IntoIterator<Item = (U256, u64)>) {
        let words = pairs.into_iter().flat_map(|(slot, value)| [slot, U256::from(value)]);
        let input: Vec<u8> = words.flat_map(|word| B256::from(word).0).collect();
        self.send(0, json!({"to": store, "data": Bytes::from(input)})).await;
    }

    /// Deletions that leave a leaf, an extension and a branch as the only child of a branch.
    async fn collapses(&self, store: Address) {
        let [far, near, twin, other_twin, sibling, other_sibling] = shapes();
        for (kept, deleted) in [
            (vec![far, near], sibling),
            (vec![far, twin, other_twin], near),
            (vec![far, sibling, other_sibling], near),
            (vec![near], far),
        ] {
            // The last write empties the storage, which `deletes` checks.
            self.write(store, kept.iter().chain([&deleted]).map(|slot| (*slot, 1))).await;
            self.mine().await;
            self.write(store, [(deleted, 0)]).await;
            self.mine().await;
            self.write(store, kept.into_iter().map(|slot| (slot, 0))).await;
            self.mine().await;
        }
    }

    /// Sets slots and sets them again.
    async fn growth(&self, store: Address) {
        for count in [1, 3, 40] {
            self.write(store, (0..count).map(|slot| (U256::from(slot), slot + count))).await;
            self.mine().await;
        }
    }

    async fn random_writes(&mut self, store: Address) {
        for keep in [90, 50, 20, 10, 5, 50, 0] {
            let pairs: Vec<_> = (0..40_u64)
                .map(|slot| (U256::from(slot), u64::from(self.rng.random_ratio(keep, 100))))
                .collect();
            self.write(store, pairs).await;
            self.mine().await;
        }
    }

    async fn transfers(&self) {
        let forwarder = self.deploy(FORWARDER).await;
        let hashes = self.deploy(HASHES).await;
        let invalid = self.deploy(INVALID).await;
        self.mine().await;
        for new in 0x51..0x55 {
            let recipient = Address::repeat_byte(new);
            self.send(2, json!({"to": recipient, "value": "0x5"})).await;
            self.send(3, json!({"to": forwarder, "value": "0x7", "data": word(recipient)})).await;
        }
        for to in [Address::repeat_byte(0x61), precompile(1), precompile(4)] {
            self.send(3, json!({"to": forwarder, "value": "0x7", "data": word(to)})).await;
        }
        self.send(2, json!({"to": invalid})).await;
        self.send(2, json!({"to": hashes, "data": B256::with_last_byte(3)})).await;
        let listed = json!([{"address": hashes, "storageKeys": [B256::ZERO]}]);
        self.send(
            2,
            json!({"to": forwarder, "value": "0x1", "data": word(precompile(2)),
                            "accessList": listed}),
        )
        .await;
        self.mine().await;
        self.mine().await;
    }

    /// Reads, calls and lists accounts that do not exist.
    async fn absent_accounts(&self) {
        let forwarder = self.deploy(FORWARDER).await;
        let sizes = self.deploy(SIZES).await;
        self.mine().await;
        self.send(2, json!({"to": sizes, "data": word(Address::repeat_byte(0x71))})).await;
        self.send(2, json!({"to": forwarder, "data": word(precompile(3))})).await;
        let listed = json!([{"address": Address::repeat_byte(0x72), "storageKeys": [B256::ZERO]}]);
        self.send(2, json!({"to": sizes, "accessList": listed})).await;
        self.mine().await;
    }

    async fn creations(&self) {
        let factory = self.deploy(FACTORY).await;
        let doomed = self.deploy(DOOMED).await;
        self.mine().await;
        self.send(2, json!({"to": doomed, "value": "0x9"})).await;
        self.send(3, json!({"to": factory, "data": initialisation(STORE)})).await;
        self.mine().await;
        self.send(2, json!({"to": doomed, "value": "0x9"})).await;
        self.mine().await;
    }

    /// Contracts that self-destruct in the transaction that creates them.
    async fn doomed_at_birth(&self) {
        let factory = self.deploy(FACTORY).await;
        self.mine().await;
        self.send(3, json!({"to": factory, "data": Bytes::from_static(DOOMED)})).await;
        self.send(4, json!({"data": Bytes::from_static(DOOMED), "value": "0x3"})).await;
        self.mine().await;
    }

    /// An account that sets a delegation, is called, and clears the delegation (EIP-7702).
    async fn delegations(&self, store: Address) {
        let forwarder = self.deploy(FORWARDER).await;
        self.mine().await;
        // The input is a slot for one contract, and an existing account for the other.
        let slot = U256::from_be_bytes(word(Address::repeat_byte(0x51)).0);
        for delegate in [store, forwarder, store, Address::ZERO] {
            self.delegate(delegate).await;
            self.mine().await;
            self.write(self.accounts[AUTHORITY], [(slot, 1)]).await;
            self.mine().await;
        }
    }

    async fn undone_delegation(&self) {
        let store = self.deploy(STORE).await;
        self.mine().await;
        self.delegate(store).await;
        self.mine().await;
        self.write(self.accounts[AUTHORITY], [(U256::from(0x51), 0)]).await;
        self.mine().await;
    }

    async fn delegate(&self, address: Address) {
        let authority = self.accounts[AUTHORITY];
        let nonce = self.anvil.call("eth_getTransactionCount", json!([authority, "latest"])).await;
        let nonce: u64 = serde_json::from_value::<U64>(nonce).expect("a number").to();
        let chain_id = 31_337;
        // The authority sends the transaction itself, which uses one nonce.
        let authorization =
            Authorization { chain_id: U256::from(chain_id), address, nonce: nonce + 1 };
        let signature = sign(authorization.signature_hash());
        let transaction = TxEip7702 {
            chain_id,
            nonce,
            gas_limit: 200_000,
            max_fee_per_gas: 10_000_000_000,
            max_priority_fee_per_gas: 1_000_000_000,
            to: Address::repeat_byte(0x51),
            authorization_list: vec![authorization.into_signed(signature)],
            ..TxEip7702::default()
        };
        let signature = sign(transaction.signature_hash());
        let transaction = TxEnvelope::from(transaction.into_signed(signature));
        let raw = Bytes::from(transaction.encoded_2718());
        self.anvil.call("eth_sendRawTransaction", json!([raw])).await;
    }
}

fn sign(hash: B256) -> alloy_primitives::Signature {
    secp256k1::sign_message(AUTHORITY_KEY, hash).expect("a key")
}

/// Initialisation code that deploys `code`.
fn initialisation(code: &[u8]) -> Bytes {
    let length = u8::try_from(code.len()).expect("short code");
    let copy = [0x60, length, 0x60, 10, 0x5f, 0x39, 0x60, length, 0x5f, 0xf3];
    [&copy[..], code].concat().into()
}

fn word(address: Address) -> B256 {
    address.into_word()
}

fn precompile(number: u8) -> Address {
    Address::with_last_byte(number)
}

/// Slots with hashes that diverge at different depths. `far` differs from the others in the first nibble and
/// `near` in the second. `siblings` differ in the third nibble, `twins` in the fourth.
fn shapes() -> [U256; 6] {
    let slots: Vec<_> = (0..50_000_u64).map(U256::from).collect();
    let nibbles = |slot: &U256| hex::encode(keccak256(B256::from(*slot)));
    let hashes: Vec<_> = slots.iter().map(nibbles).collect();
    let find = |like: &str, unlike: &str| {
        let fits = |hash: &&String| hash.starts_with(like) && !hash.starts_with(unlike);
        let position = hashes.iter().position(|hash| fits(&hash)).expect("so many slots");
        (slots[position], hashes[position].clone())
    };
    let (twin, hash) = (slots[0], &hashes[0]);
    let (other_twin, _) = find(&hash[..3], &hash[..4]);
    let (near, near_hash) = find(&hash[..1], &hash[..2]);
    let (far, _) = find("", &hash[..1]);
    let third = (0..16).map(|nibble| format!("{}{nibble:x}", &near_hash[..1]));
    let mut second =
        third.filter(|start| !hash.starts_with(start) && !near_hash.starts_with(start));
    let start = second.next().expect("sixteen nibbles");
    let (sibling, sibling_hash) = find(&start, "x");
    let (other_sibling, _) = find(&start, &sibling_hash[..3]);
    [far, near, twin, other_twin, sibling, other_sibling]
}
