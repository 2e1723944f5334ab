//! The stores of a process: the embedded database, or DynamoDB and SQS.
//!
//! All differences between the two are here; everything above the ports is wired identically.

#[cfg(feature = "aws")]
mod aws;
mod embedded;

use std::{path::Path, sync::Arc, time::Duration};

use ::embedded::{EmbeddedBlobs, EmbeddedChanges, Engine};
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
    verify::Verify,
};

/// The open stores of a process.
#[derive(Debug)]
pub(crate) struct Backend {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    tokens: AccessTokens,
    /// How long a stop waits for receives in flight.
    last_receive: Duration,
    /// The embedded database; `None` on AWS, where other processes share the stores.
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
                Ok(Self::on_database(database, data_dir))
            }
            #[cfg(feature = "aws")]
            Stores::Aws(options) => {
                // Boxed: the SDK's credentials search is a large future, and would be part of every process's start.
                let clients = hooks.aws_clients.clone();
                let opening = Box::pin(Aws::open(options, clients, &config.data_dir, hooks.clock.now()));
                Ok(Self::on_aws(opening.await?))
            }
        }
    }

    fn on_database(database: Embedded, data_dir: OpenDir) -> Self {
        Self {
            store: Arc::new(database.store.clone()),
            queue: Arc::new(database.queue.clone()),
            tokens: database.tokens.clone(),
            // The embedded queue returns in-flight messages when it is opened again.
            last_receive: Duration::ZERO,
            database: Some(database),
            data_dir: Some(data_dir),
            tables: None,
        }
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

    /// Object storage, if this process serves it at `public_url`. `None` on AWS, where clients reach S3 and `CloudFront`.
    pub(crate) fn served_blobs(&self, public_url: &str) -> Option<EmbeddedBlobs> {
        self.database.as_ref().map(|database| database.blobs.clone().at_url(public_url))
    }

    /// The keys that sign and verify access tokens.
    pub(crate) fn access_tokens(&self) -> AccessTokens {
        self.tokens.clone()
    }

    /// The change log. `None` on AWS, where the table's stream invokes stream-handler.
    pub(crate) fn changes(&self) -> Option<EmbeddedChanges> {
        self.engine().map(|engine| EmbeddedChanges::new(engine.clone()))
    }

    /// Whether this process makes all changes itself, so that its event streams miss none. False on AWS, where other
    /// processes share the stores and the change stream is not read here.
    pub(crate) const fn is_alone(&self) -> bool {
        self.database.is_some()
    }

    /// The fan-out options. SQS holds any number of jobs, and asking for its depth costs a call per page.
    pub(crate) fn fan_out(&self, options: FanOutOptions) -> FanOutOptions {
        FanOutOptions { max_backlog: options.max_backlog.filter(|_| self.is_alone()), ..options }
    }

    /// How long a stop waits for receives in flight.
    pub(crate) const fn last_receive(&self) -> Duration {
        self.last_receive
    }

    /// The recount. `None` on AWS, where the command recounts itself, as it reaches no socket.
    pub(crate) fn recount(&self) -> Option<Recount> {
        let database = self.database.as_ref()?;
        Some(Recount::new(database.store.clone(), Arc::new(self.changes()?)))
    }

    /// The check of feeds, on the same terms.
    pub(crate) fn verify(&self, clock: &Clock) -> Option<Verify> {
        let Embedded { store, queue, .. } = self.database.as_ref()?;
        Some(Verify::new(store.clone(), Arc::new(queue.clone()), clock.clone()))
    }

    /// The backup. `None` on AWS, where tables have point-in-time recovery.
    pub(crate) fn backup(&self) -> Option<Backup> {
        let Embedded { engine, blobs, .. } = self.database.as_ref()?;
        Some(Backup { engine: engine.clone(), blobs: Some(blobs.clone()), data_dir: self.data_dir()?.to_owned() })
    }

    /// The socket for operator commands. `None` on AWS, where commands use the queues directly.
    pub(crate) fn operator_socket(&self) -> Result<Option<OperatorSocket>, StartError> {
        let path = self.data_dir().filter(|_| self.is_alone());
        path.map(embedded::operator_socket).transpose()
    }

    /// Resumes unfinished work of an earlier process. On AWS other processes may be doing that work: there, the sweeper
    /// waits for the leases to expire.
    pub(crate) async fn reclaim(&self, sweeper: &OutboxSweeper, now: Timestamp) {
        if let Some(database) = &self.database {
            database.reclaim(sweeper, now).await;
        }
    }

    /// Starts the expiry of items and uploads; DynamoDB and S3 expire their own.
    pub(crate) fn expire(&self, parts: &mut Parts, clock: &Clock, safe_time: &SafeTime) {
        if let Some(database) = &self.database {
            parts.expire(database.store.clone(), clock, safe_time.clone());
            parts.expire_uploads(database.blobs.clone(), clock, safe_time.clone());
        }
    }

    /// The remembered time. `None` on AWS, where other processes also make ids and clocks are synchronised.
    pub(crate) async fn timekeeper(&self, clock: &Clock) -> Result<Timekeeper, StartError> {
        if self.is_alone() {
            Timekeeper::alone_on(Arc::clone(&self.store), clock.clone()).await.map_err(StartError::Time)
        } else {
            Ok(Timekeeper::among_others(clock.clone()))
        }
    }

    /// Logs where data is stored.
    pub(crate) fn announce(&self) {
        if let Some(tables) = &self.tables {
            info!(dynamodb.tables = %tables, "Data is in DynamoDB, in the tables {tables}");
        }
        let Some(data_dir) = &self.data_dir else { return };
        let dir = data_dir.path().display();
        match data_dir {
            _ if !self.is_alone() => {
                info!(data.dir = %dir, "The signing key is in {dir}; other processes need the same key, or a secret");
            }
            OpenDir::Kept(_) => info!(data.dir = %dir, "Data is in {dir}"),
            OpenDir::Temporary(_) => {
                info!(data.dir = %dir, "Data is in {dir}, which is removed when this process ends");
            }
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

    /// Closes the stores and removes a temporary directory.
    pub(crate) async fn close(self) {
        let Self { store, queue, database, data_dir, .. } = self;
        // These would keep the database open beyond the removal of a temporary directory.
        drop((store, queue));
        if let Some(database) = database {
            database.close().await;
        }
        drop(data_dir);
    }
}
