//! The JSON of `debug_executionWitness`, in every form that nodes use.
//!
//! Each of `state`, `codes` and `keys` is a list of hex strings or null. In older reth it is an
//! object from hash to hex string. `headers` is a list of RLP as hex strings (reth), or of JSON
//! objects (geth), in any order. Only `state` must be present. Other fields are ignored.
//!
//! Nothing is proved here. Headers are linked by their hashes, which only selects the ancestors of
//! the block. `block::prepare` checks everything against the hash that names it.

use std::{collections::HashMap, fmt, marker::PhantomData};

use alloy_consensus::Header;
use alloy_primitives::{B256, BlockNumber, Bytes, keccak256};
use alloy_rlp::Decodable;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::block_error::FetchError;
use crate::block::Witness;

/// A witness as a node answers it.
#[derive(Debug, Deserialize)]
pub(super) struct WitnessAnswer {
    state: Several<Bytes>,
    #[serde(default)]
    codes: Several<Bytes>,
    #[serde(default)]
    keys: Several<Bytes>,
    #[serde(default)]
    headers: Several<AnyHeader>,
}

/// A list, or the values of an object. Empty for null.
#[derive(Debug)]
struct Several<T>(Vec<T>);

/// A header in one of its two forms.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum AnyHeader {
    Rlp(Bytes),
    Json(Box<Header>),
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
        Ok(Witness { nodes: self.state.0, codes: self.codes.0, headers, keys: self.keys.0 })
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

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Several<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(SeveralVisitor(PhantomData)).map(Self)
    }
}

struct SeveralVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for SeveralVisitor<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list, an object by hash, or null")
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = list.next_element()? {
            all.push(one);
        }
        Ok(all)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some((IgnoredAny, one)) = object.next_entry()? {
            all.push(one);
        }
        Ok(all)
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
        let answer: WitnessAnswer = serde_json::from_value(answer).unwrap();
        answer.into_witness(parent.number + 1, parent.hash_slow())
    }

    #[test]
    fn lists_objects_nulls_and_absent_fields_are_read() {
        let parent = &chain(1)[0];
        for (answer, nodes, codes, keys) in [
            (json!({"state": ["0x01", "02"], "codes": ["0x"], "keys": ["0x0304"]}), 2, 1, 1),
            (
                json!({"state": {"0xaa": "0x01", "0xbb": "0x02"}, "codes": {}, "keys": null}),
                2,
                0,
                0,
            ),
            (json!({"state": ["0x01"], "codes": {"0xcc": "0x03"}, "headers": null}), 1, 1, 0),
            (json!({"state": null, "extra": {"a": [1]}}), 0, 0, 0),
        ] {
            let witness = witness(answer.clone(), parent).unwrap();
            let found = (witness.nodes.len(), witness.codes.len(), witness.keys.len());
            assert_eq!(found, (nodes, codes, keys), "{answer}");
        }
    }

    #[test]
    fn an_answer_without_state_is_rejected() {
        assert!(serde_json::from_value::<WitnessAnswer>(json!({"codes": []})).is_err());
        assert!(serde_json::from_value::<WitnessAnswer>(json!({"state": ["zz"]})).is_err());
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
