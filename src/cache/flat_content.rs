//! The RLP of a flat pre-state.
//!
//! Decoding accepts only the documented structure and ascending order. So each state has one
//! encoding, and no account, slot or assumption can occur twice.

use alloy_primitives::{Address, Bytes, U256};
use alloy_rlp::{BufMut, Decodable, Encodable, encode_list, list_length};

use super::{
    Assumed, ContainerError, FlatAccount, FlatState,
    content::{byte_strings, end, item, list},
    flat::FlatFields,
    limits::{self, MAX_ITEMS},
};

/// Returns an error for a state that [`decode`] would refuse: too many items, or items out of
/// order.
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
    ascending(codes, Clone::clone, "codes")?;
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

/// Decodes the next item, which must be a flat pre-state. Codes and headers are slices of
/// `content`.
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

/// Decodes the items of the next list one by one. `left` is the number of items that are still
/// allowed.
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

/// A list of two items.
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

#[cfg(test)]
mod tests {
    use proptest::{collection, prelude::*};

    use super::*;

    fn decode_vec(encoded: Vec<u8>) -> Result<FlatState, ContainerError> {
        let content = Bytes::from(encoded);
        decode(&content, &mut content.as_ref())
    }

    fn address() -> impl Strategy<Value = Address> {
        any::<[u8; 20]>().prop_map(Address::from)
    }

    fn word() -> impl Strategy<Value = U256> {
        prop_oneof![any::<u8>().prop_map(U256::from), any::<[u64; 4]>().prop_map(U256::from_limbs)]
    }

    fn account() -> impl Strategy<Value = (Option<FlatFields>, Vec<(U256, U256)>)> {
        let fields =
            (any::<u64>(), word(), any::<[u8; 32]>()).prop_map(|(nonce, balance, hash)| {
                Some(FlatFields { nonce, balance, code_hash: hash.into() })
            });
        let slots = collection::btree_map(word(), word(), 0..5)
            .prop_map(|slots| slots.into_iter().collect());
        prop_oneof![Just((None, Vec::new())), (fields, slots)]
    }

    fn assumed() -> impl Strategy<Value = Assumed> {
        let addresses = || collection::btree_set(address(), 0..4);
        let zero = collection::btree_set((address(), word()), 0..4);
        let unknown_hash = collection::btree_set(any::<u64>(), 0..4);
        let ommers = collection::vec(any::<[u8; 32]>(), 0..3);
        (addresses(), addresses(), zero, unknown_hash, ommers).prop_map(
            |(absent, empty, zero, unknown_hash, ommers)| Assumed {
                absent: absent.into_iter().collect(),
                empty: empty.into_iter().collect(),
                zero: zero.into_iter().collect(),
                unknown_hash: unknown_hash.into_iter().collect(),
                ommers: ommers.into_iter().map(Into::into).collect(),
            },
        )
    }

    fn state() -> impl Strategy<Value = FlatState> {
        let accounts = collection::btree_map(address(), account(), 0..6);
        let strings = || collection::btree_set(collection::vec(any::<u8>(), 0..40), 0..4);
        (accounts, strings(), strings(), assumed()).prop_map(
            |(accounts, codes, headers, assumed)| {
                let account = |(address, (fields, slots))| FlatAccount { address, fields, slots };
                FlatState {
                    accounts: accounts.into_iter().map(account).collect(),
                    codes: codes.into_iter().map(Bytes::from).collect(),
                    headers: headers.into_iter().map(Bytes::from).collect(),
                    assumed,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn any_decoded_flat_state_equals_the_encoded_one(state in state()) {
            check(&state).unwrap();
            let encoded = alloy_rlp::encode(&state);
            prop_assert_eq!(encoded.len(), state.length());
            prop_assert_eq!(decode_vec(encoded).unwrap(), state);
        }

        #[test]
        fn a_changed_byte_is_refused_or_gives_another_state(
            state in state(),
            at: prop::sample::Index,
            mask in 1_u8..,
        ) {
            let mut encoded = alloy_rlp::encode(&state);
            let at = at.index(encoded.len());
            encoded[at] ^= mask;
            // Each state has one encoding.
            prop_assert_ne!(decode_vec(encoded).ok(), Some(state));
        }
    }

    #[test]
    fn the_encoding_is_the_documented_one() {
        let address = Address::repeat_byte(0xaa);
        let fields = FlatFields { nonce: 1, balance: U256::ZERO, code_hash: Default::default() };
        let slots = vec![(U256::from(7), U256::ZERO)];
        let absent = FlatAccount { address: Address::ZERO, fields: None, slots: vec![] };
        let accounts = vec![absent, FlatAccount { address, fields: Some(fields), slots }];
        let encoded = alloy_rlp::encode(FlatState { accounts, ..Default::default() });

        let absent = [&[0xd5, 0x94][..], &[0; 20]].concat();
        let fields = [&[0x94][..], &[0xaa; 20], &[0x01, 0x80, 0xa0], &[0; 32]].concat();
        let slots = [0xc3, 0xc2, 0x07, 0x80];
        let length = (fields.len() + slots.len()) as u8;
        let present = [&[0xf8, length][..], &fields, &slots].concat();
        let accounts = [&[0xf8, (absent.len() + present.len()) as u8][..], &absent, &present];
        let rest = [0xc0, 0xc0, 0xc5, 0xc0, 0xc0, 0xc0, 0xc0, 0xc0];
        let content = [&accounts.concat()[..], &rest].concat();
        assert_eq!(encoded, [&[0xf8, content.len() as u8][..], &content].concat());
    }

    #[test]
    fn items_out_of_order_or_repeated_are_refused() {
        let account =
            |byte| FlatAccount { address: Address::repeat_byte(byte), fields: None, slots: vec![] };
        for accounts in [vec![account(2), account(1)], vec![account(1), account(1)]] {
            let state = FlatState { accounts, ..Default::default() };
            for error in
                [check(&state).unwrap_err(), decode_vec(alloy_rlp::encode(&state)).unwrap_err()]
            {
                assert!(
                    matches!(error, ContainerError::NotAscending { part: "accounts" }),
                    "{error:?}"
                );
            }
        }
    }

    #[test]
    fn a_list_of_too_many_items_is_refused() {
        let mut list = Vec::new();
        let payload_length = MAX_ITEMS as usize + 1;
        alloy_rlp::Header { list: true, payload_length }.encode(&mut list);
        list.resize(list.len() + payload_length, 0x80);
        let mut left = MAX_ITEMS;
        let refused = each(&mut &*list, "slots", &mut left, |items| item::<u64>(items, "slots"));
        assert!(matches!(refused, Err(ContainerError::TooLarge { part: "slots", .. })));
    }
}
