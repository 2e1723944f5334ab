//! The configuration that a function reads from its environment. `template.yaml` sets exactly what is read.

use aws::{
    QueueUrls, TableNames,
    config::{MissingVariable, queue_urls_from, signing_secret_arn_from, table_names_from},
};
use http_api::HttpOptions;
use ports::{queue::QueueName, store::Table};
use service::{
    fan_out::InvalidFollowersPerJob,
    rates::{InvalidRateLimits, RateLimits},
};

/// Finds a variable of the environment.
pub type Find<'a> = &'a dyn Fn(&'static str) -> Option<String>;

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

/// What a function needs of its environment: tables, queues, and options `O` of its own.
#[derive(Debug, Clone, Copy)]
pub struct Needs<O = ()> {
    tables: &'static [Table],
    queues: &'static [QueueName],
    options: fn(Find<'_>) -> Result<O, ConfigError>,
}

/// What a function has read of its environment.
#[derive(Debug)]
pub struct Config<O = ()> {
    /// The names of the tables that it works on.
    pub tables: TableNames,
    /// The URLs of the queues that it works on.
    pub queues: QueueUrls,
    /// Its options.
    pub options: O,
}

impl Needs {
    /// These tables and queues.
    pub const fn of(tables: &'static [Table], queues: &'static [QueueName]) -> Self {
        Self { tables, queues, options: |_| Ok(()) }
    }

    /// The same, and the options that `read` finds.
    #[must_use]
    pub const fn with<O>(self, read: fn(Find<'_>) -> Result<O, ConfigError>) -> Needs<O> {
        Needs { tables: self.tables, queues: self.queues, options: read }
    }
}

impl<O> Needs<O> {
    /// The configuration, each variable found by `find`. An error names the variable.
    pub fn read(&self, find: Find<'_>) -> Result<Config<O>, ConfigError> {
        Ok(Config {
            options: (self.options)(find)?,
            tables: table_names_from(self.tables, find)?,
            queues: queue_urls_from(self.queues, find)?,
        })
    }
}

/// The options of a function that serves HTTP.
#[derive(Debug)]
pub struct ApiOptions {
    /// The secret that access tokens are signed with: its name in Secrets Manager.
    pub signing_secret: String,
    /// How HTTP is served.
    pub http: HttpOptions,
    /// Whether rates are limited.
    pub rate_limits: RateLimits,
}

impl ApiOptions {
    /// The options, each variable found by `find`. An error names the variable.
    pub fn read(find: Find<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            signing_secret: signing_secret_arn_from(find)?,
            http: HttpOptions::from_lookup(find)?,
            rate_limits: RateLimits::from_lookup(find)?,
        })
    }
}

/// A variable of the environment.
pub(crate) fn environment(variable: &'static str) -> Option<String> {
    std::env::var(variable).ok()
}
