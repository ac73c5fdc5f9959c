//! The RLP list inside a container's frame.
//!
//! It uses consensus encodings only: integers, a block, and lists of byte strings. Decoding accepts
//! exactly the documented structure. It does not check that the parts belong together.

use std::iter;

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Bytes, ChainId};
use alloy_rlp::{BufMut, Decodable, Encodable, Header, encode_list, list_length};

use super::{
    ContainerError, RecordedBlock, RecordedState, Witness, flat_content,
    limits::{self, MAX_BLOCK_BYTES, MAX_CONTENT_BYTES, MAX_ITEMS},
};

/// The kind tag of a pre-state that a witness proves.
const KIND_WITNESS: u64 = 1;

/// The kind tag of a flat pre-state.
const KIND_FLAT: u64 = 2;

/// Encodes the list.
///
/// # Errors
///
/// [`ContainerError::TooLarge`] and [`ContainerError::NotAscending`] if [`decode`] would return
/// them.
pub(super) fn encode(recorded: &RecordedBlock) -> Result<Vec<u8>, ContainerError> {
    let RecordedBlock { chain_id, block, state } = recorded;
    limits::check("bytes of block RLP", block.length() as u64, MAX_BLOCK_BYTES)?;
    let (kind, state): (_, &dyn Encodable) = match state {
        RecordedState::Witness(witness) => {
            witness.check()?;
            (KIND_WITNESS, witness)
        }
        RecordedState::Flat(flat) => {
            flat_content::check(flat)?;
            (KIND_FLAT, flat)
        }
    };

    let items: [&dyn Encodable; 4] = [chain_id, &kind, block, state];
    let length = list_length::<_, dyn Encodable>(&items);
    limits::check("bytes of content", length as u64, MAX_CONTENT_BYTES)?;

    let mut content = Vec::with_capacity(length);
    encode_list::<_, dyn Encodable>(&items, &mut content);
    Ok(content)
}

/// Decodes the list, which must be all of `content`. Byte strings of the pre-state are slices of
/// it.
pub(super) fn decode(content: &Bytes) -> Result<RecordedBlock, ContainerError> {
    let mut rest = content.as_ref();
    let mut items = list(&mut rest, "content")?;
    end(rest, "content")?;

    let chain_id: ChainId = item(&mut items, "chain id")?;
    let kind = item(&mut items, "kind of pre-state")?;
    if ![KIND_WITNESS, KIND_FLAT].contains(&kind) {
        return Err(ContainerError::UnknownKind { kind });
    }
    let block = decode_block(&mut items)?;
    let state = match kind {
        KIND_FLAT => RecordedState::Flat(flat_content::decode(content, &mut items)?),
        _ => RecordedState::Witness(decode_witness(content, &mut items)?),
    };
    match items.len() {
        0 => Ok(RecordedBlock { chain_id, block, state }),
        bytes => Err(ContainerError::UnknownItems { bytes }),
    }
}

/// Length of the first list of `contents`, in bytes.
///
/// # Errors
///
/// [`ContainerError::Malformed`] if `contents` does not begin with a complete list.
pub(super) fn length(contents: &[u8]) -> Result<usize, ContainerError> {
    let mut rest = contents;
    list(&mut rest, "content")?;
    Ok(contents.len() - rest.len())
}

fn decode_block(items: &mut &[u8]) -> Result<Block<TxEnvelope>, ContainerError> {
    let header = Header::decode(&mut &**items).map_err(malformed("block"))?;
    let length = header.length_with_payload() as u64;
    limits::check("bytes of block RLP", length, MAX_BLOCK_BYTES)?;
    item(items, "block")
}

fn decode_witness(content: &Bytes, items: &mut &[u8]) -> Result<Witness, ContainerError> {
    let mut lists = list(items, "witness")?;
    let mut strings = |part| byte_strings(content, &mut lists, part);
    let witness = Witness {
        nodes: strings("trie nodes")?,
        codes: strings("codes")?,
        headers: strings("ancestor headers")?,
        keys: strings("keys")?,
    };
    end(lists, "witness")?;
    Ok(witness)
}

/// The next item, a list of byte strings. Each is a slice of `content`. The strings are counted
/// before they are collected, so a list with too many takes no memory.
pub(super) fn byte_strings(
    content: &Bytes,
    items: &mut &[u8],
    part: &'static str,
) -> Result<Vec<Bytes>, ContainerError> {
    let strings = list(items, part)?;
    limits::check(part, payloads(strings).count() as u64, MAX_ITEMS)?;
    payloads(strings)
        .map(|string| string.map(|payload| content.slice_ref(payload)))
        .collect::<Result<_, _>>()
        .map_err(malformed(part))
}

/// The payload of every byte string in a list's payload. It ends after the first error.
fn payloads(mut rest: &[u8]) -> impl Iterator<Item = alloy_rlp::Result<&[u8]>> {
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let payload = Header::decode_bytes(&mut rest, false);
        if payload.is_err() {
            rest = &[];
        }
        Some(payload)
    })
}

/// The payload of the next item, which must be a list.
pub(super) fn list<'a>(
    items: &mut &'a [u8],
    part: &'static str,
) -> Result<&'a [u8], ContainerError> {
    Header::decode_bytes(items, true).map_err(malformed(part))
}

pub(super) fn item<T: Decodable>(
    items: &mut &[u8],
    part: &'static str,
) -> Result<T, ContainerError> {
    T::decode(items).map_err(malformed(part))
}

/// Returns an error if bytes follow the last item of `part`.
pub(super) fn end(rest: &[u8], part: &'static str) -> Result<(), ContainerError> {
    if rest.is_empty() { Ok(()) } else { Err(malformed(part)(alloy_rlp::Error::UnexpectedLength)) }
}

fn malformed(part: &'static str) -> impl FnOnce(alloy_rlp::Error) -> ContainerError {
    move |source| ContainerError::Malformed { part, source }
}

impl Witness {
    /// Returns an error for a list that [`decode`] would refuse.
    fn check(&self) -> Result<(), ContainerError> {
        let mut lists = self.lists().into_iter();
        lists.try_for_each(|(part, list)| limits::check(part, list.len() as u64, MAX_ITEMS))
    }

    /// The lists in the order of the format, each with its name in messages.
    fn lists(&self) -> [(&'static str, &Vec<Bytes>); 4] {
        [
            ("trie nodes", &self.nodes),
            ("codes", &self.codes),
            ("ancestor headers", &self.headers),
            ("keys", &self.keys),
        ]
    }
}

/// `[nodes, codes, headers, keys]`, each a list of byte strings.
impl Encodable for Witness {
    fn encode(&self, out: &mut dyn BufMut) {
        encode_list::<_, Vec<Bytes>>(&self.lists().map(|(_, strings)| strings), out);
    }

    fn length(&self) -> usize {
        list_length::<_, Vec<Bytes>>(&self.lists().map(|(_, strings)| strings))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cache::tests::{empty_block, flat_block, full_block};

    fn decode_vec(content: Vec<u8>) -> Result<RecordedBlock, ContainerError> {
        decode(&Bytes::from(content))
    }

    /// An RLP list of items that are already encoded.
    fn rlp_list(items: &[Vec<u8>]) -> Vec<u8> {
        let payload = items.concat();
        let mut list = Vec::new();
        Header { list: true, payload_length: payload.len() }.encode(&mut list);
        list.extend(payload);
        list
    }

    /// The four items of a block's content, encoded.
    fn items(recorded: &RecordedBlock) -> Vec<Vec<u8>> {
        let RecordedBlock { chain_id, block, state } = recorded;
        let (kind, state): (_, &dyn Encodable) = match state {
            RecordedState::Witness(witness) => (1_u64, witness),
            RecordedState::Flat(flat) => (2_u64, flat),
        };
        let encode = alloy_rlp::encode::<&dyn Encodable>;
        vec![encode(chain_id), encode(&kind), encode(block), encode(state)]
    }

    fn strings() -> impl Strategy<Value = Vec<Bytes>> {
        let string = prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from);
        prop::collection::vec(string, 0..12)
    }

    proptest! {
        #[test]
        fn any_decoded_witness_equals_the_encoded_one(
            chain_id: u64,
            nodes in strings(),
            codes in strings(),
            headers in strings(),
            keys in strings(),
        ) {
            let state = RecordedState::Witness(Witness { nodes, codes, headers, keys });
            let recorded = RecordedBlock { chain_id, state, ..full_block(1) };
            let content = encode(&recorded).unwrap();
            prop_assert_eq!(decode_vec(content).unwrap(), recorded);
        }

        #[test]
        fn any_bytes_are_decoded_or_refused(content: Vec<u8>) {
            let _ = decode_vec(content);
        }

        #[test]
        fn changed_content_is_decoded_or_refused(at: prop::sample::Index, byte: u8, flat: bool) {
            let block = if flat { flat_block(1) } else { full_block(1) };
            let mut content = encode(&block).unwrap();
            let at = at.index(content.len());
            content[at] = byte;
            let _ = decode_vec(content);
        }
    }

    #[test]
    fn the_content_is_the_documented_list() {
        for recorded in [full_block(7), flat_block(7)] {
            assert_eq!(encode(&recorded).unwrap(), rlp_list(&items(&recorded)));
        }
    }

    #[test]
    fn a_witness_is_four_lists_of_byte_strings() {
        let witness = Witness {
            nodes: vec![Bytes::from_static(&[0xaa, 0xbb]), Bytes::new()],
            codes: vec![Bytes::from_static(&[0x05])],
            headers: vec![Bytes::from_static(&[0x80])],
            keys: vec![],
        };
        let expected = [0xcb, 0xc4, 0x82, 0xaa, 0xbb, 0x80, 0xc1, 0x05, 0xc2, 0x81, 0x80, 0xc0];
        assert_eq!(alloy_rlp::encode(&witness), expected);
        assert_eq!(Encodable::length(&witness), expected.len());
    }

    #[test]
    fn withdrawals_may_be_missing_or_empty() {
        for withdrawals in [None, Some(Default::default())] {
            let mut recorded = empty_block(7);
            recorded.block.body.withdrawals = withdrawals;
            let content = encode(&recorded).unwrap();
            assert_eq!(decode_vec(content).unwrap(), recorded);
        }
    }

    #[test]
    fn byte_strings_of_a_witness_are_slices_of_the_content() {
        let content = Bytes::from(encode(&full_block(7)).unwrap());
        let RecordedState::Witness(witness) = decode(&content).unwrap().state else {
            panic!("the encoded state was a witness")
        };
        let inside = content.as_ref().as_ptr_range();
        for (part, strings) in witness.lists() {
            for string in strings.iter().filter(|string| !string.is_empty()) {
                assert!(inside.contains(&string.as_ptr()), "one of the {part} was copied");
            }
        }
    }

    #[test]
    fn another_kind_of_pre_state_is_named() {
        let mut items = items(&full_block(7));
        items[1] = alloy_rlp::encode(9_u64);
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(matches!(error, ContainerError::UnknownKind { kind: 9 }), "{error:?}");
    }

    #[test]
    fn an_item_after_the_witness_is_refused() {
        let mut items = items(&full_block(7));
        items.push(vec![0xc0]);
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(matches!(error, ContainerError::UnknownItems { bytes: 1 }), "{error:?}");
    }

    #[test]
    fn a_fifth_list_in_the_witness_is_refused() {
        let mut items = items(&full_block(7));
        items[3] = rlp_list(&vec![vec![0xc0]; 5]);
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { part: "witness", .. }), "{error:?}");
    }

    #[test]
    fn bytes_after_the_list_are_refused() {
        let mut content = encode(&full_block(7)).unwrap();
        content.push(0x80);
        let error = decode_vec(content).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { part: "content", .. }), "{error:?}");
    }

    #[test]
    fn a_list_among_the_codes_is_refused() {
        let mut items = items(&full_block(7));
        let codes = rlp_list(&[vec![0xc0]]);
        items[3] = rlp_list(&[vec![0xc0], codes, vec![0xc0], vec![0xc0]]);
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(matches!(error, ContainerError::Malformed { part: "codes", .. }), "{error:?}");
    }

    #[test]
    fn a_list_of_too_many_byte_strings_is_refused() {
        let mut items = items(&full_block(7));
        let nodes = rlp_list(&[vec![0x80; MAX_ITEMS as usize + 1]]);
        items[3] = rlp_list(&[nodes, vec![0xc0], vec![0xc0], vec![0xc0]]);
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(matches!(error, ContainerError::TooLarge { part: "trie nodes", .. }), "{error:?}");
    }

    #[test]
    fn a_block_of_too_many_bytes_is_neither_written_nor_read() {
        let mut recorded = empty_block(7);
        recorded.block.header.extra_data = vec![0; MAX_BLOCK_BYTES as usize].into();
        for error in
            [encode(&recorded).unwrap_err(), decode_vec(rlp_list(&items(&recorded))).unwrap_err()]
        {
            assert!(
                matches!(error, ContainerError::TooLarge { part: "bytes of block RLP", .. }),
                "{error:?}"
            );
        }
    }
}
