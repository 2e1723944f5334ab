//! The signing keys, prepared for use.

use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};

use super::super::token_signature;
use domain::Timestamp;
use ports::signing::{SECRET_BYTES, TokenKeys};

/// The prepared keys, with their ids.
pub(super) struct Keys {
    pub signing: EncodingKey,
    pub signing_id: String,
    accepted: Vec<(String, DecodingKey)>,
    /// The time at which they were requested: they are at least this recent.
    pub as_of: Timestamp,
}

impl Keys {
    pub fn new(keys: &TokenKeys, as_of: Timestamp) -> Self {
        token_signature::install();
        let accepted = keys.accepted().map(|secret| (key_id(secret), DecodingKey::from_secret(secret)));
        Self {
            signing: EncodingKey::from_secret(keys.current()),
            signing_id: key_id(keys.current()),
            accepted: accepted.collect(),
            as_of,
        }
    }

    /// The key that verifies tokens with this key id.
    pub fn accepted(&self, kid: &str) -> Option<DecodingKey> {
        self.accepted.iter().find(|(id, _)| id == kid).map(|(_, key)| key.clone())
    }
}

/// A public name for a secret: the beginning of a separate hash of it. The secret has 256 random bits, so the name does
/// not help to guess it.
pub(super) fn key_id(secret: &[u8; SECRET_BYTES]) -> String {
    let mut digest = Sha256::new();
    digest.update(b"tweeter access token key id");
    digest.update(secret);
    hex::encode(&digest.finalize()[..8])
}
