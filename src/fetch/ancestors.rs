//! Adds headers of older ancestors to a fetched block.
//!
//! A witness should hold every header that the block's `BLOCKHASH` reads, but some nodes give the
//! parent only. Execution of the block shows which headers are missing. The caller then fetches
//! them here.

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, Bytes, U64};
use alloy_rlp::Decodable;
use futures::future::try_join_all;
use serde_json::json;

use super::{block_error::FetchError, node::Node};
use crate::block::{RecordedBlock, RecordedState};

/// Number of blocks that `BLOCKHASH` reaches back (Yellow Paper, section H.2).
const BLOCKHASH_REACH: u64 = 256;

impl Node {
    /// Puts the headers from block `down_to` on before the headers of the witness or flat state.
    /// They are requested by number, all at once, and then linked by hash. On error the block stays
    /// unchanged.
    ///
    /// # Errors
    /// If `down_to` is more than 256 blocks back, or the node lacks a header or has another one.
    pub async fn fetch_ancestors(
        &self,
        recorded: &mut RecordedBlock,
        down_to: BlockNumber,
    ) -> Result<(), FetchError> {
        let number = recorded.block.header.number;
        let next = next_ancestor(recorded)?;
        let headers = self.headers_before(number, next, down_to).await?;
        let encoded = headers.iter().map(|header| Bytes::from(alloy_rlp::encode(header)));
        match &mut recorded.state {
            RecordedState::Witness(witness) => witness.headers.splice(..0, encoded),
            RecordedState::Flat(flat) => flat.headers.splice(..0, encoded),
        };
        Ok(())
    }

    /// The headers from block `down_to` to the parent of `block`, linked by hash.
    ///
    /// # Errors
    /// As [`Node::fetch_ancestors`].
    pub async fn ancestors(
        &self,
        block: &Header,
        down_to: BlockNumber,
    ) -> Result<Vec<Header>, FetchError> {
        let next = (block.number, block.parent_hash);
        self.headers_before(block.number, next, down_to).await
    }

    /// The headers from block `down_to` up to the block before `next`. The parent of `next` has the
    /// hash `next_hash`.
    async fn headers_before(
        &self,
        number: BlockNumber,
        (next, next_hash): (BlockNumber, B256),
        down_to: BlockNumber,
    ) -> Result<Vec<Header>, FetchError> {
        if down_to.saturating_add(BLOCKHASH_REACH) < number {
            return Err(FetchError::TooFarBack { number, down_to });
        }
        let wanted = (down_to..next).map(|ancestor| self.header(number, ancestor));
        let headers = try_join_all(wanted).await?;
        check_links(number, next_hash, &headers)?;
        Ok(headers)
    }

    async fn header(
        &self,
        number: BlockNumber,
        ancestor: BlockNumber,
    ) -> Result<Header, FetchError> {
        self.ask(number, "eth_getBlockByNumber", json!([U64::from(ancestor), false])).await
    }
}

/// The number of the oldest known header, and the hash of its parent.
fn next_ancestor(recorded: &RecordedBlock) -> Result<(BlockNumber, B256), FetchError> {
    let Header { number, parent_hash, .. } = recorded.block.header;
    let headers = match &recorded.state {
        RecordedState::Witness(witness) => &witness.headers,
        RecordedState::Flat(flat) => &flat.headers,
    };
    let Some(oldest) = headers.first() else { return Ok((number, parent_hash)) };
    let oldest = Header::decode(&mut oldest.as_ref())
        .map_err(|source| FetchError::WitnessHeader { number, index: 0, source })?;
    Ok((oldest.number, oldest.parent_hash))
}

/// Checks each header, newest first, against the parent hash of its child.
fn check_links(
    number: BlockNumber,
    newest_hash: B256,
    headers: &[Header],
) -> Result<(), FetchError> {
    let mut expected = newest_hash;
    for header in headers.iter().rev() {
        let computed = header.hash_slow();
        if computed != expected {
            let ancestor = header.number;
            return Err(FetchError::WrongAncestor { number, ancestor, expected, computed });
        }
        expected = header.parent_hash;
    }
    Ok(())
}
