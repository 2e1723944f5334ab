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

/// Greater than every id.
const LAST: NotificationId = NotificationId::from_uuid(Uuid::max());

/// Longer than a page takes to be read and subtracted: an entry that expires meanwhile may be gone before it is read.
const SUBTRACTING_TAKES: Duration = Duration::from_mins(1);

/// The id just before or behind another, in the order of ids; it need not be one that was ever made.
fn beside(id: NotificationId, by: i128) -> NotificationId {
    NotificationId::from_uuid(Uuid::from_u128(id.as_uuid().as_u128().saturating_add_signed(by)))
}

/// How far a user has read their notifications, and how many they have not.
///
/// What always holds:
/// - `unread` is the number of visible entries behind `counted_after`, including expired ones that were removed;
/// - of the entries behind `read_up_to` and not behind `counted_after`, none is visible unless it has expired.
///
/// So `unread` is exact unless
/// - `counted_after` lies before `read_up_to`: entries that were read since are still counted, and [`Scan`]s subtract
///   them, a page at a time;
/// - the first entry behind `counted_after` may have expired, see [`Self::must_recount`]: expired entries cannot be
///   subtracted, as they may be gone, so [`Scan`]s count the others from the beginning, a page at a time.
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
    /// A recount that has begun and not ended. It replaces `unread` and `counted_after` when it ends.
    pub recount: Option<Recount>,
}

/// A count of visible entries that continues where it stopped. Entries that change behind its cursor are noted by
/// [`Inbox::note`]; those before the cursor are counted when a scan reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recount {
    /// Visible entries behind `after` and not behind `up_to`.
    pub unread: i64,
    /// Just before the oldest entry that is counted, or an id before it.
    pub after: NotificationId,
    /// The cursor: the last entry that a scan has read.
    pub up_to: NotificationId,
}

/// What a change of one entry means for a count.
#[derive(Debug, Clone, Copy)]
struct Noted {
    /// The entry's id, where it was visible before.
    before: Option<NotificationId>,
    /// The entry's id, where it is visible now.
    after: Option<NotificationId>,
    /// Whether the entry is neither read nor expired.
    is_unread: bool,
}

impl Noted {
    /// Adjusts a number of visible entries behind `counted_after`.
    fn adjust(self, unread: &mut i64, counted_after: &mut NotificationId) {
        if self.before.is_some_and(|id| id > *counted_after) {
            *unread -= 1;
        }
        let Some(id) = self.after else { return };
        if id > *counted_after || self.is_unread {
            // Nothing visible lies between: neither where none is unread, nor before the counted ones.
            if *unread == 0 || id <= *counted_after {
                *counted_after = beside(id, -1);
            }
            *unread += 1;
        }
    }
}

impl Inbox {
    /// One that nothing has come into yet.
    pub const fn new(recipient_id: UserId) -> Self {
        let none = NotificationId::from_uuid(Uuid::nil());
        Self { recipient_id, version: 0, unread: 0, read_up_to: none, counted_after: none, recount: None }
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
        let is_unread =
            after.is_some_and(|entry| !self.is_read(entry.notification.notification_id) && !entry.is_expired(now));
        let noted = Noted { before: visible(before), after: visible(after), is_unread };
        noted.adjust(&mut self.unread, &mut self.counted_after);
        if let Some(recount) = &mut self.recount {
            let reached = |id: &NotificationId| *id <= recount.up_to;
            let noted = Noted { before: noted.before.filter(reached), after: noted.after.filter(reached), ..noted };
            noted.adjust(&mut recount.unread, &mut recount.after);
        }
        self.skip_read();
    }

    /// Where nothing is counted, nothing read is left to be subtracted.
    fn skip_read(&mut self) {
        if self.unread == 0 {
            self.counted_after = self.counted_after.max(self.read_up_to);
        }
    }

    /// Whether `unread` may count entries that have expired.
    pub fn must_recount(&self, now: Timestamp) -> bool {
        self.unread > 0 && beside(self.counted_after, 1) < first_unexpired(now)
    }

    /// Whether `unread` is still to be corrected by scans, which the inbox's task does.
    pub fn is_pending(&self) -> bool {
        self.recount.is_some() || (self.unread > 0 && self.counted_after < self.read_up_to)
    }

    /// The oldest id that an unread entry can have.
    fn first_unread(&self, now: Timestamp) -> NotificationId {
        beside(self.read_up_to, 1).max(first_unexpired(now))
    }

    /// The same read up to `up_to`; `None` when it is already. What was counted and is read now is pending.
    pub fn read_to(self, up_to: NotificationId) -> Option<Self> {
        // A recount that has only reached what is read now begins again behind that.
        let recount = self.recount.filter(|recount| recount.up_to > up_to);
        let mut read = Self { read_up_to: up_to, recount, ..self };
        read.skip_read();
        (up_to > self.read_up_to).then_some(read)
    }

    /// The next page to read for a pending inbox; `None` when it is not pending.
    pub fn scan(self, now: Timestamp) -> Option<Scan> {
        match self.recount {
            _ if !self.is_pending() => None,
            Some(recount) => Some(Scan { inbox: self, first: beside(recount.up_to, 1), last: LAST }),
            None if self.must_recount(now.plus(SUBTRACTING_TAKES)) => Some(self.recounting(now)),
            None => Some(Scan { inbox: self, first: beside(self.counted_after, 1), last: self.read_up_to }),
        }
    }

    /// The first page of a recount, whether one is needed or not.
    #[must_use]
    pub fn recounting(self, now: Timestamp) -> Scan {
        let first = self.first_unread(now);
        let after = beside(first, -1);
        let inbox = Self { recount: Some(Recount { unread: 0, after, up_to: after }), ..self };
        Scan { inbox, first, last: LAST }
    }
}

/// A page of entries to be read, oldest first, so that an inbox becomes exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    inbox: Inbox,
    /// The least id to read.
    pub first: NotificationId,
    /// The greatest id to read.
    pub last: NotificationId,
}

impl Scan {
    /// Whose entries.
    pub const fn recipient_id(&self) -> UserId {
        self.inbox.recipient_id
    }

    /// Whether it finds entries that are read, and not what is to be counted.
    pub const fn subtracts(&self) -> bool {
        self.inbox.recount.is_none()
    }

    /// The inbox after its next entries were `found`, up to and with `next`; `None` when the range ends with them.
    pub fn found(self, found: &[InboxEntry], next: Option<NotificationId>) -> Inbox {
        let mut inbox = self.inbox;
        let ids = found.iter().filter(|entry| entry.is_visible()).map(|entry| entry.notification.notification_id);
        match &mut inbox.recount {
            None => {
                inbox.unread -= i64::try_from(ids.count()).unwrap_or(i64::MAX);
                inbox.counted_after = next.unwrap_or(inbox.read_up_to);
            }
            Some(recount) => {
                for id in ids {
                    Noted { before: None, after: Some(id), is_unread: false }
                        .adjust(&mut recount.unread, &mut recount.after);
                }
                recount.up_to = next.unwrap_or(recount.up_to);
            }
        }
        if let Some(recount) = inbox.recount.filter(|_| next.is_none()) {
            inbox = Inbox { unread: recount.unread, counted_after: recount.after, recount: None, ..inbox };
        }
        inbox.skip_read();
        inbox
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::{Act, ActKind, UserId};

    const DAY: u64 = 24 * 60 * 60 * 1_000;

    fn entry(id: NotificationId, undone: bool, post_gone: bool) -> InboxEntry {
        let user = UserId::from_uuid(Uuid::nil());
        let act = Act { actor_id: user, kind: ActKind::Follow(user) };
        let notification = Notification { notification_id: id, recipient_id: user, act };
        InboxEntry { notification, undone, post_gone }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Made {
            hidden: bool,
        },
        Flagged {
            which: usize,
            undone: bool,
            post_gone: bool,
        },
        Removed {
            which: usize,
        },
        Read {
            which: usize,
        },
        /// The client reads the count.
        Asked,
        /// The inbox's task reads one page.
        Scanned,
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
            2 => Just(Step::Asked),
            3 => Just(Step::Scanned),
            3 => (1_u64..50).prop_map(Step::Days),
            1 => Just(Step::Expired),
        ]
    }

    type Entries = BTreeMap<NotificationId, InboxEntry>;

    /// Entries that one scan reads: few, so that inboxes need many scans.
    const PAGE: usize = 2;

    fn scanned(scan: Scan, entries: &Entries) -> Inbox {
        let range = scan.first..=scan.last;
        let mut rest =
            if range.is_empty() { Vec::new() } else { entries.range(range).map(|(_, entry)| *entry).collect() };
        let goes_on = rest.len() > PAGE;
        rest.truncate(PAGE);
        scan.found(&rest, rest.last().filter(|_| goes_on).map(|entry| entry.notification.notification_id))
    }

    /// What a count of everything finds.
    fn unread_of(inbox: &Inbox, entries: &Entries, now: Timestamp) -> i64 {
        let is_unread = |entry: &&InboxEntry| {
            entry.is_visible() && !entry.is_expired(now) && !inbox.is_read(entry.notification.notification_id)
        };
        i64::try_from(entries.values().filter(is_unread).count()).unwrap()
    }

    fn check(inbox: &Inbox, entries: &Entries, now: Timestamp) {
        let expected = unread_of(inbox, entries, now);
        if inbox.must_recount(now) || inbox.is_pending() {
            assert!(inbox.unread >= expected, "{inbox:?}");
        } else {
            assert_eq!(inbox.unread, expected, "{inbox:?}");
        }
    }

    /// Scans until the inbox is exact: each page is read at most twice, for what is read and for a recount.
    fn settle(mut inbox: Inbox, entries: &Entries, now: Timestamp) {
        for _ in 0..2 * (entries.len() / PAGE + 2) {
            let begun = Some(inbox).filter(|inbox| inbox.must_recount(now)).map(|inbox| inbox.recounting(now));
            let Some(scan) = inbox.scan(now).or(begun) else { break };
            inbox = scanned(scan, entries);
        }
        assert!(!inbox.is_pending() && !inbox.must_recount(now), "{inbox:?}");
        assert_eq!(inbox.unread, unread_of(&inbox, entries, now), "{inbox:?}");
    }

    /// Runs steps as the services do, and compares with a count of everything after each.
    fn run(steps: Vec<Step>) {
        let mut now = Timestamp::from_millis(1_763_700_000_000);
        let mut inbox = Inbox::new(UserId::from_uuid(Uuid::nil()));
        let mut entries = Entries::new();
        let ids = crate::IdGenerator::new();
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
                        inbox = read;
                    }
                }
                Step::Asked if inbox.must_recount(now) && inbox.recount.is_none() => {
                    inbox = scanned(inbox.recounting(now), &entries);
                }
                Step::Asked => {}
                Step::Scanned => inbox = inbox.scan(now).map_or(inbox, |scan| scanned(scan, &entries)),
                Step::Days(days) => now = now.plus(Duration::from_millis(days * DAY)),
                Step::Expired => entries.retain(|_, entry| !entry.is_expired(now)),
            }
            check(&inbox, &entries, now);
        }
        settle(inbox, &entries, now);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn unread_is_what_a_count_of_everything_finds(steps in prop::collection::vec(step(), 1..80)) {
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
