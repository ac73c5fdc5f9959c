//! Compares the reason of a refusal with the reasons that a test names.
//!
//! The suites name several hundred reasons, and clients find the faults of a block in different orders. So only names
//! that are listed here are held. They are those of block access lists (EIP-7928).

use super::chain::Refusal;
use crate::verify::Check;

/// Whether the refusal has one of the expected reasons, which are separated by `|`. A reason that is not held can be
/// any.
pub(super) fn fits(expected: &str, refusal: &Refusal) -> bool {
    let held: Option<Vec<_>> = expected.split('|').map(checks).collect();
    held.is_none_or(|held| held.concat().into_iter().any(|check| refusal.is_for(check)))
}

/// The comparisons that find a fault of this name; `None` if the name is not held.
fn checks(name: &str) -> Option<&'static [Check]> {
    Some(match name.trim().strip_prefix("BlockException.")? {
        "INVALID_BLOCK_ACCESS_LIST"
        | "INVALID_BAL_HASH"
        | "INVALID_BAL_EXTRA_ACCOUNT"
        | "INVALID_BAL_MISSING_ACCOUNT" => &[Check::AccessListHash],
        "BLOCK_ACCESS_LIST_GAS_LIMIT_EXCEEDED" => &[Check::AccessListSize],
        // The engine API gives the hash beside the block. A block alone has its own hash.
        "INVALID_BLOCK_HASH" => &[],
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verify::Verdict;

    fn outcome(at: Check) -> Refusal {
        let (expected, actual) = (String::new(), String::new());
        Refusal::Outcome(Verdict::Mismatch { at, expected, actual })
    }

    #[test]
    fn a_false_access_list_is_refused_for_the_list_only() {
        let (hash, size) = (outcome(Check::AccessListHash), outcome(Check::AccessListSize));
        for name in ["INVALID_BLOCK_ACCESS_LIST", "INVALID_BAL_HASH"] {
            let expected = format!("BlockException.{name}|BlockException.INVALID_BLOCK_HASH");
            assert!(fits(&expected, &hash) && !fits(&expected, &size), "{name}");
            assert!(!fits(&expected, &outcome(Check::GasUsed)), "{name}");
        }
        let too_large = "BlockException.BLOCK_ACCESS_LIST_GAS_LIMIT_EXCEEDED";
        assert!(fits(too_large, &size) && !fits(too_large, &hash));
    }

    #[test]
    fn reasons_that_are_not_held_can_be_any() {
        let gas = outcome(Check::GasUsed);
        for expected in ["InvalidGasUsed", "BlockException.INVALID_GAS_USED", ""] {
            assert!(fits(expected, &gas), "{expected}");
        }
        assert!(fits("BlockException.INVALID_BAL_HASH|BlockException.INVALID_GAS_USED", &gas));
    }
}
