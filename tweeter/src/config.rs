//! The configuration of one process, read once before anything starts.

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, time::Duration};

use domain::limits;
use http::HeaderValue;
use http_api::TrustedProxy;
use ports::queue::QueueSettings;
use service::{promotion::PullThreshold, rates::RateLimits};

use crate::{event_source::Mapping, web::WebClient};

/// Default maximum of concurrent connections per network: several times what the browsers of an office with one address
/// hold (6 each), and a twentieth of all.
pub const MAX_CONNECTIONS_PER_NETWORK: NonZeroUsize = NonZeroUsize::new(512).expect("it is not zero");

/// The data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataDir {
    /// This directory, created if missing.
    Path(PathBuf),
    /// A temporary directory, removed when the process ends.
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

/// The stores that the process uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Stores {
    /// The embedded database in the data directory.
    #[default]
    Embedded,
    /// DynamoDB and SQS.
    #[cfg(feature = "aws")]
    Aws(crate::aws::AwsOptions),
}

/// The configuration of one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The address of the API; port 0 picks a free port.
    pub listen: SocketAddr,
    /// The address of the metrics, if they are served.
    pub metrics_listen: Option<SocketAddr>,
    /// The stores.
    pub stores: Stores,
    /// The data directory; on AWS it holds only the signing key.
    pub data_dir: DataDir,
    /// The web client that is served beside the API.
    pub web: WebClient,
    /// Web origins that may call the API from a browser.
    pub cors_origins: Vec<HeaderValue>,
    /// Scheme and authority under which clients reach this process, for links to uploads and pictures. By default that of
    /// the address it listens on.
    pub public_url: Option<String>,
    /// The proxies trusted to name the client of a request.
    pub trusted_proxy: Option<TrustedProxy>,
    /// Maximum concurrent connections per network (an IPv4 address or IPv6 /64), capped at half of all connections;
    /// `None` for no limit.
    pub max_connections_per_network: Option<NonZeroUsize>,
    /// Whether rates are limited.
    pub rate_limits: RateLimits,
    /// The number of followers from which posts are pulled.
    pub pull_threshold: PullThreshold,
    /// The mapping of PostQ to follow-fetcher.
    pub fan_out: Mapping,
    /// The mapping of JobQ to job-handler.
    pub delivery: Mapping,
    /// The mapping of ChangeQ to stream-handler.
    pub redriven_changes: Mapping,
    /// The mapping of MediaQ to media-handler.
    pub pictures: Mapping,
    /// The settings of the queues in the embedded database, but for the visibility timeout of MediaQ: six times the
    /// duration of an invocation; SQS queues got theirs when they were created.
    pub queues: QueueSettings,
    /// Whether to open a damaged database without the missing data.
    pub accept_data_loss: bool,
    /// Whether the engine records how far it has synced, for power-loss tests.
    pub record_syncs: bool,
}

impl Config {
    /// The URL under which clients reach this process, which listens on `address`.
    pub fn public_url(&self, address: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{address}"))
    }

    /// The default configuration, on a free port of the loopback interface, without metrics and without rate or
    /// connection limits: for tests and load tests.
    pub fn on_free_port(data_dir: DataDir) -> Self {
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { listen, data_dir, max_connections_per_network: None, rate_limits: RateLimits::Off, ..Self::default() }
    }
}

impl Default for Config {
    fn default() -> Self {
        // A sixth of the queues' visibility timeout, as in the Lambda mapping.
        let timeout = Duration::from_secs(10);
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            metrics_listen: None,
            stores: Stores::Embedded,
            data_dir: DataDir::Path(PathBuf::from("data")),
            web: WebClient::Embedded,
            cors_origins: Vec::new(),
            public_url: None,
            trusted_proxy: None,
            max_connections_per_network: Some(MAX_CONNECTIONS_PER_NETWORK),
            rate_limits: RateLimits::On,
            pull_threshold: PullThreshold::default(),
            fan_out: Mapping { batch_size: 1, max_concurrency: 4, timeout },
            delivery: Mapping { batch_size: limits::MAX_QUEUE_BATCH, max_concurrency: 4, timeout },
            // One per batch: a change that times out does not use up receives of others.
            redriven_changes: Mapping { batch_size: 1, max_concurrency: 1, timeout },
            // One picture at a time; the largest takes seconds of a processor that others leave free.
            pictures: Mapping { batch_size: 1, max_concurrency: 1, timeout: Duration::from_mins(1) },
            queues: QueueSettings::default(),
            accept_data_loss: false,
            record_syncs: false,
        }
    }
}
