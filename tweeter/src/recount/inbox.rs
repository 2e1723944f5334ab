//! Checks one user's notifications, page by page: looks up the subject of each, and compares the result with the stored
//! visibility and the unread count.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use data::{AuditedEntry, Db, Notifications, Writes};
use domain::{Inbox, InboxEntry, NotificationId, Page, Timestamp, UserId, limits};
use ports::store::StoreError;

use super::{
    look::applied,
    reads::Reads,
    verdict::{Found, Seen, Verdict},
};

/// The number of unread notifications.
pub const UNREAD: &str = "unread";
/// Notifications wrongly hidden or wrongly visible.
pub const MISJUDGED: &str = "misjudged";
/// Notifications of an unknown kind, or that lack an attribute.
pub const UNREADABLE: &str = "unreadable";

/// Notifications per page: they are changed in one transaction, in which the inbox takes up to two places.
const PAGE: usize = limits::MAX_TRANSACT - 2;

/// A user's notifications as stored, and what they should be.
#[derive(Debug)]
struct Audit {
    /// The inbox before the entries were read.
    inbox: Inbox,
    /// Entries whose visibility is wrong.
    wrong: i64,
    /// Unreadable entries.
    unreadable: i64,
    /// Entries that should be unread.
    unread: i64,
    /// The oldest of these.
    oldest: Option<InboxEntry>,
    fingerprint: DefaultHasher,
}

/// An entry whose key, at least, is readable.
struct Judged {
    id: NotificationId,
    /// The entry as stored and as it should be; `None` if unreadable.
    entry: Option<(InboxEntry, InboxEntry)>,
}

/// Checks a user's notifications against their subjects.
pub async fn look(
    reads: &Reads,
    notifications: &Notifications,
    user: UserId,
    now: Timestamp,
) -> Result<Verdict, StoreError> {
    let mut audit = Audit::of(notifications.inbox(user).await?);
    let mut after = None;
    loop {
        let page = page(reads, user, after).await?;
        for judged in judge(reads, page.items).await? {
            audit.note(&judged, now);
        }
        after = match page.next {
            None => break,
            next => next,
        };
    }
    if notifications.inbox(user).await? == audit.inbox { Ok(audit.verdict(now)) } else { Ok(Verdict::Moving) }
}

/// Corrects entries and inbox. Returns false if the inbox was written meanwhile; fixes made until then persist.
pub async fn fix(
    reads: &Reads,
    db: &Db,
    notifications: &Notifications,
    user: UserId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut audit = Audit::of(notifications.inbox(user).await?);
    let mut after = None;
    loop {
        let page = page(reads, user, after).await?;
        let judged = judge(reads, page.items).await?;
        if !fix_page(db, &mut audit.inbox, &judged, now).await? {
            return Ok(false);
        }
        for judged in &judged {
            audit.note(judged, now);
        }
        after = match page.next {
            None => break,
            next => next,
        };
    }
    // Unreadable entries may be unread: the number then stays as the fixed entries left it.
    if audit.unreadable > 0 || audit.verdict(now) == Verdict::Right {
        return Ok(true);
    }
    let inbox = Inbox { unread: audit.unread, ..audit.inbox.recounting(now).found(audit.oldest.as_slice(), None) };
    applied(db, Notifications::keeping(&inbox)).await
}

/// Whether an entry is wrongly hidden or wrongly visible. The reason for hiding is only kept correct as far as it
/// decides visibility.
const fn is_misjudged(is: &InboxEntry, should_be: &InboxEntry) -> bool {
    is.is_visible() != should_be.is_visible()
}

/// Corrects the wrong entries of a page, if the inbox was not written since it was read.
async fn fix_page(db: &Db, inbox: &mut Inbox, judged: &[Judged], now: Timestamp) -> Result<bool, StoreError> {
    let entries = judged.iter().filter_map(|judged| judged.entry.as_ref());
    let wrong: Vec<_> = entries.filter(|(is, should_be)| is_misjudged(is, should_be) && !is.is_expired(now)).collect();
    if wrong.is_empty() {
        return Ok(true);
    }
    for (is, should_be) in &wrong {
        inbox.note(Some(is), Some(should_be), now);
    }
    let entries = wrong.iter().map(|(_, should_be)| Notifications::put(should_be)).collect::<Writes>();
    let is_applied = applied(db, Notifications::keeping(inbox).and(entries)).await?;
    inbox.version += 1;
    Ok(is_applied)
}

impl Audit {
    fn of(inbox: Inbox) -> Self {
        let fingerprint = DefaultHasher::new();
        Self { inbox, wrong: 0, unreadable: 0, unread: 0, oldest: None, fingerprint }
    }

    fn note(&mut self, judged: &Judged, now: Timestamp) {
        judged.id.hash(&mut self.fingerprint);
        let Some((is, should_be)) = judged.entry else {
            self.unreadable += 1;
            return;
        };
        if is.is_expired(now) {
            return;
        }
        for flag in [is.undone, is.post_gone, should_be.undone, should_be.post_gone] {
            flag.hash(&mut self.fingerprint);
        }
        self.wrong += i64::from(is_misjudged(&is, &should_be));
        if should_be.is_visible() && !self.inbox.is_read(judged.id) {
            self.unread += 1;
            self.oldest = self.oldest.or(Some(should_be));
        }
    }

    fn verdict(&self, now: Timestamp) -> Verdict {
        let mut found = vec![
            Found { name: MISJUDGED, stored: self.wrong, expected: 0 },
            Found { name: UNREADABLE, stored: self.unreadable, expected: 0 },
        ];
        // Otherwise the next reader counts again, or the unread number is unknown.
        if !self.inbox.must_recount(now) && self.unreadable == 0 {
            found.push(Found { name: UNREAD, stored: self.inbox.unread, expected: self.unread });
        }
        Verdict::of(Seen::of(found, self.fingerprint.finish()))
    }
}

async fn page(
    reads: &Reads,
    user: UserId,
    after: Option<NotificationId>,
) -> Result<Page<AuditedEntry, NotificationId>, StoreError> {
    reads.inbox_page(user, after, u32::try_from(PAGE).unwrap_or(u32::MAX)).await
}

/// Looks up the subjects of a page's entries.
async fn judge(reads: &Reads, audited: Vec<AuditedEntry>) -> Result<Vec<Judged>, StoreError> {
    let readable: Vec<InboxEntry> = audited.iter().filter_map(|audited| audited.entry).collect();
    let mut should_be = reads.as_they_should_be(&readable).await?.into_iter();
    // One per readable entry, in the same order.
    let judged = audited.into_iter().map(|AuditedEntry { id, entry }| {
        let entry = entry.and_then(|entry| Some((entry, should_be.next()?)));
        Judged { id, entry }
    });
    Ok(judged.collect())
}
