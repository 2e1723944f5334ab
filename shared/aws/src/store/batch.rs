//! Batches of one table, and their unprocessed entries.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{DeleteRequest, KeysAndAttributes, PutRequest, WriteRequest};

use super::{
    DynamoStore,
    value::{Map, item_from_dynamo, item_to_dynamo, key_from_dynamo, key_to_dynamo},
};
use crate::error::Fault;
use ports::store::{BatchGot, BatchWrite, Consistency, Key, MalformedItem, StoreError};

impl DynamoStore {
    pub(super) async fn batch_get_some(
        &self,
        table: &str,
        keys: &[Key],
        consistency: Consistency,
    ) -> Result<BatchGot, StoreError> {
        let wanted = KeysAndAttributes::builder()
            .set_keys(Some(keys.iter().cloned().map(key_to_dynamo).collect()))
            .consistent_read(consistency == Consistency::Strong)
            .build()
            .map_err(|error| StoreError::Rejected(Box::new(error)))?;
        let answer = self.client.batch_get_item().request_items(table, wanted).send().await.map_err(Fault::from)?;
        let items = answer.responses.into_iter().flat_map(HashMap::into_values).flatten();
        let left = answer.unprocessed_keys.into_iter().flat_map(HashMap::into_values).flat_map(|left| left.keys);
        Ok(BatchGot {
            items: items.map(item_from_dynamo).collect::<Result<_, _>>()?,
            unprocessed: left.map(|mut key| key_from_dynamo(&mut key)).collect::<Result<_, _>>()?,
        })
    }

    pub(super) async fn batch_write_some(
        &self,
        table: &str,
        writes: Vec<BatchWrite>,
    ) -> Result<Vec<BatchWrite>, StoreError> {
        let requests = writes.into_iter().map(write_request).collect::<Result<Vec<_>, _>>()?;
        let answer = self.client.batch_write_item().request_items(table, requests).send().await.map_err(Fault::from)?;
        let left = answer.unprocessed_items.into_iter().flat_map(HashMap::into_values).flatten();
        Ok(left.map(batch_write).collect::<Result<_, _>>()?)
    }
}

fn write_request(write: BatchWrite) -> Result<WriteRequest, StoreError> {
    let request = WriteRequest::builder();
    let built = match write {
        BatchWrite::Put(item) => {
            PutRequest::builder().set_item(Some(item_to_dynamo(item))).build().map(|put| request.put_request(put))
        }
        BatchWrite::Delete(key) => DeleteRequest::builder()
            .set_key(Some(key_to_dynamo(key)))
            .build()
            .map(|delete| request.delete_request(delete)),
    };
    Ok(built.map_err(|error| StoreError::Rejected(Box::new(error)))?.build())
}

/// Converts a request back to its write.
fn batch_write(request: WriteRequest) -> Result<BatchWrite, MalformedItem> {
    if let Some(put) = request.put_request {
        return Ok(BatchWrite::Put(item_from_dynamo(put.item)?));
    }
    let mut key: Map = request.delete_request.map(|delete| delete.key).unwrap_or_default();
    Ok(BatchWrite::Delete(key_from_dynamo(&mut key)?))
}
