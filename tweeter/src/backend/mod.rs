//! The stores of a process: the embedded database, or DynamoDB and SQS.
//!
//! All differences between the two are here; everything above the ports is wired the same.

#[cfg(feature = "aws")]
mod aws;
mod embedded;

use std::{path::Path, sync::Arc, time::Duration};

use ::embedded::{EmbeddedChanges, Engine};
use domain::{Clock, Timestamp};
use outbox_sweeper::OutboxSweeper;
use ports::{queue::Queue, store::Store};
use service::{fan_out::FanOutOptions, safe_time::SafeTime, timekeeper::Timekeeper, tokens::AccessTokens};
use tracing::info;

#[cfg(feature = "aws")]
use self::aws::Aws;
use self::embedded::Embedded;
use crate::{
    backup::Backup,
    config::{Config, Stores},
    data_dir::OpenDir,
    error::StartError,
    parts::Parts,
    recount::Recount,
    socket::OperatorSocket,
    test_hooks::TestHooks,
};

/// The stores of a process, open.
#[derive(Debug)]
pub(crate) struct Backend {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    tokens: AccessTokens,
    /// How long a stop waits for messages that are on their way.
    last_receive: Duration,
    /// The database, when the process has its stores to itself; `None` on AWS, where others work on the same stores.
    database: Option<Embedded>,
    /// The directory of the database or of the signing key, if there is one.
    data_dir: Option<OpenDir>,
    /// The names of the tables on AWS.
    tables: Option<String>,
}

impl Backend {
    /// Opens the stores.
    pub(crate) async fn open(config: &Config, hooks: &TestHooks) -> Result<Self, StartError> {
        match &config.stores {
            Stores::Embedded => {
                let (database, data_dir) = Embedded::open(config, hooks).await?;
                Self::on_database(database, data_dir)
            }
            #[cfg(feature = "aws")]
            Stores::Aws(options) => {
                // Boxed: the SDK's search for credentials is large, and would be in every process's start.
                let clients = hooks.aws_clients.clone();
                let opening = Box::pin(Aws::open(options, clients, &config.data_dir, hooks.clock.now()));
                Ok(Self::on_aws(opening.await?))
            }
        }
    }

    fn on_database(database: Embedded, data_dir: OpenDir) -> Result<Self, StartError> {
        Ok(Self {
            store: Arc::new(database.store.clone()),
            queue: Arc::new(database.queue.clone()),
            tokens: embedded::access_tokens(&data_dir)?,
            // Messages on their way are not in flight any more when the database is opened again.
            last_receive: Duration::ZERO,
            database: Some(database),
            data_dir: Some(data_dir),
            tables: None,
        })
    }

    #[cfg(feature = "aws")]
    fn on_aws(aws: Aws) -> Self {
        Self {
            store: Arc::new(aws.store),
            queue: Arc::new(aws.queue),
            tokens: aws.tokens,
            last_receive: aws::LAST_RECEIVE,
            database: None,
            data_dir: aws.data_dir,
            tables: Some(aws.tables),
        }
    }

    /// The ports.
    pub(crate) fn ports(&self) -> (Arc<dyn Store>, Arc<dyn Queue>) {
        (Arc::clone(&self.store), Arc::clone(&self.queue))
    }

    /// The keys by which access tokens are signed and checked.
    pub(crate) fn access_tokens(&self) -> AccessTokens {
        self.tokens.clone()
    }

    /// The log of changes. On AWS there is none to read here: the table's stream hands them to stream-handler.
    pub(crate) fn changes(&self) -> Option<EmbeddedChanges> {
        self.engine().map(|engine| EmbeddedChanges::new(engine.clone()))
    }

    /// Whether all that happens, happens in this process, so that its streams miss nothing. On AWS others work on the
    /// same stores, and the change stream is not read here.
    pub(crate) const fn is_alone(&self) -> bool {
        self.database.is_some()
    }

    /// How fan-outs are cut here. SQS holds any number of jobs, and asking how many costs a call a page.
    pub(crate) fn fan_out(&self, options: FanOutOptions) -> FanOutOptions {
        FanOutOptions { max_backlog: options.max_backlog.filter(|_| self.is_alone()), ..options }
    }

    /// How long a stop waits for messages that are on their way.
    pub(crate) const fn last_receive(&self) -> Duration {
        self.last_receive
    }

    /// The recount. On AWS the operator's command does it itself, as no socket leads here.
    pub(crate) fn recount(&self) -> Option<Recount> {
        let database = self.database.as_ref()?;
        Some(Recount::new(database.store.clone(), Arc::new(self.changes()?)))
    }

    /// The backup. On AWS the tables' own recovery takes its place.
    pub(crate) fn backup(&self) -> Option<Backup> {
        Some(Backup { engine: self.engine()?.clone(), data_dir: self.data_dir()?.to_owned() })
    }

    /// The socket of operator commands; on AWS they ask the queues themselves.
    pub(crate) fn operator_socket(&self) -> Result<Option<OperatorSocket>, StartError> {
        let path = self.data_dir().filter(|_| self.is_alone());
        path.map(embedded::operator_socket).transpose()
    }

    /// Puts back what a process before this one left unfinished. On AWS other processes may be at it: there the sweeper
    /// waits for the leases to end.
    pub(crate) async fn reclaim(&self, sweeper: &OutboxSweeper, now: Timestamp) {
        if let Some(database) = &self.database {
            database.reclaim(sweeper, now).await;
        }
    }

    /// Starts the expiry of items; DynamoDB expires its items by itself.
    pub(crate) fn expire(&self, parts: &mut Parts, clock: &Clock, safe_time: SafeTime) {
        if let Some(database) = &self.database {
            parts.expire(database.store.clone(), clock, safe_time);
        }
    }

    /// The time that is remembered. On AWS others make ids too, and the clocks agree: nothing is remembered.
    pub(crate) async fn timekeeper(&self, clock: &Clock) -> Result<Timekeeper, StartError> {
        if self.is_alone() {
            Timekeeper::alone_on(Arc::clone(&self.store), clock.clone()).await.map_err(StartError::Time)
        } else {
            Ok(Timekeeper::among_others(clock.clone()))
        }
    }

    /// Logs where data is.
    pub(crate) fn announce(&self) {
        if let Some(tables) = &self.tables {
            info!(dynamodb.tables = %tables, "Data is in DynamoDB, in the tables {tables}");
        }
        let Some(data_dir) = &self.data_dir else { return };
        let dir = data_dir.path().display();
        match data_dir {
            _ if !self.is_alone() => {
                info!(data.dir = %dir, "The signing key is in {dir}: other processes need the same, or a secret");
            }
            OpenDir::Kept(_) => info!(data.dir = %dir, "Data is in {dir}"),
            OpenDir::Temporary(_) => info!(data.dir = %dir, "Data is in {dir} and goes when this process ends"),
        }
    }

    /// The directory of the database or of the signing key, if there is one.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_ref().map(OpenDir::path)
    }

    /// The embedded database's engine.
    pub(crate) fn engine(&self) -> Option<&Engine> {
        self.database.as_ref().map(|database| &database.engine)
    }

    /// Closes the stores. A temporary directory goes.
    pub(crate) async fn close(self) {
        let Self { store, queue, database, data_dir, .. } = self;
        // They would keep the database open until after a temporary directory has gone.
        drop((store, queue));
        if let Some(database) = database {
            database.close().await;
        }
        drop(data_dir);
    }
}
