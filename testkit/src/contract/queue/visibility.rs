//! Visibility, between a receive and a delete.

use std::{sync::Arc, time::Duration};

use domain::limits::MAX_RECEIVE_WAIT;
use ports::queue::{Queue, QueueName, ReceivedMessage};

use super::{LONG, QUICK, QueueHarness, SHORT, SLOW, message, next, receive_now, send};

async fn change(queue: &dyn Queue, name: QueueName, receipt: &str, timeout: Duration) {
    let left = queue.change_visibility(name, vec![(receipt.to_owned(), timeout)]).await;
    assert_eq!(left.expect("a change passes"), [""; 0]);
}

fn assert_received_again(first: &ReceivedMessage, second: &ReceivedMessage) {
    let kept = |message: &ReceivedMessage| {
        (message.message_id.clone(), message.body.clone(), message.group.clone(), message.sent_at)
    };
    assert_eq!(kept(second), kept(first));
    assert_eq!(second.receive_count, first.receive_count + 1);
}

/// Invisible to every receiver.
pub async fn a_received_message_is_invisible(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    next(&*h.queue, SLOW, None).await;
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// The same message, with its receive count increased.
pub async fn an_undeleted_message_returns_after_its_timeout(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let first = next(&*h.queue, SLOW, Some(SHORT)).await;
    let second = next(&*h.queue, SLOW, None).await;
    assert_received_again(&first, &second);
    assert_ne!(second.receipt, first.receipt);
}

/// This queue's timeout is one second.
pub async fn the_queues_timeout_is_the_default(h: QueueHarness) {
    send(&*h.queue, QUICK, vec![message("x")]).await;
    let first = next(&*h.queue, QUICK, None).await;
    assert_received_again(&first, &next(&*h.queue, QUICK, None).await);
}

/// Changes the visibility timeout to zero.
pub async fn a_message_made_visible_is_received_at_once(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let first = next(&*h.queue, SLOW, Some(LONG)).await;
    change(&*h.queue, SLOW, &first.receipt, Duration::ZERO).await;
    assert_received_again(&first, &next(&*h.queue, SLOW, None).await);
}

/// The receive returns before its wait ends, even if the message becomes visible a second later.
pub async fn a_waiting_receive_gets_a_message_made_visible(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let mut received = next(&*h.queue, SLOW, Some(LONG)).await;
    for timeout in [Duration::ZERO, SHORT] {
        let queue = Arc::clone(&h.queue);
        let waiting = tokio::spawn(async move { next(&*queue, SLOW, Some(LONG)).await });
        // Let the receive begin to wait, so that the change has a receiver to wake.
        tokio::task::yield_now().await;
        change(&*h.queue, SLOW, &received.receipt, timeout).await;
        let again = tokio::time::timeout(MAX_RECEIVE_WAIT / 2, waiting).await;
        let again = again.expect("the receive wakes long before its wait ends").unwrap();
        assert_received_again(&received, &again);
        received = again;
    }
}

/// Invisible beyond the timeout of its receive.
pub async fn a_lengthened_timeout_keeps_a_message_invisible(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x"), message("y")]).await;
    let mut kept = next(&*h.queue, SLOW, Some(SHORT)).await;
    let mut other = next(&*h.queue, SLOW, Some(SHORT)).await;
    if kept.receive_count > 1 {
        std::mem::swap(&mut kept, &mut other);
    }
    change(&*h.queue, SLOW, &kept.receipt, LONG).await;
    // The other message's return shows that the original timeout has ended.
    let back = next(&*h.queue, SLOW, None).await;
    assert_eq!(back.message_id, other.message_id);
    assert_eq!(h.queue.receive(SLOW, 10, SHORT, None).await.unwrap(), []);
}

/// It may or may not delete; the newest receipt does. Only for engines that accept such receipts.
pub async fn deleting_with_an_earlier_receipt_succeeds(h: QueueHarness) {
    if !h.stale_deletes_succeed {
        return;
    }
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let first = next(&*h.queue, SLOW, Some(LONG)).await;
    change(&*h.queue, SLOW, &first.receipt, Duration::ZERO).await;
    let second = next(&*h.queue, SLOW, Some(SHORT)).await;
    for receipt in [first.receipt, second.receipt] {
        assert_eq!(h.queue.delete(SLOW, vec![receipt]).await.unwrap(), [""; 0]);
    }
    assert_eq!(h.queue.receive(SLOW, 10, 2 * SHORT, None).await.unwrap(), []);
}

/// Changing the visibility of a deleted or visible message has no effect.
pub async fn changing_a_deleted_message_succeeds(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let first = next(&*h.queue, SLOW, None).await;
    change(&*h.queue, SLOW, &first.receipt, Duration::ZERO).await;
    change(&*h.queue, SLOW, &first.receipt, Duration::ZERO).await;
    let second = next(&*h.queue, SLOW, None).await;
    assert_eq!(h.queue.delete(SLOW, vec![second.receipt.clone()]).await.unwrap(), [""; 0]);
    change(&*h.queue, SLOW, &second.receipt, Duration::ZERO).await;
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// Deleting a message twice is no error either, for engines that accept such receipts.
pub async fn a_deleted_message_never_returns(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("x")]).await;
    let received = next(&*h.queue, SLOW, Some(SHORT)).await;
    let deletes = if h.stale_deletes_succeed { 2 } else { 1 };
    for _ in 0..deletes {
        assert_eq!(h.queue.delete(SLOW, vec![received.receipt.clone()]).await.unwrap(), [""; 0]);
    }
    assert_eq!(h.queue.receive(SLOW, 10, 2 * SHORT, None).await.unwrap(), []);
}
