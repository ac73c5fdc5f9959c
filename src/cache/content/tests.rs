//! The content is exactly the documented list, within its limits.

use proptest::prelude::*;

use super::*;
use crate::cache::tests::{empty_block, flat_block, full_block};

fn decode_vec(content: Vec<u8>) -> Result<RecordedBlock, ContainerError> {
    decode(&Bytes::from(content), 2)
}

/// An RLP list of items that are already encoded.
fn rlp_list(items: &[Vec<u8>]) -> Vec<u8> {
    let payload = items.concat();
    let mut list = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut list);
    list.extend(payload);
    list
}

/// The six items of a block's content, encoded.
fn items(recorded: &RecordedBlock) -> Vec<Vec<u8>> {
    let RecordedBlock { chain_id, block, state, access_list, rules } = recorded;
    let (kind, state): (_, &dyn Encodable) = match state {
        RecordedState::Witness(witness) => (1_u64, witness),
        RecordedState::Flat(flat) => (2_u64, flat),
    };
    let encode = alloy_rlp::encode::<&dyn Encodable>;
    let strings = [encode(access_list), encode(rules)];
    [vec![encode(chain_id), encode(&kind), encode(block), encode(state)], strings.into()].concat()
}

fn string() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..80).prop_map(Bytes::from)
}

fn strings() -> impl Strategy<Value = Vec<Bytes>> {
    prop::collection::vec(string(), 0..12)
}

proptest! {
    #[test]
    fn any_decoded_witness_equals_the_encoded_one(
        chain_id: u64,
        nodes in strings(),
        codes in strings(),
        headers in strings(),
        keys in strings(),
        access_list in string(),
        rules in string(),
    ) {
        let state = RecordedState::Witness(Witness { nodes, codes, headers, keys });
        let recorded = RecordedBlock { chain_id, state, access_list, rules, ..full_block(1) };
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
    let RecordedState::Witness(witness) = decode(&content, 2).unwrap().state else {
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
fn a_seventh_item_is_refused() {
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
fn a_list_in_place_of_a_byte_string_is_refused() {
    for (item, named) in [(4, "block access list"), (5, "chain's rules")] {
        let mut items = items(&full_block(7));
        items[item] = vec![0xc0];
        let error = decode_vec(rlp_list(&items)).unwrap_err();
        assert!(
            matches!(error, ContainerError::Malformed { part, .. } if part == named),
            "{error:?}"
        );
    }
}

#[test]
fn parts_of_too_many_bytes_are_neither_written_nor_read() {
    let zeros = |limit: u64| Bytes::from(vec![0; limit as usize + 1]);
    let (mut block, mut list, mut rules) = (empty_block(7), empty_block(7), empty_block(7));
    block.block.header.extra_data = zeros(MAX_BLOCK_BYTES);
    list.access_list = zeros(MAX_ACCESS_LIST_BYTES);
    rules.rules = zeros(MAX_RULES_BYTES);
    for (recorded, named) in [
        (block, "bytes of block RLP"),
        (list, "bytes of block access list"),
        (rules, "bytes of chain's rules"),
    ] {
        let read = decode_vec(rlp_list(&items(&recorded)));
        for error in [encode(&recorded).unwrap_err(), read.unwrap_err()] {
            assert!(
                matches!(error, ContainerError::TooLarge { part, .. } if part == named),
                "{error:?}"
            );
        }
    }
}

#[test]
fn the_number_of_items_tells_the_version() {
    for block in [empty_block(7), full_block(7), flat_block(7)] {
        assert_eq!(version(&encode(&block).unwrap()).unwrap(), 2);
        assert_eq!(version(&encode_version_1(&block)).unwrap(), 1);
    }
}
