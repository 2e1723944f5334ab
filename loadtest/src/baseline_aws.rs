//! The baseline on AWS's stores: the rate at which DynamoDB alone takes the entries of a fan-out, by BatchWriteItem.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws::{TableNames, setup};
use aws_sdk_dynamodb::{
    Client,
    config::retry::RetryConfig,
    types::{AttributeValue, PutRequest, WriteRequest},
};
use data::Feeds;
use domain::{Clock, IdGenerator, PostId, UserId, limits};
use parking_lot::Mutex;
use ports::store::{Item, StoreError, Table, Value};
use tokio::task::JoinSet;

use crate::{baseline::BaselineError, prepared::Prepared};

/// Concurrencies to try: from below the needs of a nearby store to beyond those of a distant one.
const CONCURRENCIES: [usize; 6] = [2, 4, 8, 16, 32, 64];

/// Attempts of a throttled call, with the SDK's pauses.
const ATTEMPTS: u32 = 10;
/// Pause before unprocessed entries are resent.
const UNPROCESSED_PAUSE: Duration = Duration::from_millis(20);

/// The entries of one call.
type Batch = Vec<WriteRequest>;

/// Writes each reader's entry for each of `posts` posts, and returns entries per second.
///
/// Items, client and endpoint are those of the service, the table is another one of the same form; batches of 25,
/// without port or queue, and no other load on the client. Each concurrency writes the entries of one post; the fastest
/// then writes those of all posts. Building the requests is not timed.
pub async fn entries_per_second(on: &Prepared, readers: &[UserId], posts: u64) -> Result<f64, BaselineError> {
    let table = setup::table_name(&on.options.prefix, Table::Feed) + "-baseline";
    setup::create_tables(&on.clients.dynamodb, &TableNames::default().with(Table::Feed, &table)).await?;
    let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
    let client = Client::from_conf(on.clients.dynamodb.config().to_builder().retry_config(retries).build());
    let baseline = Baseline { client, table, ids: IdGenerator::new() };
    let (mut best, mut shortest) = (CONCURRENCIES[0], Duration::MAX);
    for concurrency in CONCURRENCIES {
        let spent = baseline.write_a_post(readers, concurrency).await?;
        if spent < shortest {
            (best, shortest) = (concurrency, spent);
        }
    }
    let mut spent = Duration::ZERO;
    for _ in 0..posts {
        spent += baseline.write_a_post(readers, best).await?;
    }
    #[expect(clippy::cast_precision_loss, reason = "numbers of entries")]
    let entries = (readers.len() as u64 * posts) as f64;
    Ok(entries / spent.as_secs_f64())
}

struct Baseline {
    client: Client,
    table: String,
    ids: IdGenerator,
}

impl Baseline {
    /// The time to write the entries of one post.
    async fn write_a_post(&self, readers: &[UserId], concurrency: usize) -> Result<Duration, BaselineError> {
        let post = self.ids.next_post_id(Clock::System.now());
        let batches = readers.chunks(limits::MAX_BATCH_WRITE).map(|readers| batch(post, readers));
        let batches = Arc::new(Mutex::new(batches.collect::<Result<Vec<_>, _>>()?));
        let mut writers = JoinSet::new();
        let started = Instant::now();
        for _ in 0..concurrency {
            writers.spawn(write_all(self.client.clone(), self.table.clone(), Arc::clone(&batches)));
        }
        while let Some(written) = writers.join_next().await {
            written.map_err(|panic| StoreError::Unavailable(panic.into()))??;
        }
        Ok(started.elapsed())
    }
}

fn batch(post: PostId, readers: &[UserId]) -> Result<Batch, BaselineError> {
    readers.iter().map(|reader| put(post, *reader)).collect()
}

/// An entry as written by the service.
fn put(post: PostId, reader: UserId) -> Result<WriteRequest, BaselineError> {
    let put = PutRequest::builder().set_item(Some(attributes_of(Feeds::entry(reader, post)))).build();
    Ok(WriteRequest::builder().put_request(put.map_err(|error| StoreError::Rejected(error.into()))?).build())
}

/// An item in DynamoDB's form.
fn attributes_of(item: Item) -> HashMap<String, AttributeValue> {
    let key = [("PK", item.key.partition), ("SK", item.key.sort)];
    let key = key.map(|(name, text)| (name.to_owned(), AttributeValue::S(text)));
    let others = item.attributes.into_iter().map(|(name, value)| {
        let value = match value {
            Value::S(text) => AttributeValue::S(text),
            Value::N(number) => AttributeValue::N(number.to_string()),
            Value::Bool(truth) => AttributeValue::Bool(truth),
            Value::B(bytes) => AttributeValue::B(bytes.to_vec().into()),
        };
        (name.into_owned(), value)
    });
    key.into_iter().chain(others).collect()
}

/// Takes and writes batches until none is left.
async fn write_all(client: Client, table: String, batches: Arc<Mutex<Vec<Batch>>>) -> Result<(), BaselineError> {
    loop {
        let Some(mut left) = batches.lock().pop() else { return Ok(()) };
        while !left.is_empty() {
            let answer = client.batch_write_item().request_items(&table, left).send().await;
            let answer = answer.map_err(|error| StoreError::Unavailable(error.into()))?;
            left = answer.unprocessed_items.and_then(|mut left| left.remove(&table)).unwrap_or_default();
            if !left.is_empty() {
                tokio::time::sleep(UNPROCESSED_PAUSE).await;
            }
        }
    }
}
