//! Fetches proofs and codes from a node.
//!
//! Nodes limit the keys of one call, so an account with very many slots takes several calls. Proofs
//! may show that more is needed: codes, their delegates (EIP-7702), and queued requests.

use std::collections::{BTreeMap, HashSet};

use alloy_consensus::Header;
use alloy_primitives::{Address, B256, BlockNumber, Bytes, KECCAK256_EMPTY, U64, U256, keccak256};
use alloy_rlp::Decodable;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{block_error::FetchError, json::AtMost, node::Node},
    touched::Touched,
};
use crate::block::Witness;

/// The most nodes of one proof: one for each nibble of a key, and one at its end.
const MOST_NODES: usize = 65;

/// Maximum number of slots in one call. Nodes allow from some hundred to a thousand. The smaller numbers are for
/// answers that are too large for a node.
const MOST_SLOTS: [usize; 4] = [100, 25, 5, 1];

/// Number of times that proofs may show that more is needed. A delegation leads to one account, and
/// ends there.
const MOST_PASSES: usize = 2;

/// The fields of the answer to `eth_getProof` (EIP-1186) that are used.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccountProof {
    address: Address,
    code_hash: B256,
    account_proof: AtMost<Bytes, MOST_NODES>,
    #[serde(default)]
    storage_proof: AtMost<SlotProof, { MOST_SLOTS[0] }>,
}

#[derive(Debug, Deserialize)]
struct SlotProof {
    key: U256,
    value: U256,
    #[serde(default)]
    proof: AtMost<Bytes, MOST_NODES>,
}

/// Proofs at one block.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Trie nodes, each once, in the order of the answers.
    pub(super) nodes: Vec<Bytes>,
    /// Code hashes of the accounts that have code.
    code_hashes: BTreeMap<Address, B256>,
    values: BTreeMap<(Address, U256), U256>,
}

impl AccountProof {
    /// Checks that the proof begins at the state root. A proof in an empty trie has no nodes.
    fn check_root(
        &self,
        number: BlockNumber,
        at: BlockNumber,
        expected: B256,
    ) -> Result<(), FetchError> {
        let Some(root) = self.account_proof.0.first() else { return Ok(()) };
        let (found, address) = (keccak256(root), self.address);
        if found != expected {
            return Err(FetchError::WrongProof { number, at, address, expected, found });
        }
        Ok(())
    }
}

/// The parameters of `eth_getProof` for everything touched, with at most `most` slots in one call.
fn proof_params(touched: &Touched, most: usize, at: BlockNumber) -> Vec<Value> {
    let mut params = Vec::new();
    for (address, slots) in &touched.accounts {
        let slots: Vec<_> = slots.iter().map(|slot| B256::from(*slot)).collect();
        let ask = |slots: &[B256]| json!([address, slots, U64::from(at)]);
        match slots.len() {
            0 => params.push(ask(&[])),
            _ => params.extend(slots.chunks(most).map(ask)),
        }
    }
    params
}

/// The state root of the parent, which is the last header of a witness.
fn parent_root(witness: &Witness) -> Option<B256> {
    let parent = witness.headers.last()?;
    Header::decode(&mut parent.as_ref()).ok().map(|parent| parent.state_root)
}

impl Proofs {
    fn new(answers: Vec<AccountProof>) -> Self {
        let mut proofs = Self::default();
        let mut seen = HashSet::new();
        for AccountProof { address, code_hash, account_proof, storage_proof } in answers {
            if !matches!(code_hash, B256::ZERO | KECCAK256_EMPTY) {
                proofs.code_hashes.insert(address, code_hash);
            }
            let slots = storage_proof.0.into_iter().flat_map(|SlotProof { key, value, proof }| {
                proofs.values.insert((address, key), value);
                proof.0
            });
            let nodes = account_proof.0.into_iter().chain(slots);
            proofs.nodes.extend(nodes.filter(|node| seen.insert(node.clone())));
        }
        proofs
    }
}

impl Node {
    /// Adds the proofs of everything `touched`, at the block before `header`, and the codes to the
    /// witness. Each is added once. The last header of the witness, if any, is the parent.
    pub(super) async fn gather(
        &self,
        header: &Header,
        mut touched: Touched,
        witness: &mut Witness,
    ) -> Result<(), FetchError> {
        let (number, parent) = (header.number, header.number.saturating_sub(1));
        let root = parent_root(witness);
        let mut known = Touched::default();
        for code in &witness.codes {
            known.add_code(code.clone());
        }
        for _ in 0..=MOST_PASSES {
            let proofs = self.prove(number, (parent, root), &touched).await?;
            append(&mut witness.nodes, proofs.nodes);
            known.add(touched);
            let unknown = known.without_code(&proofs.code_hashes);
            for code in self.codes(number, parent, &unknown).await? {
                known.add_code(code);
            }

            touched = Touched::by_queues(|of, slot| proofs.values.get(&(of, slot)).copied());
            for delegate in known.codes.values().filter_map(Touched::delegate) {
                touched.touch(delegate, []);
            }
            touched.remove(&known);
            if touched.accounts.is_empty() {
                break;
            }
        }
        let mut codes: Vec<_> = known.codes.into_iter().collect();
        codes.sort_unstable_by_key(|(hash, _)| *hash);
        append(&mut witness.codes, codes.into_iter().map(|(_, code)| code));
        Ok(())
    }

    /// Proofs at block `at` with this state root, needed by block `number`. If an answer is too large for the node,
    /// the slots are requested in smaller groups.
    pub(super) async fn prove(
        &self,
        number: BlockNumber,
        (at, root): (BlockNumber, Option<B256>),
        touched: &Touched,
    ) -> Result<Proofs, FetchError> {
        let mut answers = Err(None);
        for most in MOST_SLOTS {
            let params = proof_params(touched, most, at);
            match self.ask_each::<AccountProof>(number, "eth_getProof", &params).await {
                Err(error) if error.is_too_large() => answers = Err(Some(error)),
                Err(error) => return Err(error),
                Ok(proofs) => {
                    answers = Ok(proofs);
                    break;
                }
            }
        }
        let answers = match answers {
            Ok(answers) => answers,
            Err(Some(error)) => return Err(error),
            Err(None) => Vec::new(),
        };
        if let Some(expected) = root {
            answers.iter().try_for_each(|proof| proof.check_root(number, at, expected))?;
        }
        Ok(Proofs::new(answers))
    }

    /// Codes at block `at`, needed by block `number`.
    pub(in super::super) async fn codes(
        &self,
        number: BlockNumber,
        at: BlockNumber,
        of: &[Address],
    ) -> Result<Vec<Bytes>, FetchError> {
        let params: Vec<_> = of.iter().map(|address| json!([address, U64::from(at)])).collect();
        self.ask_each(number, "eth_getCode", &params).await
    }
}

/// Adds the byte strings that the list does not have yet.
pub(super) fn append(list: &mut Vec<Bytes>, more: impl IntoIterator<Item = Bytes>) {
    let mut seen: HashSet<_> = list.iter().cloned().collect();
    list.extend(more.into_iter().filter(|one| seen.insert(one.clone())));
}
