//! DynamoDB and SQS, which other processes may work on at the same time.

use std::time::Duration;

use shared::{
    aws::{DynamoStore, SqsQueue},
    service::tokens::TokenKeys,
    store::Table,
};
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
    /// Where the signing key is kept.
    pub(super) data_dir: OpenDir,
    pub(super) store: DynamoStore,
    pub(super) queue: SqsQueue,
    options: AwsOptions,
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
        let data_dir = OpenDir::open_for_start(data_dir)?;
        Ok(Self { data_dir, store, queue, options: options.clone() })
    }

    pub(super) fn token_keys(&self) -> Result<TokenKeys, StartError> {
        Ok(secret::load_or_create(self.data_dir.path())?.into())
    }

    pub(super) fn announce(&self) {
        let names: Vec<_> = Table::ALL.into_iter().filter_map(|table| self.options.tables.get(table)).collect();
        let (tables, keys) = (names.join(", "), self.data_dir.path().display());
        info!(dynamodb.tables = %tables, "Data is in DynamoDB, in the tables {tables}; the signing key is in {keys}");
    }
}
