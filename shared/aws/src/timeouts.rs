//! Time limits of AWS calls.

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;

/// Time limit of connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The limits on connecting and on one attempt of a call.
pub fn timeouts(attempt: Duration) -> TimeoutConfig {
    TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).operation_attempt_timeout(attempt).build()
}
