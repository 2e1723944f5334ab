//! The port to where signing keys are kept.

use std::{error::Error, fmt};

use async_trait::async_trait;

use super::keys::TokenKeys;

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
