//! Why the process does not start, and why it ends.

use std::{io, net::SocketAddr, path::PathBuf};

use embedded::OpenError;
use ports::store::StoreError;
use tokio::task::JoinError;

use crate::{config::DataDir, secret::SecretError};

/// Why the process does not start: one line each, for whoever started it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be made.
    #[error("cannot use the data directory {dir}: {error}")]
    DataDir {
        /// The directory.
        dir: DataDir,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The database does not open.
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
    /// There is no signing key.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// What was remembered of the time cannot be read, or not be written.
    #[error("cannot go on from the time that the database remembers: {0}")]
    Time(#[source] StoreError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The operator's socket cannot be made.
    #[error("cannot make the operator's socket in {}: {error}", path.display())]
    Socket {
        /// The data directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// Opening the database panicked.
    #[error("the database failed while it was opened")]
    Panicked,
}

/// Why a process that had started ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part ended that never does.
    #[error("{0} ended by itself")]
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
    fn an_error_is_told_on_one_line_and_nothing_twice() {
        let error = StartError::Listen { address: ([127, 0, 0, 1], 80).into(), error: io::Error::other("taken") };
        assert_eq!(chain(&error), "cannot listen on 127.0.0.1:80: taken");
        let panicked = StartError::Secret(SecretError::Io { path: "key".into(), error: io::Error::other("no disk") });
        assert_eq!(chain(&panicked), "cannot keep the signing key in key: no disk");
    }
}
