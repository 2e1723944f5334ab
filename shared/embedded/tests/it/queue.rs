use std::time::Duration;

use domain::{Clock, Timestamp, limits};
use embedded::{EmbeddedQueue, Engine, EngineOptions, QueueSettingsOf};
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, QueueSettings};

use crate::it::{bodies, engine, engine_by_hand, message, queue_on, receive, receive_from, send};

const JOBS: QueueName = QueueName::JobQ;
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn received_messages_are_invisible_until_their_timeout() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    send(&queue, &["a"]).await;
    let first = receive(&queue, 10).await;
    assert_eq!(bodies(&first), ["a"]);
    assert_eq!(first[0].receive_count, 1);
    assert_eq!(uuid::Uuid::parse_str(&first[0].message_id).expect("a UUID").get_version_num(), 4);
    assert!(receive(&queue, 10).await.is_empty());

    clock.advance(MINUTE);
    let second = receive(&queue, 10).await;
    assert_eq!(second[0].message_id, first[0].message_id);
    assert_eq!((second[0].receive_count, second[0].sent_at), (2, first[0].sent_at));
    queue.delete(JOBS, vec![first[0].receipt.clone()]).await.expect("an old receipt is not an error");
    assert_eq!(queue.depth(JOBS).await.expect("a depth").in_flight, 1, "and deletes nothing");
    queue.delete(JOBS, vec![second[0].receipt.clone()]).await.expect("deleted");
    assert_eq!(queue.depth(JOBS).await.expect("a depth"), QueueDepth::default());
}

#[tokio::test]
async fn a_delayed_message_arrives_after_its_delay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    let delayed = OutgoingMessage { delay: MINUTE, ..message("later", "group") };
    queue.send(JOBS, vec![delayed]).await.expect("sent");
    assert!(receive(&queue, 10).await.is_empty());
    assert_eq!(queue.depth(JOBS).await.expect("a depth").delayed, 1);
    clock.advance(MINUTE);
    assert_eq!(bodies(&receive(&queue, 10).await), ["later"]);
}

#[tokio::test]
async fn visibility_changes_only_for_messages_in_flight() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    send(&queue, &["a"]).await;
    let first = receive(&queue, 1).await.remove(0);
    let change = async |receipt: &String, after| {
        assert_eq!(queue.change_visibility(JOBS, vec![(receipt.clone(), after)]).await.expect("changed"), [""; 0]);
    };
    change(&first.receipt, Duration::from_secs(5)).await;
    assert!(receive(&queue, 1).await.is_empty());
    clock.advance(Duration::from_secs(5));
    let second = receive(&queue, 1).await.remove(0);
    change(&first.receipt, Duration::ZERO).await;
    assert!(receive(&queue, 1).await.is_empty(), "an old receipt changes nothing");
    change(&second.receipt, Duration::ZERO).await;
    change(&second.receipt, MINUTE).await;
    let third = receive(&queue, 1).await.remove(0);
    assert_eq!(third.receive_count, 3, "a visible message is not hidden");
    queue.delete(JOBS, vec![third.receipt.clone()]).await.expect("deleted");
    change(&third.receipt, Duration::ZERO).await;
}

#[tokio::test]
async fn messages_received_too_often_become_dead_letters() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let settings = QueueSettings { max_receives: 2, ..QueueSettings::default() };
    let settings = QueueSettingsOf::default().with(JOBS, settings);
    let queue = EmbeddedQueue::open(engine.clone(), settings.clone()).expect("a queue");
    queue.send(JOBS, vec![message("poison", "author")]).await.expect("sent");
    let sent = receive(&queue, 10).await.remove(0);
    clock.advance(MINUTE);
    assert_eq!(receive(&queue, 10).await[0].receive_count, 2);
    clock.advance(MINUTE);
    assert!(receive(&queue, 10).await.is_empty());
    assert_eq!(queue.depth(JOBS).await.expect("a depth"), QueueDepth::default());

    let dead = queue.browse(QueueName::JobDlq, None, 10).await.expect("browsed").remove(0);
    assert_eq!((dead.message_id.as_str(), dead.body.as_str(), dead.receive_count), (&*sent.message_id, "poison", 0));
    drop((queue, engine));
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = EmbeddedQueue::open(engine, settings).expect("a queue");
    for count in 1..=10 {
        let letter = receive_from(&queue, QueueName::JobDlq, 10).await.remove(0);
        assert_eq!((&letter.message_id, letter.group.as_str()), (&sent.message_id, "author"));
        assert_eq!((letter.sent_at, letter.receive_count), (sent.sent_at, count));
        clock.advance(MINUTE);
    }
}

#[tokio::test]
async fn large_groups_do_not_delay_small_ones() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    for batch in 0..5 {
        let messages = (0..10).map(|n| message(&format!("large {}", batch * 10 + n), "large")).collect();
        queue.send(JOBS, messages).await.expect("sent");
    }
    queue.send(JOBS, vec![message("small 0", "small"), message("small 1", "small")]).await.expect("sent");
    let received = receive(&queue, 5).await;
    assert_eq!(bodies(&received), ["large 0", "small 0", "large 1", "small 1", "large 2"]);
}

#[tokio::test]
async fn depth_counts_visible_in_flight_and_delayed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, clock) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    send(&queue, &["a", "b", "c"]).await;
    clock.advance(Duration::from_secs(7));
    let delayed = OutgoingMessage { delay: MINUTE, ..message("d", "other") };
    queue.send(JOBS, vec![delayed, message("e", "other")]).await.expect("sent");
    receive(&queue, 1).await;
    let oldest_age = Some(Duration::from_secs(7));
    let expected = QueueDepth { visible: 3, in_flight: 1, delayed: 1, oldest_age };
    assert_eq!(queue.depth(JOBS).await.expect("a depth"), expected);
    assert_eq!(queue.depth(QueueName::PostQ).await.expect("a depth"), QueueDepth::default());
}

#[tokio::test]
async fn calls_beyond_the_limits_are_rejected() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let rejected = |result: Result<(), QueueError>| matches!(result, Err(QueueError::Rejected(_)));
    let small = message("a", "g");
    let half = message(&"x".repeat(limits::MAX_MESSAGE_BYTES / 2), "g");
    assert!(rejected(queue.send(JOBS, vec![]).await.map(drop)));
    assert!(rejected(queue.send(JOBS, vec![small.clone(); 11]).await.map(drop)));
    assert!(rejected(queue.send(JOBS, vec![half.clone(), half.clone(), small.clone()]).await.map(drop)));
    assert!(queue.send(JOBS, vec![half.clone(), half]).await.is_ok());
    let late = OutgoingMessage { delay: limits::MAX_MESSAGE_DELAY + Duration::from_secs(1), ..small };
    assert!(rejected(queue.send(JOBS, vec![late]).await.map(drop)));
    assert!(rejected(queue.receive(JOBS, 0, Duration::ZERO, None).await.map(drop)));
    assert!(rejected(queue.receive(JOBS, 11, Duration::ZERO, None).await.map(drop)));
    assert!(rejected(queue.delete(JOBS, vec![]).await.map(drop)));
    assert!(rejected(queue.delete(JOBS, vec!["nonsense".to_owned()]).await.map(drop)));
}

/// Long enough that a test that waits in vain fails by its own time limit.
const LONG_POLL: Duration = limits::MAX_RECEIVE_WAIT;
const FAR_LESS: Duration = Duration::from_secs(15);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(FAR_LESS, future).await.expect("woken")
}

fn long_poll(queue: &EmbeddedQueue) -> impl Future<Output = Vec<String>> + use<> {
    let queue = queue.clone();
    async move {
        let received = queue.receive(JOBS, 1, LONG_POLL, None).await.expect("received");
        received.into_iter().map(|message| message.body).collect()
    }
}

#[tokio::test]
async fn a_waiting_receive_wakes_on_a_send() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let (received, ()) = soon(async { tokio::join!(long_poll(&queue), send(&queue, &["a"])) }).await;
    assert_eq!(received, ["a"]);
}

#[tokio::test]
async fn each_waiting_receive_gets_one_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let waiting = [long_poll(&queue), long_poll(&queue), long_poll(&queue)];
    let all = futures::future::join_all(waiting);
    let (received, ()) = soon(async { tokio::join!(all, send(&queue, &["a", "b", "c"])) }).await;
    let mut received = received.concat();
    received.sort();
    assert_eq!(received, ["a", "b", "c"]);
}

#[tokio::test]
async fn a_cancelled_receive_leaves_its_message_ready() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let mut first = by_hand(long_poll(&queue));
    assert!(first.poll_once());
    let second = tokio::spawn(long_poll(&queue));
    send(&queue, &["a"]).await;
    drop(first);
    assert_eq!(soon(second).await.expect("no panic"), ["a"]);
}

/// A future that the test polls by hand.
struct ByHand<F>(std::pin::Pin<Box<F>>);

fn by_hand<F: Future>(future: F) -> ByHand<F> {
    ByHand(Box::pin(future))
}

impl<F: Future> ByHand<F> {
    /// Polls once; whether it is still pending.
    fn poll_once(&mut self) -> bool {
        use futures::FutureExt;
        self.0.as_mut().now_or_never().is_none()
    }
}

#[tokio::test]
async fn a_waiting_receive_wakes_on_a_returned_message() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    send(&queue, &["a"]).await;
    let receipt = receive(&queue, 1).await.remove(0).receipt;
    let returned = queue.change_visibility(JOBS, vec![(receipt, Duration::ZERO)]);
    let (received, returned) = soon(async { tokio::join!(long_poll(&queue), returned) }).await;
    returned.expect("changed");
    assert_eq!(received, ["a"]);
}

#[tokio::test]
async fn a_waiting_receive_wakes_when_messages_become_due() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let brief = Duration::from_millis(20);
    let delayed = OutgoingMessage { delay: brief, ..message("a", "group") };
    // Already waiting when a message with a due time is sent.
    let (received, sent) = soon(async { tokio::join!(long_poll(&queue), queue.send(JOBS, vec![delayed])) }).await;
    sent.expect("sent");
    assert_eq!(received, ["a"]);

    send(&queue, &["b"]).await;
    let held = queue.receive(JOBS, 1, Duration::ZERO, Some(brief)).await.expect("received");
    assert_eq!(bodies(&held), ["b"]);
    assert_eq!(soon(long_poll(&queue)).await, ["b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn several_receivers_get_every_message_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let queue = queue_on(engine(folder.path()));
    let (done, mut handled) = tokio::sync::mpsc::unbounded_channel();
    let mut receivers = tokio::task::JoinSet::new();
    for max in [1, 3, 10] {
        let (queue, done) = (queue.clone(), done.clone());
        receivers.spawn(async move {
            loop {
                for message in queue.receive(JOBS, max, LONG_POLL, None).await.expect("received") {
                    queue.delete(JOBS, vec![message.receipt]).await.expect("deleted");
                    done.send(message.body).expect("the test listens");
                }
            }
        });
    }
    let bodies: Vec<String> = (0..200).map(|n| format!("{n:03}")).collect();
    // In small batches, so that receivers fall asleep between them.
    for portion in bodies.chunks(2) {
        send(&queue, &portion.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let mut received = Vec::new();
    while received.len() < bodies.len() {
        received.push(soon(handled.recv()).await.expect("receivers run"));
    }
    received.sort();
    assert_eq!(received, bodies);
    assert_eq!(queue.depth(JOBS).await.expect("a depth"), QueueDepth::default());
}

#[tokio::test]
async fn a_clock_step_changes_no_delay() {
    let hour = Duration::from_hours(1);
    for is_back in [true, false] {
        let folder = tempfile::tempdir().expect("a folder");
        let (engine, clock) = engine_by_hand(folder.path());
        let queue = queue_on(engine);
        clock.advance(hour);
        send(&queue, &["in flight"]).await;
        assert_eq!(receive(&queue, 1).await.len(), 1);
        let delayed = OutgoingMessage { delay: MINUTE, ..message("delayed", "group") };
        queue.send(JOBS, vec![delayed]).await.expect("sent");
        clock.step_to(if is_back { clock.now().minus(hour) } else { clock.now().plus(hour) });
        assert!(receive(&queue, 10).await.is_empty(), "back: {is_back}");
        clock.advance(MINUTE);
        assert_eq!(receive(&queue, 10).await.len(), 2, "back: {is_back}");
    }
}

#[tokio::test]
async fn a_clock_step_across_restarts_lengthens_no_delay() {
    let folder = tempfile::tempdir().expect("a folder");
    let (engine, _) = engine_by_hand(folder.path());
    let queue = queue_on(engine);
    let delayed = OutgoingMessage { delay: MINUTE, ..message("delayed", "group") };
    queue.send(JOBS, vec![delayed, message("at once", "group")]).await.expect("sent");
    drop(queue);

    let clock = Clock::manual(Timestamp::default());
    let options = EngineOptions { clock: clock.clone(), ..EngineOptions::at(folder.path()) };
    let queue = queue_on(Engine::open(options).expect("an engine"));
    assert_eq!(bodies(&receive(&queue, 10).await), ["at once"]);
    clock.advance(MINUTE);
    assert_eq!(bodies(&receive(&queue, 1).await), ["delayed"]);
}
