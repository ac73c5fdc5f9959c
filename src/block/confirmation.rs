//! How it is known that a header is one of its chain.
//!
//! Execution shows that a block is consistent with its own header. A node can make up such a block. So the header
//! needs another source: a hash from the user, a list in the program, further nodes, or a confirmed descendant.

use std::{convert::Infallible, fmt, str::FromStr};

use alloy_primitives::BlockNumber;

/// The source that confirms the hash of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The user gave the hash with the number, or the hash alone.
    Given,
    /// A list in the program has the hash.
    BuiltIn,
    /// The header is an ancestor of a confirmed block.
    Descendant(BlockNumber),
    /// Further nodes state the same hash. Holds their names.
    Nodes(String),
}

const GIVEN: &str = "given hash";
const BUILT_IN: &str = "list in the program";
const DESCENDANT: &str = "block ";

impl Confirmation {
    /// Name of the level of a header: `confirmed`, or `consistent` for a header that only its own block confirms.
    pub const fn level(of: Option<&Self>) -> &'static str {
        match of {
            Some(_) => "confirmed",
            None => "consistent",
        }
    }
}

impl fmt::Display for Confirmation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given => f.write_str(GIVEN),
            Self::BuiltIn => f.write_str(BUILT_IN),
            Self::Descendant(number) => write!(f, "{DESCENDANT}{number}"),
            Self::Nodes(names) => f.write_str(names),
        }
    }
}

/// Reads what `Display` prints.
impl FromStr for Confirmation {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let descendant = text.strip_prefix(DESCENDANT).and_then(|number| number.parse().ok());
        Ok(match (text, descendant) {
            (GIVEN, _) => Self::Given,
            (BUILT_IN, _) => Self::BuiltIn,
            (_, Some(number)) => Self::Descendant(number),
            (names, None) => Self::Nodes(names.to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_confirmation_is_read_back() {
        for confirmation in [
            Confirmation::Given,
            Confirmation::BuiltIn,
            Confirmation::Descendant(24_628_609),
            Confirmation::Nodes("https://one.example, http://two.example:8545".to_owned()),
        ] {
            assert_eq!(confirmation.to_string().parse(), Ok(confirmation));
        }
    }
}
