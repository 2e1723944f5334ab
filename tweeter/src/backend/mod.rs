//! What a process stands on: the embedded database, or DynamoDB and SQS.
//!
//! Here is everything by which the two differ; what is wired above the ports is the same.

#[cfg(feature = "aws")]
mod aws;
mod embedded;

use std::{path::Path, sync::Arc, time::Duration};

use ::embedded::{EmbeddedChanges, Engine};
use domain::{Clock, Timestamp};
use outbox_sweeper::OutboxSweeper;
use ports::{queue::Queue, store::Store};
use service::{fan_out::FanOutOptions, safe_time::SafeTime, timekeeper::Timekeeper, tokens::AccessTokens};

#[cfg(feature = "aws")]
use self::aws::Aws;
use self::embedded::Embedded;
use crate::{
    backup::Backup,
    config::{Config, Stores},
    error::StartError,
    parts::Parts,
    recount::Recount,
    seams::Seams,
    socket::OperatorSocket,
};

/// What a process stands on.
#[derive(Debug)]
pub(crate) enum Backend {
    /// One database in the data directory, this process's alone.
    Embedded(Embedded),
    /// DynamoDB and SQS, where others may work too.
    #[cfg(feature = "aws")]
    Aws(Aws),
}

impl Backend {
    /// Opens the stores.
    pub(crate) async fn open(config: &Config, seams: &Seams) -> Result<Self, StartError> {
        match &config.stores {
            Stores::Embedded => Ok(Self::Embedded(Embedded::open(config, seams).await?)),
            #[cfg(feature = "aws")]
            Stores::Aws(options) => {
                // Boxed: what the SDK does to find credentials is large, and would be in every process's start.
                let opening = Box::pin(Aws::open(options, seams.aws_clients.clone(), &config.data_dir));
                Ok(Self::Aws(opening.await?))
            }
        }
    }

    /// The ports.
    pub(crate) fn ports(&self) -> (Arc<dyn Store>, Arc<dyn Queue>) {
        match self {
            Self::Embedded(home) => (Arc::new(home.store.clone()), Arc::new(home.queue.clone())),
            #[cfg(feature = "aws")]
            Self::Aws(home) => (Arc::new(home.store.clone()), Arc::new(home.queue.clone())),
        }
    }

    /// The log of changes. On AWS there is none to read here: the table's stream hands them to stream-handler.
    pub(crate) fn changes(&self) -> Option<EmbeddedChanges> {
        match self {
            Self::Embedded(home) => Some(EmbeddedChanges::new(home.engine.clone())),
            #[cfg(feature = "aws")]
            Self::Aws(_) => None,
        }
    }

    /// Whether all that happens, happens in this process, so that its streams miss nothing. On AWS others work on the
    /// same stores, and the change stream is not read here.
    pub(crate) const fn is_alone(&self) -> bool {
        match self {
            Self::Embedded(_) => true,
            #[cfg(feature = "aws")]
            Self::Aws(_) => false,
        }
    }

    /// What access tokens are signed and checked with.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unused_async, reason = "the other build may fetch a secret"))]
    pub(crate) async fn access_tokens(&self, clock: &Clock) -> Result<AccessTokens, StartError> {
        #[cfg(not(feature = "aws"))]
        let _ = clock;
        match self {
            Self::Embedded(home) => home.access_tokens(),
            #[cfg(feature = "aws")]
            Self::Aws(home) => Box::pin(home.access_tokens(clock.now())).await,
        }
    }

    /// How fan-outs are cut here.
    pub(crate) const fn fan_out(&self, options: FanOutOptions) -> FanOutOptions {
        match self {
            Self::Embedded(_) => options,
            // SQS holds any number of jobs, and asking how many costs a call a page.
            #[cfg(feature = "aws")]
            Self::Aws(_) => FanOutOptions { max_backlog: None, ..options },
        }
    }

    /// How long a stop waits for messages that are on their way.
    pub(crate) const fn last_receive(&self) -> Duration {
        match self {
            // They are not in flight any more when the database is opened again.
            Self::Embedded(_) => Duration::ZERO,
            #[cfg(feature = "aws")]
            Self::Aws(_) => aws::LAST_RECEIVE,
        }
    }

    /// What recounts. On AWS the operator's command does it itself, as no socket leads here.
    pub(crate) fn recount(&self) -> Option<Recount> {
        match self {
            Self::Embedded(home) => {
                Some(Recount::new(home.store.clone(), Arc::new(EmbeddedChanges::new(home.engine.clone()))))
            }
            #[cfg(feature = "aws")]
            Self::Aws(_) => None,
        }
    }

    /// What backs up. On AWS the tables' own recovery does.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unnecessary_wraps, reason = "the other build has none on AWS"))]
    pub(crate) fn backup(&self) -> Option<Backup> {
        match self {
            Self::Embedded(home) => {
                Some(Backup { engine: home.engine.clone(), data_dir: home.data_dir.path().to_owned() })
            }
            #[cfg(feature = "aws")]
            Self::Aws(_) => None,
        }
    }

    /// Where operator commands reach this process; on AWS they ask the queues themselves.
    pub(crate) fn operator_socket(&self) -> Result<Option<OperatorSocket>, StartError> {
        match self {
            Self::Embedded(home) => home.operator_socket().map(Some),
            #[cfg(feature = "aws")]
            Self::Aws(_) => Ok(None),
        }
    }

    /// Puts back what a process before this one left unfinished, where nobody else works on the same stores. On AWS
    /// somebody may: there the sweeper waits for the leases to end.
    pub(crate) async fn reclaim(&self, sweeper: &OutboxSweeper, now: Timestamp) {
        match self {
            Self::Embedded(home) => home.reclaim(sweeper, now).await,
            #[cfg(feature = "aws")]
            Self::Aws(_) => {}
        }
    }

    /// Starts what the stores do not do by themselves; DynamoDB expires its items.
    pub(crate) fn expire(&self, parts: &mut Parts, clock: &Clock, safe_time: SafeTime) {
        match self {
            Self::Embedded(home) => parts.expire(home.store.clone(), clock, safe_time),
            #[cfg(feature = "aws")]
            Self::Aws(_) => drop(safe_time),
        }
    }

    /// What is kept of the time. On AWS others make ids too, and the clocks agree: nothing is remembered.
    pub(crate) async fn timekeeper(&self, clock: &Clock) -> Result<Timekeeper, StartError> {
        match self {
            Self::Embedded(home) => {
                let kept = Timekeeper::alone_on(Arc::new(home.store.clone()), clock.clone()).await;
                kept.map_err(StartError::Time)
            }
            #[cfg(feature = "aws")]
            Self::Aws(_) => Ok(Timekeeper::among_others(clock.clone())),
        }
    }

    /// Says where data is.
    pub(crate) fn announce(&self) {
        match self {
            Self::Embedded(home) => home.announce(),
            #[cfg(feature = "aws")]
            Self::Aws(home) => home.announce(),
        }
    }

    /// The directory that the process keeps things in, if it keeps any.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unnecessary_wraps, reason = "the other build may have none"))]
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        match self {
            Self::Embedded(home) => Some(home.data_dir.path()),
            #[cfg(feature = "aws")]
            Self::Aws(home) => home.data_dir(),
        }
    }

    /// The embedded database's engine.
    #[cfg_attr(not(feature = "aws"), expect(clippy::unnecessary_wraps, reason = "the other build has none on AWS"))]
    pub(crate) const fn engine(&self) -> Option<&Engine> {
        match self {
            Self::Embedded(home) => Some(&home.engine),
            #[cfg(feature = "aws")]
            Self::Aws(_) => None,
        }
    }

    /// Closes the stores. A temporary directory goes.
    pub(crate) async fn close(self) {
        match self {
            Self::Embedded(home) => home.close().await,
            #[cfg(feature = "aws")]
            Self::Aws(home) => drop(home),
        }
    }
}
