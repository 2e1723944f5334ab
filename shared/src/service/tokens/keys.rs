//! The secrets that access tokens are signed with.

use std::fmt;

use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};

use super::super::token_signature;
use crate::domain::Timestamp;

/// Bytes of a signing secret: the output of its hash function, as RFC 7518, section 3.2, asks at least.
pub const SECRET_BYTES: usize = 32;

/// A signing secret that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is 64 hexadecimal digits")]
pub struct InvalidSecret;

/// The secrets that access tokens are signed with: the current one, and the one before it, whose tokens are still
/// accepted. Never shown by `Debug`.
#[derive(Clone)]
pub struct TokenKeys {
    current: [u8; SECRET_BYTES],
    previous: Option<[u8; SECRET_BYTES]>,
}

impl TokenKeys {
    /// Signs and accepts with one secret of random bits.
    pub const fn new(current: [u8; SECRET_BYTES]) -> Self {
        Self { current, previous: None }
    }

    /// Also accepts what was signed with the secret before.
    #[must_use]
    pub const fn with_previous(mut self, previous: [u8; SECRET_BYTES]) -> Self {
        self.previous = Some(previous);
        self
    }

    /// A secret from its hexadecimal form; white space around it is nothing.
    pub fn parse_secret(text: &str) -> Result<[u8; SECRET_BYTES], InvalidSecret> {
        let mut secret = [0; SECRET_BYTES];
        hex::decode_to_slice(text.trim(), &mut secret).map_err(|_| InvalidSecret)?;
        Ok(secret)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys(..)")
    }
}

/// The keys made ready for use, with their ids.
pub(super) struct Keys {
    pub signing: EncodingKey,
    pub signing_id: String,
    accepted: Vec<(String, DecodingKey)>,
    /// When they were asked for: they are at least as new.
    pub as_of: Timestamp,
}

impl Keys {
    pub fn new(keys: &TokenKeys, as_of: Timestamp) -> Self {
        token_signature::install();
        let secrets = [Some(keys.current), keys.previous];
        let accepted = secrets.iter().flatten().map(|secret| (key_id(secret), DecodingKey::from_secret(secret)));
        Self {
            signing: EncodingKey::from_secret(&keys.current),
            signing_id: key_id(&keys.current),
            accepted: accepted.collect(),
            as_of,
        }
    }

    /// The key that checks tokens of this id.
    pub fn accepted(&self, kid: &str) -> Option<DecodingKey> {
        self.accepted.iter().find(|(id, _)| id == kid).map(|(_, key)| key.clone())
    }
}

/// Names a secret without telling it: the beginning of a hash of its own. The secret has 256 random bits, so there is
/// nothing to guess from.
pub(super) fn key_id(secret: &[u8; SECRET_BYTES]) -> String {
    let mut digest = Sha256::new();
    digest.update(b"tweeter access token key id");
    digest.update(secret);
    hex::encode(&digest.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_64_hexadecimal_digits() {
        assert_eq!(TokenKeys::parse_secret(&format!("{}\n", "07".repeat(32))), Ok([7; SECRET_BYTES]));
        for bad in ["", "07", &"07".repeat(33), &"zz".repeat(32)] {
            assert_eq!(TokenKeys::parse_secret(bad), Err(InvalidSecret));
        }
    }
}
