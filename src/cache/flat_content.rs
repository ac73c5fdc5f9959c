//! The RLP of a flat pre-state.
//!
//! Decoding takes the exact shape and the ascending order that the format asks for, so that one state
//! has one encoding and no account, slot or assumption can be given twice.

use alloy_primitives::{Address, Bytes, U256};
use alloy_rlp::{BufMut, Decodable, Encodable, encode_list, list_length};

use super::{
    Assumed, ContainerError, FlatAccount, FlatState,
    content::{byte_strings, end, item, list},
    flat::FlatFields,
    limits::{self, MAX_ITEMS},
};

/// Refuses what [`decode`] would refuse: too much of anything, or anything out of order.
pub(super) fn check(state: &FlatState) -> Result<(), ContainerError> {
    let FlatState { accounts, codes, headers, assumed } = state;
    let Assumed { absent, empty, zero, unknown_hash, ommers } = assumed;
    let addresses = absent.len() + empty.len() + zero.len();
    let slots = accounts.iter().map(|account| account.slots.len()).sum();
    for (part, count) in [
        ("accounts", accounts.len()),
        ("slots", slots),
        ("codes", codes.len()),
        ("ancestor headers", headers.len()),
        ("assumptions", addresses + unknown_hash.len() + ommers.len()),
    ] {
        limits::check(part, count as u64, MAX_ITEMS)?;
    }
    ascending(accounts, |account| account.address, "accounts")?;
    accounts.iter().try_for_each(|account| ascending(&account.slots, |(key, _)| *key, "slots"))?;
    ascending(codes, |code| code.clone(), "codes")?;
    ascending(absent, |address| *address, "assumptions")?;
    ascending(empty, |address| *address, "assumptions")?;
    ascending(zero, |slot| *slot, "assumptions")?;
    ascending(unknown_hash, |number| *number, "assumptions")
}

fn ascending<T, K: Ord>(
    items: &[T],
    key: impl Fn(&T) -> K,
    part: &'static str,
) -> Result<(), ContainerError> {
    let sorted = items.is_sorted_by(|a, b| key(a) < key(b));
    if sorted { Ok(()) } else { Err(ContainerError::NotAscending { part }) }
}

/// Decodes the next item, which must be a flat pre-state. Codes and headers are slices of `content`.
pub(super) fn decode(content: &Bytes, items: &mut &[u8]) -> Result<FlatState, ContainerError> {
    let mut parts = list(items, "flat pre-state")?;
    let accounts = decode_accounts(&mut parts)?;
    let codes = byte_strings(content, &mut parts, "codes")?;
    let headers = byte_strings(content, &mut parts, "ancestor headers")?;
    let assumed = decode_assumed(&mut parts)?;
    end(parts, "flat pre-state")?;
    let state = FlatState { accounts, codes, headers, assumed };
    check(&state)?;
    Ok(state)
}

fn decode_accounts(parts: &mut &[u8]) -> Result<Vec<FlatAccount>, ContainerError> {
    let mut slots_left = MAX_ITEMS;
    each(parts, "accounts", &mut { MAX_ITEMS }, |items| {
        let mut parts = list(items, "accounts")?;
        let address = item(&mut parts, "accounts")?;
        if parts.is_empty() {
            return Ok(FlatAccount { address, fields: None, slots: Vec::new() });
        }
        let nonce = item(&mut parts, "accounts")?;
        let balance = item(&mut parts, "accounts")?;
        let code_hash = item(&mut parts, "accounts")?;
        let slots = each(&mut parts, "slots", &mut slots_left, |items| pair(items, "slots"))?;
        end(parts, "accounts")?;
        Ok(FlatAccount { address, fields: Some(FlatFields { nonce, balance, code_hash }), slots })
    })
}

fn decode_assumed(parts: &mut &[u8]) -> Result<Assumed, ContainerError> {
    const PART: &str = "assumptions";
    let mut lists = list(parts, PART)?;
    let left = &mut { MAX_ITEMS };
    let assumed = Assumed {
        absent: each(&mut lists, PART, left, |items| item(items, PART))?,
        empty: each(&mut lists, PART, left, |items| item(items, PART))?,
        zero: each(&mut lists, PART, left, |items| pair(items, PART))?,
        unknown_hash: each(&mut lists, PART, left, |items| item(items, PART))?,
        ommers: each(&mut lists, PART, left, |items| item(items, PART))?,
    };
    end(lists, PART)?;
    Ok(assumed)
}

/// Decodes the next item, a list, one by one; `left` is how many there may be yet.
fn each<T>(
    items: &mut &[u8],
    part: &'static str,
    left: &mut u64,
    mut decode: impl FnMut(&mut &[u8]) -> Result<T, ContainerError>,
) -> Result<Vec<T>, ContainerError> {
    let mut rest = list(items, part)?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let Some(fewer) = left.checked_sub(1) else {
            return Err(ContainerError::TooLarge { part, size: MAX_ITEMS + 1, limit: MAX_ITEMS });
        };
        *left = fewer;
        all.push(decode(&mut rest)?);
    }
    Ok(all)
}

fn pair<A: Decodable, B: Decodable>(
    items: &mut &[u8],
    part: &'static str,
) -> Result<(A, B), ContainerError> {
    let mut parts = list(items, part)?;
    let both = (item(&mut parts, part)?, item(&mut parts, part)?);
    end(parts, part)?;
    Ok(both)
}

/// A list of two.
struct Pair<'a, A, B>(&'a A, &'a B);

impl<A: Encodable, B: Encodable> Encodable for Pair<'_, A, B> {
    fn encode(&self, out: &mut dyn BufMut) {
        encode_list::<_, dyn Encodable>(&[self.0 as &dyn Encodable, self.1], out);
    }

    fn length(&self) -> usize {
        list_length::<_, dyn Encodable>(&[self.0 as &dyn Encodable, self.1])
    }
}

fn pairs<A, B>(both: &[(A, B)]) -> Vec<Pair<'_, A, B>> {
    both.iter().map(|(a, b)| Pair(a, b)).collect()
}

/// `[address]`, or `[address, nonce, balance, code hash, [[key, value], ..]]`.
impl Encodable for FlatAccount {
    fn encode(&self, out: &mut dyn BufMut) {
        self.with_items(|items| encode_list::<_, dyn Encodable>(items, out));
    }

    fn length(&self) -> usize {
        self.with_items(|items| list_length::<_, dyn Encodable>(items))
    }
}

impl FlatAccount {
    fn with_items<T>(&self, use_items: impl FnOnce(&[&dyn Encodable]) -> T) -> T {
        let Some(FlatFields { nonce, balance, code_hash }) = &self.fields else {
            return use_items(&[&self.address]);
        };
        let slots: Vec<Pair<'_, U256, U256>> = pairs(&self.slots);
        use_items(&[&self.address, nonce, balance, code_hash, &slots])
    }
}

/// `[absent, empty, zero, unknown hash, ommers]`.
impl Encodable for Assumed {
    fn encode(&self, out: &mut dyn BufMut) {
        self.with_items(|items| encode_list::<_, dyn Encodable>(items, out));
    }

    fn length(&self) -> usize {
        self.with_items(|items| list_length::<_, dyn Encodable>(items))
    }
}

impl Assumed {
    fn with_items<T>(&self, use_items: impl FnOnce(&[&dyn Encodable]) -> T) -> T {
        let Self { absent, empty, zero, unknown_hash, ommers } = self;
        let zero: Vec<Pair<'_, Address, U256>> = pairs(zero);
        use_items(&[absent, empty, &zero, unknown_hash, ommers])
    }
}

/// `[accounts, codes, headers, assumed]`.
impl Encodable for FlatState {
    fn encode(&self, out: &mut dyn BufMut) {
        let Self { accounts, codes, headers, assumed } = self;
        let items: [&dyn Encodable; 4] = [accounts, codes, headers, assumed];
        encode_list::<_, dyn Encodable>(&items, out);
    }

    fn length(&self) -> usize {
        let Self { accounts, codes, headers, assumed } = self;
        list_length::<_, dyn Encodable>(&[accounts as &dyn Encodable, codes, headers, assumed])
    }
}
