//! Writes inboxes: entries and their unread counts in the same transactions.

use std::collections::HashSet;

use super::{conflict_retry::ConflictRetry, live::LiveService};
use crate::live::Topic;
use data::{Committed, Db, Notifications, Notified, Transaction, Writes};
use domain::{Act, Inbox, InboxEntry, Notification, NotificationId, Timestamp, UserId, limits};
use ports::store::StoreError;

/// Transaction items left beside the inbox, which takes two when it is created.
const PLACES_BESIDE_INBOX: usize = limits::MAX_TRANSACT - 2;

/// A change of one entry: created, updated or removed.
#[derive(Debug, Clone, Copy)]
pub struct EntryChange {
    before: Option<InboxEntry>,
    after: Option<InboxEntry>,
}

impl EntryChange {
    /// A new entry, the current one of its act.
    pub const fn new(after: InboxEntry) -> Self {
        Self { before: None, after: Some(after) }
    }

    /// An update of an entry; `None` when nothing changes.
    pub fn of(before: InboxEntry, after: InboxEntry) -> Option<Self> {
        (before != after).then_some(Self { before: Some(before), after: Some(after) })
    }

    const fn erasing(before: InboxEntry) -> Self {
        Self { before: Some(before), after: None }
    }

    /// The id of the entry.
    pub fn notification_id(&self) -> Option<NotificationId> {
        Some(self.after.or(self.before)?.notification.notification_id)
    }

    /// The notification that this change makes visible.
    fn appearing(&self, now: Timestamp) -> Option<&Notification> {
        let is_seen = |entry: &&InboxEntry| entry.is_visible() && !entry.is_expired(now);
        let was_seen = self.before.as_ref().is_some_and(|entry| is_seen(&entry));
        let after = self.after.as_ref().filter(is_seen).filter(|_| !was_seen);
        after.map(|entry| &entry.notification)
    }

    fn writes(&self) -> Writes {
        match (self.before, self.after) {
            (Some(_), Some(after)) => Notifications::put(&after),
            (None, Some(after)) => Notifications::put(&after).and(Notifications::point_to(&after.notification)),
            (Some(before), None) => Notifications::erasure(&before.notification),
            (None, None) => Writes::default(),
        }
    }
}

/// Writes of one transaction with the inbox: an entry change, other writes, or both.
#[derive(Debug, Clone)]
pub(super) struct Part {
    change: Option<EntryChange>,
    beside: Writes,
}

impl From<EntryChange> for Part {
    fn from(change: EntryChange) -> Self {
        Self { change: Some(change), beside: Writes::default() }
    }
}

impl Part {
    /// Writes without an entry change.
    pub(super) const fn beside(writes: Writes) -> Self {
        Self { change: None, beside: writes }
    }

    fn writes(&self) -> Writes {
        self.change.as_ref().map(EntryChange::writes).unwrap_or_default().and(self.beside.clone())
    }
}

/// Cuts parts into transactions, in their order.
fn transactions(parts: &[Part]) -> Vec<&[Part]> {
    let (mut transactions, mut first, mut places) = (Vec::new(), 0, 0);
    for (place, part) in parts.iter().enumerate() {
        let added = part.writes().len();
        if places + added > PLACES_BESIDE_INBOX {
            transactions.push(&parts[first..place]);
            (first, places) = (place, 0);
        }
        places += added;
    }
    transactions.push(&parts[first..]);
    transactions
}

/// Writes inboxes.
#[derive(Debug, Clone)]
pub struct InboxWriter {
    db: Db,
    notifications: Notifications,
    live: Option<LiveService>,
}

impl InboxWriter {
    /// Inboxes in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self { notifications: Notifications::new(db.clone()), db, live: None }
    }

    /// The same, sending live events to connected recipients.
    #[must_use]
    pub fn with_live_events(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// Changes entries of an inbox that was read *before* the state that the changes derive from. Returns false when
    /// the inbox was written since: the remaining changes must then be derived again. Writes the inbox even without
    /// changes, so that concurrent writers with an older state are refused.
    pub(super) async fn write(&self, mut inbox: Inbox, parts: &[Part], now: Timestamp) -> Result<bool, StoreError> {
        for transaction in transactions(parts) {
            let changes = transaction.iter().filter_map(|part| part.change.as_ref());
            for change in changes.clone() {
                inbox.note(change.before.as_ref(), change.after.as_ref(), now);
            }
            let writes = [Notifications::keeping(&inbox)].into_iter().chain(transaction.iter().map(Part::writes));
            let committed = writes.collect::<Transaction>().commit(&self.db).await;
            self.announce(changes, &committed, now).await;
            match committed {
                Ok(Committed::Applied) => inbox.version += 1,
                // An earlier try may have been applied and its answer lost: the next round then finds nothing left to
                // do.
                Ok(Committed::Refused(_)) | Err(StoreError::Conflict) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Notifies the recipient of what became visible. After a lost answer, the entry may exist and later rounds find
    /// nothing to do: the recipient is asked to reload.
    async fn announce(
        &self,
        changes: impl Iterator<Item = &EntryChange>,
        committed: &Result<Committed, StoreError>,
        now: Timestamp,
    ) {
        let Some(live) = &self.live else { return };
        let mut appearing = changes.filter_map(|change| change.appearing(now));
        match committed {
            Ok(Committed::Applied) => {
                for notification in appearing {
                    live.notification(notification).await;
                }
            }
            Ok(Committed::Refused(refusal)) if !refusal.follows_a_lost_answer() => {}
            Ok(Committed::Refused(_)) | Err(_) => {
                if let Some(notification) = appearing.next() {
                    live.unsure(notification.recipient_id, Topic::Notifications);
                }
            }
        }
    }

    /// Erases these notifications of one recipient and their pointers, unread or not; skips missing ones. Used to erase
    /// a post or a user's acts. Concurrent writers of the inbox are refused.
    ///
    /// # Errors
    /// When the store fails, or when the inbox is contended for too long: retry the same erasure.
    pub async fn erase(
        &self,
        recipient: UserId,
        notifications: &[NotificationId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let place =
            |notification_id: &NotificationId| Notified { recipient_id: recipient, notification_id: *notification_id };
        let places: HashSet<Notified> = notifications.iter().map(place).collect();
        let places: Vec<Notified> = places.into_iter().collect();
        let mut retry = ConflictRetry::new();
        loop {
            let inbox = self.notifications.inbox(recipient).await?;
            let entries = self.notifications.entries(&places).await?;
            let parts: Vec<Part> = entries.into_values().map(|entry| EntryChange::erasing(entry).into()).collect();
            if self.erase_parts(inbox, &parts, now).await? {
                return Ok(());
            }
            retry.pause().await?;
        }
    }

    /// Erases acts that concern one recipient, each by its own writes, together with their notifications, because an
    /// act is what leads to its notification. Concurrent writers of the inbox are refused.
    ///
    /// # Errors
    /// As for [`Self::erase`].
    pub(super) async fn erase_acts(
        &self,
        recipient: UserId,
        acts: &[(Act, Writes)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let all: Vec<Act> = acts.iter().map(|(act, _)| *act).collect();
        let mut retry = ConflictRetry::new();
        loop {
            let inbox = self.notifications.inbox(recipient).await?;
            let places = self.notifications.notified(&all).await?;
            let entries = self.notifications.entries(&places.values().copied().collect::<Vec<_>>()).await?;
            let part = |(act, erasure): &(Act, Writes)| {
                let place = places.get(act);
                let change = place.and_then(|place| entries.get(place)).map(|entry| EntryChange::erasing(*entry));
                // An expired notification may have left only its pointer.
                let pointer = place.filter(|_| change.is_none()).map(|_| Notifications::pointer_to_nothing(act));
                Part { change, beside: erasure.clone().and(pointer.unwrap_or_default()) }
            };
            if self.erase_parts(inbox, &acts.iter().map(part).collect::<Vec<_>>(), now).await? {
                return Ok(());
            }
            retry.pause().await?;
        }
    }

    /// Writes parts that erase. If the inbox was erased with its owner, writes them without it, as they affect no
    /// count. Returns false when the inbox was written since it was read.
    async fn erase_parts(&self, inbox: Inbox, parts: &[Part], now: Timestamp) -> Result<bool, StoreError> {
        if inbox.version > 0 {
            return self.write(inbox, parts, now).await;
        }
        for transaction in transactions(parts).into_iter().filter(|parts| !parts.is_empty()) {
            // Unconditional, hence never refused.
            let _applied = transaction.iter().map(Part::writes).collect::<Transaction>().commit(&self.db).await?;
        }
        Ok(true)
    }
}
