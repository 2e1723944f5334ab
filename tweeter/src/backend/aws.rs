//! DynamoDB and SQS, which other processes may work on at the same time.

use std::{path::Path, sync::Arc, time::Duration};

use ::aws::{DynamoStore, SigningSecret, SqsQueue};
use domain::Timestamp;
use ports::store::Table;
use service::tokens::AccessTokens;
use tracing::info;

use crate::{
    aws::{self, AwsClients, AwsOptions},
    config::DataDir,
    data_dir::OpenDir,
    error::StartError,
    secret,
};

/// How long a stop waits for messages that SQS has perhaps sent already: a receive that has something to give answers
/// in a tenth of this. What were cut off would come again only after the visibility timeout.
pub(super) const LAST_RECEIVE: Duration = Duration::from_millis(500);

/// Tables and queues that were there at the start.
#[derive(Debug)]
pub(crate) struct Aws {
    pub(super) store: DynamoStore,
    pub(super) queue: SqsQueue,
    keys: Keys,
    options: AwsOptions,
}

/// Where the signing key is.
#[derive(Debug)]
enum Keys {
    /// In a secret, which is fetched again when it is rotated.
    Secret(Arc<SigningSecret>),
    /// In a directory of this process, whose tokens no other accepts.
    DataDir(OpenDir),
}

impl Aws {
    pub(super) async fn open(
        options: &AwsOptions,
        clients: Option<AwsClients>,
        data_dir: &DataDir,
    ) -> Result<Self, StartError> {
        let clients = match clients {
            Some(clients) => clients,
            None => AwsClients::from_environment().await?,
        };
        let (store, queue) = aws::open(&clients, options).await?;
        let keys = match &options.signing_secret {
            Some(id) => Keys::Secret(Arc::new(clients.signing_secret(id).await)),
            None => Keys::DataDir(OpenDir::open_for_start(data_dir)?),
        };
        Ok(Self { store, queue, keys, options: options.clone() })
    }

    pub(super) async fn access_tokens(&self, now: Timestamp) -> Result<AccessTokens, StartError> {
        match &self.keys {
            Keys::Secret(secret) => Ok(AccessTokens::from_source(Arc::clone(secret) as _, now).await?),
            Keys::DataDir(dir) => Ok(AccessTokens::new(&secret::load_or_create(dir.path())?.into())),
        }
    }

    pub(super) fn data_dir(&self) -> Option<&Path> {
        match &self.keys {
            Keys::Secret(_) => None,
            Keys::DataDir(dir) => Some(dir.path()),
        }
    }

    pub(super) fn announce(&self) {
        let names: Vec<_> = Table::ALL.into_iter().filter_map(|table| self.options.tables.get(table)).collect();
        let tables = names.join(", ");
        info!(dynamodb.tables = %tables, "Data is in DynamoDB, in the tables {tables}");
        if let Some(dir) = self.data_dir() {
            let dir = dir.display();
            info!(data.dir = %dir, "The signing key is in {dir}: other processes need the same, or a secret");
        }
    }
}
