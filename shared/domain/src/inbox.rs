//! A user's stored notifications, whose visibility follows the act and the post they are about, and the number of
//! unread ones.

use std::time::Duration;

use uuid::Uuid;

use super::{Notification, NotificationId, Timestamp, UserId};
use crate::limits;

/// A stored notification. It stays when its act is undone, so that redoing the act restores it unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxEntry {
    /// The notification.
    pub notification: Notification,
    /// The act has been undone.
    pub undone: bool,
    /// The post concerned has been deleted.
    pub post_gone: bool,
}

impl InboxEntry {
    /// Whether it is shown until it expires.
    pub const fn is_visible(&self) -> bool {
        !self.undone && !self.post_gone
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.notification.notification_id < first_unexpired(now)
    }
}

/// The least id of an unexpired notification, one younger than [`limits::NOTIFICATION_TTL`].
fn first_unexpired(now: Timestamp) -> NotificationId {
    NotificationId::first_of(now.minus(limits::NOTIFICATION_TTL).plus(Duration::from_millis(1)))
}

/// The greatest possible id.
const LAST: NotificationId = NotificationId::from_uuid(Uuid::max());

/// Longer than it takes to read and subtract a page: an entry that expires meanwhile may be removed before it is read.
const SUBTRACTING_TAKES: Duration = Duration::from_mins(1);

/// The id `by` places after another (before it if negative) in the order of ids; not necessarily one ever issued.
fn beside(id: NotificationId, by: i128) -> NotificationId {
    NotificationId::from_uuid(Uuid::from_u128(id.as_uuid().as_u128().saturating_add_signed(by)))
}

/// A user's read position and number of unread notifications.
///
/// Invariants:
/// - `unread` is the number of visible entries with `id > counted_after`, including expired ones that were removed;
/// - every entry with `read_up_to < id <= counted_after` is hidden or expired.
///
/// So `unread` is exact unless
/// - `counted_after < read_up_to`: entries that were read since are still counted. [`Scan`]s subtract them page by
///   page.
/// - the first counted entry may have expired, see [`Self::must_recount`]: expired entries may be removed and so cannot
///   be subtracted. [`Scan`]s recount the others from the beginning, page by page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inbox {
    /// The user who receives the notifications.
    pub recipient_id: UserId,
    /// The number of writes so far. Each write is conditional on its predecessor, so a writer knows of all earlier
    /// ones.
    pub version: i64,
    /// The number of visible entries with `id > counted_after`.
    pub unread: i64,
    /// The read position: entries up to and including this id are read. Never decreases.
    pub read_up_to: NotificationId,
    /// A lower bound: the oldest entry counted in `unread` has a greater id.
    pub counted_after: NotificationId,
    /// A recount in progress. It replaces `unread` and `counted_after` when it completes.
    pub recount: Option<Recount>,
}

/// A resumable count of visible entries. [`Inbox::note`] records changes of entries up to the cursor; later entries are
/// counted when a scan reaches them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recount {
    /// The number of visible entries with `after < id <= up_to`.
    pub unread: i64,
    /// A lower bound: the oldest counted entry has a greater id.
    pub after: NotificationId,
    /// The cursor: the last entry that a scan has read.
    pub up_to: NotificationId,
}

/// The effect of a changed entry on a count.
#[derive(Debug, Clone, Copy)]
struct VisibilityChange {
    /// The entry's id, if it was visible before.
    before: Option<NotificationId>,
    /// The entry's id, if it is visible now.
    after: Option<NotificationId>,
    /// Whether the entry is neither read nor expired.
    is_unread: bool,
}

impl VisibilityChange {
    /// Adjusts a number of visible entries with `id > counted_after`.
    fn adjust(self, unread: &mut i64, counted_after: &mut NotificationId) {
        if self.before.is_some_and(|id| id > *counted_after) {
            *unread -= 1;
        }
        let Some(id) = self.after else { return };
        if id > *counted_after || self.is_unread {
            // No visible entry lies between the new id and the counted ones: none is unread, or the id precedes them.
            if *unread == 0 || id <= *counted_after {
                *counted_after = beside(id, -1);
            }
            *unread += 1;
        }
    }
}

impl Inbox {
    /// An empty inbox.
    pub const fn new(recipient_id: UserId) -> Self {
        let none = NotificationId::from_uuid(Uuid::nil());
        Self { recipient_id, version: 0, unread: 0, read_up_to: none, counted_after: none, recount: None }
    }

    /// Whether the user has marked this entry as read.
    pub fn is_read(&self, id: NotificationId) -> bool {
        id <= self.read_up_to
    }

    /// The id of a new entry, generated by `make` for a given time. It is greater than every read id, even if the clock
    /// that generated the last one was ahead of `now`.
    pub fn next_id(&self, now: Timestamp, make: impl Fn(Timestamp) -> NotificationId) -> NotificationId {
        let passed = self.read_up_to.max(self.counted_after);
        let id = make(now);
        if id > passed { id } else { make(passed.created_at().plus(Duration::from_millis(1))) }
    }

    /// Records the change of an entry; `None` stands for an absent one.
    pub fn note(&mut self, before: Option<&InboxEntry>, after: Option<&InboxEntry>, now: Timestamp) {
        let visible = |entry: Option<&InboxEntry>| {
            entry.filter(|entry| entry.is_visible()).map(|entry| entry.notification.notification_id)
        };
        let is_unread =
            after.is_some_and(|entry| !self.is_read(entry.notification.notification_id) && !entry.is_expired(now));
        let change = VisibilityChange { before: visible(before), after: visible(after), is_unread };
        change.adjust(&mut self.unread, &mut self.counted_after);
        if let Some(recount) = &mut self.recount {
            let reached = |id: &NotificationId| *id <= recount.up_to;
            let change = VisibilityChange {
                before: change.before.filter(reached),
                after: change.after.filter(reached),
                ..change
            };
            change.adjust(&mut recount.unread, &mut recount.after);
        }
        self.skip_read();
    }

    /// If nothing is counted, no read entry remains to be subtracted.
    fn skip_read(&mut self) {
        if self.unread == 0 {
            self.counted_after = self.counted_after.max(self.read_up_to);
        }
    }

    /// Whether `unread` may include expired entries.
    pub fn must_recount(&self, now: Timestamp) -> bool {
        self.unread > 0 && beside(self.counted_after, 1) < first_unexpired(now)
    }

    /// Whether the inbox's task still has to correct `unread` by scans.
    pub fn is_pending(&self) -> bool {
        self.recount.is_some() || (self.unread > 0 && self.counted_after < self.read_up_to)
    }

    /// The least id of an unread entry.
    fn first_unread(&self, now: Timestamp) -> NotificationId {
        beside(self.read_up_to, 1).max(first_unexpired(now))
    }

    /// Moves the read position to `up_to`; `None` if it is there already. Entries counted and now read become pending.
    pub fn read_to(self, up_to: NotificationId) -> Option<Self> {
        // A recount whose cursor is at or before the new read position starts again after it.
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

    /// The first page of a recount, whether or not one is needed.
    #[must_use]
    pub fn recounting(self, now: Timestamp) -> Scan {
        let first = self.first_unread(now);
        let after = beside(first, -1);
        let inbox = Self { recount: Some(Recount { unread: 0, after, up_to: after }), ..self };
        Scan { inbox, first, last: LAST }
    }
}

/// A page of entries to be read, oldest first, to correct an inbox's count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    inbox: Inbox,
    /// The least id to read.
    pub first: NotificationId,
    /// The greatest id to read.
    pub last: NotificationId,
}

impl Scan {
    /// The user whose entries to read.
    pub const fn recipient_id(&self) -> UserId {
        self.inbox.recipient_id
    }

    /// Whether the scan subtracts read entries, rather than recounting.
    pub const fn subtracts(&self) -> bool {
        self.inbox.recount.is_none()
    }

    /// The inbox after the scan `found` its next entries, up to and including `next`; `None` at the end of the range.
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
                    VisibilityChange { before: None, after: Some(id), is_unread: false }
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

    /// Entries per scan: few, so that an inbox needs many scans.
    const PAGE: usize = 2;

    fn scanned(scan: Scan, entries: &Entries) -> Inbox {
        let range = scan.first..=scan.last;
        let mut rest =
            if range.is_empty() { Vec::new() } else { entries.range(range).map(|(_, entry)| *entry).collect() };
        let goes_on = rest.len() > PAGE;
        rest.truncate(PAGE);
        scan.found(&rest, rest.last().filter(|_| goes_on).map(|entry| entry.notification.notification_id))
    }

    /// The number of unread entries by a full count.
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

    /// Scans until the inbox is exact. Each page is read at most twice: to subtract and to recount.
    fn scan_to_end(mut inbox: Inbox, entries: &Entries, now: Timestamp) {
        for _ in 0..2 * (entries.len() / PAGE + 2) {
            let begun = Some(inbox).filter(|inbox| inbox.must_recount(now)).map(|inbox| inbox.recounting(now));
            let Some(scan) = inbox.scan(now).or(begun) else { break };
            inbox = scanned(scan, entries);
        }
        assert!(!inbox.is_pending() && !inbox.must_recount(now), "{inbox:?}");
        assert_eq!(inbox.unread, unread_of(&inbox, entries, now), "{inbox:?}");
    }

    /// Runs steps as the services do, and compares with a full count after each.
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
        scan_to_end(inbox, &entries, now);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn unread_equals_a_full_count(steps in prop::collection::vec(step(), 1..80)) {
            run(steps);
        }
    }

    #[test]
    fn a_notification_expires_after_exactly_ninety_days() {
        let made = Timestamp::from_millis(1_763_700_000_123);
        let last = entry(NotificationId::first_of(made), false, false);
        assert!(!last.is_expired(made.plus(Duration::from_millis(90 * DAY - 1))));
        assert!(last.is_expired(made.plus(Duration::from_millis(90 * DAY))));
    }
}
