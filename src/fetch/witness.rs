//! The JSON of `debug_executionWitness`, in every form that nodes use.
//!
//! Each of `state`, `codes` and `keys` is a list of hex strings or null. In older reth it is an
//! object from hash to hex string. `headers` is a list of RLP as hex strings (reth), or of JSON
//! objects (geth), in any order. Only `state` must be present. Other fields are ignored.
//!
//! Nothing is proved here. Headers are linked by their hashes, which only selects the ancestors of
//! the block. Lists are read within limits that follow from the protocol. `block::prepare` checks everything against the hash that names it.

use std::collections::HashMap;

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, Bytes, keccak256};
use alloy_rlp::Decodable;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, IgnoredAny},
};

use super::{
    block_error::FetchError,
    json::{count, for_each_entry, for_each_item, text},
};
use crate::block::Witness;

/// The least length of a trie node that a hash refers to: an empty branch. A witness may list shorter nodes as well,
/// which are embedded in others.
const LEAST_NODE: usize = 17;

/// The most trie nodes, as many as a container holds.
const MOST_NODES: usize = 1 << 22;

/// The most codes. A block reads a code for some hundred gas or more.
const MOST_CODES: usize = 1 << 18;

/// The most headers: a few more than `BLOCKHASH` reaches.
const MOST_HEADERS: usize = 1 << 10;

/// A witness as a node answers it. The preimages of hashed keys are not read, because nothing depends on them.
#[derive(Debug, Deserialize)]
pub(super) struct WitnessAnswer {
    state: Several<Bytes, MOST_NODES, LEAST_NODE>,
    #[serde(default)]
    codes: Several<Bytes, MOST_CODES>,
    #[serde(default)]
    headers: Several<AnyHeader, MOST_HEADERS>,
}

/// A list, or the values of an object. Empty for null. Items shorter than `LEAST` bytes are left out. More than
/// `MOST` items are an error.
#[derive(Debug)]
struct Several<T, const MOST: usize, const LEAST: usize = 0>(Vec<T>);

/// A header in one of its two forms.
#[derive(Debug)]
enum AnyHeader {
    Rlp(Bytes),
    Json(Box<Header>),
}

/// An item with a length in bytes.
trait Measured {
    fn size(&self) -> usize;
}

impl Measured for Bytes {
    fn size(&self) -> usize {
        self.len()
    }
}

impl Measured for AnyHeader {
    fn size(&self) -> usize {
        size_of::<Header>()
    }
}

impl<'de> Deserialize<'de> for AnyHeader {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = text(from)?;
        let header = match json.starts_with('"') {
            true => serde_json::from_str(json).map(Self::Rlp),
            false => serde_json::from_str(json).map(Self::Json),
        };
        header.map_err(D::Error::custom)
    }
}

impl WitnessAnswer {
    /// The witness of block `number`. It keeps the headers that lead up to `parent_hash`:
    /// ascending, without gaps, the parent last. The list of headers is empty if the parent is
    /// missing.
    pub(super) fn into_witness(
        self,
        number: BlockNumber,
        parent_hash: B256,
    ) -> Result<Witness, FetchError> {
        let headers = self.headers.0.into_iter().map(AnyHeader::into_rlp).collect();
        let headers = linked(number, parent_hash, headers)?;
        let (nodes, codes) = (self.state.0, self.codes.0);
        Ok(Witness { nodes, codes, headers, keys: Vec::new() })
    }
}

impl AnyHeader {
    fn into_rlp(self) -> Bytes {
        match self {
            Self::Rlp(rlp) => rlp,
            Self::Json(header) => alloy_rlp::encode(&*header).into(),
        }
    }
}

/// Follows the hashes back from the parent, until a header is missing.
fn linked(
    number: BlockNumber,
    parent_hash: B256,
    headers: Vec<Bytes>,
) -> Result<Vec<Bytes>, FetchError> {
    let mut by_hash = HashMap::with_capacity(headers.len());
    for (index, rlp) in headers.into_iter().enumerate() {
        let header = Header::decode(&mut rlp.as_ref())
            .map_err(|source| FetchError::WitnessHeader { number, index, source })?;
        by_hash.insert(keccak256(&rlp), (rlp, header.parent_hash));
    }

    let mut chain = Vec::with_capacity(by_hash.len());
    let mut wanted = parent_hash;
    while let Some((rlp, before)) = by_hash.remove(&wanted) {
        chain.push(rlp);
        wanted = before;
    }
    chain.reverse();
    Ok(chain)
}

impl<T, const MOST: usize, const LEAST: usize> Default for Several<T, MOST, LEAST> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T, const MOST: usize, const LEAST: usize> Deserialize<'de> for Several<T, MOST, LEAST>
where
    T: Deserialize<'de> + Measured,
{
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let json = text(from)?;
        let count = count(json);
        if count > MOST {
            return Err(D::Error::custom(format!("{count} items, more than {MOST}")));
        }
        // The vector has its final size, because it would grow to twice or three times that.
        let mut all = Vec::with_capacity(count);
        let mut take = |one: T| {
            if one.size() >= LEAST {
                all.push(one);
            }
            Ok(())
        };
        let read = match json.starts_with('{') {
            true => for_each_entry(json, |_: IgnoredAny, one| take(one)),
            false => for_each_item(json, take),
        };
        read.map_err(D::Error::custom)?;
        Ok(Self(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Headers of blocks 1 to `n`, each the parent of the next.
    fn chain(n: u64) -> Vec<Header> {
        let mut headers: Vec<Header> = Vec::new();
        for number in 1..=n {
            let parent_hash = headers.last().map(Header::hash_slow).unwrap_or_default();
            headers.push(Header { number, parent_hash, ..Header::default() });
        }
        headers
    }

    fn rlp(header: &Header) -> Bytes {
        alloy_rlp::encode(header).into()
    }

    fn witness(answer: Value, parent: &Header) -> Result<Witness, FetchError> {
        let answer: WitnessAnswer = serde_json::from_str(&answer.to_string()).unwrap();
        answer.into_witness(parent.number + 1, parent.hash_slow())
    }

    #[test]
    fn lists_objects_nulls_and_absent_fields_are_read() {
        let parent = &chain(1)[0];
        let [one, two] = [1, 2].map(|byte| Bytes::from(vec![byte; LEAST_NODE]));
        for (answer, nodes, codes) in [
            (json!({"state": [one, two], "codes": ["0x"], "keys": ["0x0304"]}), 2, 1),
            (json!({"state": {"0xaa": one, "0xbb": two}, "codes": {}, "keys": null}), 2, 0),
            (json!({"state": [one], "codes": {"0xcc": "0x03"}, "headers": null}), 1, 1),
            (json!({"state": null, "extra": {"a": [1]}}), 0, 0),
        ] {
            let witness = witness(answer.clone(), parent).unwrap();
            assert_eq!((witness.nodes.len(), witness.codes.len()), (nodes, codes), "{answer}");
            assert!(witness.keys.is_empty());
        }
    }

    #[test]
    fn nodes_that_no_hash_refers_to_take_no_memory() {
        let answer = format!(r#"{{"state":[{}"0x00"]}}"#, r#""0x","#.repeat(1_000));
        let answer: WitnessAnswer = serde_json::from_str(&answer).unwrap();
        assert!(answer.state.0.is_empty());
    }

    #[test]
    fn a_list_beyond_its_limit_is_refused() {
        let answer =
            format!(r#"{{"state":[],"headers":[{}"0x"]}}"#, r#""0x","#.repeat(MOST_HEADERS));
        let error = serde_json::from_str::<WitnessAnswer>(&answer).unwrap_err().to_string();
        assert!(error.starts_with("1025 items, more than 1024"), "{error}");
    }

    #[test]
    fn an_answer_without_state_is_rejected() {
        assert!(serde_json::from_str::<WitnessAnswer>(r#"{"codes": []}"#).is_err());
        assert!(serde_json::from_str::<WitnessAnswer>(r#"{"state": ["zz"]}"#).is_err());
    }

    #[test]
    fn headers_as_rlp_and_as_json_are_the_same() {
        let headers = chain(3);
        let expected: Vec<Bytes> = headers.iter().map(rlp).collect();
        for answer in [
            json!({"state": [], "headers": expected}),
            json!({"state": [], "headers": headers}),
            json!({"state": [], "headers": [headers[2], rlp(&headers[0]), headers[1]]}),
        ] {
            assert_eq!(witness(answer, &headers[2]).unwrap().headers, expected);
        }
    }

    #[test]
    fn only_headers_without_a_gap_up_to_the_parent_are_kept() {
        let headers = chain(5);
        let (all, parent) = (headers.iter().map(rlp).collect::<Vec<_>>(), &headers[3]);

        let gap = json!({"state": [], "headers": [all[4], all[0], all[3], all[2]]});
        assert_eq!(witness(gap, parent).unwrap().headers, all[2..4]);

        let no_parent = json!({"state": [], "headers": [all[0], all[1]]});
        assert!(witness(no_parent, parent).unwrap().headers.is_empty());
    }

    #[test]
    fn a_header_that_does_not_decode_is_named() {
        let parent = &chain(1)[0];
        let answer = json!({"state": [], "headers": [rlp(parent), "0xc0"]});
        let error = witness(answer, parent).unwrap_err();
        assert!(matches!(error, FetchError::WitnessHeader { number: 2, index: 1, .. }), "{error}");
    }
}
