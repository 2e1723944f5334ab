//! Delivery, from a send to a receive.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use domain::limits::MAX_RECEIVE_WAIT;
use futures::future::join_all;
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueName, delete_all, send_all};

use super::{LONG, QueueHarness, SHORT, SLOW, message, next, receive_all, receive_now, send};

/// Body, group, a receive count of 1, and an id.
pub async fn a_message_arrives_unchanged(h: QueueHarness) {
    let body = "{\"text\": \"naïve 日本 👩‍👩‍👧 <&>\"}\n";
    send(&*h.queue, SLOW, vec![OutgoingMessage { group: "alice".to_owned(), ..message(body) }]).await;
    let received = next(&*h.queue, SLOW, None).await;
    assert_eq!((received.body.as_str(), received.group.as_str(), received.receive_count), (body, "alice", 1));
    assert!(!received.message_id.is_empty() && !received.receipt.is_empty() && received.sent_at.as_millis() > 0);
}

/// Returns at once without a wait, or after the wait.
pub async fn an_empty_queue_gives_nothing(h: QueueHarness) {
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
    assert_eq!(h.queue.receive(SLOW, 10, SHORT, None).await.unwrap(), []);
}

/// A message sent to one queue is received from no other.
pub async fn queues_share_no_messages(h: QueueHarness) {
    for queue in QueueName::ALL {
        send(&*h.queue, queue, vec![message(queue.name())]).await;
    }
    for queue in QueueName::ALL {
        assert_eq!(next(&*h.queue, queue, Some(LONG)).await.body, queue.name());
        assert_eq!(receive_now(&*h.queue, queue).await, []);
    }
}

/// Includes the empty group.
pub async fn every_message_keeps_its_group(h: QueueHarness) {
    let groups = ["", "a", "00000000-0000-0000-0000-000000000001"];
    let messages = groups.map(|group| OutgoingMessage { group: group.to_owned(), ..message(format!("of {group}")) });
    send(&*h.queue, SLOW, messages.to_vec()).await;
    for received in receive_all(&*h.queue, SLOW, groups.len()).await {
        assert_eq!(received.body, format!("of {}", received.group));
    }
}

/// A small group's message is among the first ten received, although a large group's were sent earlier. Only for
/// adapters that promise it.
pub async fn groups_take_turns(h: QueueHarness) {
    if !h.fair_groups {
        return;
    }
    let of_group = |group: &str| OutgoingMessage { group: group.to_owned(), ..message("x") };
    send_all(&*h.queue, SLOW, vec![of_group("large"); 40]).await.unwrap();
    send(&*h.queue, SLOW, vec![of_group("small")]).await;
    let first = receive_all(&*h.queue, SLOW, 10).await;
    assert!(first.iter().any(|received| received.group == "small"));
}

/// The receive returns before its wait ends. Repeated, so that the message meets the receive at different stages.
pub async fn a_waiting_receive_wakes_when_a_message_arrives(h: QueueHarness) {
    for round in 0..20 {
        let queue = Arc::clone(&h.queue);
        let waiting = tokio::spawn(async move { next(&*queue, SLOW, None).await });
        for _ in 0..round {
            tokio::task::yield_now().await;
        }
        send(&*h.queue, SLOW, vec![message(round.to_string())]).await;
        let received = tokio::time::timeout(MAX_RECEIVE_WAIT / 2, waiting).await;
        assert_eq!(received.expect("the receive wakes long before its wait ends").unwrap().body, round.to_string());
    }
}

/// Invisible until its delay has ended.
pub async fn a_delayed_message_arrives_later(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![OutgoingMessage { delay: LONG, ..message("much later") }]).await;
    send(&*h.queue, SLOW, vec![OutgoingMessage { delay: SHORT, ..message("later") }, message("now")]).await;
    assert_eq!(next(&*h.queue, SLOW, None).await.body, "now");
    assert_eq!(next(&*h.queue, SLOW, None).await.body, "later");
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// Four receivers at once receive every message exactly once.
pub async fn concurrent_receivers_never_share_a_message(h: QueueHarness) {
    let count = 100;
    let bodies: BTreeSet<_> = (0..count).map(|n| n.to_string()).collect();
    send_all(&*h.queue, SLOW, bodies.iter().map(message).collect()).await.unwrap();
    let receivers = (0..4).map(|_| {
        let queue = Arc::clone(&h.queue);
        tokio::spawn(async move { drain(&*queue).await })
    });
    let received: Vec<_> = join_all(receivers).await.into_iter().flat_map(|bodies| bodies.expect("no panic")).collect();
    assert_eq!(received.len(), count);
    assert_eq!(received.into_iter().collect::<BTreeSet<_>>(), bodies);
}

/// Receives and deletes until the queue is empty for a second.
async fn drain(queue: &dyn Queue) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let messages = queue.receive(SLOW, 7, SHORT, Some(LONG)).await.expect("a receive passes");
        if messages.is_empty() {
            return bodies;
        }
        let (receipts, received): (Vec<_>, Vec<_>) = messages.into_iter().map(|m| (m.receipt, m.body)).unzip();
        delete_all(queue, SLOW, receipts).await.expect("a delete passes");
        bodies.extend(received);
    }
}

/// SQS's numbers are approximate, so the check polls until they match.
pub async fn depth_distinguishes_visible_in_flight_and_delayed(h: QueueHarness) {
    wait_for_depth(&*h.queue, [0, 0, 0]).await;
    send(&*h.queue, SLOW, vec![message("a"), message("b"), message("c")]).await;
    send(&*h.queue, SLOW, vec![OutgoingMessage { delay: LONG, ..message("d") }]).await;
    wait_for_depth(&*h.queue, [3, 0, 1]).await;
    let received = next(&*h.queue, SLOW, None).await;
    wait_for_depth(&*h.queue, [2, 1, 1]).await;
    assert_eq!(h.queue.delete(SLOW, vec![received.receipt]).await.unwrap(), [""; 0]);
    wait_for_depth(&*h.queue, [2, 0, 1]).await;
}

async fn wait_for_depth(queue: &dyn Queue, expected: [u64; 3]) {
    let reached = async {
        loop {
            let QueueDepth { visible, in_flight, delayed, .. } =
                queue.depth(SLOW).await.expect("the depth can be read");
            if [visible, in_flight, delayed] == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let reached = tokio::time::timeout(MAX_RECEIVE_WAIT, reached).await;
    assert!(reached.is_ok(), "the depth never was {expected:?}");
}
