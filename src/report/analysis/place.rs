//! Names hot spots: short names for text, full addresses and keys for JSON.

use crate::insight::{HotSpot, Place, well_known};
use alloy_primitives::B256;
use serde::Serialize;

/// Kind of a place in one word.
pub(super) const fn kind(place: &Place) -> &'static str {
    match place {
        Place::Account(_) => "account",
        Place::Balance(_) => "balance",
        Place::Nonce(_) => "nonce",
        Place::Code(_) => "code",
        Place::Storage(_) => "storage",
        Place::Slot(..) => "slot",
    }
}

/// Short name for text. A well-known contract has its name, any other account its shortened address.
pub(crate) fn short(place: &Place, chain_id: u64) -> String {
    let address = place.address();
    let shortened = || {
        let text = address.to_checksum(None);
        format!("{}…{}", &text[..8], &text[text.len() - 4..])
    };
    let name = well_known(chain_id, address).map_or_else(shortened, str::to_owned);
    match place {
        Place::Account(_) => name,
        Place::Slot(_, key) => format!("{name} slot {}", short_key(&format!("{key:x}"))),
        other => format!("{name} {}", kind(other)),
    }
}

fn short_key(key: &str) -> String {
    match (key.get(..6), key.get(key.len().saturating_sub(4)..)) {
        (Some(first), Some(last)) if key.len() > 12 => format!("0x{first}…{last}"),
        _ => format!("0x{key}"),
    }
}

/// A hot spot in JSON.
#[derive(Debug, Serialize)]
pub(in crate::report) struct HotSpotRecord {
    kind: &'static str,
    address: String,
    name: Option<&'static str>,
    slot: Option<String>,
    pairs: usize,
    path_ns: u64,
    bound_without: Option<f64>,
}

impl HotSpotRecord {
    pub(in crate::report) fn new(spot: &HotSpot, chain_id: u64) -> Self {
        let address = spot.place.address();
        let slot = match spot.place {
            Place::Slot(_, key) => Some(B256::from(key).to_string()),
            _ => None,
        };
        Self {
            kind: kind(&spot.place),
            address: address.to_checksum(None),
            name: well_known(chain_id, address),
            slot,
            pairs: spot.pairs,
            path_ns: super::super::record::nanoseconds(spot.path_time),
            bound_without: spot.bound_without,
        }
    }
}
