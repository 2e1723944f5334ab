//! The embedded engine through its public interfaces.

mod blobs;
mod blobs_contract;
mod changes;
mod changes_contract;
mod changes_model;
mod damage;
mod durability;
mod journals;
mod opening;
mod queue;
mod queue_contract;
mod restart;
mod store;
mod store_contract;

use std::{path::Path, time::Duration};

use domain::{Clock, Timestamp};
use embedded::{EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use ports::{
    queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage},
    store::{Consistency, Item, Key, Store, Table},
};

fn key(partition: &str, sort: &str) -> Key {
    Key { partition: partition.to_owned(), sort: sort.to_owned() }
}

fn item(partition: &str, sort: &str) -> Item {
    Item::new(key(partition, sort))
}

fn engine(path: &Path) -> Engine {
    Engine::open(EngineOptions::at(path)).expect("an engine")
}

/// An engine on a manual clock.
fn engine_by_hand(path: &Path) -> (Engine, Clock) {
    let clock = Clock::manual(Timestamp::from_millis(1_000_000));
    let options = EngineOptions { clock: clock.clone(), ..EngineOptions::at(path) };
    (Engine::open(options).expect("an engine"), clock)
}

fn store(path: &Path) -> EmbeddedStore {
    EmbeddedStore::new(engine(path))
}

fn queue_on(engine: Engine) -> EmbeddedQueue {
    EmbeddedQueue::open(engine, QueueSettingsOf::default()).expect("a queue")
}

fn message(body: &str, group: &str) -> OutgoingMessage {
    OutgoingMessage { body: body.to_owned(), group: group.to_owned(), delay: Duration::ZERO }
}

async fn send(queue: &EmbeddedQueue, bodies: &[&str]) {
    for batch in bodies.chunks(10) {
        let messages = batch.iter().map(|body| message(body, "group")).collect();
        assert_eq!(queue.send(QueueName::JobQ, messages).await.expect("sent"), []);
    }
}

async fn receive_from(queue: &EmbeddedQueue, name: QueueName, max: usize) -> Vec<ReceivedMessage> {
    queue.receive(name, max, Duration::ZERO, None).await.expect("received")
}

async fn receive(queue: &EmbeddedQueue, max: usize) -> Vec<ReceivedMessage> {
    receive_from(queue, QueueName::JobQ, max).await
}

fn bodies(messages: &[ReceivedMessage]) -> Vec<&str> {
    messages.iter().map(|message| message.body.as_str()).collect()
}

async fn get(store: &EmbeddedStore, key: &Key) -> Option<Item> {
    store.get(Table::Social, key, Consistency::Strong).await.expect("read")
}
