//! Events of a queue's mapping: Lambda's record of a message and the port's.

use aws_lambda_events::sqs::{SqsBatchResponse, SqsEvent, SqsMessage};
use domain::Timestamp;
use ports::queue::ReceivedMessage;
use worker::BatchOutcome;

/// The messages of an event, in its order. SQS sends every part of a record; one that is missing is read as empty (a
/// receive count as the first, a time as the epoch), so that a malformed record fails by itself and not with its batch.
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

/// The answer by which Lambda keeps the failed messages in the queue and deletes the others. The empty identifier, that
/// of a failed message without an id, makes Lambda keep the whole batch: it deletes no message that failed.
pub fn response_of(outcome: BatchOutcome) -> SqsBatchResponse {
    let mut response = SqsBatchResponse::default();
    for message_id in outcome.failed {
        response.add_failure(message_id);
    }
    response
}
