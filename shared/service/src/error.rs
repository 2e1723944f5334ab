//! The errors of services.

use std::time::Duration;

use ports::{blobs::BlobError, queue::QueueError, store::StoreError};

/// Each variant is a decision of the caller's; one file maps them to HTTP.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The credentials or the token are invalid.
    #[error("the credentials are not valid")]
    Unauthenticated,
    /// A field has an invalid value.
    #[error("{field} {message}")]
    Invalid {
        /// The field, as the contract names it.
        field: &'static str,
        /// The problem, worded for the person who sent the value.
        message: &'static str,
    },
    /// The requested item does not exist or is not visible to the caller.
    #[error("no such item")]
    NotFound,
    /// The item belongs to another user.
    #[error("not the caller's")]
    Forbidden,
    /// The password is wrong although the caller is authenticated, on a request that requires it again.
    #[error("the password is not the account's")]
    WrongPassword,
    /// Unique values that another account holds.
    #[error("already taken: {fields:?}")]
    Taken {
        /// The fields, as the contract names them.
        fields: Vec<&'static str>,
    },
    /// Media that are not ready to be shown.
    #[error("{field}: not ready")]
    MediaNotReady {
        /// The field, as the contract names it.
        field: &'static str,
    },
    /// Media that are shown elsewhere, and can be neither changed nor shown again.
    #[error("{field}: in use")]
    MediaInUse {
        /// The field, as the contract names it.
        field: &'static str,
    },
    /// Too much work of this kind is waiting.
    #[error("too busy")]
    Busy {
        /// When to retry.
        retry_after: Duration,
    },
    /// The caller exceeded a rate limit.
    #[error("a rate limit is used up")]
    RateLimited {
        /// When the limit's window ends.
        retry_after: Duration,
    },
    /// A token's key is unknown here, and may be newer than the last fetch.
    #[error("the token's key is not known yet")]
    Undecided {
        /// When to retry.
        retry_after: Duration,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// Object storage failed.
    #[error(transparent)]
    Blobs(#[from] BlobError),
}

impl ServiceError {
    /// Whether a retry of the same call can succeed: a dependency is throttled, busy or unavailable.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Queue(error) => error.is_transient(),
            Self::Blobs(error) => error.is_transient(),
            Self::Busy { .. } | Self::Undecided { .. } => true,
            _ => false,
        }
    }
}
