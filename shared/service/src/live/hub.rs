//! Every open stream of this process, by user.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::RwLock;

use super::{CloseReason, LiveEvent, mailbox::Mailbox};
use domain::{Clock, Timestamp, UserId, limits};
use telemetry::names;

pub use super::mailbox::Next;

/// Locks that the users are spread over, so that deliveries to different readers rarely meet.
const SHARDS: usize = 16;

/// Options of the streams.
#[derive(Debug, Clone, Copy)]
pub struct HubOptions {
    /// Events that may wait for one stream; [`limits::MAX_WAITING_EVENTS`] by default.
    pub max_waiting: usize,
    /// Streams per user; [`limits::MAX_STREAMS_PER_USER`] by default.
    pub max_per_user: usize,
    /// Idle time after which a comment is sent; [`limits::EVENT_HEARTBEAT`] by default.
    pub heartbeat: Duration,
}

impl Default for HubOptions {
    fn default() -> Self {
        Self {
            max_waiting: limits::MAX_WAITING_EVENTS,
            max_per_user: limits::MAX_STREAMS_PER_USER,
            heartbeat: limits::EVENT_HEARTBEAT,
        }
    }
}

/// Every open stream of this process. Cheap to clone; clones share the streams.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: HubOptions,
    clock: Clock,
    shards: [RwLock<HashMap<UserId, Vec<Open>>>; SHARDS],
    last_number: AtomicU64,
    is_closed: AtomicBool,
}

/// One open stream, as the hub sees it.
#[derive(Debug, Clone)]
struct Open {
    number: u64,
    expiry: Expiry,
    mailbox: Arc<Mailbox>,
}

/// A token's expiry by the wall clock and by uptime, whichever comes first: a clock that is set back does not prolong a
/// stream beyond the token's lifetime at opening.
#[derive(Debug, Clone, Copy)]
struct Expiry {
    wall: Timestamp,
    uptime: Duration,
}

impl Expiry {
    fn at(wall: Timestamp, clock: &Clock) -> Self {
        Self { wall, uptime: clock.uptime().saturating_add(wall.since(clock.now())) }
    }

    fn has_passed(self, clock: &Clock) -> bool {
        self.wall <= clock.now() || self.uptime <= clock.uptime()
    }
}

impl Hub {
    /// A hub without streams; `clock` decides when tokens expire.
    pub fn new(clock: Clock, options: HubOptions) -> Self {
        Self(Arc::new(Inner {
            options,
            clock,
            shards: std::array::from_fn(|_| RwLock::default()),
            last_number: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        }))
    }

    /// Idle time after which a comment is sent.
    pub fn heartbeat(&self) -> Duration {
        self.0.options.heartbeat
    }

    /// Opens a stream of `user` that receives events until `expires_at`. Ends the user's oldest stream when they have
    /// too many.
    pub fn open(&self, user: UserId, expires_at: Timestamp) -> Subscription {
        let number = self.0.last_number.fetch_add(1, Ordering::Relaxed);
        let mailbox = Arc::new(Mailbox::new(self.0.options.max_waiting));
        let expiry = Expiry::at(expires_at, &self.0.clock);
        let mut shard = self.0.shard(user).write();
        let streams = shard.entry(user).or_default();
        while streams.len() >= self.0.options.max_per_user.max(1) {
            streams.remove(0).mailbox.end(CloseReason::Replaced);
        }
        streams.push(Open { number, expiry, mailbox: Arc::clone(&mailbox) });
        drop(shard);
        // Checked after the insertion: `close` ends the streams it finds after setting the flag, so one of the two sees
        // this stream.
        if self.0.is_closed.load(Ordering::SeqCst) {
            mailbox.end(CloseReason::Stopping);
        }
        metrics::gauge!(names::EVENT_STREAMS).increment(1.0);
        Subscription { hub: Arc::clone(&self.0), user, number, expiry, mailbox }
    }

    /// The users among `users` with an open stream.
    pub fn connected(&self, users: &[UserId]) -> Vec<UserId> {
        users.iter().copied().filter(|user| self.0.shard(*user).read().contains_key(user)).collect()
    }

    /// All users with an open stream.
    pub fn users(&self) -> Vec<UserId> {
        self.0.shards.iter().flat_map(|shard| shard.read().keys().copied().collect::<Vec<_>>()).collect()
    }

    /// Sends an event to every stream of `user`.
    pub fn tell(&self, user: UserId, event: LiveEvent) {
        for open in self.0.shard(user).read().get(&user).into_iter().flatten() {
            open.mailbox.put(event);
        }
    }

    /// Ends the streams whose tokens have expired.
    pub fn end_expired(&self) {
        self.0.end_where(CloseReason::TokenExpired, |open| open.expiry.has_passed(&self.0.clock));
    }

    /// Ends every stream of a deleted user.
    pub fn end_of(&self, user: UserId) {
        for open in self.0.shard(user).read().get(&user).into_iter().flatten() {
            open.mailbox.end(CloseReason::AccountGone);
        }
    }

    /// Ends every stream; streams opened later end at once.
    pub fn close(&self) {
        self.0.is_closed.store(true, Ordering::SeqCst);
        self.0.end_where(CloseReason::Stopping, |_| true);
    }
}

impl Inner {
    fn shard(&self, user: UserId) -> &RwLock<HashMap<UserId, Vec<Open>>> {
        // Every bit of the last byte of a random UUID is random.
        let byte = user.as_uuid().as_bytes()[15];
        &self.shards[usize::from(byte) % SHARDS]
    }

    fn end_where(&self, reason: CloseReason, closes: impl Fn(&Open) -> bool) {
        for shard in &self.shards {
            for open in shard.read().values().flatten().filter(|open| closes(open)) {
                open.mailbox.end(reason);
            }
        }
    }
}

/// One open stream, as its client's connection sees it. Dropping it closes the stream.
#[derive(Debug)]
pub struct Subscription {
    hub: Arc<Inner>,
    user: UserId,
    number: u64,
    expiry: Expiry,
    mailbox: Arc<Mailbox>,
}

impl Subscription {
    /// Waits for the next event or the end. After an end, returns the same end.
    pub async fn next(&self) -> Next {
        let next = self.mailbox.next().await;
        // The periodic check for expired tokens may not have run yet.
        let is_expired = self.expiry.has_passed(&self.hub.clock);
        if is_expired && matches!(next, Next::Event(_)) { Next::End(CloseReason::TokenExpired) } else { next }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut shard = self.hub.shard(self.user).write();
        if let Some(streams) = shard.get_mut(&self.user) {
            streams.retain(|open| open.number != self.number);
            if streams.is_empty() {
                shard.remove(&self.user);
            }
        }
        drop(shard);
        metrics::gauge!(names::EVENT_STREAMS).decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::{super::Topic, *};

    const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);
    const EVENT: LiveEvent = LiveEvent::Reload(Topic::Feed);

    fn hub() -> Hub {
        Hub::new(Clock::manual(NOW), HubOptions::default())
    }

    fn later() -> Timestamp {
        NOW.plus(Duration::from_mins(15))
    }

    fn ended(stream: &Subscription) -> Option<CloseReason> {
        match stream.next().now_or_never() {
            Some(Next::End(reason)) => Some(reason),
            _ => None,
        }
    }

    #[test]
    fn an_event_reaches_all_streams_of_its_user() {
        let (hub, user, other) = (hub(), UserId::random(), UserId::random());
        let [one, two] = [hub.open(user, later()), hub.open(user, later())];
        let others = hub.open(other, later());
        hub.tell(user, EVENT);
        for stream in [&one, &two] {
            assert_eq!(stream.next().now_or_never(), Some(Next::Event(EVENT)));
        }
        assert_eq!(others.next().now_or_never(), None);
    }

    #[test]
    fn closing_all_streams_disconnects_the_user() {
        let (hub, user, nobody) = (hub(), UserId::random(), UserId::random());
        let [one, two] = [hub.open(user, later()), hub.open(user, later())];
        assert_eq!(hub.connected(&[nobody, user]), [user]);
        drop(one);
        assert_eq!(hub.connected(&[nobody, user]), [user]);
        drop(two);
        assert_eq!((hub.connected(&[user]), hub.users()), (vec![], vec![]));
    }

    #[test]
    fn one_stream_too_many_ends_the_oldest() {
        let (hub, user) = (hub(), UserId::random());
        let streams: Vec<_> = (0..=limits::MAX_STREAMS_PER_USER).map(|_| hub.open(user, later())).collect();
        let reasons: Vec<_> = streams.iter().map(ended).collect();
        assert_eq!(reasons[0], Some(CloseReason::Replaced));
        assert_eq!(reasons[1..], vec![None; limits::MAX_STREAMS_PER_USER]);
    }

    #[test]
    fn an_expired_token_stops_events() {
        let (hub, user) = (hub(), UserId::random());
        let [early, late] = [hub.open(user, NOW.plus(Duration::from_secs(1))), hub.open(user, later())];
        hub.end_expired();
        assert_eq!((ended(&early), ended(&late)), (None, None));
        hub.0.clock.advance(Duration::from_secs(1));
        hub.tell(user, EVENT);
        assert_eq!(ended(&early), Some(CloseReason::TokenExpired));
        assert_eq!(late.next().now_or_never(), Some(Next::Event(EVENT)));
        hub.end_expired();
        assert_eq!((ended(&early), ended(&late)), (Some(CloseReason::TokenExpired), None));
    }

    #[test]
    fn clock_steps_do_not_prolong_a_stream() {
        for is_back in [true, false] {
            let (hub, user) = (hub(), UserId::random());
            let clock = &hub.0.clock;
            let stream = hub.open(user, later());
            let hour = Duration::from_hours(1);
            clock.step_to(if is_back { NOW.minus(hour) } else { NOW.plus(hour) });
            hub.end_expired();
            assert_eq!(ended(&stream).is_some(), !is_back, "by the wall clock at the latest");
            clock.advance(Duration::from_mins(15));
            hub.end_expired();
            assert_eq!(ended(&stream), Some(CloseReason::TokenExpired));
        }
    }

    #[test]
    fn close_ends_present_and_later_streams() {
        let (hub, user) = (hub(), UserId::random());
        let before = hub.open(user, later());
        hub.close();
        let after = hub.open(user, later());
        assert_eq!((ended(&before), ended(&after)), (Some(CloseReason::Stopping), Some(CloseReason::Stopping)));
    }
}
