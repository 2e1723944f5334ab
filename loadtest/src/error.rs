//! Why a run did not come to an end.

use std::{io, path::PathBuf};

use domain::PostId;
use ports::store::StoreError;

use crate::{client::ClientError, stack::error::StackError};

/// What HTTP shows of a feed is not what the store holds of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("GET /v1/feed shows post {post} {times} times where the store holds it once")]
pub struct FeedDiffers {
    /// The post.
    pub post: PostId,
    /// How often it is shown.
    pub times: usize,
}

impl FeedDiffers {
    /// The first post of `expected` that is not shown exactly once.
    pub fn between(shown: &[PostId], expected: &[PostId]) -> Option<Self> {
        let times = |post: PostId| shown.iter().filter(|it| **it == post).count();
        expected.iter().map(|post| Self { post: *post, times: times(*post) }).find(|it| it.times != 1)
    }
}

/// Why a run did not come to an end.
#[derive(Debug, thiserror::Error)]
pub enum LoadtestError {
    /// The file for the figures cannot be written.
    #[error("cannot write {}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The report cannot be written to standard output.
    #[error("cannot write the report to standard output")]
    Print(#[source] io::Error),
    /// This build cannot do it.
    #[error(transparent)]
    NotBuilt(#[from] tweeter::store_args::NotBuilt),
    /// Counts are made by stream-handler, which one process does not run on AWS's stores.
    #[error("likes and comments are counted in one process on the embedded database only: leave out --store aws")]
    NoChanges,
    /// AWS cannot be used.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] tweeter::aws::AwsError),
    /// The service did not start.
    #[error(transparent)]
    Start(#[from] tweeter::error::StartError),
    /// The service ended by itself, or not cleanly.
    #[error("the service failed")]
    Run(#[from] tweeter::error::RunError),
    /// Users and edges could not be made.
    #[error("the store cannot be seeded")]
    Seed(#[source] StoreError),
    /// A feed could not be read through the DAO.
    #[error("a feed cannot be read from the store")]
    Read(#[source] StoreError),
    /// A request of a scenario that allows none to fail did fail.
    #[error("a request failed")]
    Request(#[from] ClientError),
    /// What HTTP shows of a feed is not what the store holds of it.
    #[error(transparent)]
    FeedDiffers(#[from] FeedDiffers),
    /// The floor could not be measured.
    #[error("the floor cannot be measured")]
    Floor(#[from] crate::floor::FloorError),
    /// A thread of ours panicked.
    #[error("a thread panicked")]
    Panicked(#[from] tokio::task::JoinError),
    /// A run against a deployed stack.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// A runtime for the client cannot be made.
    #[error("the client's threads cannot be started")]
    Client(#[source] io::Error),
}

impl LoadtestError {
    /// Whether what was asked for was wrong, before anything ran: exit code 2 instead of 1.
    pub const fn is_usage(&self) -> bool {
        #[cfg(feature = "aws")]
        if matches!(self, Self::Aws(_)) {
            return true;
        }
        matches!(
            self,
            Self::Json { .. }
                | Self::Start(_)
                | Self::NotBuilt(_)
                | Self::NoChanges
                | Self::Stack(StackError::WithoutAws)
        )
    }
}
