//! The RLP list inside a container's frame.
//!
//! It uses consensus encodings only: integers, a block, and lists of byte strings. Decoding accepts
//! exactly the documented structure. It does not check that the parts belong together.

use std::iter;

use alloy_consensus::{Block, TxEnvelope};
use alloy_primitives::{Bytes, ChainId};
use alloy_rlp::{BufMut, Decodable, Encodable, Header, encode_list, list_length};

use super::{
    ContainerError, flat_content,
    limits::{
        self, MAX_ACCESS_LIST_BYTES, MAX_BLOCK_BYTES, MAX_CONTENT_BYTES, MAX_ITEMS, MAX_RULES_BYTES,
    },
};
use crate::block::{RecordedBlock, RecordedState, Witness};

/// The kind tag of a pre-state that a witness proves.
const KIND_WITNESS: u64 = 1;

/// The kind tag of a flat pre-state.
const KIND_FLAT: u64 = 2;

/// Version 1 has neither a block access list nor rules.
const ITEMS_OF_VERSION_1: usize = 4;

/// Encodes the list of the newest format version.
///
/// # Errors
///
/// [`ContainerError::TooLarge`] and [`ContainerError::NotAscending`] if [`decode`] would return
/// them.
pub(super) fn encode(recorded: &RecordedBlock) -> Result<Vec<u8>, ContainerError> {
    let RecordedBlock { chain_id, block, state, access_list, rules } = recorded;
    limits::check("bytes of block RLP", block.length() as u64, MAX_BLOCK_BYTES)?;
    check_access_list(access_list)?;
    check_rules(rules)?;
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

    let items: [&dyn Encodable; 6] = [chain_id, &kind, block, state, access_list, rules];
    let length = list_length::<_, dyn Encodable>(&items);
    limits::check("bytes of content", length as u64, MAX_CONTENT_BYTES)?;

    let mut content = Vec::with_capacity(length);
    encode_list::<_, dyn Encodable>(&items, &mut content);
    Ok(content)
}

/// Decodes the list of a format version, which must be all of `content`. Byte strings are slices of
/// it.
pub(super) fn decode(content: &Bytes, version: u16) -> Result<RecordedBlock, ContainerError> {
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
    let mut recorded = RecordedBlock::new(chain_id, block, state);
    if version > 1 {
        recorded.access_list = byte_string(content, &mut items, "block access list")?;
        check_access_list(&recorded.access_list)?;
        recorded.rules = byte_string(content, &mut items, "chain's rules")?;
        check_rules(&recorded.rules)?;
    }
    match items.len() {
        0 => Ok(recorded),
        bytes => Err(ContainerError::UnknownItems { bytes }),
    }
}

fn check_access_list(list: &Bytes) -> Result<(), ContainerError> {
    limits::check("bytes of block access list", list.len() as u64, MAX_ACCESS_LIST_BYTES)
}

fn check_rules(rules: &Bytes) -> Result<(), ContainerError> {
    limits::check("bytes of chain's rules", rules.len() as u64, MAX_RULES_BYTES)
}

/// The format version of a content without a container, by its number of items.
///
/// # Errors
///
/// [`ContainerError::Malformed`] if it is no list.
pub(super) fn version(content: &[u8]) -> Result<u16, ContainerError> {
    let mut items = list(&mut &*content, "content")?;
    let mut count = 0;
    while !items.is_empty() {
        let header = Header::decode(&mut items).map_err(malformed("content"))?;
        items = items.get(header.payload_length..).unwrap_or_default();
        count += 1;
    }
    Ok(if count > ITEMS_OF_VERSION_1 { 2 } else { 1 })
}

/// The next item, a byte string. It is a slice of `content`.
fn byte_string(
    content: &Bytes,
    items: &mut &[u8],
    part: &'static str,
) -> Result<Bytes, ContainerError> {
    let payload = Header::decode_bytes(items, false).map_err(malformed(part))?;
    Ok(content.slice_ref(payload))
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

/// The content in format version 1, without list and rules.
#[cfg(test)]
pub(super) fn encode_version_1(recorded: &RecordedBlock) -> Vec<u8> {
    let newest = encode(recorded).expect("test blocks are within the limits");
    let mut items = list(&mut &*newest, "content").expect("it was encoded here");
    let start = items;
    for _ in 0..ITEMS_OF_VERSION_1 {
        let header = Header::decode(&mut items).expect("it was encoded here");
        items = &items[header.payload_length..];
    }
    let payload = &start[..start.len() - items.len()];
    let mut content = Vec::new();
    Header { list: true, payload_length: payload.len() }.encode(&mut content);
    content.extend(payload);
    content
}

#[cfg(test)]
mod tests;
