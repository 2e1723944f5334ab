//! What the function is told by its environment. template.yaml sets exactly what is read here.

use shared::{
    aws::{
        TableNames,
        config::{ConfigError, table_names_from},
    },
    http::HttpOptions,
    service::tokens::TokenKeys,
    store::Table,
};

/// The configuration, read once before the first event.
#[derive(Debug)]
pub struct Config {
    /// What access tokens are signed with.
    pub keys: TokenKeys,
    /// How HTTP is served.
    pub http: HttpOptions,
    /// The tables that it works on.
    pub tables: TableNames,
}

impl Config {
    /// The configuration, each variable found by `find`. An error names the variable.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self {
            keys: TokenKeys::from_lookup(&find)?,
            http: HttpOptions::from_lookup(&find)?,
            tables: table_names_from(&Table::ALL, &find)?,
        })
    }
}
