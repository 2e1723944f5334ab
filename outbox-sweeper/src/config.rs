//! What the function is told by its environment. template.yaml sets exactly what is read here.

use aws::{
    QueueUrls, TableNames,
    config::{queue_urls_from, table_names_from},
};
use lambda::config::ConfigError;
use ports::{queue::QueueName, store::Table};

/// The configuration, read once before the first event.
#[derive(Debug)]
pub struct Config {
    /// The tables that it works on.
    pub tables: TableNames,
    /// The queues that it works on.
    pub queues: QueueUrls,
}

impl Config {
    /// The configuration, each variable found by `find`. An error names the variable.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        Ok(Self { tables: table_names_from(&Table::ALL, &find)?, queues: queue_urls_from(&[QueueName::PostQ], &find)? })
    }
}
