//! A stop of the event source on a queue that, like SQS, keeps messages in flight when their receiver ends.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::Timestamp;
use parking_lot::Mutex;
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tweeter::event_source::{EventSource, Mapping};
use worker::BatchOutcome;

/// A queue whose receives answer when the test says so.
#[derive(Debug)]
struct FarAway {
    polls: Semaphore,
    answers: Semaphore,
    deleted: Mutex<Vec<Receipt>>,
    given_back: Mutex<Vec<(Receipt, Duration)>>,
}

impl FarAway {
    fn new() -> Arc<Self> {
        let (deleted, given_back) = (Mutex::default(), Mutex::default());
        Arc::new(Self { polls: Semaphore::new(0), answers: Semaphore::new(0), deleted, given_back })
    }

    async fn polled(&self) {
        self.polls.acquire().await.unwrap().forget();
    }
}

#[async_trait]
impl Queue for FarAway {
    async fn receive(
        &self,
        _: QueueName,
        _: usize,
        _: Duration,
        _: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.polls.add_permits(1);
        self.answers.acquire().await.unwrap().forget();
        let text = |text: &str| text.to_owned();
        Ok(vec![ReceivedMessage {
            message_id: text("m"),
            receipt: text("r"),
            body: text("b"),
            group: text("g"),
            receive_count: 1,
            sent_at: Timestamp::from_millis(0),
        }])
    }

    async fn delete(&self, _: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.deleted.lock().extend(receipts);
        Ok(vec![])
    }

    async fn change_visibility(
        &self,
        _: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.given_back.lock().extend(changes);
        Ok(vec![])
    }

    async fn send(&self, _: QueueName, unsent: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        Ok(unsent)
    }

    async fn depth(&self, _: QueueName) -> Result<QueueDepth, QueueError> {
        Ok(QueueDepth::default())
    }
}

fn start<F>(
    queue: &Arc<FarAway>,
    stop: &CancellationToken,
    handler: impl Fn(Vec<ReceivedMessage>) -> F + Send + Sync + 'static,
) -> JoinHandle<()>
where
    F: Future<Output = BatchOutcome> + Send + 'static,
{
    let (progress, _) = watch::channel(0);
    let mapping = Mapping { batch_size: 1, max_concurrency: 2, timeout: Duration::from_hours(1) };
    let source = EventSource::new(queue.clone(), QueueName::JobQ, mapping, progress);
    tokio::spawn(source.with_last_receive(Duration::from_millis(500)).run(handler, stop.clone()))
}

async fn done(_: Vec<ReceivedMessage>) -> BatchOutcome {
    BatchOutcome::default()
}

// The paused clock of these tests advances when all tasks wait.

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_empty_polls() {
    let (queue, stop) = (FarAway::new(), CancellationToken::new());
    let task = start(&queue, &stop, done);
    queue.polled().await;
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(1), task).await.expect("it ends well before a long poll").unwrap();
}

#[tokio::test(start_paused = true)]
async fn messages_in_transit_at_a_stop_are_handled() {
    let (queue, stop) = (FarAway::new(), CancellationToken::new());
    let task = start(&queue, &stop, done);
    queue.polled().await;
    stop.cancel();
    tokio::time::sleep(Duration::from_millis(100)).await;
    queue.answers.add_permits(1);
    task.await.unwrap();
    assert_eq!(*queue.deleted.lock(), ["r"]);
}

#[tokio::test(start_paused = true)]
async fn messages_of_aborted_invocations_are_returned() {
    let (queue, stop) = (FarAway::new(), CancellationToken::new());
    queue.answers.add_permits(1);
    let task = start(&queue, &stop, |_| std::future::pending());
    // The second poll starts once the first one's message is with its handler.
    queue.polled().await;
    queue.polled().await;
    stop.cancel();
    task.await.unwrap();
    assert_eq!(*queue.given_back.lock(), [("r".to_owned(), Duration::ZERO)]);
    assert_eq!(queue.deleted.lock().len(), 0);
}
