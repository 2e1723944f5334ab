//! Errors of starting and running the process.

use std::{io, net::SocketAddr, path::PathBuf};

use embedded::OpenError;
use ports::store::StoreError;
use tokio::task::JoinError;

use crate::{config::DataDir, secret::SecretError};

/// Why the process could not start, as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be created or read.
    #[error("cannot use the data directory {dir}: {error}")]
    DataDir {
        /// The directory.
        dir: DataDir,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Database(#[from] OpenError),
    /// AWS cannot be used.
    #[cfg(feature = "aws")]
    #[error(transparent)]
    Aws(#[from] crate::aws::AwsError),
    /// The signing secret cannot be fetched.
    #[cfg(feature = "aws")]
    #[error("{}", telemetry::chain(.0))]
    SigningSecret(#[from] ports::signing::KeySourceError),
    /// The signing key is unavailable.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The remembered time cannot be read or written.
    #[error("cannot read or update the time stored in the database: {0}")]
    Time(#[source] StoreError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The operator socket cannot be created.
    #[error("cannot create the operator's socket in {}: {error}", path.display())]
    Socket {
        /// The data directory.
        path: PathBuf,
        /// The I/O error.
        #[source]
        error: io::Error,
    },
    /// The thread that processes pictures cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
    /// Opening the database panicked.
    #[error("opening the database panicked")]
    Panicked,
}

/// Why a running process ended on its own.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part ended that should run until the stop.
    #[error("{0} ended unexpectedly")]
    Stopped(&'static str),
    /// A part panicked.
    #[error("a part of the process panicked")]
    Panicked(#[source] JoinError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry::chain;

    #[test]
    fn an_error_chain_prints_one_line_without_repetition() {
        let error = StartError::Listen { address: ([127, 0, 0, 1], 80).into(), error: io::Error::other("taken") };
        assert_eq!(chain(&error), "cannot listen on 127.0.0.1:80: taken");
        let panicked = StartError::Secret(SecretError::Io { path: "key".into(), error: io::Error::other("no disk") });
        assert_eq!(chain(&panicked), "cannot read or create the signing key in key: no disk");
    }
}
