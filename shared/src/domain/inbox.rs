//! A user's notifications as they are kept: entries that come and go with what they are about, and how many are unread.

use std::time::Duration;

use uuid::Uuid;

use super::{Notification, NotificationId, Timestamp, UserId};
use crate::limits;

/// A notification as it is kept. It stays when what it is about is undone, so that redoing restores it as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxEntry {
    /// The notification.
    pub notification: Notification,
    /// The act does not stand any more.
    pub undone: bool,
    /// The post that it is about is deleted.
    pub post_gone: bool,
}

impl InboxEntry {
    /// Whether it is to be seen, if its time is not over.
    pub const fn is_visible(&self) -> bool {
        !self.undone && !self.post_gone
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.notification.notification_id < first_unexpired(now)
    }
}

/// The least id of a notification that is still shown: younger than [`limits::NOTIFICATION_TTL`].
fn first_unexpired(now: Timestamp) -> NotificationId {
    NotificationId::first_of(now.minus(limits::NOTIFICATION_TTL).plus(Duration::from_millis(1)))
}

/// The id just before or behind another, in the order of ids; it need not be one that was ever made.
fn beside(id: NotificationId, by: i128) -> NotificationId {
    NotificationId::from_uuid(Uuid::from_u128(id.as_uuid().as_u128().saturating_add_signed(by)))
}

/// How far a user has read their notifications, and how many they have not.
///
/// What always holds:
/// - `unread` is the number of visible entries behind `counted_after`, those included that are removed because their
///   time is over;
/// - of the entries behind `read_up_to` and not behind `counted_after`, none is visible but such whose time is over.
///
/// So `unread` is right until the first entry behind `counted_after` may be over: see [`Self::must_recount`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbox {
    /// Whose.
    pub recipient_id: UserId,
    /// How often it was written: 0 before the first time. Each write is conditional on the one before it, so who
    /// writes knows of every earlier one.
    pub version: i64,
    /// Visible entries behind `counted_after`.
    pub unread: i64,
    /// What is not behind this id is read. Never moves back.
    pub read_up_to: NotificationId,
    /// Just before the oldest entry that is counted in `unread`, or an id before it.
    pub counted_after: NotificationId,
}

impl Inbox {
    /// One that nothing has come into yet.
    pub const fn new(recipient_id: UserId) -> Self {
        let none = NotificationId::from_uuid(Uuid::nil());
        Self { recipient_id, version: 0, unread: 0, read_up_to: none, counted_after: none }
    }

    /// Whether the user has said that they read it.
    pub fn is_read(&self, id: NotificationId) -> bool {
        id <= self.read_up_to
    }

    /// The id of a new entry, made for a time by `make`. It lies behind all that is read, also when the clock of who made
    /// the last one was ahead of `now`.
    pub fn next_id(&self, now: Timestamp, make: impl Fn(Timestamp) -> NotificationId) -> NotificationId {
        let passed = self.read_up_to.max(self.counted_after);
        let id = make(now);
        if id > passed { id } else { make(passed.created_at().plus(Duration::from_millis(1))) }
    }

    /// Counts that an entry says something else than before; `None` is for one that is not there.
    pub fn note(&mut self, before: Option<&InboxEntry>, after: Option<&InboxEntry>, now: Timestamp) {
        let visible = |entry: Option<&InboxEntry>| {
            entry.filter(|entry| entry.is_visible()).map(|entry| entry.notification.notification_id)
        };
        if visible(before).is_some_and(|id| id > self.counted_after) {
            self.unread -= 1;
        }
        let Some((entry, id)) = after.zip(visible(after)) else { return };
        if id > self.counted_after || (id > self.read_up_to && !entry.is_expired(now)) {
            // Nothing visible lies between: neither where none is unread, nor before what is counted.
            if self.unread == 0 || id <= self.counted_after {
                self.counted_after = beside(id, -1);
            }
            self.unread += 1;
        }
    }

    /// Whether `unread` may count entries whose time is over.
    pub fn must_recount(&self, now: Timestamp) -> bool {
        self.unread > 0 && beside(self.counted_after, 1) < first_unexpired(now)
    }

    /// The oldest id that an unread entry can have.
    pub fn first_unread(&self, now: Timestamp) -> NotificationId {
        beside(self.read_up_to, 1).max(first_unexpired(now))
    }

    /// The same read up to `up_to`, before it is recounted; `None` when it is already.
    pub fn read_to(self, up_to: NotificationId) -> Option<Self> {
        (up_to > self.read_up_to).then_some(Self { read_up_to: up_to, ..self })
    }

    /// The same with what was found from [`Self::first_unread`] on.
    #[must_use]
    pub fn recounted<'a>(self, found: impl IntoIterator<Item = &'a InboxEntry>, now: Timestamp) -> Self {
        let mut visible = found.into_iter().filter(|entry| entry.is_visible()).peekable();
        let oldest = visible.peek().map_or_else(|| self.first_unread(now), |entry| entry.notification.notification_id);
        let unread = visible.count().try_into().unwrap_or(i64::MAX);
        Self { unread, counted_after: beside(oldest, -1), ..self }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Act, ActKind, UserId};

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn entry(id: NotificationId, undone: bool, post_gone: bool) -> InboxEntry {
        let user = UserId::from_uuid(Uuid::nil());
        let act = Act { actor_id: user, kind: ActKind::Follow(user) };
        let notification = Notification { notification_id: id, recipient_id: user, act };
        InboxEntry { notification, undone, post_gone }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Made { hidden: bool },
        Flagged { which: usize, undone: bool, post_gone: bool },
        Removed { which: usize },
        Read { which: usize },
        Recounted,
        Days(u64),
        Expired,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<bool>().prop_map(|hidden| Step::Made { hidden }),
            6 => (any::<usize>(), any::<bool>(), any::<bool>())
                .prop_map(|(which, undone, post_gone)| Step::Flagged { which, undone, post_gone }),
            1 => any::<usize>().prop_map(|which| Step::Removed { which }),
            2 => any::<usize>().prop_map(|which| Step::Read { which }),
            2 => Just(Step::Recounted),
            3 => (1_u64..50).prop_map(Step::Days),
            1 => Just(Step::Expired),
        ]
    }

    /// Runs steps as the services do, and compares with a count of everything after each.
    fn run(steps: Vec<Step>) {
        let mut now = Timestamp::from_millis(1_763_700_000_000);
        let mut inbox = Inbox::new(UserId::from_uuid(Uuid::nil()));
        let mut entries: BTreeMap<NotificationId, InboxEntry> = BTreeMap::new();
        let ids = crate::domain::IdGenerator::new();
        for step in steps {
            let place = |which: usize| entries.values().nth(which.checked_rem(entries.len())?).copied();
            match step {
                Step::Made { hidden } => {
                    let id = inbox.next_id(now, |time| ids.next_notification_id(time));
                    inbox.note(None, Some(&entry(id, hidden, false)), now);
                    entries.insert(id, entry(id, hidden, false));
                }
                Step::Flagged { which, undone, post_gone } => {
                    let Some(before) = place(which) else { continue };
                    let after = InboxEntry { undone, post_gone, ..before };
                    inbox.note(Some(&before), Some(&after), now);
                    entries.insert(before.notification.notification_id, after);
                }
                Step::Removed { which } => {
                    let Some(before) = place(which) else { continue };
                    inbox.note(Some(&before), None, now);
                    entries.remove(&before.notification.notification_id);
                }
                Step::Read { which } => {
                    let Some(last) = place(which) else { continue };
                    if let Some(read) = inbox.read_to(last.notification.notification_id) {
                        inbox = read.recounted(entries.range(read.first_unread(now)..).map(|(_, entry)| entry), now);
                    }
                }
                Step::Recounted => {
                    inbox = inbox.recounted(entries.range(inbox.first_unread(now)..).map(|(_, entry)| entry), now);
                }
                Step::Days(days) => now = now.plus(Duration::from_millis(days * DAY)),
                Step::Expired => entries.retain(|_, entry| !entry.is_expired(now)),
            }
            let unread = |entry: &&InboxEntry| {
                entry.is_visible() && !entry.is_expired(now) && !inbox.is_read(entry.notification.notification_id)
            };
            let expected = entries.values().filter(unread).count();
            if inbox.must_recount(now) {
                assert!(inbox.unread >= i64::try_from(expected).unwrap(), "{inbox:?}");
            } else {
                assert_eq!(inbox.unread, i64::try_from(expected).unwrap(), "{inbox:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn unread_is_what_a_count_of_everything_finds(steps in prop::collection::vec(step(), 1..60)) {
            run(steps);
        }
    }

    #[test]
    fn a_notification_is_over_after_ninety_days_to_the_millisecond() {
        let made = Timestamp::from_millis(1_763_700_000_123);
        let last = entry(NotificationId::first_of(made), false, false);
        assert!(!last.is_expired(made.plus(Duration::from_millis(90 * DAY - 1))));
        assert!(last.is_expired(made.plus(Duration::from_millis(90 * DAY))));
    }
}
