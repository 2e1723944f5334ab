//! The configuration that a function reads from its environment. `template.yaml` sets exactly what is read.

use aws::{
    BucketNames, QueueUrls, TableNames,
    config::{
        MissingVariable, bucket_names_from, media_url_from, queue_urls_from, signing_secret_arn_from, table_names_from,
    },
};
use http_api::HttpOptions;
use ports::{blobs::Bucket, queue::QueueName, store::Table};
use service::{
    fan_out::InvalidFollowersPerJob,
    media::urls::MediaUrls,
    promotion::{InvalidPullThreshold, PullThreshold},
    rates::{InvalidRateLimits, RateLimits},
};

/// Looks up an environment variable.
pub type Find<'a> = &'a dyn Fn(&'static str) -> Option<String>;

/// An environment that a function cannot start with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The name of a table, a queue, a bucket or the signing secret, or the URL of pictures is missing.
    #[error(transparent)]
    Missing(#[from] MissingVariable),
    /// The number of followers per job is invalid.
    #[error(transparent)]
    Jobs(#[from] InvalidFollowersPerJob),
    /// The threshold of pulling is invalid.
    #[error(transparent)]
    PullThreshold(#[from] InvalidPullThreshold),
    /// Rate limiting is neither on nor off.
    #[error(transparent)]
    RateLimits(#[from] InvalidRateLimits),
    /// A CORS origin is invalid.
    #[error(transparent)]
    Origin(#[from] http_api::InvalidOrigin),
}

/// The environment that a function needs: tables, queues, buckets, and the function's own options `O`.
#[derive(Debug, Clone, Copy)]
pub struct Needs<O = ()> {
    tables: &'static [Table],
    queues: &'static [QueueName],
    buckets: &'static [Bucket],
    options: fn(Find<'_>) -> Result<O, ConfigError>,
}

/// The configuration that a function read from its environment.
#[derive(Debug)]
pub struct Config<O = ()> {
    /// The names of the function's tables.
    pub tables: TableNames,
    /// The URLs of the function's queues.
    pub queues: QueueUrls,
    /// The names of the function's buckets.
    pub buckets: BucketNames,
    /// The function's own options.
    pub options: O,
}

impl Needs {
    /// Needs of these tables and queues, without options.
    pub const fn of(tables: &'static [Table], queues: &'static [QueueName]) -> Self {
        Self { tables, queues, buckets: &[], options: |_| Ok(()) }
    }

    /// Adds buckets.
    #[must_use]
    pub const fn with_buckets(self, buckets: &'static [Bucket]) -> Self {
        Self { buckets, ..self }
    }

    /// Adds the options that `read` reads.
    #[must_use]
    pub const fn with<O>(self, read: fn(Find<'_>) -> Result<O, ConfigError>) -> Needs<O> {
        Needs { tables: self.tables, queues: self.queues, buckets: self.buckets, options: read }
    }
}

impl<O> Needs<O> {
    /// Reads the configuration with `find`. An error names the variable.
    pub fn read(&self, find: Find<'_>) -> Result<Config<O>, ConfigError> {
        Ok(Config {
            options: (self.options)(find)?,
            tables: table_names_from(self.tables, find)?,
            queues: queue_urls_from(self.queues, find)?,
            buckets: bucket_names_from(self.buckets, find)?,
        })
    }
}

/// The options of a function that serves HTTP.
#[derive(Debug)]
pub struct ApiOptions {
    /// The name in Secrets Manager of the secret that signs access tokens.
    pub signing_secret: String,
    /// How HTTP is served.
    pub http: HttpOptions,
    /// Whether rates are limited.
    pub rate_limits: RateLimits,
    /// The URLs of pictures.
    pub media_urls: MediaUrls,
}

impl ApiOptions {
    /// Reads the options with `find`. An error names the variable.
    pub fn read(find: Find<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            signing_secret: signing_secret_arn_from(find)?,
            http: HttpOptions::from_lookup(find)?,
            rate_limits: RateLimits::from_lookup(find)?,
            media_urls: MediaUrls::under(&media_url_from(find)?),
        })
    }
}

impl AsRef<Self> for ApiOptions {
    fn as_ref(&self) -> &Self {
        self
    }
}

/// The options of the function that publishes.
#[derive(Debug)]
pub struct PublishOptions {
    /// Those of each function that serves HTTP.
    pub api: ApiOptions,
    /// The number of followers from which posts are pulled.
    pub pull_threshold: PullThreshold,
}

impl PublishOptions {
    /// Reads the options with `find`. An error names the variable.
    pub fn read(find: Find<'_>) -> Result<Self, ConfigError> {
        Ok(Self { api: ApiOptions::read(find)?, pull_threshold: PullThreshold::from_lookup(find)? })
    }
}

impl AsRef<ApiOptions> for PublishOptions {
    fn as_ref(&self) -> &ApiOptions {
        &self.api
    }
}

/// Reads an environment variable.
pub(crate) fn environment(variable: &'static str) -> Option<String> {
    std::env::var(variable).ok()
}
