//! Blocks that a node makes up: consistent with their own headers, and of no chain.

use super::fake_node::{Reply, Request};
use alloy_consensus::{
    Block, BlockBody, EMPTY_OMMER_ROOT_HASH, Header, SignableTransaction as _, TxEnvelope,
    TxLegacy, crypto::secp256k1::sign_message, proofs::calculate_transaction_root,
};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, TxKind, U256, hex, keccak256};
use alloy_rlp::Encodable;
use alloy_trie::{EMPTY_ROOT_HASH, TrieAccount};
use blockrace::{
    block::{RecordedBlock, RecordedState, Witness},
    state::{AccountChange, AccountFields, PostState},
    trie::{NodeStore, StateTrie},
};
use k256::ecdsa::SigningKey;
use serde_json::{Value, json};

/// The block number. Mainnet has Frontier's rules there.
pub(crate) const NUMBER: u64 = 5;

/// Init code that hashes a megabyte of memory in a loop: minutes for each billion gas.
const LOOP: [u8; 12] = hex!("5b6210000060002050600056");

/// A made-up block and the trie nodes of its whole pre-state.
#[derive(Clone, Debug)]
pub(crate) struct MadeUp {
    pub(crate) parent: Header,
    pub(crate) block: Block<TxEnvelope>,
    pub(crate) nodes: Vec<Bytes>,
}

/// The owner's private key.
const KEY: B256 = B256::repeat_byte(0x11);

/// The one account: sender and beneficiary.
fn owner() -> Address {
    let key = SigningKey::from_slice(KEY.as_slice()).expect("it is a key");
    Address::from_private_key(&key)
}

/// The state trie of the owner alone.
fn leaf(balance: U256) -> Bytes {
    let account = TrieAccount { balance, ..Default::default() };
    let path = [&[0x20][..], keccak256(owner()).as_slice()].concat();
    let value = alloy_rlp::encode(account);
    let items: [&dyn Encodable; 2] = [&&path[..], &&value[..]];
    let mut out = Vec::new();
    alloy_rlp::encode_list::<_, dyn Encodable>(&items, &mut out);
    out.into()
}

/// An account without code that has these slots.
fn with(balance: U256, slots: &[(U256, U256)]) -> AccountChange {
    let fields = AccountFields { nonce: 0, balance, code_hash: KECCAK256_EMPTY };
    AccountChange { account: Some(fields), storage_cleared: false, slots: slots.to_vec() }
}

fn header(number: u64, parent_hash: B256, state_root: B256) -> Header {
    Header {
        number,
        parent_hash,
        state_root,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: owner(),
        transactions_root: EMPTY_ROOT_HASH,
        receipts_root: EMPTY_ROOT_HASH,
        gas_limit: i64::MAX as u64,
        timestamp: 1_438_269_000 + number,
        extra_data: Bytes::from_static(b"made up"),
        ..Default::default()
    }
}

impl MadeUp {
    /// A block without transactions. It is consistent with its header to the state root.
    pub(crate) fn empty() -> Self {
        let (ether, reward) = (U256::from(10).pow(U256::from(18)), U256::from(5));
        let (before, after) = (leaf(ether), leaf(ether + reward * ether));
        let parent = header(NUMBER - 1, B256::ZERO, keccak256(&before));
        let header = header(NUMBER, parent.hash_slow(), keccak256(after));
        Self { parent, block: Block { header, body: BlockBody::default() }, nodes: vec![before] }
    }

    /// Blocks without transactions, each on the one before, from [`NUMBER`] on.
    pub(crate) fn chain(count: usize) -> impl Iterator<Item = RecordedBlock> {
        let (mut block, mut reward) = (Self::empty(), U256::from(5));
        let ether = U256::from(10).pow(U256::from(18));
        (0..count).map(move |_| {
            let recorded = block.recorded();
            reward += U256::from(5);
            let parent = block.block.header.clone();
            let after = leaf(ether * (U256::ONE + reward));
            let header = header(parent.number + 1, parent.hash_slow(), keccak256(after));
            let nodes = vec![leaf(ether * (U256::ONE + reward - U256::from(5)))];
            let next = Block { header, body: BlockBody::default() };
            block = Self { parent, block: next, nodes };
            recorded
        })
    }

    /// The block of [`empty`](Self::empty) on a state that also has this many accounts with storage.
    pub(crate) fn among(accounts: u8) -> Self {
        let ether = U256::from(10).pow(U256::from(18));
        let mut before = PostState { accounts: vec![(owner(), with(ether, &[]))] };
        before.accounts.extend((0..accounts).map(|byte| {
            let slots: Vec<_> = (1..9).map(|slot| (U256::from(slot), U256::from(7))).collect();
            (Address::repeat_byte(byte), with(U256::from(byte), &slots))
        }));
        before.accounts.sort_unstable_by_key(|(address, _)| *address);
        let after = PostState { accounts: vec![(owner(), with(ether * U256::from(6), &[]))] };

        let nothing = NodeStore::default();
        let founded = StateTrie::new(&nothing, EMPTY_ROOT_HASH).root_after(&before);
        let founded = founded.expect("an empty trie lacks no node");
        let nodes: Vec<_> = founded.new_nodes().iter().map(Bytes::copy_from_slice).collect();
        let store = NodeStore::new(nodes.clone()).expect("no node is too large");
        let rewarded = StateTrie::new(&store, founded.root()).root_after(&after);
        let root = rewarded.expect("all nodes are there").root();
        let parent = header(NUMBER - 1, B256::ZERO, founded.root());
        let header = header(NUMBER, parent.hash_slow(), root);
        Self { parent, block: Block { header, body: BlockBody::default() }, nodes }
    }

    /// A block with one transaction that loops until this gas is used.
    pub(crate) fn looping(gas: u64) -> Self {
        let transaction = TxLegacy {
            gas_limit: gas,
            to: TxKind::Create,
            input: LOOP.into(),
            ..Default::default()
        };
        let signature = sign_message(KEY, transaction.signature_hash());
        let signature = signature.expect("any hash can be signed");
        let transactions: Vec<TxEnvelope> = vec![transaction.into_signed(signature).into()];
        let mut made_up = Self::empty();
        let Block { header, body } = &mut made_up.block;
        header.gas_used = gas;
        header.transactions_root = calculate_transaction_root(&transactions);
        body.transactions = transactions;
        made_up
    }

    /// The block as the cache stores it.
    pub(crate) fn recorded(&self) -> RecordedBlock {
        let witness = Witness {
            nodes: self.nodes.clone(),
            headers: vec![alloy_rlp::encode(&self.parent).into()],
            ..Default::default()
        };
        RecordedBlock::new(1, self.block.clone(), RecordedState::Witness(witness))
    }

    /// The answer of a node whose chain ends with this block.
    pub(crate) fn answer(&self, request: &Request) -> Reply {
        Reply::Result(match request.method() {
            "eth_chainId" => json!("0x1"),
            "eth_blockNumber" => json!(format!("{NUMBER:#x}")),
            "eth_getBlockByNumber" => self.block_json(),
            "debug_executionWitness" => json!({
                "state": self.nodes,
                "codes": [],
                "keys": [],
                "headers": [Bytes::from(alloy_rlp::encode(&self.parent))],
            }),
            _ => return Reply::Error(-32601, "the method does not exist".to_owned()),
        })
    }

    fn block_json(&self) -> Value {
        let Block { header, body } = &self.block;
        let mut json = serde_json::to_value(header).expect("it is plain data");
        let transactions = body.transactions.iter().map(|transaction| {
            let mut json = serde_json::to_value(transaction).expect("it is plain data");
            json["from"] = json!(owner());
            json
        });
        json["hash"] = json!(header.hash_slow());
        json["transactions"] = transactions.collect();
        json["uncles"] = json!([]);
        json
    }
}
