//! The events waiting for one stream. A slow client gets no late events: the mailbox drops its backlog and asks the
//! client to reload the first page.
//!
//! `tokio::sync::broadcast` does not fit: `Lagged` does not name the topics of the lost events, two reloads of one
//! topic stay two, an end waits for the queued events, and its buffer of 64 slots takes 5.6 kB per idle stream against
//! 0.1 kB for a mailbox.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{CloseReason, LiveEvent, Topic};

/// The next item that a stream sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(LiveEvent),
    /// The end of the stream.
    End(CloseReason),
}

/// One stream's mailbox.
#[derive(Debug)]
pub(super) struct Mailbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Debug)]
struct Waiting {
    capacity: usize,
    events: VecDeque<LiveEvent>,
    reload_feed: bool,
    reload_notifications: bool,
    reason: Option<CloseReason>,
}

impl Mailbox {
    /// An empty mailbox for at most `capacity` waiting events.
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting {
            capacity,
            events: VecDeque::new(),
            reload_feed: false,
            reload_notifications: false,
            reason: None,
        };
        Self { waiting: Mutex::new(waiting), changed: Notify::new() }
    }

    pub(super) fn put(&self, event: LiveEvent) {
        self.waiting.lock().put(event);
        self.changed.notify_one();
    }

    /// Ends the stream ahead of its waiting events. The first reason is kept.
    pub(super) fn end(&self, reason: CloseReason) {
        self.waiting.lock().reason.get_or_insert(reason);
        self.changed.notify_one();
    }

    /// Waits for the next event or the end. Supports a single waiter.
    pub(super) async fn next(&self) -> Next {
        loop {
            // Outside the `loop` condition, which would hold the lock while waiting.
            let next = self.waiting.lock().take();
            if let Some(next) = next {
                return next;
            }
            // A concurrent `put` has left a permit, so no event is missed.
            self.changed.notified().await;
        }
    }
}

impl Waiting {
    /// A pending reload of the topic covers the event, as the client reads the list after it.
    fn put(&mut self, event: LiveEvent) {
        let topic = event.topic();
        if *self.reload(topic) {
            return;
        }
        if let LiveEvent::Reload(_) = event {
            *self.reload(topic) = true;
            self.events.retain(|waiting| waiting.topic() != topic);
        } else if self.events.len() < self.capacity {
            self.events.push_back(event);
        } else {
            *self.reload(topic) = true;
            for dropped in std::mem::take(&mut self.events) {
                *self.reload(dropped.topic()) = true;
            }
        }
    }

    const fn reload(&mut self, topic: Topic) -> &mut bool {
        match topic {
            Topic::Feed => &mut self.reload_feed,
            Topic::Notifications => &mut self.reload_notifications,
        }
    }

    fn take(&mut self) -> Option<Next> {
        if let Some(reason) = self.reason {
            return Some(Next::End(reason));
        }
        for topic in Topic::ALL {
            if std::mem::take(self.reload(topic)) {
                return Some(Next::Event(LiveEvent::Reload(topic)));
            }
        }
        self.events.pop_front().map(Next::Event)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use domain::{ActKind, NotificationId, PostId, UserId};

    const CAPACITY: usize = 4;

    fn feed(number: u128) -> LiveEvent {
        LiveEvent::Feed {
            post_id: PostId::from_uuid(Uuid::from_u128(number)),
            author_id: UserId::from_uuid(Uuid::nil()),
        }
    }

    fn notification(number: u128) -> LiveEvent {
        let id = Uuid::from_u128(number);
        LiveEvent::Notification {
            notification_id: NotificationId::from_uuid(id),
            kind: ActKind::Like(PostId::from_uuid(id)),
        }
    }

    fn all(mailbox: &Mailbox) -> Vec<LiveEvent> {
        let next = || match mailbox.next().now_or_never()? {
            Next::Event(event) => Some(event),
            Next::End(_) => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn events_come_in_their_order() {
        let mailbox = Mailbox::new(CAPACITY);
        let events = [feed(1), notification(2), feed(3)];
        for event in events {
            mailbox.put(event);
        }
        assert_eq!(all(&mailbox), events);
        assert_eq!(all(&mailbox), []);
    }

    #[test]
    fn overflow_replaces_queued_events_with_reload() {
        let mailbox = Mailbox::new(CAPACITY);
        (0..5).for_each(|number| mailbox.put(feed(number)));
        mailbox.put(notification(9));
        assert_eq!(all(&mailbox), [LiveEvent::Reload(Topic::Feed), notification(9)]);
        mailbox.put(feed(10));
        assert_eq!(all(&mailbox), [feed(10)], "events after the reload are sent");

        (0..4).for_each(|number| mailbox.put(feed(number)));
        mailbox.put(notification(9));
        assert_eq!(all(&mailbox), Topic::ALL.map(LiveEvent::Reload));
    }

    #[test]
    fn an_end_precedes_waiting_events_and_stays() {
        let mailbox = Mailbox::new(CAPACITY);
        mailbox.put(feed(1));
        mailbox.end(CloseReason::TokenExpired);
        mailbox.end(CloseReason::Stopping);
        for _ in 0..2 {
            assert_eq!(mailbox.next().now_or_never(), Some(Next::End(CloseReason::TokenExpired)));
        }
    }

    proptest! {
        #[test]
        fn every_event_is_taken_or_covered_by_reload(
            steps in proptest::collection::vec(proptest::option::weighted(0.8, any::<bool>()), 0..200),
        ) {
            let mailbox = Mailbox::new(CAPACITY);
            let mut unreported: Vec<LiveEvent> = Vec::new();
            for (number, step) in steps.into_iter().chain([None; 2 * CAPACITY]).enumerate() {
                let number = number as u128;
                if let Some(is_feed) = step {
                    let event = if is_feed { feed(number) } else { notification(number) };
                    mailbox.put(event);
                    unreported.push(event);
                } else {
                    match mailbox.next().now_or_never() {
                        Some(Next::Event(LiveEvent::Reload(topic))) => unreported.retain(|event| event.topic() != topic),
                        Some(Next::Event(event)) => {
                            prop_assert_eq!(unreported.iter().find(|other| other.topic() == event.topic()), Some(&event));
                            unreported.retain(|other| *other != event);
                        }
                        Some(Next::End(_)) => prop_assert!(false, "nobody ended it"),
                        None => prop_assert_eq!(&unreported, &[]),
                    }
                }
                prop_assert!(mailbox.waiting.lock().events.len() <= CAPACITY);
            }
            prop_assert_eq!(&unreported, &[]);
        }
    }
}
