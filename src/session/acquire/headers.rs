//! Confirms the headers of acquired blocks by hashes that the user gives, and by further nodes.

use crate::{
    block::{BlockId, Confirmation, range::BlockNumbers},
    cache::{Cache, CacheError, Confirmations},
    fetch::{FetchError, Node},
    session::confirmed::{GivenHashes, check_given, descend},
};
use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber};
use eyre::{WrapErr, bail, ensure};
use futures::future::try_join_all;
use std::{
    collections::{BTreeMap, HashMap},
    mem,
    sync::Arc,
};

/// The sources that confirm headers.
#[derive(Clone, Debug, Default)]
pub struct HeaderSources {
    /// Hashes that the user gives, by block number.
    pub given: GivenHashes,
    /// Further nodes. All of them must state the same hash.
    pub nodes: Vec<Node>,
}

impl HeaderSources {
    /// Checks that the further nodes are of the same chain.
    ///
    /// # Errors
    /// If one is not.
    pub fn check_chain(&self, chain_id: u64) -> eyre::Result<()> {
        for node in &self.nodes {
            let (other, origin) = (node.chain_id(), node.origin());
            ensure!(other == chain_id, "{origin} is a node of chain {other}, not {chain_id}");
        }
        Ok(())
    }

    /// Confirms a block that `origin` answered.
    ///
    /// # Errors
    /// If a hash differs, or if a node does not answer or has no such block.
    pub(super) async fn confirm(
        &self,
        id: BlockId,
        origin: &str,
    ) -> eyre::Result<Option<Confirmation>> {
        check_given(&self.given, &id, origin)?;
        try_join_all(self.nodes.iter().map(|node| agree(node, id, origin))).await?;
        let is_given = self.given.contains_key(&id.number);
        let names: Vec<_> = self.nodes.iter().map(|node| node.origin().to_string()).collect();
        Ok(match (is_given, names.is_empty()) {
            (true, _) => Some(Confirmation::Given),
            (false, false) => Some(Confirmation::Nodes(names.join(", "))),
            (false, true) => None,
        })
    }
}

/// Asks a further node for the hash of a block.
async fn agree(node: &Node, id: BlockId, origin: &str) -> eyre::Result<()> {
    let BlockId { number, hash, .. } = id;
    let other = node.origin();
    let found: Result<_, FetchError> = node.hash_at(number).await;
    match found.wrap_err_with(|| format!("{other} does not confirm block {number}"))? {
        Some(found) if found == hash => Ok(()),
        Some(found) => bail!(
            "the nodes disagree on block {number}: {origin} has the hash {hash}, and {other} has {found}"
        ),
        None => bail!("{other} does not confirm block {number}, since it has no such block"),
    }
}

/// Confirms the headers of one fetch. Cheap to clone.
#[derive(Clone)]
pub(super) struct HeaderCheck {
    sources: Arc<HeaderSources>,
    /// Blocks that the cache or the program confirms already.
    known: Arc<Confirmations>,
}

impl HeaderCheck {
    /// # Errors
    /// If the confirmations of the cache cannot be read, or if a node is of another chain.
    pub(super) fn new(
        cache: &Cache,
        chain_id: u64,
        numbers: &BlockNumbers,
        sources: HeaderSources,
    ) -> eyre::Result<Self> {
        sources.check_chain(chain_id)?;
        let known = cache.confirmations(chain_id, numbers)?;
        Ok(Self { sources: Arc::new(sources), known: Arc::new(known) })
    }

    /// Looks for a source that confirms the header of a block of a node.
    ///
    /// # Errors
    /// As [`HeaderSources::confirm`].
    pub(super) async fn check(&self, node: &Node, header: &Header) -> eyre::Result<AcquiredHeader> {
        let (chain_id, origin) = (node.chain_id(), node.origin().to_string());
        let id = BlockId { chain_id, number: header.number, hash: header.hash_slow() };
        let by = self.sources.confirm(id, &origin).await?;
        let confirmed = by.or_else(|| self.known.get(&id).cloned());
        Ok(AcquiredHeader { id, parent: header.parent_hash, confirmed })
    }
}

/// The header of an acquired block.
#[derive(Clone, Debug)]
pub struct AcquiredHeader {
    /// The block.
    pub id: BlockId,
    /// Hash of its parent.
    pub parent: B256,
    /// The source that confirms the header; `None` if the block is only consistent with it.
    pub confirmed: Option<Confirmation>,
}

/// The headers of the blocks that were acquired so far.
pub(super) struct Headers {
    cache: Cache,
    chain_id: u64,
    known: Arc<Confirmations>,
    parents: HashMap<BlockId, B256>,
    confirmed: Confirmations,
    /// The first error of writing a confirmation.
    failed: Result<(), CacheError>,
}

impl Headers {
    pub(super) fn new(cache: &Cache, chain_id: u64, check: &HeaderCheck) -> Self {
        Self {
            cache: cache.clone(),
            chain_id,
            known: check.known.clone(),
            parents: HashMap::new(),
            confirmed: HashMap::new(),
            failed: Ok(()),
        }
    }

    /// Adds the header of a block in the cache, and stores its confirmation.
    pub(super) fn add(&mut self, AcquiredHeader { id, parent, confirmed }: &AcquiredHeader) {
        self.parents.insert(*id, *parent);
        let Some(by) = confirmed else { return };
        self.confirmed.insert(*id, by.clone());
        self.store(&Confirmations::from([(*id, by.clone())]));
    }

    fn store(&mut self, found: &Confirmations) {
        let new = |(id, _): &(&BlockId, &Confirmation)| !self.known.contains_key(*id);
        let new = found.iter().filter(new).map(|(id, by)| (*id, by.clone())).collect();
        let stored = self.cache.confirm(self.chain_id, &new);
        if self.failed.is_ok() {
            self.failed = stored;
        }
    }

    /// Confirms the ancestors of confirmed blocks. Returns all confirmed blocks by number.
    ///
    /// # Errors
    /// If a confirmation cannot be stored.
    pub(super) fn finish(&mut self) -> Result<BTreeMap<BlockNumber, Confirmation>, CacheError> {
        let ids: Vec<_> = self.parents.keys().copied().collect();
        let direct = self.confirmed.clone();
        let parents = &self.parents;
        descend(&ids, &mut self.confirmed, |id| parents.get(id).copied());
        let mut below = self.confirmed.clone();
        below.retain(|id, _| !direct.contains_key(id));
        self.store(&below);
        mem::replace(&mut self.failed, Ok(()))?;
        Ok(self.confirmed.drain().map(|(id, by)| (id.number, by)).collect())
    }
}
