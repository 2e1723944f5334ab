//! The signing secret in Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::{
    Client,
    config::http::HttpResponse,
    error::{ProvideErrorMetadata as _, SdkError},
    operation::get_secret_value::GetSecretValueError,
};
use futures::future::try_join;
use tracing::warn;

use ports::signing::{KeySource, KeySourceError, TokenKeys};

/// The variable with the signing secret's ARN. The secret itself is never in the environment.
pub const SIGNING_SECRET_ARN: &str = "TWEETER_SIGNING_SECRET_ARN";

/// The label of the version that signs. Secrets Manager moves both labels when a new version is stored (User Guide,
/// "What's in a Secrets Manager secret").
const CURRENT: &str = "AWSCURRENT";
/// The label of the previous version.
const PREVIOUS: &str = "AWSPREVIOUS";

/// The signing secret in its versions `AWSCURRENT`, which signs, and `AWSPREVIOUS`, which is still accepted; each is 64
/// hexadecimal digits. A secret that was never rotated has no previous version. A malformed previous version is
/// ignored; otherwise a corrected secret would be refused because of its malformed predecessor.
#[derive(Debug, Clone)]
pub struct SigningSecret {
    client: Client,
    id: String,
}

impl SigningSecret {
    /// The secret of this name or ARN.
    pub fn new(client: Client, id: impl Into<String>) -> Self {
        Self { client, id: id.into() }
    }

    async fn current(&self) -> Result<String, KeySourceError> {
        self.version(CURRENT).await.map_err(|error| self.unavailable(error))
    }

    async fn previous(&self) -> Result<Option<String>, KeySourceError> {
        match self.version(PREVIOUS).await {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.code() == Some("ResourceNotFoundException") => Ok(None),
            Err(error) => Err(self.unavailable(error)),
        }
    }

    /// The text of a version; empty if it is binary.
    async fn version(&self, label: &str) -> Result<String, SdkError<GetSecretValueError, HttpResponse>> {
        let request = self.client.get_secret_value().secret_id(&self.id).version_stage(label);
        Ok(request.send().await?.secret_string.unwrap_or_default())
    }

    fn keys(&self, current: &str, previous: Option<String>) -> Result<TokenKeys, KeySourceError> {
        let malformed = |_| KeySourceError::Malformed { secret: self.id.clone() };
        let keys = TokenKeys::new(TokenKeys::parse_secret(current).map_err(malformed)?);
        let Some(previous) = previous else { return Ok(keys) };
        Ok(match TokenKeys::parse_secret(&previous) {
            Ok(secret) => keys.with_previous(secret),
            Err(error) => {
                warn!(
                    error = telemetry::chain(&error),
                    "Could not use version {PREVIOUS} of {}; tokens signed with it are rejected", self.id
                );
                keys
            }
        })
    }

    fn unavailable(&self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> KeySourceError {
        KeySourceError::Unavailable { secret: self.id.clone(), cause: cause.into() }
    }
}

#[async_trait]
impl KeySource for SigningSecret {
    async fn fetch(&self) -> Result<TokenKeys, KeySourceError> {
        let (current, previous) = try_join(self.current(), self.previous()).await?;
        self.keys(&current, previous)
    }
}
