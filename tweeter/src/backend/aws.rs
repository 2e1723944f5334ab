//! DynamoDB and SQS, shared with other processes.

use std::{sync::Arc, time::Duration};

use ::aws::{DynamoStore, SqsQueue};
use domain::Timestamp;
use ports::store::Table;
use service::tokens::AccessTokens;

use crate::{
    aws::{self, AwsClients, AwsOptions},
    config::DataDir,
    data_dir::OpenDir,
    error::StartError,
    secret,
};

/// How long a stop waits for messages that SQS may already have sent: a receive with messages answers within a tenth of
/// this. A message whose receive is aborted is redelivered only after the visibility timeout.
pub(super) const LAST_RECEIVE: Duration = Duration::from_millis(500);

/// Tables and queues that existed at the start.
#[derive(Debug)]
pub(super) struct Aws {
    pub(super) store: DynamoStore,
    pub(super) queue: SqsQueue,
    pub(super) tokens: AccessTokens,
    /// The directory of the signing key, whose tokens only this process accepts; `None` if the key is in a secret.
    pub(super) data_dir: Option<OpenDir>,
    /// The names of the tables.
    pub(super) tables: String,
}

impl Aws {
    pub(super) async fn open(
        options: &AwsOptions,
        clients: Option<AwsClients>,
        data_dir: &DataDir,
        now: Timestamp,
    ) -> Result<Self, StartError> {
        let clients = match clients {
            Some(clients) => clients,
            None => AwsClients::from_environment().await?,
        };
        let (store, queue) = aws::open(&clients, options).await?;
        let (tokens, data_dir) = if let Some(id) = &options.signing_secret {
            let secret = Arc::new(clients.signing_secret(id).await);
            (AccessTokens::from_source(secret, now).await?, None)
        } else {
            let dir = OpenDir::open_for_start(data_dir)?;
            (AccessTokens::new(&secret::load_or_create(dir.path())?.into()), Some(dir))
        };
        let names: Vec<_> = Table::ALL.into_iter().filter_map(|table| options.tables.get(table)).collect();
        Ok(Self { store, queue, tokens, data_dir, tables: names.join(", ") })
    }
}
