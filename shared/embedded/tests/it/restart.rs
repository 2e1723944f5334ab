//! Queues across restarts.

use std::{path::Path, time::Duration};

use embedded::EmbeddedQueue;
use ports::queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage};

use crate::it::{bodies, engine, engine_by_hand, message, queue_on, receive, receive_from, send};

const JOBS: QueueName = QueueName::JobQ;

async fn delete(queue: &EmbeddedQueue, message: &ReceivedMessage) {
    assert!(queue.delete(JOBS, vec![message.receipt.clone()]).await.expect("deleted").is_empty());
}

fn reopened(path: &Path) -> EmbeddedQueue {
    queue_on(engine(path))
}

#[tokio::test]
async fn messages_survive_a_restart_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = reopened(folder.path());
    send(&queue, &["a", "b", "c"]).await;
    let first = receive(&queue, 1).await.remove(0);
    delete(&queue, &first).await;
    drop(queue);
    let queue = reopened(folder.path());
    assert_eq!(bodies(&receive(&queue, 10).await), ["b", "c"]);
    delete(&queue, &first).await;
    assert_eq!(queue.depth(JOBS).await.expect("a depth").in_flight, 2);
}

#[tokio::test]
async fn a_receipt_never_matches_a_later_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = reopened(folder.path());
    send(&queue, &["a"]).await;
    let old = receive(&queue, 1).await.remove(0);
    delete(&queue, &old).await;
    drop(queue);
    let queue = reopened(folder.path());
    send(&queue, &["b"]).await;
    receive(&queue, 1).await;
    delete(&queue, &old).await;
    assert_eq!(queue.depth(JOBS).await.expect("a depth").in_flight, 1);
}

#[tokio::test]
async fn a_delay_continues_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, _) = engine_by_hand(folder.path());
    let delayed = OutgoingMessage { delay: Duration::from_mins(1), ..message("later", "group") };
    queue_on(engine).send(JOBS, vec![delayed]).await.expect("sent");
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    assert!(receive(&queue, 1).await.is_empty());
    clock.advance(Duration::from_mins(1));
    assert_eq!(bodies(&receive(&queue, 1).await), ["later"]);
}

#[tokio::test]
async fn a_process_killing_message_becomes_a_dead_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    send(&reopened(folder.path()), &["killer"]).await;
    for count in 1..=5 {
        let queue = reopened(folder.path());
        assert_eq!(receive(&queue, 10).await[0].receive_count, count);
    }
    let queue = reopened(folder.path());
    assert!(receive(&queue, 10).await.is_empty());
    assert_eq!(bodies(&receive_from(&queue, QueueName::JobDlq, 10).await), ["killer"]);
}

#[tokio::test]
async fn other_messages_of_a_killing_batch_are_delivered() {
    let folder = tempfile::tempdir().expect("a folder");
    send(&reopened(folder.path()), &["a", "b", "killer", "c", "d"]).await;
    let mut handled = Vec::new();
    for _ in 0..7 {
        let queue = reopened(folder.path());
        'process: loop {
            let received = receive(&queue, 10).await;
            if received.is_empty() {
                break 'process;
            }
            for message in &received {
                if message.body == "killer" {
                    break 'process;
                }
                // A handler acknowledges a batch only after handling all of it.
            }
            for message in received {
                delete(&queue, &message).await;
                handled.push(message.body);
            }
        }
    }
    handled.sort();
    assert_eq!(handled, ["a", "b", "c", "d"]);
    let queue = reopened(folder.path());
    assert_eq!(bodies(&receive_from(&queue, QueueName::JobDlq, 10).await), ["killer"]);
}

#[tokio::test]
async fn suspects_are_delivered_one_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = reopened(folder.path());
    send(&queue, &["a", "b", "returned"]).await;
    let received = receive(&queue, 3).await;
    let returned = vec![(received[2].receipt.clone(), Duration::ZERO)];
    queue.change_visibility(JOBS, returned).await.expect("changed");
    send(&queue, &["new"]).await;
    drop(queue);

    let queue = reopened(folder.path());
    let first = receive(&queue, 10).await;
    assert_eq!(bodies(&first), ["a"]);
    assert_eq!(bodies(&receive(&queue, 10).await), ["returned", "new"], "no suspects");
    assert!(receive(&queue, 10).await.is_empty(), "one suspect is in flight");
    delete(&queue, &first[0]).await;
    assert_eq!(bodies(&receive(&queue, 10).await), ["b"]);
}
