//! How one process is set up: read once, before anything starts.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use domain::limits;
use http::HeaderValue;
use http_api::TrustedProxy;
use ports::queue::QueueSettings;
use service::rates::RateLimits;

use crate::event_source::Mapping;

/// Connections of one network at once, unless the operator says otherwise: several times what the browsers behind one
/// office's address hold (6 each), and a twentieth of all.
pub const MAX_CONNECTIONS_PER_NETWORK: NonZeroUsize = NonZeroUsize::new(512).expect("it is not zero");

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// In this directory, made when it is not there.
    Path(PathBuf),
    /// In a temporary directory that goes with the process.
    Ephemeral,
}

impl std::fmt::Display for DataDir {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Ephemeral => write!(f, "in {}", std::env::temp_dir().display()),
        }
    }
}

/// Which stores the process works on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stores {
    /// The embedded database in the data directory.
    #[default]
    Embedded,
    /// DynamoDB and SQS.
    #[cfg(feature = "aws")]
    Aws(crate::aws::AwsOptions),
}

/// The set-up of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where the API listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where metrics are served, if anywhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Which stores it works on.
    pub stores: Stores,
    /// Where data is kept; on AWS's stores the signing key alone.
    pub data_dir: DataDir,
    /// Web origins that may call the API from a browser.
    pub cors_origins: Vec<HeaderValue>,
    /// Proxies that are believed about where a request comes from.
    pub trusted_proxy: Option<TrustedProxy>,
    /// Connections that one network (an IPv4 address, an IPv6 /64) may hold at once; `None` for no limit. Half of all
    /// connections at the most.
    pub max_connections_per_network: Option<NonZeroUsize>,
    /// Whether rates are limited.
    pub rate_limits: RateLimits,
    /// How PostQ is mapped to follow-fetcher.
    pub fan_out: Mapping,
    /// How JobQ is mapped to job-handler.
    pub delivery: Mapping,
    /// How ChangeQ is mapped to stream-handler.
    pub redriven_changes: Mapping,
    /// How PostQ, JobQ and ChangeQ treat their messages in the embedded database; those of SQS were told when they were
    /// made.
    pub queues: QueueSettings,
    /// Whether a damaged database is opened without what is missing.
    pub accept_data_loss: bool,
    /// Whether the engine records how far it has synced: an instrument for tests of a loss of power.
    pub record_syncs: bool,
}

impl Config {
    /// The set-up without options, on a free port of the loopback interface, without metrics, rate limits and a limit of
    /// connections per network: for tests and load tests.
    pub fn on_free_port(data_dir: DataDir) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, data_dir, max_connections_per_network: None, rate_limits: RateLimits::Off, ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        // A sixth of the queues' visibility timeout, as a Lambda mapping has it.
        let timeout = Duration::from_secs(10);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            stores: Stores::Embedded,
            data_dir: DataDir::Path(PathBuf::from("data")),
            cors_origins: Vec::new(),
            trusted_proxy: None,
            max_connections_per_network: Some(MAX_CONNECTIONS_PER_NETWORK),
            rate_limits: RateLimits::On,
            fan_out: Mapping { batch_size: 1, max_concurrency: 4, timeout },
            delivery: Mapping { batch_size: limits::MAX_QUEUE_BATCH, max_concurrency: 4, timeout },
            // One a batch: a change that runs out of time takes no other's receives with it.
            redriven_changes: Mapping { batch_size: 1, max_concurrency: 1, timeout },
            queues: QueueSettings::default(),
            accept_data_loss: false,
            record_syncs: false,
        }
    }
}
