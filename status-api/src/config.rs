//! What the function is told by its environment. template.yaml sets exactly what is read here.

use aws::{
    TableNames,
    config::{signing_secret_arn_from, table_names_from},
};
use http_api::HttpOptions;
use lambda::config::ConfigError;
use ports::store::Table;
use service::rates::RateLimits;

/// The configuration, read once before the first event.
#[derive(Debug)]
pub struct Config {
    /// The secret that access tokens are signed with: its name in Secrets Manager.
    pub signing_secret: String,
    /// How HTTP is served.
    pub http: HttpOptions,
    /// Whether rates are limited.
    pub rate_limits: RateLimits,
    /// The tables that it works on.
    pub tables: TableNames,
}

impl Config {
    /// The configuration, each variable found by `find`. An error names the variable.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            signing_secret: signing_secret_arn_from(&find)?,
            http: HttpOptions::from_lookup(&find)?,
            rate_limits: RateLimits::from_lookup(&find)?,
            tables: table_names_from(&Table::ALL, &find)?,
        })
    }
}
