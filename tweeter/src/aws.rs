//! DynamoDB and SQS for one process: names, clients and the checks before it starts.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use aws::{
    DynamoStore, QueueUrls, SigningSecret, SqsOptions, SqsQueue, TableNames,
    config::{dynamodb_client, load_sdk_config, queue_variable, signing_secret, sqs_client, table_variable},
    setup,
};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::{config::ProvideCredentials, error::SdkError, types::AttributeValue};
use domain::Clock;
use futures::future::try_join_all;
use ports::{
    queue::{Queue, QueueError, QueueName},
    store::{StoreError, Table},
};
use telemetry::chain;

use crate::{
    operator::{Operator, Question},
    recount::{Recount, settle::ByTime},
    verify::{Settling, Verify},
};

/// How long a command waits for dead letters before it considers the queue empty. A long poll asks all of SQS's
/// servers, a short poll only some.
const PATIENCE: Duration = Duration::from_secs(1);

/// Segments of a table that a recount scans in parallel. Each waits for its own page, so that a slow partition does not
/// delay the others; all share one rate.
const SCAN_SEGMENTS: u32 = 4;

/// Further looks at a feed that keeps changing.
const VERIFY_ROUNDS: usize = 3;

/// How a recount or a check of feeds treats a table that serves traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecountPace {
    /// Maximum read units per second.
    pub rate: NonZeroU32,
    /// How long an edge and its count, or a feed and what it is derived from, must be unchanged before a difference
    /// counts: longer than the lag of the change stream.
    pub settle: Duration,
}

impl Default for RecountPace {
    /// A third of one partition's capacity (3,000 read units a second), and a minute, as the stream usually lags by
    /// seconds.
    fn default() -> Self {
        Self { rate: NonZeroU32::new(1_000).expect("1,000 is not 0"), settle: Duration::from_mins(1) }
    }
}

/// The process's AWS configuration. The SDK finds region, credentials and endpoints.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsOptions {
    /// Prefix of the names of queues without a URL here.
    pub prefix: String,
    /// The tables.
    pub tables: TableNames,
    /// The queues with known URLs; the others are looked up by name.
    pub queues: QueueUrls,
    /// Whether messages carry their author as `MessageGroupId`: [`SqsOptions::fair_queues`].
    pub fair_queues: bool,
    /// The ARN of the secret that signs access tokens; without it, the key is in the data directory.
    pub signing_secret: Option<String>,
    /// How counts are recounted and feeds checked.
    pub recount: RecountPace,
}

impl AwsOptions {
    /// The tables and queues under the names that `setup` gives them.
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

/// Why AWS cannot be used, as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The SDK found no region.
    #[error("no AWS region is set; set AWS_REGION")]
    NoRegion,
    /// The SDK found no credentials.
    #[error("no AWS credentials found: {0}")]
    NoCredentials(String),
    /// A table does not exist.
    #[error("there is no table {name}: create it with `tweeter setup --store aws`, or name another in {variable}")]
    NoTable {
        /// Its name.
        name: String,
        /// The variable that names it.
        variable: &'static str,
    },
    /// A queue does not exist.
    #[error(
        "there is no queue {name}: create it with `tweeter setup --store aws`, or set {variable} to the URL of another"
    )]
    NoQueue {
        /// Its name.
        name: String,
        /// The variable that holds its URL.
        variable: &'static str,
    },
    /// A service is unreachable or refuses the call.
    #[error("{service}{place}: {why}")]
    Failed {
        /// The service.
        service: &'static str,
        /// Its endpoint, if the environment sets one.
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
    /// The SDK configuration of both, if it came from the environment.
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

/// Checks region and credentials. Calls without them also fail, but with unhelpful errors.
async fn require_identity(config: &SdkConfig) -> Result<(), AwsError> {
    if config.region().is_none() {
        return Err(AwsError::NoRegion);
    }
    let provider =
        config.credentials_provider().ok_or_else(|| AwsError::NoCredentials("none configured".to_owned()))?;
    match provider.provide_credentials().await {
        Ok(_) => Ok(()),
        // The SDK lists each place it searched on its own line.
        Err(error) => {
            let lines = chain(&error);
            Err(AwsError::NoCredentials(lines.split_whitespace().collect::<Vec<_>>().join(" ")))
        }
    }
}

/// The store and the queues, once all tables and queues are known to exist and be accessible.
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

/// The required queues: at the given URLs, or found by name.
pub async fn queues(clients: &AwsClients, options: &AwsOptions, needed: &[QueueName]) -> Result<SqsQueue, AwsError> {
    let urls = try_join_all(needed.iter().map(|queue| queue_url(clients, options, *queue))).await?;
    let urls = needed.iter().zip(urls).fold(QueueUrls::default(), |urls, (queue, url)| urls.with(*queue, url));
    Ok(SqsQueue::new(&clients.sqs, urls, SqsOptions { fair_queues: options.fair_queues }))
}

/// Answers an operator request. Needs only the queues that the request is about.
pub async fn operator(clients: &AwsClients, options: &AwsOptions, question: &Question) -> Result<Operator, AwsError> {
    let queue = queues(clients, options, &question.queues()).await?;
    let store = DynamoStore::new(&clients.dynamodb, options.tables.clone());
    let RecountPace { rate, settle } = options.recount;
    let recount = Recount::on(store.clone(), SCAN_SEGMENTS, Some(rate), Arc::new(ByTime(settle)));
    let queue: Arc<dyn Queue> = Arc::new(queue);
    let settling = Settling { pause: settle, rounds: VERIFY_ROUNDS };
    let at_rate = (SCAN_SEGMENTS, Some(rate));
    let verify = Verify::on(store.clone(), Arc::clone(&queue), Clock::System, at_rate, settling);
    Ok(Operator {
        queue,
        changes: None,
        store: Arc::new(store),
        patience: PATIENCE,
        recount: Some(recount),
        verify: Some(verify),
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

/// Reads an item that never exists, as every process on the table has that permission.
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

/// The endpoint from the environment, if the service is not at AWS.
fn place(variable: &str) -> String {
    let set = [variable, "AWS_ENDPOINT_URL"].into_iter().find_map(|variable| std::env::var(variable).ok());
    set.map(|url| format!(" at {url}")).unwrap_or_default()
}
