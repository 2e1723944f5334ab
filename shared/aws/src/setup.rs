//! Creates missing tables and queues, for tests and for running without a template. Items with an expiry expire; otherwise
//! rows of sessions, idempotency keys and feeds would pile up. The deployed stack gets
//! its tables and queues from the template, with recovery, deletion protection and alarms, which are not set here.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    self as dynamodb,
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
        TimeToLiveSpecification, TimeToLiveStatus,
    },
};
use aws_sdk_sqs::{self as sqs, operation::get_queue_url::GetQueueUrlError, types::QueueAttributeName};
use futures::future::try_join_all;

use super::{
    QueueUrls, TableNames,
    error::Fault,
    store::value::{PARTITION, SORT},
};
use ports::{
    queue::{QueueError, QueueName, QueueSettings},
    store::{EXPIRES_AT, StoreError, Table},
};

/// Interval and number of polls for a new table to become ready: a minute in total. DynamoDB takes about ten seconds.
const READY_POLL: (Duration, u32) = (Duration::from_millis(250), 240);
/// Retention of dead letters: SQS's longest, 14 days in seconds.
const DEAD_LETTER_RETENTION_SECS: u32 = 14 * 24 * 3_600;

/// The result of setting up one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUpTable {
    /// The table.
    pub table: Table,
    /// Its name.
    pub name: String,
    /// Whether it was created; otherwise it existed.
    pub made: bool,
    /// Whether its expiry was switched on; otherwise it was on already.
    pub expiry_set: bool,
}

/// The result of setting up one queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetUpQueue {
    /// The queue.
    pub queue: QueueName,
    /// Its name.
    pub name: String,
    /// Its URL.
    pub url: String,
    /// Whether it was created; otherwise it existed and is unchanged.
    pub made: bool,
}

/// Creates missing tables (string keys `PK` and `SK`, on demand), waits until they are ready, and switches expiry by
/// [`EXPIRES_AT`] on.
pub async fn create_tables(client: &dynamodb::Client, names: &TableNames) -> Result<Vec<SetUpTable>, StoreError> {
    let named = Table::ALL.into_iter().filter_map(|table| Some((table, names.get(table)?)));
    try_join_all(named.map(|(table, name)| set_up_table(client, table, name))).await
}

async fn set_up_table(client: &dynamodb::Client, table: Table, name: &str) -> Result<SetUpTable, StoreError> {
    let made = create_table(client, name).await?;
    wait_until_ready(client, name).await?;
    let expiry_set = switch_expiry_on(client, name).await?;
    Ok(SetUpTable { table, name: name.to_owned(), made, expiry_set })
}

/// Returns false if it exists already.
async fn create_table(client: &dynamodb::Client, name: &str) -> Result<bool, StoreError> {
    let mut request = client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for (attribute, key_type) in [(PARTITION, KeyType::Hash), (SORT, KeyType::Range)] {
        let definition =
            AttributeDefinition::builder().attribute_name(attribute).attribute_type(ScalarAttributeType::S).build();
        let element = KeySchemaElement::builder().attribute_name(attribute).key_type(key_type).build();
        request = request
            .attribute_definitions(definition.map_err(wrong_request)?)
            .key_schema(element.map_err(wrong_request)?);
    }
    match request.send().await {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => Ok(false),
        Err(error) => Err(Fault::from(error).into()),
    }
}

async fn wait_until_ready(client: &dynamodb::Client, name: &str) -> Result<(), StoreError> {
    let (pause, times) = READY_POLL;
    for _ in 0..times {
        let answer = client.describe_table().table_name(name).send().await.map_err(Fault::from)?;
        if answer.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
    }
    Err(StoreError::Unavailable(format!("the table {name} is not ready").into()))
}

/// Returns false if it is on already: DynamoDB rejects a repeated switch.
async fn switch_expiry_on(client: &dynamodb::Client, name: &str) -> Result<bool, StoreError> {
    let answer = client.describe_time_to_live().table_name(name).send().await.map_err(Fault::from)?;
    let status = answer.time_to_live_description.and_then(|description| description.time_to_live_status);
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(false);
    }
    let expiry = TimeToLiveSpecification::builder().attribute_name(EXPIRES_AT).enabled(true).build();
    let request = client.update_time_to_live().table_name(name);
    request.time_to_live_specification(expiry.map_err(wrong_request)?).send().await.map_err(Fault::from)?;
    Ok(true)
}

/// Creates missing queues, dead-letter queues first. Existing queues are unchanged. Their names are `prefix` and the
/// queue's name.
pub async fn set_up_queues(
    client: &sqs::Client,
    prefix: &str,
    settings_of: impl Fn(QueueName) -> QueueSettings,
) -> Result<Vec<SetUpQueue>, QueueError> {
    let (mut urls, mut queues) = (QueueUrls::default(), Vec::new());
    let (sources, dead): (Vec<_>, Vec<_>) =
        QueueName::ALL.into_iter().partition(|queue| queue.dead_letter_queue().is_some());
    for queue in dead.into_iter().chain(sources) {
        let name = queue_name(prefix, queue);
        let found = existing_queue(client, &name).await?;
        let made = found.is_none();
        let url = match found {
            Some(url) => url,
            None => create_queue(client, queue, &name, settings_of(queue), &urls).await?,
        };
        urls = urls.with(queue, url.clone());
        queues.push(SetUpQueue { queue, name, url, made });
    }
    Ok(queues)
}

/// The name that [`set_up_queues`] gives a queue.
pub fn queue_name(prefix: &str, queue: QueueName) -> String {
    format!("{prefix}{}", queue.name())
}

/// The default name of a table.
pub fn table_name(prefix: &str, table: Table) -> String {
    format!("{prefix}{}", table.name())
}

/// The URL of a queue by its name; `None` if it does not exist.
pub async fn existing_queue(client: &sqs::Client, name: &str) -> Result<Option<String>, QueueError> {
    match client.get_queue_url().queue_name(name).send().await {
        Ok(answer) => Ok(answer.queue_url),
        Err(error) if error.as_service_error().is_some_and(GetQueueUrlError::is_queue_does_not_exist) => Ok(None),
        Err(error) => Err(Fault::from(error).into()),
    }
}

async fn create_queue(
    client: &sqs::Client,
    queue: QueueName,
    name: &str,
    settings: QueueSettings,
    made: &QueueUrls,
) -> Result<String, QueueError> {
    let visibility = settings.visibility_timeout.as_secs().to_string();
    let mut attributes = HashMap::from([(QueueAttributeName::VisibilityTimeout, visibility)]);
    if let Some(dead_letters) = queue.dead_letter_queue() {
        let arn = queue_arn(client, made.url(dead_letters)?).await?;
        let policy = serde_json::json!({ "deadLetterTargetArn": arn, "maxReceiveCount": settings.max_receives });
        attributes.insert(QueueAttributeName::RedrivePolicy, policy.to_string());
    } else {
        attributes.insert(QueueAttributeName::MessageRetentionPeriod, DEAD_LETTER_RETENTION_SECS.to_string());
    }
    let request = client.create_queue().queue_name(name).set_attributes(Some(attributes));
    let answer = request.send().await.map_err(Fault::from)?;
    answer.queue_url.ok_or_else(|| QueueError::Unavailable("the answer has no queue URL".into()))
}

async fn queue_arn(client: &sqs::Client, url: &str) -> Result<String, QueueError> {
    let request = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    let answer = request.send().await.map_err(Fault::from)?;
    let arn = answer.attributes().and_then(|attributes| attributes.get(&QueueAttributeName::QueueArn));
    arn.cloned().ok_or_else(|| QueueError::Unavailable("the answer has no queue ARN".into()))
}

fn wrong_request(error: dynamodb::error::BuildError) -> StoreError {
    StoreError::Rejected(Box::new(error))
}
