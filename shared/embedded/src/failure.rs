//! Errors of the engine, and their conversion to the errors of each port.

use super::codec::{Corrupt, InvalidKey};
use ports::{
    queue::QueueError,
    store::{MalformedItem, StoreError},
};

/// Why the engine failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the engine is closed")]
    Closed,
    #[error("a task of the engine panicked")]
    Panicked,
    #[error("the database failed")]
    Database(#[from] fjall::Error),
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    #[error("{0}")]
    Rejected(&'static str),
}

impl Failure {
    /// Whether the same call may succeed later: the failure is neither in stored bytes nor in the call. A job that
    /// fails permanently becomes a dead letter after its last receive; a transient failure would keep it circulating
    /// forever.
    fn is_transient(&self) -> bool {
        match self {
            Self::Closed => true,
            Self::Database(error) => may_pass_later(error),
            Self::Panicked | Self::Corrupt(_) | Self::Rejected(_) => false,
        }
    }
}

/// A disk may recover, and a failed database accepts calls again after a restart. Bytes that do not match their
/// checksum or format stay that way.
fn may_pass_later(error: &fjall::Error) -> bool {
    use fjall::{Error, LsmError};
    matches!(error, Error::Io(_) | Error::Storage(LsmError::Io(_)) | Error::Poisoned | Error::Locked)
}

impl From<InvalidKey> for Failure {
    fn from(error: InvalidKey) -> Self {
        Self::Rejected(match error {
            InvalidKey::Partition => "a partition key has 1 to 2,048 bytes and no NUL",
            InvalidKey::Sort => "a sort key has 1 to 1,024 bytes",
        })
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            // No attribute is readable.
            Failure::Corrupt(_) => Self::Malformed(MalformedItem { attribute: "*" }),
            failure if failure.is_transient() => Self::Unavailable(failure.into()),
            failure => Self::Rejected(failure.into()),
        }
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        if failure.is_transient() { Self::Unavailable(failure.into()) } else { Self::Rejected(failure.into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, EngineOptions, worker_pools::Lane};

    #[tokio::test]
    async fn a_panic_is_not_transient() {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let fail = async || engine.run(Lane::Get, |_| -> Result<(), Failure> { panic!("injected by the test") }).await;
        let error = StoreError::from(fail().await.expect_err("it panicked"));
        assert!(matches!(error, StoreError::Rejected(_)) && !error.is_transient(), "{error:?}");
        let error = QueueError::from(fail().await.expect_err("it panicked"));
        assert!(matches!(error, QueueError::Rejected(_)) && !error.is_transient(), "{error:?}");
        engine.run(Lane::Get, |_| Ok(())).await.expect("other calls succeed");
    }

    #[test]
    fn disk_errors_are_transient_and_damaged_bytes_not() {
        let damaged = || Failure::from(fjall::Error::Storage(fjall::LsmError::Unrecoverable));
        assert!(!StoreError::from(damaged()).is_transient());
        assert!(!QueueError::from(damaged()).is_transient());
        assert!(!QueueError::from(Failure::from(Corrupt)).is_transient());
        let disk = || Failure::from(fjall::Error::Io(std::io::ErrorKind::StorageFull.into()));
        assert!(StoreError::from(disk()).is_transient());
        assert!(QueueError::from(disk()).is_transient());
    }
}
