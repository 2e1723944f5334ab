//! The port to the secrets that access tokens are signed with.

use std::{error::Error, fmt};

use async_trait::async_trait;

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

    /// The current secret, which signs.
    pub const fn current(&self) -> &[u8; SECRET_BYTES] {
        &self.current
    }

    /// Every accepted secret, the current one first.
    pub fn accepted(&self) -> impl Iterator<Item = &[u8; SECRET_BYTES]> {
        std::iter::once(&self.current).chain(&self.previous)
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

/// Where the signing keys are kept.
#[async_trait]
pub trait KeySource: fmt::Debug + Send + Sync {
    /// The keys as they are now.
    async fn fetch(&self) -> Result<TokenKeys, KeySourceError>;
}

/// Why there are no signing keys. Names the secret, never its value.
#[derive(Debug, thiserror::Error)]
pub enum KeySourceError {
    /// It did not come.
    #[error("the signing secret {secret} cannot be fetched")]
    Unavailable {
        /// The secret's name.
        secret: String,
        /// What happened.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// Its current version is something else.
    #[error("the signing secret {secret} is not 64 hexadecimal digits")]
    Malformed {
        /// The secret's name.
        secret: String,
    },
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
