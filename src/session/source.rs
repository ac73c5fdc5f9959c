//! The place that a selected block is loaded from.

use crate::{
    block::{BlockId, Confirmation, RecordedBlock},
    cache::{Cache, CacheError},
    evm::ChainRules,
};
use alloy_primitives::{B256, ChainId};
use std::sync::Arc;

/// Source of a block.
#[derive(Clone, Debug)]
pub enum BlockSource {
    /// A file of a cache, which has not been read yet.
    Cached(Cache, BlockId),
    /// A block in memory, such as one of the built-in sample.
    InMemory(Box<RecordedBlock>),
    /// A block under other rules than its own.
    WithRules(Box<Self>, Arc<ChainRules>),
    /// A block with a confirmed header.
    Confirmed(Box<Self>, Confirmation),
}

impl BlockSource {
    /// Loads the block, from its file if it is cached.
    ///
    /// # Errors
    /// If the file cannot be read, or if it is damaged.
    pub fn load(self) -> Result<RecordedBlock, CacheError> {
        match self {
            Self::Cached(cache, id) => cache.get(&id),
            Self::InMemory(block) => Ok(*block),
            Self::WithRules(source, rules) => Ok(source.load()?.with_rules(&rules)),
            Self::Confirmed(source, _) => source.load(),
        }
    }

    /// The source that confirms the header; `None` if the block is only consistent with it.
    pub fn confirmation(&self) -> Option<&Confirmation> {
        match self {
            Self::Cached(..) | Self::InMemory(_) => None,
            Self::WithRules(source, _) => source.confirmation(),
            Self::Confirmed(_, source) => Some(source),
        }
    }

    /// The same block with the source that confirms its header, if there is one.
    #[must_use]
    pub fn confirmed(self, by: Option<&Confirmation>) -> Self {
        match by {
            Some(by) => Self::Confirmed(Box::new(self), by.clone()),
            None => self,
        }
    }

    /// Estimated work for the block, comparable within one selection only. It is the size of the file in bytes,
    /// since the file holds the state that the block touches. For a block in memory it is the gas.
    pub fn weight(&self) -> u64 {
        match self {
            Self::Cached(cache, id) => cache.size(id).unwrap_or_default(),
            Self::InMemory(block) => block.block.header.gas_used,
            Self::WithRules(source, _) | Self::Confirmed(source, _) => source.weight(),
        }
    }

    /// Path or name of the source, for messages.
    pub fn place(&self) -> String {
        match self {
            Self::Cached(cache, id) => cache.path(id).display().to_string(),
            Self::InMemory(block) => format!("block {} in memory", block.block.header.number),
            Self::WithRules(source, _) | Self::Confirmed(source, _) => source.place(),
        }
    }

    /// The chain id of the block, by the name of its folder if it is cached.
    pub fn chain_id(&self) -> ChainId {
        match self {
            Self::Cached(_, id) => id.chain_id,
            Self::InMemory(block) => block.chain_id,
            Self::WithRules(source, _) | Self::Confirmed(source, _) => source.chain_id(),
        }
    }

    /// The identity of the block, by its file name if it is cached.
    pub fn id(&self) -> BlockId {
        match self {
            Self::Cached(_, id) => *id,
            Self::InMemory(block) => block.id(),
            Self::WithRules(source, _) | Self::Confirmed(source, _) => source.id(),
        }
    }

    /// Digest of the rules that take the place of the block's own.
    pub fn given_rules(&self) -> Option<B256> {
        match self {
            Self::WithRules(_, rules) => Some(rules.digest()),
            Self::Confirmed(source, _) => source.given_rules(),
            Self::Cached(..) | Self::InMemory(_) => None,
        }
    }

    /// The same block under `rules`, if they are of its chain.
    #[must_use]
    pub fn with_rules(self, rules: &Arc<ChainRules>) -> Self {
        match self.chain_id() == rules.id() {
            true => Self::WithRules(Box::new(self), rules.clone()),
            false => self,
        }
    }
}
