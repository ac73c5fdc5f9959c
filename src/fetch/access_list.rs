//! The block access list of a block (EIP-7928), as the node has it.
//!
//! From Amsterdam on, a block's header has the hash of its list. Nodes answer lists by several methods, as RLP or as
//! JSON. A node may have none: it does not know the methods, it has pruned the list, or it answers `null`. The list is
//! derived by execution then. `block::prepare` compares both with the header.

use alloy_eips::eip7928::AccountChanges;
use alloy_primitives::{Bytes, U64};
use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use serde_json::json;
use std::fmt;

use super::{block::CheckedBlock, block_error::FetchError, node::Node};

/// A method by which nodes give lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListMethod {
    Raw,
    Plain,
    ByHash,
    ByNumber,
}

impl ListMethod {
    /// All methods. The one without JSON comes first, because it is the smallest.
    pub(super) const ALL: [Self; 4] = [Self::Raw, Self::Plain, Self::ByHash, Self::ByNumber];

    /// The name of the JSON-RPC method.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Raw => "debug_getRawBlockAccessList",
            Self::Plain => "eth_getBlockAccessList",
            Self::ByHash => "eth_getBlockAccessListByBlockHash",
            Self::ByNumber => "eth_getBlockAccessListByBlockNumber",
        }
    }
}

/// RLP of a list, from either form of an answer. Empty for `null`.
#[derive(Debug)]
struct ListAnswer(Bytes);

impl Node {
    /// RLP of the block's access list. Empty before Amsterdam, and if the node has no list of this block.
    ///
    /// # Errors
    /// The node cannot be reached, or its answer is no list.
    pub(super) async fn access_list(&self, block: &CheckedBlock) -> Result<Bytes, FetchError> {
        if block.header.block_access_list_hash.is_none() {
            return Ok(Bytes::new());
        }
        let methods = match self.list_methods.get() {
            Some(known) => known.clone(),
            None => ListMethod::ALL.to_vec(),
        };
        // `set` fails if another block has set the methods already, which is harmless.
        let mut known = Vec::new();
        for method in methods {
            match self.ask_list(block, method).await {
                Ok(ListAnswer(list)) if !list.is_empty() => {
                    let _ = self.list_methods.set(vec![method]);
                    return Ok(list);
                }
                Err(error) if error.is_method_missing() => {}
                Ok(_) => known.push(method),
                Err(error) if error.is_denial() => known.push(method),
                Err(error) => return Err(error),
            }
        }
        if known.is_empty() {
            let _ = self.list_methods.set(known);
        }
        Ok(Bytes::new())
    }

    async fn ask_list(
        &self,
        block: &CheckedBlock,
        method: ListMethod,
    ) -> Result<ListAnswer, FetchError> {
        let number = block.header.number;
        let params = match method {
            ListMethod::ByHash => json!([block.hash]),
            _ => json!([U64::from(number)]),
        };
        self.ask(number, method.name(), params).await
    }
}

impl<'de> Deserialize<'de> for ListAnswer {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AnyForm)
    }
}

/// Reads a list as a string of RLP in hexadecimal digits, as JSON, or as `null`.
struct AnyForm;

impl<'de> Visitor<'de> for AnyForm {
    type Value = ListAnswer;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a block access list, as JSON or RLP")
    }

    fn visit_unit<E: Error>(self) -> Result<ListAnswer, E> {
        Ok(ListAnswer(Bytes::new()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ListAnswer, E> {
        text.parse().map(ListAnswer).map_err(E::custom)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, all: A) -> Result<ListAnswer, A::Error> {
        let list = Vec::<AccountChanges>::deserialize(SeqAccessDeserializer::new(all))?;
        Ok(ListAnswer(alloy_rlp::encode(list).into()))
    }
}
