//! Why a service did not do what was asked.

use std::time::Duration;

use ports::{queue::QueueError, store::StoreError};

/// Every variant is a decision of the caller's; one file maps them to HTTP.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The credentials or the token are not good.
    #[error("the credentials are not valid")]
    Unauthenticated,
    /// A field holds what it must not.
    #[error("{field} {message}")]
    Invalid {
        /// The field, as the contract names it.
        field: &'static str,
        /// What is wrong, in words for the person who sent it.
        message: &'static str,
    },
    /// The thing asked for is absent, or not for the caller to see.
    #[error("there is no such thing")]
    NotFound,
    /// The thing is not the caller's.
    #[error("not the caller's")]
    Forbidden,
    /// The password is not the account's, where the caller is known and must show it once more.
    #[error("the password is not the account's")]
    WrongPassword,
    /// Unique values that someone else holds.
    #[error("already taken: {fields:?}")]
    Taken {
        /// The fields, as the contract names them.
        fields: Vec<&'static str>,
    },
    /// More work of this kind is waiting than can be done.
    #[error("too busy")]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// Whoever asks has asked too often.
    #[error("a rate limit is used up")]
    RateLimited {
        /// When the limit's window is over.
        retry_after: Duration,
    },
    /// A token's key is unknown here, and may be one that came a moment ago.
    #[error("whether the token is good cannot be told yet")]
    Undecided {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The queue did not do its part.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

impl ServiceError {
    /// Whether the same call may pass later: what it needs is throttled, busy or away.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Store(error) => error.is_transient(),
            Self::Queue(error) => error.is_transient(),
            Self::Busy { .. } | Self::Undecided { .. } => true,
            _ => false,
        }
    }
}
