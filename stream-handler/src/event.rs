//! The events that Lambda delivers: records of the change stream as `DynamoDB` writes them, and messages of ChangeQ.

use domain::Timestamp;
use lambda::sqs;
use ports::{
    changes::{Change, is_streamed},
    queue::ReceivedMessage,
    store::{Attributes, Key, Table},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use telemetry::names;
use tokio::time::Instant;
use tracing::error;

use crate::StreamHandler;

/// An event of either event source mapping.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// Records of the change stream.
    Stream(StreamEvent),
    /// Messages of ChangeQ.
    Queue(Vec<ReceivedMessage>),
}

impl Event {
    /// Decodes an event. Its records name their source.
    ///
    /// # Errors
    /// When the event is of neither source. An unreadable record of the stream is not an error.
    pub fn of(event: Json) -> Result<Self, serde_json::Error> {
        if event["Records"][0]["eventSource"] == "aws:dynamodb" {
            serde_json::from_value(event).map(Self::Stream)
        } else {
            serde_json::from_value(event).map(sqs::messages_of).map(Self::Queue)
        }
    }
}

/// A batch of the change stream, oldest record first.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StreamEvent {
    #[serde(rename = "Records")]
    records: Vec<Json>,
}

/// The response to Lambda: the record from which to retry the batch. An empty list means that the batch is done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamResponse {
    batch_item_failures: Vec<FailedRecord>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct FailedRecord {
    item_identifier: String,
}

impl StreamResponse {
    fn retry_from(sequence_number: String) -> Self {
        Self { batch_item_failures: vec![FailedRecord { item_identifier: sequence_number }] }
    }
}

/// The fields of a record that this crate reads.
#[derive(Deserialize)]
struct Record {
    #[serde(rename = "eventID")]
    event_id: String,
    dynamodb: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Data {
    keys: Keys,
    #[serde(default)]
    old_image: Option<Attributes>,
    #[serde(default)]
    new_image: Option<Attributes>,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(rename = "PK")]
    partition: Text,
    #[serde(rename = "SK")]
    sort: Text,
}

#[derive(Deserialize)]
struct Text {
    #[serde(rename = "S")]
    text: String,
}

impl From<Record> for Change {
    fn from(record: Record) -> Self {
        let Data { keys, old_image, new_image } = record.dynamodb;
        let key = Key { partition: keys.partition.text, sort: keys.sort.text };
        Self { id: record.event_id, key, before: old_image.map(without_key), after: new_image.map(without_key) }
    }
}

/// Removes the key, which an image holds among its attributes.
fn without_key(mut image: Attributes) -> Attributes {
    image.remove("PK");
    image.remove("SK");
    image
}

/// The sequence number to retry from. A missing one is empty, which retries the whole batch.
fn sequence_number(record: &Json) -> String {
    record["dynamodb"]["SequenceNumber"].as_str().unwrap_or_default().to_owned()
}

/// When the record was created, in seconds since the epoch.
fn made_at(record: &Json) -> Option<f64> {
    record["dynamodb"]["ApproximateCreationDateTime"].as_f64()
}

impl StreamHandler {
    /// Applies a batch of the stream. An unreadable record counts as done once it is on ChangeDLQ, verbatim.
    pub async fn handle_stream(&self, event: StreamEvent, now: Timestamp) -> StreamResponse {
        note_age(&event, now);
        let deadline = self.deadline();
        let mut run = Run::default();
        for (place, record) in event.records.into_iter().enumerate() {
            let sequence_number = sequence_number(&record);
            match Record::deserialize(&record) {
                Ok(read) => run.add(sequence_number, read.into()),
                Err(error) => {
                    if let Some(from) = self.handle_run(&mut run, now, deadline).await {
                        return StreamResponse::retry_from(from);
                    }
                    // As with other dead letters, the first record of a batch is sent even past the deadline.
                    let is_late = place > 0 && Instant::now() >= deadline;
                    if is_late || !self.put_record_aside(&record, &error).await {
                        return StreamResponse::retry_from(sequence_number);
                    }
                }
            }
        }
        self.handle_run(&mut run, now, deadline).await.map(StreamResponse::retry_from).unwrap_or_default()
    }

    /// Handles and empties a run. Returns the sequence number to retry from, if any.
    async fn handle_run(&self, run: &mut Run, now: Timestamp, deadline: Instant) -> Option<String> {
        let Run { sequence_numbers, changes } = std::mem::take(run);
        let handled = self.handle_until(changes, now, deadline).await;
        handled.retry_from.and_then(|place| sequence_numbers.into_iter().nth(place))
    }

    async fn put_record_aside(&self, record: &Json, reason: &serde_json::Error) -> bool {
        let id = record["eventID"].as_str().unwrap_or_default();
        error!(
            change.id = id,
            error = telemetry::chain(reason),
            "Could not read the record of change {id}; sending it to ChangeDLQ"
        );
        let letter = json!({ "type": "unreadable_record", "v": 1, "record": record, "error": reason.to_string() });
        self.put_on_dead_letters(id, letter.to_string(), "changes".to_owned()).await
    }
}

/// Consecutive readable records.
#[derive(Default)]
struct Run {
    sequence_numbers: Vec<String>,
    changes: Vec<Change>,
}

impl Run {
    /// Adds a change unless its item is not streamed. The mapping filters those out already; without its filter the
    /// counts must still be right.
    fn add(&mut self, sequence_number: String, change: Change) {
        if is_streamed(Table::Social, &change.key.partition) {
            self.sequence_numbers.push(sequence_number);
            self.changes.push(change);
        }
    }
}

fn note_age(event: &StreamEvent, now: Timestamp) {
    let Some(oldest) = event.records.iter().filter_map(made_at).reduce(f64::min) else { return };
    #[expect(clippy::cast_precision_loss, reason = "exact for 285,000 years")]
    let now = now.as_millis() as f64 / 1_000.0;
    metrics::gauge!(names::CHANGES_OLDEST_SECONDS).set((now - oldest).max(0.0));
}
