//! The software of a node, and the methods that harm it.
//!
//! `debug_executionWitness` stops geth before 1.17.2 from importing blocks: with the path scheme, a witness of a block
//! near the head leaves the node behind the chain. Nitro is a fork of such a version. The method is therefore not
//! called on them, and the pre-state is fetched in another way.

use super::{block_error::FetchError, error::RpcError, node::Node, redact::SafeText};
use alloy_primitives::BlockNumber;
use serde_json::json;

/// The first version of geth on which `debug_executionWitness` is harmless.
const FIRST_HARMLESS_GETH: [u64; 3] = [1, 17, 2];

impl Node {
    /// Refuses a witness method on software that it harms. A node that does not name its software is not refused.
    pub(super) async fn refuse_harm(
        &self,
        number: BlockNumber,
        method: &'static str,
    ) -> Result<(), FetchError> {
        match self.harmed_by_witnesses().await {
            Some(software) => {
                let (origin, software) = (self.client().origin().clone(), software.clone());
                let source = RpcError::NotCalled { method, origin, software };
                Err(FetchError::Rpc { number, source })
            }
            None => Ok(()),
        }
    }

    /// The name of the software, if witness methods harm it.
    pub(super) async fn harmed_by_witnesses(&self) -> Option<&SafeText> {
        self.software().await.filter(|name| is_harmed(name.as_str()))
    }

    /// The name of the software, made printable. `None` if the node does not state it. The node is asked once.
    pub async fn software(&self) -> Option<&SafeText> {
        let ask = async || {
            let name = self.client().call::<String>("web3_clientVersion", json!([])).await.ok()?;
            Some(self.client().safe_words(&name))
        };
        self.software.get_or_init(ask).await.as_ref()
    }
}

/// Whether software of this name, such as `Geth/v1.16.7-stable/linux-amd64/go1.25.1`, is harmed by witness methods.
fn is_harmed(name: &str) -> bool {
    let mut parts = name.split('/');
    let software = parts.next().unwrap_or_default().trim().to_lowercase();
    match software.as_str() {
        "nitro" => true,
        // A name of the operator's choice may stand before the version. An unreadable version may be an old one.
        "geth" => parts.find_map(version).is_none_or(|version| version < FIRST_HARMLESS_GETH),
        _ => false,
    }
}

/// Reads `v1.16.7-stable` as `[1, 16, 7]`.
fn version(text: &str) -> Option<[u64; 3]> {
    let numbers = text.strip_prefix('v')?.split(['-', '+']).next()?;
    let mut numbers = numbers.split('.').map(|number| number.parse().ok());
    let version = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_geth_and_nitro_are_harmed_by_witness_methods() {
        for name in [
            "Geth/v1.16.7-stable-b9f3a3d9/linux-amd64/go1.24.9",
            "Geth/v1.17.1-stable/linux-amd64/go1.25.1",
            "Geth/my-node/v1.13.15-stable/linux-amd64/go1.21.6",
            "Geth/unknown",
            "nitro/v3.9.3-5a9b2e6/linux-amd64/go1.25.1",
        ] {
            assert!(is_harmed(name), "{name}");
        }
    }

    #[test]
    fn other_software_is_not() {
        for name in [
            "Geth/v1.17.2-stable-1ad3b5c2/linux-amd64/go1.25.1",
            "Geth/v2.0.0/linux-amd64/go1.25.1",
            "reth/v1.9.3-27a8c0f/x86_64-unknown-linux-gnu",
            "erigon/3.2.2/linux-amd64/go1.24.1",
            "Nethermind/v1.35.2+faa9b9e6/linux-x64/dotnet9.0.10",
            "besu/v25.11.0/linux-x86_64/openjdk-java-21",
            "anvil/v1.7.1",
            "",
        ] {
            assert!(!is_harmed(name), "{name}");
        }
    }
}
