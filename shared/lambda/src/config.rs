//! The configuration that a function reads from its environment.

use aws::config::MissingVariable;
use service::{fan_out::InvalidFollowersPerJob, rates::InvalidRateLimits};

/// Why a function cannot start: its environment does not say what it needs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A table, a queue or the signing secret is not named.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// Jobs cannot be cut like that.
    #[error(transparent)]
    Jobs(#[from] InvalidFollowersPerJob),
    /// Rates are limited neither on nor off.
    #[error(transparent)]
    RateLimits(#[from] InvalidRateLimits),
    /// A web page's origin is none.
    #[error(transparent)]
    Origin(#[from] http_api::InvalidOrigin),
}

/// A variable of the environment; what functions look their configuration up with.
pub fn environment(variable: &'static str) -> Option<String> {
    std::env::var(variable).ok()
}
