//! The secret that a node shares with its clients. Each connection is authorised by a token that is signed with it.

use std::fmt;

use alloy_rpc_types_engine::{Claims, JwtSecret};

/// A 256-bit secret in hex, as in the file of a node's `--authrpc.jwtsecret`. `Debug` does not show it.
#[derive(Clone)]
pub struct NodeSecret(JwtSecret);

/// The text is not a secret. The message does not quote it.
#[derive(Debug, thiserror::Error)]
#[error("the file must hold 64 hexadecimal digits, with or without 0x")]
pub struct SecretError;

impl NodeSecret {
    /// Reads the content of the file.
    ///
    /// # Errors
    /// If it is not 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Result<Self, SecretError> {
        JwtSecret::from_hex(text.trim()).map(Self).map_err(|_| SecretError)
    }

    /// A token that a node accepts for a minute. Signing with a secret of this length does not fail.
    pub(super) fn token(&self) -> Option<String> {
        self.0.encode(&Claims::with_current_timestamp()).ok()
    }
}

impl fmt::Debug for NodeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NodeSecret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0xf79ae8046bc11c9927afe911db7143c51a806c4a537cc08e0d37140b0192f430";

    #[test]
    fn a_token_is_valid_for_its_secret_and_shows_nothing_of_it() {
        let secret = NodeSecret::from_hex(&format!("{SECRET}\n")).unwrap();
        let token = secret.token().unwrap();
        assert!(JwtSecret::from_hex(SECRET).unwrap().validate(&token).is_ok());
        assert_eq!(format!("{secret:?}"), "NodeSecret");
    }

    #[test]
    fn a_malformed_secret_is_not_quoted() {
        let error = NodeSecret::from_hex("f79ae8046b").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("f79a"), "{error}");
    }
}
