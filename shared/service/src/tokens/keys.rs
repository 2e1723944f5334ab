//! The signing keys, made ready for use.

use jsonwebtoken::{DecodingKey, EncodingKey};
use sha2::{Digest, Sha256};

use super::super::token_signature;
use domain::Timestamp;
use ports::signing::{SECRET_BYTES, TokenKeys};

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
        let accepted = keys.accepted().map(|secret| (key_id(secret), DecodingKey::from_secret(secret)));
        Self {
            signing: EncodingKey::from_secret(keys.current()),
            signing_id: key_id(keys.current()),
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
