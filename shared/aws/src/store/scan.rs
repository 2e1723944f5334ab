//! Scans of whole tables, for operator commands.

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnConsumedCapacity;

use super::{
    DynamoStore,
    value::{item_from_dynamo, key_from_dynamo, key_to_dynamo},
};
use crate::error::Fault;
use ports::store::{Key, ScanPage, Segment, StoreError, Table, TableScan};

#[async_trait]
impl TableScan for DynamoStore {
    async fn scan_segment(
        &self,
        table: Table,
        segment: Segment,
        after: Option<Key>,
        limit: u32,
    ) -> Result<ScanPage, StoreError> {
        let number = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let request = self
            .client
            .scan()
            .table_name(self.table(table)?)
            .segment(number(segment.index))
            .total_segments(number(segment.total))
            .set_exclusive_start_key(after.map(key_to_dynamo))
            .limit(number(limit))
            .return_consumed_capacity(ReturnConsumedCapacity::Total)
            .consistent_read(true);
        let answer = request.send().await.map_err(Fault::from)?;
        let items = answer.items.unwrap_or_default().into_iter().map(item_from_dynamo);
        Ok(ScanPage {
            items: items.collect::<Result<_, _>>()?,
            next: answer.last_evaluated_key.map(|mut key| key_from_dynamo(&mut key)).transpose()?,
            read_units: answer.consumed_capacity.and_then(|consumed| consumed.capacity_units).unwrap_or_default(),
        })
    }
}
