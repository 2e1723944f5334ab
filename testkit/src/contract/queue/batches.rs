//! Batches and their limits.

use std::{collections::BTreeSet, time::Duration};

use domain::limits::{MAX_MESSAGE_BYTES, MAX_MESSAGE_DELAY, MAX_QUEUE_BATCH, MAX_VISIBILITY};
use ports::queue::{OutgoingMessage, QueueError};

use super::{LONG, QueueHarness, SLOW, message, next, receive_all, receive_now, send};
use crate::contract::assert_rejected;

const BEYOND: Duration = Duration::from_secs(1);

/// Holds for every call.
pub async fn a_batch_holds_at_most_ten_messages(h: QueueHarness) {
    let bodies: Vec<_> = (0..=MAX_QUEUE_BATCH).map(|n| n.to_string()).collect();
    let messages: Vec<_> = bodies.iter().map(message).collect();
    assert_rejected!(QueueError, h.queue.send(SLOW, messages.clone()).await);
    assert_rejected!(QueueError, h.queue.receive(SLOW, MAX_QUEUE_BATCH + 1, Duration::ZERO, None).await);
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);

    send(&*h.queue, SLOW, messages[..MAX_QUEUE_BATCH].to_vec()).await;
    let received = receive_all(&*h.queue, SLOW, MAX_QUEUE_BATCH).await;
    let found: BTreeSet<_> = received.iter().map(|message| message.body.clone()).collect();
    assert_eq!(found, bodies[..MAX_QUEUE_BATCH].iter().cloned().collect());

    let mut receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
    let changes = |receipts: &[String]| receipts.iter().map(|receipt| (receipt.clone(), LONG)).collect();
    assert_eq!(h.queue.change_visibility(SLOW, changes(&receipts)).await.unwrap(), [""; 0]);
    receipts.push(receipts[0].clone());
    assert_rejected!(QueueError, h.queue.change_visibility(SLOW, changes(&receipts)).await);
    assert_rejected!(QueueError, h.queue.delete(SLOW, receipts.clone()).await);
    receipts.pop();
    assert_eq!(h.queue.delete(SLOW, receipts).await.unwrap(), [""; 0]);
}

/// Batches hold at least one entry.
pub async fn batches_of_nothing_are_rejected(h: QueueHarness) {
    assert_rejected!(QueueError, h.queue.send(SLOW, vec![]).await);
    assert_rejected!(QueueError, h.queue.receive(SLOW, 0, Duration::ZERO, None).await);
    assert_rejected!(QueueError, h.queue.delete(SLOW, vec![]).await);
    assert_rejected!(QueueError, h.queue.change_visibility(SLOW, vec![]).await);
}

/// At most fifteen minutes of delay and twelve hours of invisibility.
pub async fn times_beyond_the_limits_are_rejected(h: QueueHarness) {
    let delayed = OutgoingMessage { delay: MAX_MESSAGE_DELAY + BEYOND, ..message("x") };
    assert_rejected!(QueueError, h.queue.send(SLOW, vec![delayed]).await);
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
    send(&*h.queue, SLOW, vec![OutgoingMessage { delay: MAX_MESSAGE_DELAY, ..message("y") }, message("z")]).await;
    let received = next(&*h.queue, SLOW, Some(MAX_VISIBILITY)).await;
    let too_long = vec![(received.receipt, MAX_VISIBILITY + BEYOND)];
    assert_rejected!(QueueError, h.queue.change_visibility(SLOW, too_long).await);
    assert_rejected!(QueueError, h.queue.receive(SLOW, 1, Duration::ZERO, Some(MAX_VISIBILITY + BEYOND)).await);
}

/// The body arrives whole, up to the queue's maximum.
pub async fn the_largest_message_arrives(h: QueueHarness) {
    // Some adapters send the group beside the body, where it counts towards the size.
    let body = "x".repeat(h.max_message_bytes - 1024);
    send(&*h.queue, SLOW, vec![message(&body)]).await;
    assert!(next(&*h.queue, SLOW, None).await.body == body, "the body differs");
    let too_large = message("x".repeat(MAX_MESSAGE_BYTES + 1));
    assert_rejected!(QueueError, h.queue.send(SLOW, vec![too_large]).await);
}

/// SQS rejects it as well.
pub async fn a_message_without_a_body_is_rejected(h: QueueHarness) {
    assert_rejected!(QueueError, h.queue.send(SLOW, vec![message("")]).await);
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// The limit applies to the total.
pub async fn a_batch_above_one_mebibyte_is_rejected(h: QueueHarness) {
    let messages = vec![message("x".repeat(MAX_MESSAGE_BYTES / 8)); 9];
    assert_rejected!(QueueError, h.queue.send(SLOW, messages).await);
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// The call deletes no other message.
pub async fn a_delete_removes_exactly_the_named_messages(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("a"), message("b"), message("c")]).await;
    let mut received = receive_all(&*h.queue, SLOW, 3).await;
    let kept = received.remove(1);
    let receipts = received.into_iter().map(|message| message.receipt).collect();
    assert_eq!(h.queue.delete(SLOW, receipts).await.unwrap(), [""; 0]);
    let back = vec![(kept.receipt, Duration::ZERO)];
    assert_eq!(h.queue.change_visibility(SLOW, back).await.unwrap(), [""; 0]);
    assert_eq!(next(&*h.queue, SLOW, None).await.message_id, kept.message_id);
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}
