//! Options that select the stores of a command.
//!
//! All builds parse them, so that one without the `aws` feature can name what it lacks.
#![cfg_attr(not(feature = "aws"), expect(dead_code, reason = "names are read and not used in this build"))]

use clap::{Args, ValueEnum, builder::BoolishValueParser};
use ports::{queue::QueueName, store::Table};

use crate::config::Stores;

/// The help section of the AWS options.
const HEADING: &str = "With --store aws";

/// The answer of a build without the feature to `--store aws`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--store aws needs a build with --features aws")]
pub struct NotBuilt;

/// The stores.
#[derive(Debug, Args)]
pub struct StoreArgs {
    /// Where data is stored: the embedded database, or DynamoDB and SQS
    #[arg(long, env = "TWEETER_STORE", value_enum, default_value = "embedded")]
    store: StoreChoice,
    #[command(flatten)]
    names: NameArgs,
    #[command(flatten)]
    urls: UrlArgs,
}

/// The stores, for commands that also need the tables.
#[derive(Debug, Args)]
pub struct AllStoreArgs {
    #[command(flatten)]
    stores: StoreArgs,
    #[command(flatten)]
    tables: TableArgs,
}

/// The stores, for a process that also signs tokens.
#[derive(Debug, Args)]
pub struct ServeStoreArgs {
    #[command(flatten)]
    stores: AllStoreArgs,
    /// ARN of the secret that signs tokens; without it, a key is created in the data directory
    #[arg(long, env = "TWEETER_SIGNING_SECRET_ARN", value_name = "ARN", help_heading = HEADING)]
    signing_secret_arn: Option<String>,
}

/// The kind of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StoreChoice {
    /// The embedded database.
    #[default]
    Embedded,
    /// DynamoDB and SQS.
    Aws,
}

#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
struct NameArgs {
    /// Prefix of tables and queues that are not named explicitly
    #[arg(long, env = "TWEETER_PREFIX", default_value = "tweeter-")]
    prefix: String,
    /// Whether messages carry their author as `MessageGroupId`; set `false` for engines that reject it on standard
    /// queues
    #[arg(long, env = "TWEETER_FAIR_QUEUES", value_name = "BOOL", default_value = "true", action = clap::ArgAction::Set, value_parser = BoolishValueParser::new())]
    fair_queues: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
struct UrlArgs {
    /// URL of PostQ; by default, queues are looked up by name
    #[arg(long = "postq-url", env = "TWEETER_POSTQ_URL", value_name = "URL")]
    postq: Option<String>,
    /// URL of JobQ
    #[arg(long = "jobq-url", env = "TWEETER_JOBQ_URL", value_name = "URL")]
    jobq: Option<String>,
    /// URL of `PostQ`'s dead-letter queue
    #[arg(long = "postdlq-url", env = "TWEETER_POSTDLQ_URL", value_name = "URL")]
    postdlq: Option<String>,
    /// URL of `JobQ`'s dead-letter queue
    #[arg(long = "jobdlq-url", env = "TWEETER_JOBDLQ_URL", value_name = "URL")]
    jobdlq: Option<String>,
    /// URL of ChangeQ
    #[arg(long = "changeq-url", env = "TWEETER_CHANGEQ_URL", value_name = "URL")]
    changeq: Option<String>,
    /// URL of `ChangeQ`'s dead-letter queue
    #[arg(long = "changedlq-url", env = "TWEETER_CHANGEDLQ_URL", value_name = "URL")]
    changedlq: Option<String>,
    /// URL of MediaQ
    #[arg(long = "mediaq-url", env = "TWEETER_MEDIAQ_URL", value_name = "URL")]
    mediaq: Option<String>,
    /// URL of `MediaQ`'s dead-letter queue
    #[arg(long = "mediadlq-url", env = "TWEETER_MEDIADLQ_URL", value_name = "URL")]
    mediadlq: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = HEADING)]
struct TableArgs {
    /// Name of the table with credentials and sessions
    #[arg(long = "auth-table", env = "TWEETER_AUTH_TABLE", value_name = "NAME")]
    auth: Option<String>,
    /// Name of the table with profiles, follows and posts
    #[arg(long = "social-table", env = "TWEETER_SOCIAL_TABLE", value_name = "NAME")]
    social: Option<String>,
    /// Name of the table with feeds
    #[arg(long = "feed-table", env = "TWEETER_FEED_TABLE", value_name = "NAME")]
    feed: Option<String>,
}

impl StoreArgs {
    /// The stores; on AWS only the queues, for a command that needs no tables.
    pub fn stores(self) -> Result<Stores, NotBuilt> {
        self.stores_with(|_| None)
    }

    fn stores_with(self, table_name: impl Fn(Table) -> Option<String>) -> Result<Stores, NotBuilt> {
        match self.store {
            StoreChoice::Embedded => Ok(Stores::Embedded),
            StoreChoice::Aws => self.aws(table_name),
        }
    }

    #[cfg(not(feature = "aws"))]
    #[expect(clippy::unused_self, reason = "the other build uses both")]
    fn aws(self, _table_name: impl Fn(Table) -> Option<String>) -> Result<Stores, NotBuilt> {
        Err(NotBuilt)
    }

    #[cfg(feature = "aws")]
    #[expect(clippy::unnecessary_wraps, reason = "the other build has nothing to give")]
    fn aws(self, table_name: impl Fn(Table) -> Option<String>) -> Result<Stores, NotBuilt> {
        let mut options = crate::aws::AwsOptions::named(&self.names.prefix);
        options.fair_queues = self.names.fair_queues;
        for table in Table::ALL {
            if let Some(name) = given(table_name(table)) {
                options.tables = options.tables.with(table, name);
            }
        }
        for queue in QueueName::ALL {
            if let Some(url) = given(self.urls.of(queue)) {
                options.queues = options.queues.with(queue, url);
            }
        }
        Ok(Stores::Aws(options))
    }
}

impl AllStoreArgs {
    /// The stores.
    pub fn stores(self) -> Result<Stores, NotBuilt> {
        let Self { stores, tables } = self;
        stores.stores_with(|table| tables.of(table))
    }
}

impl ServeStoreArgs {
    /// The stores.
    pub fn stores(self) -> Result<Stores, NotBuilt> {
        let stores = self.stores.stores()?;
        #[cfg(feature = "aws")]
        if let Stores::Aws(options) = stores {
            return Ok(Stores::Aws(crate::aws::AwsOptions {
                signing_secret: given(self.signing_secret_arn),
                ..options
            }));
        }
        Ok(stores)
    }
}

impl UrlArgs {
    fn of(&self, queue: QueueName) -> Option<String> {
        match queue {
            QueueName::PostQ => self.postq.clone(),
            QueueName::JobQ => self.jobq.clone(),
            QueueName::PostDlq => self.postdlq.clone(),
            QueueName::JobDlq => self.jobdlq.clone(),
            QueueName::ChangeQ => self.changeq.clone(),
            QueueName::ChangeDlq => self.changedlq.clone(),
            QueueName::MediaQ => self.mediaq.clone(),
            QueueName::MediaDlq => self.mediadlq.clone(),
        }
    }
}

impl TableArgs {
    fn of(&self, table: Table) -> Option<String> {
        match table {
            Table::Auth => self.auth.clone(),
            Table::Social => self.social.clone(),
            Table::Feed => self.feed.clone(),
        }
    }
}

/// Treats an empty variable as unset.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}
