//! The port to the signing secrets of access tokens.

use std::{error::Error, fmt};

use async_trait::async_trait;

/// The size of a signing secret in bytes: the output size of its hash function, the minimum of RFC 7518, section 3.2.
pub const SECRET_BYTES: usize = 32;

/// A signing secret is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret must be 64 hexadecimal digits")]
pub struct InvalidSecret;

/// The signing secrets of access tokens: the current one and its predecessor, whose tokens are still accepted. `Debug`
/// shows neither.
#[derive(Clone)]
pub struct TokenKeys {
    current: [u8; SECRET_BYTES],
    previous: Option<[u8; SECRET_BYTES]>,
}

impl TokenKeys {
    /// Signs with and accepts one secret of random bits.
    pub const fn new(current: [u8; SECRET_BYTES]) -> Self {
        Self { current, previous: None }
    }

    /// Also accepts tokens signed with the previous secret.
    #[must_use]
    pub const fn with_previous(mut self, previous: [u8; SECRET_BYTES]) -> Self {
        self.previous = Some(previous);
        self
    }

    /// The current secret, used to sign.
    pub const fn current(&self) -> &[u8; SECRET_BYTES] {
        &self.current
    }

    /// All accepted secrets, the current one first.
    pub fn accepted(&self) -> impl Iterator<Item = &[u8; SECRET_BYTES]> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// Parses a secret from its hexadecimal form, ignoring surrounding white space.
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

/// The source of the signing keys.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// Fetches the current keys.
    async fn fetch(&self) -> Result<TokenKeys, KeySourceError>;
}

/// Why the signing keys are unavailable. Names the secret, never its value.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// Fetching failed.
    #[error("the signing secret {secret} cannot be fetched")]
    Unavailable {
        /// The secret's name.
        secret: String,
        /// The cause.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The current version is not a valid secret.
    #[error("the signing secret {secret} is not 64 hexadecimal digits")]
    Malformed {
        /// The secret's name.
        secret: String,
    },
}
