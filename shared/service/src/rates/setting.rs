//! The setting that turns rate limits on or off.

use std::{str::FromStr, sync::Arc};

use tracing::info;

use super::RateLimiter;
use ports::store::Store;

/// Whether rate limits apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimits {
    /// Rate limits apply.
    #[default]
    On,
    /// No rate limits: for load tests, and behind a proxy that limits rates.
    Off,
}

/// The variable that holds [`RateLimits`]: `on` or `off`.
pub const RATE_LIMITS: &str = "TWEETER_RATE_LIMITS";

/// The value is neither `on` nor `off`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{RATE_LIMITS}: {found:?} is neither `on` nor `off`")]
pub struct InvalidRateLimits {
    /// The value found.
    pub found: String,
}

impl FromStr for RateLimits {
    type Err = InvalidRateLimits;

    fn from_str(text: &str) -> Result<Self, InvalidRateLimits> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            other => Err(InvalidRateLimits { found: other.to_owned() }),
        }
    }
}

impl RateLimits {
    /// The setting from a configuration: [`RATE_LIMITS`]; on when unset.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidRateLimits> {
        find(RATE_LIMITS).filter(|text| !text.is_empty()).map_or(Ok(Self::On), |text| text.parse())
    }

    /// The limiter over `store`; logs when it is off.
    pub fn limiter(self, store: Arc<dyn Store>) -> RateLimiter {
        match self {
            Self::On => RateLimiter::new(store),
            Self::Off => {
                info!("Rate limits are off");
                RateLimiter::off()
            }
        }
    }
}
