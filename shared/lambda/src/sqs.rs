//! SQS events: conversion between Lambda's records and the port's messages.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Timestamp;
use ports::queue::ReceivedMessage;
use worker::BatchOutcome;

/// The messages of an event, in its order. SQS sends every part of a record; a missing part is read as empty (a receive
/// count as 1, a time as the epoch), so that a malformed record fails alone and not with its batch.
pub fn messages_of(event: SqsEvent) -> Vec<ReceivedMessage> {
    event.records.into_iter().map(message_of).collect()
}

fn message_of(record: SqsMessage) -> ReceivedMessage {
    let attribute = |name| record.attributes.get(name).map(String::as_str);
    ReceivedMessage {
        receive_count: attribute("ApproximateReceiveCount").and_then(|count| count.parse().ok()).unwrap_or(1),
        sent_at: Timestamp::from_millis(attribute("SentTimestamp").and_then(|at| at.parse().ok()).unwrap_or(0)),
        group: attribute("MessageGroupId").unwrap_or_default().to_owned(),
        message_id: record.message_id.unwrap_or_default(),
        receipt: record.receipt_handle.unwrap_or_default(),
        body: record.body.unwrap_or_default(),
    }
}

/// The response that makes Lambda keep the failed messages in the queue and delete the others. An empty identifier,
/// that of a failed message without an id, makes Lambda keep the whole batch, so no failed message is deleted.
pub fn response_of(outcome: BatchOutcome) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message_id in outcome.failed {
        response.add_failure(message_id);
    }
    response
}
