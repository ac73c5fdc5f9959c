//! The block's own access list, as a node answered it or as the execution gives it.
//!
//! The header commits to the list. A list with another hash is not the block's, and the node's answer is wrong. A list
//! with the header's hash is the block's own, even if it differs from the execution. The block is invalid then.

use super::{
    DerivedList,
    difference::{ListDifference, MalformedList, first_difference},
};
use alloy_eips::eip7928::{AccountChanges, validate_block_access_list};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::Decodable;
use revm::state::bal::Bal;

/// The list that the block's header commits to.
#[derive(Debug, Default)]
pub struct OwnList {
    /// The list in revm's form; empty if it is malformed.
    pub list: DerivedList,
    /// The first entry in which it differs from the execution.
    pub difference: Option<ListDifference>,
}

impl OwnList {
    /// RLP of the list; that of an empty list if it is malformed.
    pub fn rlp(&self) -> Bytes {
        alloy_rlp::encode(self.list.list.clone().into_alloy_bal()).into()
    }
}

/// A node answered a list that is not the block's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "it hashes to {computed}, and the header has {stated}; {difference}; fetch the block again from another node"
)]
pub struct WrongList {
    /// Hash of the list.
    pub computed: B256,
    /// Hash in the header.
    pub stated: B256,
    /// The first entry in which the list differs from the execution.
    pub difference: Box<ListDifference>,
}

/// A list of a node with its hash, decoded if that is possible.
pub(super) struct GivenList {
    hash: B256,
    decoded: Result<Vec<AccountChanges>, MalformedList>,
}

impl GivenList {
    /// Decodes a list of a block with this number of transactions.
    pub(super) fn new(rlp: &[u8], transactions: usize) -> Self {
        Self { hash: keccak256(rlp), decoded: decode(rlp, transactions) }
    }

    /// Compares the list with the header's hash and with the execution. `None` if the execution itself does not
    /// give the header's hash, and the list has another hash as well: the header is wrong then, not the node.
    ///
    /// # Errors
    /// The list is not the block's, although the execution gives the header's hash.
    pub(super) fn check(
        self,
        stated: B256,
        (executed, executed_hash): (&[AccountChanges], B256),
    ) -> Result<Option<OwnList>, WrongList> {
        let computed = self.hash;
        let difference = match &self.decoded {
            Ok(list) => first_difference(list, executed),
            Err(malformed) => Some(ListDifference::Malformed(malformed.clone())),
        };
        match difference {
            _ if computed == stated => Ok(Some(self.own(difference))),
            Some(difference) if executed_hash == stated => {
                Err(WrongList { computed, stated, difference: Box::new(difference) })
            }
            _ => Ok(None),
        }
    }

    fn own(self, difference: Option<ListDifference>) -> OwnList {
        let list = self
            .decoded
            .and_then(|list| Bal::try_from_alloy(list).map_err(|_| MalformedList::Code));
        match list {
            Ok(list) => OwnList { list: DerivedList { list, ..Default::default() }, difference },
            Err(malformed) => OwnList {
                difference: Some(ListDifference::Malformed(malformed)),
                ..Default::default()
            },
        }
    }
}

fn decode(rlp: &[u8], transactions: usize) -> Result<Vec<AccountChanges>, MalformedList> {
    let list = Vec::<AccountChanges>::decode(&mut &*rlp).map_err(MalformedList::Rlp)?;
    if alloy_rlp::encode(&list) != rlp {
        return Err(MalformedList::NotCanonical);
    }
    validate_block_access_list(&list, transactions).map_err(MalformedList::Order)?;
    Ok(list)
}
