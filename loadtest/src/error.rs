//! Errors that abort a run.

use std::{io, path::PathBuf};

use domain::PostId;
use ports::store::StoreError;

use crate::{client::ClientError, stack::error::StackError};

/// HTTP shows a different feed than the store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("GET /v1/feed shows post {post} {times} times where the store holds it once")]
pub struct FeedDiffers {
    /// The post.
    pub post: PostId,
    /// How often it is shown.
    pub times: usize,
}

impl FeedDiffers {
    /// Finds the first post of `expected` that is not shown exactly once.
    pub fn between(shown: &[PostId], expected: &[PostId]) -> Option<Self> {
        let times = |post: PostId| shown.iter().filter(|it| **it == post).count();
        expected.iter().map(|post| Self { post: *post, times: times(*post) }).find(|it| it.times != 1)
    }
}

/// Why a run was aborted.
#[derive(Debug, thiserror::Error)]
pub enum LoadtestError {
    /// A file cannot be written, or its size not be read.
    #[error("could not use {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        error: io::Error,
    },
    /// The report cannot be written to standard output.
    #[error("could not write the report to standard output")]
    Print(#[source] io::Error),
    /// This build does not support the stores.
    #[error(transparent)]
    NotBuilt(#[from] tweeter::store_args::NotBuilt),
    /// Changes are applied by stream-handler, which one process does not run on AWS's stores.
    #[error("in one process, likes and comments are only counted on the embedded database: leave out --store aws")]
    NoChanges,
    /// AWS is unusable.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] tweeter::aws::AwsError),
    /// The service did not start.
    #[error(transparent)]
    Start(#[from] tweeter::error::StartError),
    /// The service ended unexpectedly or failed to stop.
    #[error("the service failed")]
    Run(#[from] tweeter::error::RunError),
    /// Users and edges could not be created.
    #[error("could not seed the store")]
    Seed(#[source] StoreError),
    /// A feed could not be read through the DAO.
    #[error("could not read a feed from the store")]
    Read(#[source] StoreError),
    /// A request failed in a scenario that tolerates no failures.
    #[error("a request failed")]
    Request(#[from] ClientError),
    /// HTTP shows a different feed than the store holds.
    #[error(transparent)]
    FeedDiffers(#[from] FeedDiffers),
    /// The baseline could not be measured.
    #[error("could not measure the baseline")]
    Baseline(#[from] crate::baseline::BaselineError),
    /// A thread of the load test panicked.
    #[error("a thread panicked")]
    Panicked(#[from] tokio::task::JoinError),
    /// A run against a deployed stack failed.
    #[error(transparent)]
    Stack(#[from] StackError),
    /// The client's threads or process could not be started, or its files not be used.
    #[error("could not run the client")]
    Client(#[source] io::Error),
    /// The client's process failed; it has reported the reason.
    #[error("the client's process ended with {0}")]
    ClientProcess(std::process::ExitStatus),
}

impl LoadtestError {
    /// Whether the arguments were invalid, so that nothing ran: exit code 2 instead of 1.
    pub const fn is_usage(&self) -> bool {
        #[cfg(feature = "aws")]
        if matches!(self, Self::Aws(_)) {
            return true;
        }
        matches!(
            self,
            Self::File { .. }
                | Self::Start(_)
                | Self::NotBuilt(_)
                | Self::NoChanges
                | Self::Stack(StackError::WithoutAws)
        )
    }
}
