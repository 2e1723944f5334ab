//! SQS events become messages of the port, and outcomes become the response that Lambda reads.

use domain::Timestamp;
use lambda::sqs::{messages_of, response_of};
use ports::queue::ReceivedMessage;
use serde_json::{Value as Json, json};
use worker::BatchOutcome;

fn record() -> Json {
    json!({
        "messageId": "m", "receiptHandle": "r", "body": "{}", "messageAttributes": {}, "eventSource": "aws:sqs",
        "attributes": {"ApproximateReceiveCount": "2", "SentTimestamp": "7", "MessageGroupId": "g"},
    })
}

fn message() -> ReceivedMessage {
    ReceivedMessage {
        message_id: "m".to_owned(),
        receipt: "r".to_owned(),
        body: "{}".to_owned(),
        group: "g".to_owned(),
        receive_count: 2,
        sent_at: Timestamp::from_millis(7),
    }
}

/// The message of a record that was modified by `change`.
fn read(change: impl FnOnce(&mut Json)) -> ReceivedMessage {
    let mut record = record();
    change(&mut record);
    let event = serde_json::from_value(json!({ "Records": [record] })).expect("an event");
    messages_of(event).remove(0)
}

fn without(part: &str) -> ReceivedMessage {
    read(|record| {
        record.as_object_mut().expect("an object").remove(part);
    })
}

fn with_attribute(name: &str, value: &str) -> ReceivedMessage {
    read(|record| record["attributes"][name] = json!(value))
}

fn answer(failed: &[&str]) -> Json {
    let failed = failed.iter().map(|id| (*id).to_owned()).collect();
    serde_json::to_value(response_of(BatchOutcome { failed })).expect("JSON")
}

#[test]
fn a_record_becomes_a_message() {
    assert_eq!(read(|_| ()), message());
}

#[test]
fn messages_keep_the_order_of_records() {
    let records: Vec<Json> =
        ["a", "b", "c"].map(|id| json!({"messageId": id, "attributes": {}, "messageAttributes": {}})).into();
    let event = serde_json::from_value(json!({ "Records": records })).expect("an event");
    let ids: Vec<String> = messages_of(event).into_iter().map(|message| message.message_id).collect();
    assert_eq!(ids, ["a", "b", "c"]);
}

#[test]
fn missing_parts_are_read_as_empty() {
    assert_eq!(without("messageId"), ReceivedMessage { message_id: String::new(), ..message() });
    assert_eq!(without("receiptHandle"), ReceivedMessage { receipt: String::new(), ..message() });
    assert_eq!(without("body"), ReceivedMessage { body: String::new(), ..message() });
}

#[test]
fn missing_attributes_mean_a_first_receive() {
    let bare = read(|record| record["attributes"] = json!({}));
    let sent_at = Timestamp::from_millis(0);
    assert_eq!(bare, ReceivedMessage { receive_count: 1, sent_at, group: String::new(), ..message() });
}

#[test]
fn an_unreadable_receive_count_means_the_first() {
    for count in ["", "many", "-1", "4294967296"] {
        assert_eq!(with_attribute("ApproximateReceiveCount", count).receive_count, 1, "{count}");
    }
    assert_eq!(with_attribute("SentTimestamp", "yesterday").sent_at, Timestamp::from_millis(0));
}

#[test]
fn only_failed_messages_are_reported() {
    assert_eq!(answer(&[]), json!({"batchItemFailures": []}));
    let failures = json!([{"itemIdentifier": "a"}, {"itemIdentifier": "b"}]);
    assert_eq!(answer(&["a", "b"]), json!({ "batchItemFailures": failures }));
}

#[test]
fn a_failure_without_id_keeps_the_batch() {
    let failed = without("messageId").message_id;
    assert_eq!(answer(&[&failed]), json!({"batchItemFailures": [{"itemIdentifier": ""}]}));
}
