//! Numbers of blocks that are named by a word or by a hash.
//!
//! A hash must name a block of the node's chain, since all further calls are by number.

use alloy_primitives::{B256, BlockNumber, U64};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    block_error::{FetchError, NameError},
    error::RpcError,
    node::Node,
};
use crate::block::range::{Name, Names};

/// The fields of a block that are needed here.
#[derive(Debug, Deserialize)]
struct Numbered {
    number: U64,
    hash: B256,
}

impl Node {
    /// Asks the node for the numbers of named blocks.
    ///
    /// # Errors
    /// If the node does not know a name, or a hash is not of its chain.
    pub async fn numbers_of(
        &self,
        names: impl IntoIterator<Item = Name>,
    ) -> Result<Names, NameError> {
        let mut numbers = Names::new();
        for name in names {
            numbers.insert(name, self.number_of(name).await?);
        }
        Ok(numbers)
    }

    /// The hash of the node's block of this number. `None` if the node has no such block.
    ///
    /// # Errors
    /// If the node does not answer.
    pub async fn hash_at(&self, number: BlockNumber) -> Result<Option<B256>, FetchError> {
        let params = json!([U64::from(number), false]);
        let block = self.ask::<Numbered>(number, "eth_getBlockByNumber", params).await;
        match block.map_err(|error| self.or_no_such_block(error)) {
            Ok(block) => Ok(Some(block.hash)),
            Err(FetchError::NoSuchBlock { .. } | FetchError::BlockLacking { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn number_of(&self, name: Name) -> Result<BlockNumber, NameError> {
        let failed = |source| NameError::Rpc { name, source };
        let found: Option<Numbered> = match name {
            Name::Latest => return self.head().await.map_err(failed),
            Name::Safe | Name::Finalized => self.numbered(json!(name.to_string())).await,
            Name::Hash(hash) => {
                self.client().call("eth_getBlockByHash", json!([hash, false])).await
            }
        }
        .map_err(failed)?;
        let origin = || self.client().origin().clone();
        let found = found.ok_or_else(|| NameError::Unknown { name, origin: origin() })?;
        let number = found.number.to();
        if let Name::Hash(hash) = name {
            let canonical = self.numbered(json!(found.number)).await.map_err(failed)?;
            let canonical = canonical.map(|block| block.hash).filter(|other| *other != hash);
            if let Some(other) = canonical {
                return Err(NameError::Orphan { hash, number, other, origin: origin() });
            }
        }
        self.client().known_head().note(number).await;
        Ok(number)
    }

    /// The block of a tag or number.
    async fn numbered(&self, tag: Value) -> Result<Option<Numbered>, RpcError> {
        self.client().call("eth_getBlockByNumber", json!([tag, false])).await
    }
}
