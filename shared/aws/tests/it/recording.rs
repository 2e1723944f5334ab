//! The permissions recorded for a port's call are those of the AWS operations that the adapters make for it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use ports::{
    queue::{OutgoingMessage, QueueName},
    store::{
        BatchWrite, Changes, Condition, Consistency, Item, Key, Order, Projection, Query, SortRange, Table, Write,
    },
};
use serde_json::Value;
use testkit::{
    canned::{Canned, CannedService},
    recording::{Access, Recorder, Resource},
};

/// A service that refuses every call.
fn refusing() -> CannedService {
    CannedService::new(vec![Canned::error(400, "AccessDeniedException"); 10])
}

fn key(partition: &str) -> Key {
    Key { partition: partition.to_owned(), sort: "s".to_owned() }
}

fn query(partition: &str) -> Query {
    Query {
        table: Table::Feed,
        partition: partition.to_owned(),
        range: SortRange::All,
        order: Order::Ascending,
        start_after: None,
        limit: None,
        consistency: Consistency::Strong,
        projection: Projection::All,
    }
}

fn of_feed(action: &'static str, partitions: &[&str]) -> Access {
    let leading_keys = partitions.iter().map(|partition| (*partition).to_owned()).collect();
    Access { action, resource: Resource::Table(Table::Feed), leading_keys }
}

fn writes() -> Vec<Write> {
    let (changes, condition) = (Changes { add: vec![("n", 1)], ..Changes::default() }, Condition::Present);
    vec![
        Write::put(Item::new(key("put"))),
        Write::Update { key: key("update"), changes, condition: condition.clone() },
        Write::delete(key("delete")),
        Write::Check { key: key("check"), condition },
    ]
}

/// The operation of one part of a transaction, and its permission.
fn permission_of(part: &Value) -> String {
    let kind = part.as_object().unwrap().keys().next().unwrap();
    format!("dynamodb:{kind}{}", if kind.ends_with("Item") { "" } else { "Item" })
}

#[tokio::test]
async fn store_calls_record_their_permissions() {
    let (service, recorder) = (refusing(), Recorder::default());
    let store = recorder.store(Arc::new(service.store()), [Table::Feed]);
    let refused = [
        store.get(Table::Feed, &key("a"), Consistency::Strong).await.is_err(),
        store.batch_get(Table::Feed, &[key("a"), key("b")], Consistency::Strong).await.is_err(),
        store.query(&query("c")).await.is_err(),
        store
            .batch_write(Table::Feed, &[BatchWrite::Put(Item::new(key("a"))), BatchWrite::Delete(key("d"))])
            .await
            .is_err(),
    ];
    assert_eq!(refused, [true; 4]);
    for write in writes().into_iter().take(3) {
        assert!(store.write(Table::Feed, write).await.is_err());
    }
    let noted = BTreeSet::from([
        of_feed("dynamodb:GetItem", &["a"]),
        of_feed("dynamodb:BatchGetItem", &["a", "b"]),
        of_feed("dynamodb:Query", &["c"]),
        of_feed("dynamodb:BatchWriteItem", &["a", "d"]),
        of_feed("dynamodb:PutItem", &["put"]),
        of_feed("dynamodb:UpdateItem", &["update"]),
        of_feed("dynamodb:DeleteItem", &["delete"]),
    ]);
    assert_eq!(recorder.accesses(), noted);
    let made: BTreeSet<String> = service.calls().iter().map(|(operation, _)| format!("dynamodb:{operation}")).collect();
    assert_eq!(made, noted.iter().map(|access| access.action.to_owned()).collect());
}

#[tokio::test]
async fn a_transaction_records_its_parts_permissions() {
    let (service, recorder) = (refusing(), Recorder::default());
    let store = recorder.store(Arc::new(service.store()), []);
    let again = Write::put(Item::new(key("put again")));
    let parts = writes().into_iter().chain([again]).map(|write| (Table::Feed, write)).collect();
    assert!(store.transact(parts).await.is_err());
    let noted = BTreeSet::from([
        of_feed("dynamodb:PutItem", &["put", "put again"]),
        of_feed("dynamodb:UpdateItem", &["update"]),
        of_feed("dynamodb:DeleteItem", &["delete"]),
        of_feed("dynamodb:ConditionCheckItem", &["check"]),
    ]);
    assert_eq!(recorder.accesses(), noted);
    let (operation, document) = service.calls().remove(0);
    assert_eq!(operation, "TransactWriteItems");
    let made: BTreeSet<String> = document["TransactItems"].as_array().unwrap().iter().map(permission_of).collect();
    assert_eq!(made, noted.iter().map(|access| access.action.to_owned()).collect());
}

#[tokio::test]
async fn a_probe_reads_one_item_per_table() {
    let (service, recorder) = (CannedService::new(vec![Canned::ok(serde_json::json!({})); 3]), Recorder::default());
    let store = recorder.store(Arc::new(service.store()), Table::ALL);
    store.probe().await.unwrap();
    let asked: BTreeSet<(String, String)> = service
        .calls()
        .iter()
        .map(|(operation, document)| (operation.clone(), document["Key"]["PK"]["S"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(recorder.accesses().len(), 3);
    for access in recorder.accesses() {
        let key = access.leading_keys.first().unwrap().clone();
        assert!(asked.contains(&(access.action.replace("dynamodb:", ""), key)), "{asked:?}");
    }
}

#[tokio::test]
async fn queue_calls_record_their_permissions() {
    let (service, recorder) = (refusing(), Recorder::default());
    let queue = recorder.queue(Arc::new(service.queue()));
    let message = OutgoingMessage { body: "{}".to_owned(), group: "g".to_owned(), delay: Duration::ZERO };
    let (name, receipt) = (QueueName::JobQ, || "r".to_owned());
    let refused = [
        queue.send(name, vec![message]).await.is_err(),
        queue.receive(name, 1, Duration::ZERO, None).await.is_err(),
        queue.delete(name, vec![receipt()]).await.is_err(),
        queue.change_visibility(name, vec![(receipt(), Duration::ZERO)]).await.is_err(),
        queue.depth(name).await.is_err(),
    ];
    assert_eq!(refused, [true; 5]);
    let noted: BTreeSet<String> = recorder.accesses().iter().map(|access| access.action.to_owned()).collect();
    assert!(recorder.accesses().iter().all(|access| access.resource == Resource::Queue(name)));
    // A batch needs the permission of its entries' operation.
    let made = service.calls().into_iter().map(|(operation, _)| format!("sqs:{}", operation.replace("Batch", "")));
    assert_eq!(made.collect::<BTreeSet<_>>(), noted);
}
