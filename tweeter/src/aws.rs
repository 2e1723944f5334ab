//! DynamoDB and SQS as one process uses them: names, clients, and what is looked at before it starts.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use aws::{
    DynamoStore, QueueUrls, SigningSecret, SqsOptions, SqsQueue, TableNames,
    config::{dynamodb_client, load_sdk_config, queue_variable, signing_secret, sqs_client, table_variable},
    setup,
};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{config::ProvideCredentials, error::SdkError, types::AttributeValue};
use futures::future::try_join_all;
use ports::{
    queue::{Queue, QueueError, QueueName},
    store::{StoreError, Table},
};
use telemetry::chain;

use crate::{
    operator::{Operator, Question},
    recount::{Recount, settle::ByTime},
};

/// How long a command waits for dead letters before it takes the queue for empty. A receive that waits asks all of
/// SQS's servers, one that does not only some.
const PATIENCE: Duration = Duration::from_secs(1);

/// Segments of a table that a recount scans side by side. Each waits for its own page, so that one slow partition does
/// not hold up the others; the rate is shared by all.
const SCAN_SEGMENTS: u32 = 4;

/// How a recount goes about a table that serves people meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecountPace {
    /// Read units a second at the most.
    pub rate: NonZeroU32,
    /// How long neither an edge nor a count may have changed for a difference to count: longer than the change stream
    /// is behind.
    pub settle: Duration,
}

impl Default for RecountPace {
    /// A third of what one partition gives (3,000 read units a second), and a minute, when the stream is seconds behind.
    fn default() -> Self {
        Self { rate: NonZeroU32::new(1_000).expect("1,000 is not 0"), settle: Duration::from_mins(1) }
    }
}

/// What the process is told of AWS. Region, credentials and endpoints the SDK finds by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsOptions {
    /// What the names of queues begin with that have no URL here.
    pub prefix: String,
    /// The tables, all of them.
    pub tables: TableNames,
    /// The queues whose URLs are known; the others are looked up by their names.
    pub queues: QueueUrls,
    /// Whether messages carry their author as `MessageGroupId`: [`SqsOptions::fair_queues`].
    pub fair_queues: bool,
    /// The ARN of the secret that access tokens are signed with; without it the key is in the data directory.
    pub signing_secret: Option<String>,
    /// How counts are recounted.
    pub recount: RecountPace,
}

impl AwsOptions {
    /// Tables and queues with the names that setup gives them.
    pub fn named(prefix: &str) -> Self {
        let names = |names: TableNames, table: Table| names.with(table, setup::table_name(prefix, table));
        Self {
            prefix: prefix.to_owned(),
            tables: Table::ALL.into_iter().fold(TableNames::default(), names),
            queues: QueueUrls::default(),
            fair_queues: SqsOptions::default().fair_queues,
            signing_secret: None,
            recount: RecountPace::default(),
        }
    }
}

/// Why AWS cannot be used: one line each, for whoever started the process.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The SDK found no region.
    #[error("no AWS region is set: AWS_REGION names it")]
    NoRegion,
    /// The SDK found no credentials.
    #[error("no AWS credentials were found: {0}")]
    NoCredentials(String),
    /// A table is not there.
    #[error("there is no table {name}: `tweeter setup --store aws` makes it, {variable} names another")]
    NoTable {
        /// Its name.
        name: String,
        /// The variable that names it.
        variable: &'static str,
    },
    /// A queue is not there.
    #[error("there is no queue {name}: `tweeter setup --store aws` makes it, {variable} gives the URL of another")]
    NoQueue {
        /// Its name.
        name: String,
        /// The variable that holds its URL.
        variable: &'static str,
    },
    /// A service does not answer, or refuses.
    #[error("{service}{place}: {why}")]
    Failed {
        /// Which service.
        service: &'static str,
        /// Where it is, as far as the environment says.
        place: String,
        /// The error and its causes.
        why: String,
    },
}

/// Clients of both services.
#[derive(Debug, Clone)]
pub struct AwsClients {
    /// `DynamoDB`'s.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// SQS's.
    pub sqs: aws_sdk_sqs::Client,
    /// What both are made of, when the environment described them.
    sdk: Option<SdkConfig>,
}

impl AwsClients {
    /// These clients.
    pub const fn of(dynamodb: aws_sdk_dynamodb::Client, sqs: aws_sdk_sqs::Client) -> Self {
        Self { dynamodb, sqs, sdk: None }
    }

    /// Clients with the region, the credentials and the endpoints that the SDK finds.
    pub async fn from_environment() -> Result<Self, AwsError> {
        let config = load_sdk_config().await;
        require_identity(&config).await?;
        Ok(Self { dynamodb: dynamodb_client(&config), sqs: sqs_client(&config), sdk: Some(config) })
    }

    /// The signing secret of this ARN, with the region, the credentials and the endpoint that the SDK finds.
    pub async fn signing_secret(&self, arn: &str) -> SigningSecret {
        match &self.sdk {
            Some(config) => signing_secret(config, arn),
            None => signing_secret(&load_sdk_config().await, arn),
        }
    }
}

/// A call without a region or credentials fails too, but in words that are of no help.
async fn require_identity(config: &SdkConfig) -> Result<(), AwsError> {
    if config.region().is_none() {
        return Err(AwsError::NoRegion);
    }
    let provider =
        config.credentials_provider().ok_or_else(|| AwsError::NoCredentials("none configured".to_owned()))?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        // The SDK lists where it looked, a line each.
        Err(error) => {
            let lines = chain(&error);
            Err(AwsError::NoCredentials(lines.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
    }
}

/// The store and the queues, when all tables and queues are there and may be used.
pub async fn open(clients: &AwsClients, options: &AwsOptions) -> Result<(DynamoStore, SqsQueue), AwsError> {
    let tables = Table::ALL.into_iter().filter_map(|table| Some((table, options.tables.get(table)?)));
    let tables = try_join_all(tables.map(|(table, name)| look_at_table(&clients.dynamodb, table, name)));
    let queues = async {
        let queue = queues(clients, options, &QueueName::ALL).await?;
        try_join_all(QueueName::ALL.map(|name| look_at_queue(&queue, name))).await?;
        Ok(queue)
    };
    let (_tables, queue) = tokio::try_join!(tables, queues)?;
    Ok((DynamoStore::new(&clients.dynamodb, options.tables.clone()), queue))
}

/// The queues that are needed: at the URLs given, or found by their names.
pub async fn queues(clients: &AwsClients, options: &AwsOptions, needed: &[QueueName]) -> Result<SqsQueue, AwsError> {
    let urls = try_join_all(needed.iter().map(|queue| queue_url(clients, options, *queue))).await?;
    let urls = needed.iter().zip(urls).fold(QueueUrls::default(), |urls, (queue, url)| urls.with(*queue, url));
    Ok(SqsQueue::new(&clients.sqs, urls, SqsOptions { fair_queues: options.fair_queues }))
}

/// Answers a question about the queues, of which it needs those that the question is about, or about posts.
pub async fn operator(clients: &AwsClients, options: &AwsOptions, question: &Question) -> Result<Operator, AwsError> {
    let queue = queues(clients, options, &question.queues()).await?;
    let store = DynamoStore::new(&clients.dynamodb, options.tables.clone());
    let RecountPace { rate, settle } = options.recount;
    let recount = Recount::on(store.clone(), SCAN_SEGMENTS, Some(rate), Arc::new(ByTime(settle)));
    Ok(Operator {
        queue: Arc::new(queue),
        changes: None,
        store: Arc::new(store),
        patience: PATIENCE,
        recount: Some(recount),
        backup: None,
    })
}

async fn queue_url(clients: &AwsClients, options: &AwsOptions, queue: QueueName) -> Result<String, AwsError> {
    if let Some(url) = options.queues.get(queue) {
        return Ok(url.to_owned());
    }
    let name = setup::queue_name(&options.prefix, queue);
    let found = setup::existing_queue(&clients.sqs, &name).await?;
    found.ok_or(AwsError::NoQueue { name, variable: queue_variable(queue) })
}

/// Reads an item that nobody wrote: that is what every process on the table may do.
async fn look_at_table(client: &aws_sdk_dynamodb::Client, table: Table, name: &str) -> Result<(), AwsError> {
    let text = || AttributeValue::S("PROBE".to_owned());
    match client.get_item().table_name(name).key("PK", text()).key("SK", text()).send().await {
        Ok(_) => Ok(()),
        Err(SdkError::ServiceError(answer)) if answer.err().is_resource_not_found_exception() => {
            Err(AwsError::NoTable { name: name.to_owned(), variable: table_variable(table) })
        }
        Err(error) => Err(dynamodb_failed(&error)),
    }
}

async fn look_at_queue(queue: &SqsQueue, name: QueueName) -> Result<(), AwsError> {
    queue.depth(name).await?;
    Ok(())
}

fn dynamodb_failed(error: &(dyn std::error::Error + 'static)) -> AwsError {
    AwsError::Failed { service: "DynamoDB", place: place("AWS_ENDPOINT_URL_DYNAMODB"), why: chain(error) }
}

impl From<StoreError> for AwsError {
    fn from(error: StoreError) -> Self {
        dynamodb_failed(&error)
    }
}

impl From<QueueError> for AwsError {
    fn from(error: QueueError) -> Self {
        Self::Failed { service: "SQS", place: place("AWS_ENDPOINT_URL_SQS"), why: chain(&error) }
    }
}

/// Where the environment says that a service is, if it is not at AWS.
fn place(variable: &str) -> String {
    let set = [variable, "AWS_ENDPOINT_URL"].into_iter().find_map(|variable| std::env::var(variable).ok());
    set.map(|url| format!(" at {url}")).unwrap_or_default()
}
