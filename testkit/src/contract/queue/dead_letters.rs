//! Dead letters: messages with too many receives.

use std::time::Duration;

use ports::queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage};

use super::{LONG, MAX_RECEIVES, QUICK, QueueHarness, SLOW, message, next, receive_all, receive_now, send};

async fn give_back(queue: &dyn Queue, name: QueueName, message: &ReceivedMessage) {
    let changes = vec![(message.receipt.clone(), Duration::ZERO)];
    assert_eq!(queue.change_visibility(name, changes).await.expect("a change passes"), [""; 0]);
}

/// Receives the only message and makes it visible again, as often as its queue allows. The next receive then moves it
/// to the dead letters.
async fn exhaust(queue: &dyn Queue, name: QueueName) -> ReceivedMessage {
    let mut last = None;
    for count in 1..=MAX_RECEIVES {
        let received = next(queue, name, Some(LONG)).await;
        assert_eq!(received.receive_count, count);
        give_back(queue, name, &received).await;
        last = Some(received);
    }
    assert_eq!(receive_now(queue, name).await, []);
    last.expect("a queue allows at least one receive")
}

/// The dead letter keeps the id, body and group.
pub async fn too_many_receives_make_a_dead_letter(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![OutgoingMessage { group: "alice".to_owned(), ..message("poison") }]).await;
    let poison = exhaust(&*h.queue, SLOW).await;
    let dead = next(&*h.queue, QueueName::PostDlq, None).await;
    assert_eq!((dead.message_id, dead.body.as_str(), dead.group.as_str()), (poison.message_id, "poison", "alice"));
    assert_eq!(receive_now(&*h.queue, SLOW).await, []);
}

/// Each queue has separate dead letters.
pub async fn the_dead_letters_of_each_queue_are_apart(h: QueueHarness) {
    let all = [(SLOW, QueueName::PostDlq), (QUICK, QueueName::JobDlq), (QueueName::ChangeQ, QueueName::ChangeDlq)];
    for (queue, dead_letters) in all {
        send(&*h.queue, queue, vec![message(queue.name())]).await;
        exhaust(&*h.queue, queue).await;
        assert_eq!(next(&*h.queue, dead_letters, None).await.body, queue.name());
    }
    for (_, dead_letters) in all {
        assert_eq!(receive_now(&*h.queue, dead_letters).await, []);
    }
}

/// Dead letters do not move on, and a message can be sent to their queue directly.
pub async fn dead_letters_have_no_receive_limit(h: QueueHarness) {
    send(&*h.queue, QueueName::ChangeDlq, vec![message("x")]).await;
    let first = next(&*h.queue, QueueName::ChangeDlq, None).await;
    give_back(&*h.queue, QueueName::ChangeDlq, &first).await;
    for _ in 0..=MAX_RECEIVES {
        let again = next(&*h.queue, QueueName::ChangeDlq, None).await;
        assert_eq!(again.message_id, first.message_id);
        give_back(&*h.queue, QueueName::ChangeDlq, &again).await;
    }
}

/// Only the message with too many receives moves.
pub async fn a_dead_letter_does_not_affect_its_batch(h: QueueHarness) {
    send(&*h.queue, SLOW, vec![message("poison"), message("good 1"), message("good 2")]).await;
    let received = receive_all(&*h.queue, SLOW, 3).await;
    let (poison, good): (Vec<_>, Vec<_>) = received.into_iter().partition(|message| message.body == "poison");
    give_back(&*h.queue, SLOW, &poison[0]).await;
    for _ in 1..MAX_RECEIVES {
        let again = next(&*h.queue, SLOW, None).await;
        assert_eq!(again.body, "poison");
        give_back(&*h.queue, SLOW, &again).await;
    }
    for message in &good {
        give_back(&*h.queue, SLOW, message).await;
    }
    let back = receive_all(&*h.queue, SLOW, 2).await;
    assert!(back.iter().all(|message| message.body.starts_with("good") && message.receive_count == 2));
    assert_eq!(next(&*h.queue, QueueName::PostDlq, None).await.body, "poison");
}
