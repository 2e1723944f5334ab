//! Responses of SQS that no engine produces, and how the adapter handles them.

use std::time::Duration;

use domain::{Timestamp, limits::MAX_MESSAGE_BYTES};
use ports::queue::{OutgoingMessage, Queue, QueueError, QueueName, send_all};
use serde_json::json;
use testkit::canned::{Canned, CannedService};

const QUEUE: QueueName = QueueName::JobQ;

fn messages(bodies: &[&str]) -> Vec<OutgoingMessage> {
    let message =
        |body: &&str| OutgoingMessage { body: (*body).to_owned(), group: "alice".to_owned(), delay: Duration::ZERO };
    bodies.iter().map(message).collect()
}

fn failed(entries: &[(&str, &str, bool)]) -> Canned {
    let failed: Vec<_> = entries
        .iter()
        .map(|(id, code, sender)| json!({ "Id": id, "Code": code, "SenderFault": sender, "Message": "prepared" }))
        .collect();
    Canned::ok(json!({ "Successful": [], "Failed": failed }))
}

fn receipts(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test]
async fn unsent_messages_are_returned() {
    let service = CannedService::new([failed(&[("2", "InternalError", false), ("0", "RequestThrottled", true)])]);
    let unsent = service.queue().send(QUEUE, messages(&["a", "b", "c"])).await.unwrap();
    assert_eq!(unsent, messages(&["a", "c"]));
}

#[tokio::test]
async fn a_permanently_failed_entry_rejects_the_call() {
    let service = CannedService::new([failed(&[("0", "InternalError", false), ("1", "InvalidMessageContents", true)])]);
    let result = service.queue().send(QUEUE, messages(&["a", "b"])).await;
    let Err(QueueError::Rejected(cause)) = result else { panic!("{result:?}") };
    assert_eq!(cause.to_string(), "entry 1: InvalidMessageContents: prepared");
}

#[tokio::test]
async fn receipts_of_failed_entries_are_returned() {
    let answer = || failed(&[("1", "InternalError", false)]);
    let service = CannedService::new([answer(), answer()]);
    let queue = service.queue();
    assert_eq!(queue.delete(QUEUE, receipts(&["a", "b"])).await.unwrap(), ["b"]);
    let changes = receipts(&["a", "b"]).into_iter().map(|receipt| (receipt, Duration::from_millis(1_500))).collect();
    assert_eq!(queue.change_visibility(QUEUE, changes).await.unwrap(), ["b"]);
    assert_eq!(service.calls()[1].1["Entries"][0]["VisibilityTimeout"], 2);
}

#[tokio::test]
async fn outdated_receipts_change_nothing() {
    let gone = [
        ("0", "AWS.SimpleQueueService.MessageNotInflight", true),
        ("1", "InvalidParameterValue", true),
        ("2", "ReceiptHandleIsInvalid", true),
        ("3", "InternalError", false),
    ];
    let service = CannedService::new([failed(&gone)]);
    let changes = receipts(&["a", "b", "c", "d"]).into_iter().map(|receipt| (receipt, Duration::ZERO)).collect();
    assert_eq!(service.queue().change_visibility(QUEUE, changes).await.unwrap(), ["d"]);
}

#[tokio::test]
async fn a_fair_queue_round_trips_the_group() {
    let received = json!({ "Messages": [{
        "MessageId": "m", "ReceiptHandle": "r", "Body": "b",
        "Attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1763700000100", "MessageGroupId": "alice" },
    }] });
    let service = CannedService::new([failed(&[]), Canned::ok(received)]);
    let queue = service.queue();
    assert_eq!(queue.send(QUEUE, messages(&["a"])).await.unwrap(), []);
    let entry = &service.calls()[0].1["Entries"][0];
    assert_eq!((&entry["MessageGroupId"], &entry["MessageAttributes"]), (&json!("alice"), &json!(null)));

    let message = queue.receive(QUEUE, 10, Duration::from_secs(20), None).await.unwrap().remove(0);
    assert_eq!((message.message_id.as_str(), message.receipt.as_str(), message.body.as_str()), ("m", "r", "b"));
    assert_eq!((message.group.as_str(), message.receive_count), ("alice", 3));
    assert_eq!(message.sent_at, Timestamp::from_millis(1_763_700_000_100));
    let asked = &service.calls()[1].1;
    assert_eq!((&asked["WaitTimeSeconds"], &asked["MaxNumberOfMessages"]), (&json!(20), &json!(10)));
    assert_eq!(asked["VisibilityTimeout"], json!(null));
}

#[tokio::test]
async fn failed_calls_are_classified_without_retries() {
    let throttling = [(403, "RequestThrottled"), (400, "ThrottlingException"), (400, "OverLimit")];
    for (status, code) in throttling {
        let service = CannedService::new([Canned::error(status, code)]);
        let result = service.queue().receive(QUEUE, 1, Duration::ZERO, None).await;
        assert!(matches!(result, Err(QueueError::Throttled)), "{code}: {result:?}");
        assert_eq!(service.calls().len(), 1, "the SDK does not retry");
    }
    for answer in [Canned::error(500, "InternalFailure"), Canned::Lost, Canned::TimedOut] {
        let service = CannedService::new([answer]);
        let result = service.queue().send(QUEUE, messages(&["a"])).await;
        assert!(matches!(result, Err(QueueError::Unavailable(_))), "{result:?}");
        assert_eq!(service.calls().len(), 1, "the SDK does not retry");
    }
    for code in ["com.amazonaws.sqs#QueueDoesNotExist", "AccessDeniedException"] {
        let result = CannedService::new([Canned::error(400, code)]).queue().depth(QUEUE).await;
        assert!(matches!(result, Err(QueueError::Rejected(_))), "{code}: {result:?}");
    }
}

#[tokio::test]
async fn a_queue_without_a_url_is_rejected() {
    let service = CannedService::default();
    let result = service.queue().delete(QueueName::JobDlq, receipts(&["a"])).await;
    let Err(QueueError::Rejected(cause)) = result else { panic!("{result:?}") };
    assert_eq!(cause.to_string(), "the queue JobDLQ has no configured URL");
    assert!(service.calls().is_empty());
}

/// The number of entries in each call that sends messages of these sizes.
async fn entries_sent(sizes: &[usize]) -> Vec<usize> {
    let message = |size: &usize| OutgoingMessage { body: "x".repeat(*size), ..messages(&["x"]).remove(0) };
    let service = CannedService::new(vec![Canned::ok(json!({ "Successful": [], "Failed": [] })); 3]);
    send_all(&service.queue(), QUEUE, sizes.iter().map(message).collect()).await.unwrap();
    service.calls().iter().map(|(_, asked)| asked["Entries"].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn batches_hold_ten_messages_and_one_mebibyte() {
    assert_eq!(entries_sent(&[]).await, Vec::<usize>::new());
    assert_eq!(entries_sent(&[1; 21]).await, [10, 10, 1]);
    assert_eq!(entries_sent(&[400 * 1024; 5]).await, [2, 2, 1]);
    assert_eq!(entries_sent(&[MAX_MESSAGE_BYTES, 1]).await, [1, 1]);
}
