//! The store on DynamoDB.

mod batch;
mod expression;
mod scan;
mod transact;
pub(super) mod value;

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use async_trait::async_trait;
use aws_sdk_dynamodb::{Client, config::retry::RetryConfig};
use backon::{ConstantBuilder, Retryable};
use futures::future::try_join_all;
use tracing::debug;

use self::{
    expression::Placeholders,
    value::{PARTITION, SORT, item_from_dynamo, key_from_dynamo, key_to_dynamo},
};
use super::error::Fault;
use domain::{limits, random};
use ports::store::{
    BatchGot, BatchWrite, Consistency, Item, Key, Order, Outcome, Projection, Query, QueryPage, Store, StoreError,
    Table, Write,
};

/// Pause before a transaction whose answer was lost is resent, and the maximum of resends.
const LOST_ANSWER_RETRY: (Duration, usize) = (Duration::from_millis(50), 2);

/// The tables' names. A function has only those that it uses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableNames(BTreeMap<Table, String>);

impl TableNames {
    /// Adds a name.
    #[must_use]
    pub fn with(mut self, table: Table, name: impl Into<String>) -> Self {
        self.0.insert(table, name.into());
        self
    }

    /// The name of a table, if known.
    pub fn get(&self, table: Table) -> Option<&str> {
        self.0.get(&table).map(String::as_str)
    }
}

/// [`Store`] on DynamoDB: tables with the string keys `PK` and `SK`, without indexes.
///
/// The SDK's retries are disabled; callers retry, with [`ports::store::Retrying`] and the like. Only the caller can
/// decide to resend a conditional write whose answer was lost: its condition may fail because of its own first attempt.
/// A transaction is safe to resend: it carries an idempotency token that DynamoDB remembers for ten minutes. When an
/// answer is lost, the adapter resends it up to twice with the same token, and DynamoDB returns the original result.
///
/// Writes are durable when they are acknowledged. A call for a table without a known name is rejected.
#[derive(Debug, Clone)]
pub struct DynamoStore {
    client: Client,
    tables: TableNames,
}

impl DynamoStore {
    /// A store adapter for these tables. Disables the client's retries.
    pub fn new(client: &Client, tables: TableNames) -> Self {
        let config = client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        Self { client: Client::from_conf(config), tables }
    }

    fn table(&self, table: Table) -> Result<&str, Fault> {
        let unknown = || Fault::wrong_call(format!("the {} table has no configured name", table.name()));
        self.tables.get(table).ok_or_else(unknown)
    }

    /// Makes one cheap call to open the connection: half a read unit of one table. The result is ignored.
    pub async fn warm_connection(&self) {
        if let Some(table) = self.tables.0.keys().next()
            && let Err(error) = self.get(*table, &Key::probe(), Consistency::Eventual).await
        {
            debug!(%error, "The warm-up call to DynamoDB failed; the first event opens the connection if needed");
        }
    }
}

#[async_trait]
impl Store for DynamoStore {
    async fn get(&self, table: Table, key: &Key, consistency: Consistency) -> Result<Option<Item>, StoreError> {
        let request = self
            .client
            .get_item()
            .table_name(self.table(table)?)
            .set_key(Some(key_to_dynamo(key.clone())))
            .consistent_read(consistency == Consistency::Strong);
        let answer = request.send().await.map_err(Fault::from)?;
        Ok(answer.item.map(item_from_dynamo).transpose()?)
    }

    async fn batch_get(&self, table: Table, keys: &[Key], consistency: Consistency) -> Result<BatchGot, StoreError> {
        let name = self.table(table)?;
        check_batch(keys.iter(), keys.len(), limits::MAX_BATCH_GET)?;
        if keys.is_empty() {
            return Ok(BatchGot::default());
        }
        self.batch_get_some(name, keys, consistency).await
    }

    async fn query(&self, query: &Query) -> Result<QueryPage, StoreError> {
        let name = self.table(query.table)?;
        let mut placeholders = Placeholders::default();
        let condition = placeholders.key_condition(&query.partition, &query.range);
        let projection = (query.projection == Projection::Keys).then(|| format!("{PARTITION}, {SORT}"));
        let start = |sort: &String| key_to_dynamo(Key { partition: query.partition.clone(), sort: sort.clone() });
        let limit = query.limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
        let request = self
            .client
            .query()
            .table_name(name)
            .key_condition_expression(condition)
            .set_projection_expression(projection)
            .set_expression_attribute_names(placeholders.take_names())
            .set_expression_attribute_values(placeholders.take_values())
            .scan_index_forward(query.order == Order::Ascending)
            .set_exclusive_start_key(query.start_after.as_ref().map(start))
            .set_limit(limit)
            .consistent_read(query.consistency == Consistency::Strong);
        let answer = request.send().await.map_err(Fault::from)?;
        let items = answer.items.unwrap_or_default().into_iter().map(item_from_dynamo);
        let next = answer.last_evaluated_key.map(|mut key| key_from_dynamo(&mut key)).transpose()?;
        Ok(QueryPage { items: items.collect::<Result<_, _>>()?, next: next.map(|key| key.sort) })
    }

    async fn batch_write(&self, table: Table, writes: &[BatchWrite]) -> Result<Vec<BatchWrite>, StoreError> {
        let name = self.table(table)?;
        check_batch(writes.iter().map(BatchWrite::key), writes.len(), limits::MAX_BATCH_WRITE)?;
        if writes.is_empty() {
            return Ok(Vec::new());
        }
        self.batch_write_some(name, writes.to_vec()).await
    }

    async fn write(&self, table: Table, write: Write) -> Result<Outcome, StoreError> {
        let name = self.table(table)?;
        match write {
            Write::Put { item, condition } => self.put(name, item, &condition).await,
            Write::Update { key, changes, condition } => self.update(name, key, changes, &condition).await,
            Write::Delete { key, condition } => self.delete(name, key, &condition).await,
            Write::Check { .. } => Err(Fault::wrong_call("a check outside of a transaction").into()),
        }
    }

    async fn transact(&self, writes: Vec<(Table, Write)>) -> Result<Outcome, StoreError> {
        let keys = writes.iter().map(|(table, write)| (*table, write.key()));
        check_batch(keys, writes.len(), limits::MAX_TRANSACT)?;
        if writes.is_empty() {
            return Ok(Outcome::Applied);
        }
        let items = writes.into_iter().map(|(table, write)| self.transact_item(table, write));
        let items = items.collect::<Result<Vec<_>, _>>()?;
        let token = random::uuid().to_string();
        let (pause, times) = LOST_ANSWER_RETRY;
        (|| self.transact_once(items.clone(), &token))
            .retry(ConstantBuilder::default().with_delay(pause).with_max_times(times).with_jitter())
            .when(|error| matches!(error, StoreError::Unavailable(_)))
            .await
    }

    async fn durable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn probe(&self) -> Result<(), StoreError> {
        let key = Key::probe();
        let known = Table::ALL.into_iter().filter(|table| self.tables.get(*table).is_some());
        try_join_all(known.map(|table| self.get(table, &key, Consistency::Eventual))).await?;
        Ok(())
    }
}

/// Rejects what DynamoDB would reject, too many entries or duplicate keys, with a plain reason.
fn check_batch<K: Eq + std::hash::Hash>(
    keys: impl Iterator<Item = K>,
    len: usize,
    most: usize,
) -> Result<(), StoreError> {
    if len > most {
        return Err(Fault::wrong_call(format!("{len} entries in one call; at most {most} are allowed")).into());
    }
    let mut seen = HashSet::with_capacity(len);
    if keys.into_iter().all(|key| seen.insert(key)) {
        Ok(())
    } else {
        Err(Fault::wrong_call("two entries of one call have the same key").into())
    }
}
