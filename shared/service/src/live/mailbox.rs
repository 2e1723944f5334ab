//! What waits for one stream. A client that reads too slowly is not fed late: what waits is dropped, and the client told
//! to read the first page.
//!
//! `tokio::sync::broadcast` does not fit: `Lagged` does not say of which topic the lost events were, two reloads of one
//! topic stay two, an end waits behind the events, and its buffer of 64 slots takes 5.6 kB of an idle stream, a mailbox
//! 0.1 kB.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{Ending, LiveEvent, Topic};

/// What a stream sends next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(LiveEvent),
    /// Nothing more.
    End(Ending),
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
    ending: Option<Ending>,
}

impl Mailbox {
    /// An empty one, in which `capacity` events may wait.
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting {
            capacity,
            events: VecDeque::new(),
            reload_feed: false,
            reload_notifications: false,
            ending: None,
        };
        Self { waiting: Mutex::new(waiting), changed: Notify::new() }
    }

    pub(super) fn put(&self, event: LiveEvent) {
        self.waiting.lock().put(event);
        self.changed.notify_one();
    }

    /// Ends the stream before anything that waits. The first reason stays.
    pub(super) fn end(&self, ending: Ending) {
        self.waiting.lock().ending.get_or_insert(ending);
        self.changed.notify_one();
    }

    /// Waits for what comes next. One at a time may wait.
    pub(super) async fn next(&self) -> Next {
        loop {
            // Not in the condition of a loop: the lock would be held while waiting.
            let next = self.waiting.lock().take();
            if let Some(next) = next {
                return next;
            }
            // Whatever was put in between has left a permit.
            self.changed.notified().await;
        }
    }
}

impl Waiting {
    /// A list that is to be read anew needs no events: the reading comes after them.
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
        if let Some(ending) = self.ending {
            return Some(Next::End(ending));
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
    fn one_event_too_many_becomes_a_word_to_read_anew_what_it_and_the_dropped_were_about() {
        let mailbox = Mailbox::new(CAPACITY);
        (0..5).for_each(|number| mailbox.put(feed(number)));
        mailbox.put(notification(9));
        assert_eq!(all(&mailbox), [LiveEvent::Reload(Topic::Feed), notification(9)]);
        mailbox.put(feed(10));
        assert_eq!(all(&mailbox), [feed(10)], "what comes after the word is told of again");

        (0..4).for_each(|number| mailbox.put(feed(number)));
        mailbox.put(notification(9));
        assert_eq!(all(&mailbox), Topic::ALL.map(LiveEvent::Reload));
    }

    #[test]
    fn an_end_comes_before_what_waits_and_stays() {
        let mailbox = Mailbox::new(CAPACITY);
        mailbox.put(feed(1));
        mailbox.end(Ending::TokenExpired);
        mailbox.end(Ending::Stopping);
        for _ in 0..2 {
            assert_eq!(mailbox.next().now_or_never(), Some(Next::End(Ending::TokenExpired)));
        }
    }

    proptest! {
        #[test]
        fn whatever_is_put_is_taken_or_covered_by_a_later_reload_and_little_waits(
            steps in proptest::collection::vec(proptest::option::weighted(0.8, any::<bool>()), 0..200),
        ) {
            let mailbox = Mailbox::new(CAPACITY);
            let mut untold: Vec<LiveEvent> = Vec::new();
            for (number, step) in steps.into_iter().chain([None; 2 * CAPACITY]).enumerate() {
                let number = number as u128;
                if let Some(is_feed) = step {
                    let event = if is_feed { feed(number) } else { notification(number) };
                    mailbox.put(event);
                    untold.push(event);
                } else {
                    match mailbox.next().now_or_never() {
                        Some(Next::Event(LiveEvent::Reload(topic))) => untold.retain(|event| event.topic() != topic),
                        Some(Next::Event(event)) => {
                            prop_assert_eq!(untold.iter().find(|other| other.topic() == event.topic()), Some(&event));
                            untold.retain(|other| *other != event);
                        }
                        Some(Next::End(_)) => prop_assert!(false, "nobody ended it"),
                        None => prop_assert_eq!(&untold, &[]),
                    }
                }
                prop_assert!(mailbox.waiting.lock().events.len() <= CAPACITY);
            }
            prop_assert_eq!(&untold, &[]);
        }
    }
}
