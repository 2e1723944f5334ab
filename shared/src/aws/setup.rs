//! Makes tables and queues where they are missing: for tests and for running on an endpoint without a template. The
//! deployed stack has its own from the template, with expiry, recovery and encryption, which are not set here.

use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::{
    self as dynamodb,
    operation::create_table::CreateTableError,
    types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus},
};
use aws_sdk_sqs::{self as sqs, operation::get_queue_url::GetQueueUrlError, types::QueueAttributeName};
use futures::future::try_join_all;

use super::{
    QueueUrls, TableNames,
    error::Fault,
    store::{PARTITION, SORT},
};
use crate::{
    queue::{QueueError, QueueName, QueueSettings},
    store::{StoreError, Table},
};

/// How often to ask whether a new table is ready, and how many times: a minute in all. DynamoDB takes about ten
/// seconds.
const READY_POLL: (Duration, u32) = (Duration::from_millis(250), 240);
/// Retention of dead letters: SQS's longest, 14 days in seconds.
const DEAD_LETTER_RETENTION_SECS: u32 = 14 * 24 * 3_600;

/// Makes the named tables that are missing (string keys `PK` and `SK`, on demand), and waits until they are ready.
pub async fn create_tables(client: &dynamodb::Client, names: &TableNames) -> Result<(), StoreError> {
    let named = Table::ALL.into_iter().filter_map(|table| names.get(table));
    try_join_all(named.map(|name| create_table(client, name))).await?;
    Ok(())
}

async fn create_table(client: &dynamodb::Client, name: &str) -> Result<(), StoreError> {
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
        Err(error) if !error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) => {
            Err(Fault::from(error).into())
        }
        _ => wait_until_ready(client, name).await,
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

/// Makes the queues that are missing, dead-letter queues first, and returns the URLs of all. A queue that is there
/// stays as it is. Names are `prefix` and the queue's own.
pub async fn create_queues(
    client: &sqs::Client,
    prefix: &str,
    settings_of: impl Fn(QueueName) -> QueueSettings,
) -> Result<QueueUrls, QueueError> {
    let mut urls = QueueUrls::default();
    let (sources, dead): (Vec<_>, Vec<_>) =
        QueueName::ALL.into_iter().partition(|queue| queue.dead_letter_queue().is_some());
    for queue in dead.into_iter().chain(sources) {
        let name = format!("{prefix}{}", queue.name());
        let url = match existing_queue(client, &name).await? {
            Some(url) => url,
            None => create_queue(client, queue, &name, settings_of(queue), &urls).await?,
        };
        urls = urls.with(queue, url);
    }
    Ok(urls)
}

async fn existing_queue(client: &sqs::Client, name: &str) -> Result<Option<String>, QueueError> {
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
