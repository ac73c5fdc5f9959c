//! Parses integers of test files.

use alloy_primitives::U256;
use serde::{Deserialize, Deserializer, de};
use std::fmt;

/// An integer. It is decimal, or hexadecimal after `0x`. Leading zeros are allowed, and `0x` alone is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Quantity(pub(super) U256);

impl Quantity {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |hex| (hex, 16));
        if digits.is_empty() {
            return (radix == 16).then_some(Self(U256::ZERO));
        }
        // The parser would skip underscores, which are invalid in test files.
        let plain = digits.chars().all(|char| char.is_ascii_hexdigit());
        plain.then(|| U256::from_str_radix(digits, radix).ok().map(Self)).flatten()
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuantityVisitor)
    }
}

struct QuantityVisitor;

impl de::Visitor<'_> for QuantityVisitor {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer of at most 256 bits")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Quantity::parse(text).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Quantity, E> {
        Ok(Quantity(U256::from(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_notations_of_integers_are_parsed() {
        for (text, value) in [("0x", 0), ("0x00", 0), ("0x0a", 10), ("10", 10), ("0x10", 16)] {
            assert_eq!(Quantity::parse(text), Some(Quantity(U256::from(value))), "{text}");
        }
        for text in ["", "0x_1", "xyz", "0xzz", "-1", &format!("0x1{}", "0".repeat(64))] {
            assert_eq!(Quantity::parse(text), None, "{text}");
        }
    }
}
