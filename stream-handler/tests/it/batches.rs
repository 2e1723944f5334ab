//! Batches through the handler: changes that are done, retried, or dead letters.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use data::messages::ChangeMessage;
use domain::{Timestamp, limits};
use embedded::{EmbeddedQueue, Engine, EngineOptions, QueueSettingsOf};
use parking_lot::Mutex;
use ports::{
    changes::Change,
    queue::{
        OutgoingMessage, Queue, QueueDepth, QueueError,
        QueueName::{self, ChangeDlq, ChangeQ},
        Receipt, ReceivedMessage,
    },
    store::{Item, Key, MalformedItem, StoreError},
};
use serde_json::{Value as Json, json};
use service::changes::Applied;
use stream_handler::{
    Apply, HandledBatch, StreamHandler,
    event::{Event, StreamEvent},
};
use tokio::time::Instant;
use worker::RetryPauses;

const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);
const DONE: HandledBatch = HandledBatch { retry_from: None };

/// The scripted outcome of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Throttled,
    Malformed,
    Panic,
    /// Applying the change never returns.
    Hang,
    /// The result omits this change and all later ones.
    Forgotten,
}

/// Applies every change except those scripted to fail.
#[derive(Debug, Default)]
struct Script {
    fates: Mutex<HashMap<String, Fate>>,
    applied: Mutex<Vec<String>>,
}

#[async_trait]
impl Apply for Script {
    async fn apply(&self, changes: &[Change], _: Timestamp) -> Vec<Applied> {
        let mut outcomes = Vec::new();
        for change in changes {
            let fate = self.fates.lock().get(&change.id).copied();
            outcomes.push(match fate {
                None => {
                    self.applied.lock().push(change.id.clone());
                    Applied::Done
                }
                Some(Fate::Throttled) => Applied::Retry(StoreError::Throttled.into()),
                Some(Fate::Malformed) => {
                    Applied::Poison(StoreError::Malformed(MalformedItem { attribute: "author_id" }).into())
                }
                Some(Fate::Panic) => panic!("injected by the test"),
                Some(Fate::Hang) => std::future::pending().await,
                Some(Fate::Forgotten) => return outcomes,
            });
        }
        outcomes
    }
}

/// A queue that can refuse messages.
#[derive(Debug)]
struct Stubborn {
    queue: EmbeddedQueue,
    refuses: Mutex<HashSet<QueueName>>,
}

#[async_trait]
impl Queue for Stubborn {
    async fn send(&self, name: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        if self.refuses.lock().contains(&name) {
            return Err(QueueError::Rejected("injected by the test".into()));
        }
        self.queue.send(name, messages).await
    }

    async fn receive(
        &self,
        name: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.queue.receive(name, max, wait, visibility).await
    }

    async fn delete(&self, name: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.queue.delete(name, receipts).await
    }

    async fn change_visibility(
        &self,
        name: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.queue.change_visibility(name, changes).await
    }

    async fn depth(&self, name: QueueName) -> Result<QueueDepth, QueueError> {
        self.queue.depth(name).await
    }
}

struct Fixture {
    script: Arc<Script>,
    queue: Arc<Stubborn>,
    handler: StreamHandler,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new(fates: &[(&str, Fate)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = Engine::open(EngineOptions::at(folder.path())).expect("an engine");
        let queue = EmbeddedQueue::open(engine, QueueSettingsOf::default()).expect("a queue");
        let queue = Arc::new(Stubborn { queue, refuses: Mutex::default() });
        let fates = fates.iter().map(|(id, fate)| ((*id).to_owned(), *fate)).collect();
        let script = Arc::new(Script { fates: Mutex::new(fates), applied: Mutex::default() });
        let handler = StreamHandler::new(script.clone(), queue.clone(), RetryPauses::default());
        Self { script, queue, handler, _folder: folder }
    }

    async fn handle(&self, ids: &[&str]) -> HandledBatch {
        self.handler.handle(ids.iter().map(|id| change(id)).collect(), NOW).await
    }

    /// Handles a batch as its reader does: retries from `retry_from` until the batch is done. Each call must advance.
    /// Returns the number of calls.
    async fn handle_to_the_end(&self, ids: &[&str], handler: impl Fn() -> StreamHandler) -> usize {
        let (mut left, mut calls) = (ids, 0);
        while !left.is_empty() {
            let changes = left.iter().map(|id| change(id)).collect();
            let handled = handler().handle(changes, NOW).await.retry_from.unwrap_or(left.len());
            assert!(handled > 0, "{left:?} did not advance");
            (left, calls) = (&left[handled..], calls + 1);
        }
        calls
    }

    fn applied(&self) -> Vec<String> {
        self.script.applied.lock().clone()
    }

    /// All dead letters, as JSON.
    async fn letters(&self) -> Vec<Json> {
        let received = self.queue.receive(ChangeDlq, 10, Duration::ZERO, None).await.expect("received");
        received.iter().map(|message| serde_json::from_str(&message.body).expect("JSON")).collect()
    }
}

fn change(id: &str) -> Change {
    let key = Key { partition: format!("POST#{id}"), sort: "POST".to_owned() };
    let image = |n: i64| Some(Item::new(key.clone()).with("n", n).attributes);
    Change { id: id.to_owned(), key: key.clone(), before: image(1), after: image(2) }
}

#[tokio::test]
async fn a_batch_that_passes_is_done_with() {
    let fixture = Fixture::new(&[]);
    assert_eq!(fixture.handle(&["a", "b"]).await, DONE);
    assert_eq!(fixture.handle(&[]).await, DONE);
    assert_eq!(fixture.applied(), ["a", "b"]);
}

#[tokio::test]
async fn a_throttled_change_retries_itself_and_later_changes() {
    let fixture = Fixture::new(&[("b", Fate::Throttled), ("d", Fate::Throttled)]);
    assert_eq!(fixture.handle(&["a", "b", "c", "d"]).await, HandledBatch { retry_from: Some(1) });
    fixture.script.fates.lock().clear();
    assert_eq!(fixture.handle(&["b", "c", "d"]).await, DONE);
    assert_eq!(fixture.letters().await, [Json::Null; 0]);
}

#[tokio::test]
async fn changes_without_an_outcome_are_retried() {
    let fixture = Fixture::new(&[("c", Fate::Forgotten)]);
    assert_eq!(fixture.handle(&["a", "b", "c", "d"]).await, HandledBatch { retry_from: Some(2) });
}

#[tokio::test]
async fn a_poison_change_becomes_a_complete_dead_letter() {
    let fixture = Fixture::new(&[("b", Fate::Malformed)]);
    assert_eq!(fixture.handle(&["a", "b", "c"]).await, DONE);
    assert_eq!(fixture.applied(), ["a", "c"]);
    let letters = fixture.queue.receive(ChangeDlq, 10, Duration::ZERO, None).await.expect("received");
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].group, "POST#b");
    let message = ChangeMessage::decode(&letters[0].body).expect("a change");
    assert!(message.error.contains("author_id"), "{}", message.error);
    assert_eq!(message.into_change(), change("b"));
}

#[tokio::test]
async fn a_panicking_change_does_not_block_its_batch() {
    let fixture = Fixture::new(&[("b", Fate::Panic), ("c", Fate::Malformed)]);
    assert_eq!(fixture.handle(&["a", "b", "c", "d"]).await, DONE);
    let applied: HashSet<String> = fixture.applied().into_iter().collect();
    assert_eq!(applied, HashSet::from(["a".to_owned(), "d".to_owned()]));
    let ids: Vec<Json> = fixture.letters().await.into_iter().map(|letter| letter["id"].clone()).collect();
    assert_eq!(ids, ["b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_change_becomes_a_dead_letter() {
    let fixture = Fixture::new(&[("c", Fate::Hang)]);
    fixture.handle_to_the_end(&["a", "b", "c", "d", "e"], || fixture.handler.clone()).await;
    let applied: HashSet<String> = fixture.applied().into_iter().collect();
    assert_eq!(applied, HashSet::from(["a", "b", "d", "e"].map(str::to_owned)));
    let letters = fixture.queue.receive(ChangeDlq, 10, Duration::ZERO, None).await.expect("received");
    assert_eq!(letters.len(), 1);
    assert_eq!(ChangeMessage::decode(&letters[0].body).expect("a change").into_change(), change("c"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_ends_within_its_budget() {
    let ids: Vec<String> = (0..limits::MAX_CHANGES).map(|number| number.to_string()).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let fates: Vec<_> = ids.iter().map(|id| (*id, Fate::Hang)).collect();
    let fixture = Fixture::new(&fates);
    let began = Instant::now();
    let handled = fixture.handle(&ids).await;
    assert!(handled.retry_from.is_some_and(|place| place > 0), "{handled:?}");
    assert!(began.elapsed() <= limits::CHANGES_BATCH_BUDGET, "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn stateless_handlers_get_past_hanging_changes() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    let fixture = Fixture::new(&[("b", Fate::Hang), ("c", Fate::Hang), ("f", Fate::Hang)]);
    let forgetful = || StreamHandler::new(fixture.script.clone(), fixture.queue.clone(), RetryPauses::default());
    let calls = fixture.handle_to_the_end(&ids, forgetful).await;
    assert!(calls <= ids.len(), "{calls}");
    assert_eq!(fixture.letters().await.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_hanging_change_survives_a_refusing_queue() {
    let fixture = Fixture::new(&[("a", Fate::Hang)]);
    fixture.queue.refuses.lock().insert(ChangeDlq);
    assert_eq!(fixture.handle(&["a", "b"]).await, HandledBatch { retry_from: Some(0) });
    fixture.queue.refuses.lock().clear();
    fixture.handle_to_the_end(&["a", "b"], || fixture.handler.clone()).await;
    assert_eq!((fixture.applied().len(), fixture.letters().await.len()), (1, 1));
}

#[tokio::test]
async fn a_throttled_change_after_a_panic_is_retried() {
    let fixture = Fixture::new(&[("b", Fate::Panic), ("c", Fate::Throttled)]);
    assert_eq!(fixture.handle(&["a", "b", "c", "d"]).await, HandledBatch { retry_from: Some(2) });
    assert_eq!(fixture.letters().await.len(), 1);
}

#[tokio::test]
async fn a_change_without_its_dead_letter_is_retried() {
    let fixture = Fixture::new(&[("b", Fate::Malformed)]);
    fixture.queue.refuses.lock().insert(ChangeDlq);
    assert_eq!(fixture.handle(&["a", "b", "c"]).await, HandledBatch { retry_from: Some(1) });
    fixture.queue.refuses.lock().clear();
    assert_eq!(fixture.handle(&["b", "c"]).await, DONE);
    assert_eq!(fixture.letters().await.len(), 1);
}

#[tokio::test]
async fn a_retried_change_sends_no_dead_letter() {
    let fixture = Fixture::new(&[("a", Fate::Throttled), ("b", Fate::Malformed)]);
    assert_eq!(fixture.handle(&["a", "b"]).await, HandledBatch { retry_from: Some(0) });
    assert_eq!(fixture.letters().await, [Json::Null; 0]);
}

#[tokio::test]
async fn an_invalid_sqs_group_is_replaced() {
    let fixture = Fixture::new(&[("long", Fate::Malformed), ("ümlaut", Fate::Malformed)]);
    let long = Change { key: Key { partition: "POST#".repeat(100), sort: "s".to_owned() }, ..change("long") };
    assert_eq!(fixture.handler.handle(vec![long, change("ümlaut")], NOW).await, DONE);
    let letters = fixture.queue.receive(ChangeDlq, 10, Duration::ZERO, None).await.expect("received");
    assert_eq!(letters.iter().map(|letter| letter.group.as_str()).collect::<Vec<_>>(), ["changes", "changes"]);
}

// --- ChangeQ.

#[tokio::test]
async fn redriven_changes_are_applied_or_retried() {
    let fixture = Fixture::new(&[("b", Fate::Malformed), ("c", Fate::Throttled), ("d", Fate::Panic)]);
    let bodies = ["a", "b", "c", "d"].map(|id| ChangeMessage::of(change(id), "as before".to_owned()).encode());
    let messages = bodies.into_iter().chain(["no change".to_owned()]).map(|body| OutgoingMessage {
        body,
        group: "g".to_owned(),
        delay: Duration::ZERO,
    });
    fixture.queue.send(ChangeQ, messages.collect()).await.expect("sent");
    let received = fixture.queue.receive(ChangeQ, 10, Duration::ZERO, None).await.expect("received");
    let outcome = fixture.handler.handle_queue(received.clone(), NOW).await;
    let failed: HashSet<&str> = outcome.failed.iter().map(String::as_str).collect();
    assert_eq!(failed, received[1..].iter().map(|message| message.message_id.as_str()).collect());
    assert_eq!(fixture.applied(), ["a"]);
}

// --- The stream, as Lambda delivers it.

fn record(id: &str, sequence: u64) -> Json {
    json!({
        "eventID": id,
        "eventName": "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": 1_763_699_990,
            "Keys": {"PK": {"S": format!("POST#{id}")}, "SK": {"S": "POST"}},
            "OldImage": {"PK": {"S": format!("POST#{id}")}, "SK": {"S": "POST"}, "n": {"N": "1"}},
            "NewImage": {"PK": {"S": format!("POST#{id}")}, "SK": {"S": "POST"}, "n": {"N": "2"}},
            "SequenceNumber": sequence.to_string(),
            "SizeBytes": 80,
            "StreamViewType": "NEW_AND_OLD_IMAGES"
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:000000000000:table/Social/stream/2025-11-21T00:00:00.000"
    })
}

fn stream(records: &[Json]) -> StreamEvent {
    match Event::of(json!({ "Records": records })).expect("an event") {
        Event::Stream(event) => event,
        Event::Queue(_) => panic!("an event of the stream"),
    }
}

async fn handled(fixture: &Fixture, records: &[Json]) -> Json {
    serde_json::to_value(fixture.handler.handle_stream(stream(records), NOW).await).expect("JSON")
}

#[tokio::test]
async fn stream_records_decode_to_the_changes() {
    let fixture = Fixture::new(&[("a", Fate::Malformed)]);
    assert_eq!(handled(&fixture, &[record("a", 1)]).await, json!({"batchItemFailures": []}));
    let letter = fixture.letters().await.remove(0).to_string();
    assert_eq!(ChangeMessage::decode(&letter).expect("a change").into_change(), change("a"));
}

#[tokio::test]
async fn the_sample_event_is_a_change() {
    let fixture = Fixture::new(&[]);
    let event: Json = serde_json::from_str(include_str!("../../../events/stream-handler.json")).expect("JSON");
    let records = event["Records"].as_array().expect("records").clone();
    assert_eq!(handled(&fixture, &records).await, json!({"batchItemFailures": []}));
    assert_eq!(fixture.applied(), ["c4ca4238a0b923820dcc509a6f75849b"]);
}

#[tokio::test]
async fn created_and_expired_items_lack_an_image() {
    let fixture = Fixture::new(&[("made", Fate::Malformed), ("gone", Fate::Malformed)]);
    let (mut made, mut gone) = (record("made", 1), record("gone", 2));
    made["dynamodb"].as_object_mut().expect("an object").remove("OldImage");
    gone["dynamodb"].as_object_mut().expect("an object").remove("NewImage");
    gone["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
    assert_eq!(handled(&fixture, &[made, gone]).await, json!({"batchItemFailures": []}));
    let letters = fixture.letters().await;
    assert_eq!((&letters[0]["before"], &letters[0]["after"]["n"]["N"]), (&Json::Null, &json!("2")));
    assert_eq!((&letters[1]["before"]["n"]["N"], &letters[1]["after"]), (&json!("1"), &Json::Null));
}

#[tokio::test]
async fn lambda_retries_from_the_first_failed_sequence_number() {
    let fixture = Fixture::new(&[("c", Fate::Throttled)]);
    let records = ["a", "b", "c", "d"].iter().zip(100..).map(|(id, sequence)| record(id, sequence));
    let answer = handled(&fixture, &records.collect::<Vec<_>>()).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "102"}]}));
}

#[tokio::test(start_paused = true)]
async fn lambda_continues_after_a_hanging_record() {
    let fixture = Fixture::new(&[("a", Fate::Hang)]);
    let records = ["a", "b", "c", "d"].iter().zip(100..).map(|(id, sequence)| record(id, sequence));
    let answer = handled(&fixture, &records.collect::<Vec<_>>()).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "101"}]}));
    assert_eq!(fixture.letters().await[0]["id"], "a");
}

#[tokio::test]
async fn an_unreadable_record_becomes_a_verbatim_dead_letter() {
    let fixture = Fixture::new(&[("c", Fate::Throttled)]);
    let mut odd = record("b", 101);
    odd["dynamodb"]["NewImage"]["n"] = json!({"L": []});
    let records = [record("a", 100), odd.clone(), record("c", 102)];
    let answer = handled(&fixture, &records).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "102"}]}));
    assert_eq!(fixture.letters().await[0]["record"], odd);

    fixture.queue.refuses.lock().insert(ChangeDlq);
    let answer = handled(&fixture, &records).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "101"}]}));

    fixture.script.fates.lock().insert("a".to_owned(), Fate::Throttled);
    let answer = handled(&fixture, &records).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "100"}]}));
}

#[tokio::test]
async fn records_of_unstreamed_items_are_skipped() {
    let fixture = Fixture::new(&[("c", Fate::Throttled)]);
    let mut counts = record("b", 101);
    counts["dynamodb"]["Keys"]["PK"]["S"] = json!("COUNTS#b");
    let answer = handled(&fixture, &[record("a", 100), counts, record("c", 102)]).await;
    assert_eq!(answer, json!({"batchItemFailures": [{"itemIdentifier": "102"}]}));
    assert_eq!(fixture.applied(), ["a"]);
}

#[test]
fn queue_and_stream_events_are_distinguished() {
    let body = ChangeMessage::of(change("a"), String::new()).encode();
    let event = json!({"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": body, "attributes": {}, "messageAttributes": {}}]});
    let Ok(Event::Queue(messages)) = Event::of(event) else { panic!("an event of the queue") };
    assert_eq!(messages[0].message_id, "m");
    assert!(Event::of(json!({"source": "aws.events"})).is_err());
}
