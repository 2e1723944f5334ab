//! Writing inboxes: entries and what is unread of them in the same transactions.

use std::collections::HashSet;

use super::{live::LiveService, rounds::Rounds};
use crate::live::Topic;
use data::{Committed, Db, Notifications, Notified, Transaction, Writes};
use domain::{Act, Inbox, InboxEntry, Notification, NotificationId, Timestamp, UserId, limits};
use ports::store::StoreError;

/// Places of a transaction that are left beside the inbox, which takes two the first time.
const PLACES_BESIDE_INBOX: usize = limits::MAX_TRANSACT - 2;

/// One entry becomes another, comes or goes.
#[derive(Debug, Clone, Copy)]
pub struct EntryChange {
    before: Option<InboxEntry>,
    after: Option<InboxEntry>,
}

impl EntryChange {
    /// One that is new, and from now on stands for its act.
    pub const fn new(after: InboxEntry) -> Self {
        Self { before: None, after: Some(after) }
    }

    /// One that says something else; `None` when it says the same.
    pub fn of(before: InboxEntry, after: InboxEntry) -> Option<Self> {
        (before != after).then_some(Self { before: Some(before), after: Some(after) })
    }

    const fn erasing(before: InboxEntry) -> Self {
        Self { before: Some(before), after: None }
    }

    /// Which entry.
    pub fn notification_id(&self) -> Option<NotificationId> {
        Some(self.after.or(self.before)?.notification.notification_id)
    }

    /// The notification that is to be seen after this and was not before.
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

/// What is written in one transaction with the inbox: the change of an entry, other writes, or both.
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
    /// Writes that change no entry.
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

    /// The same, telling recipients who are connected.
    #[must_use]
    pub fn announced_by(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// Changes entries of an inbox that was read *before* what the changes follow from. False when someone else wrote it
    /// since: what is not done then must be worked out again. The inbox is written also when nothing changes, so that
    /// who worked from an older state is refused from now on.
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
                // Also when an earlier try was applied and its answer lost: then there is nothing left to do, which
                // the next round finds out.
                Ok(Committed::Refused(_)) | Err(StoreError::Conflict) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Tells the recipient of what is to be seen now. Where an answer was lost it may be there too, and later rounds find
    /// nothing to do: then the recipient is told to read.
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

    /// Erases these notifications of one recipient and what points to them, unread or not; what is gone already is
    /// passed over. For erasing a post, or what an account did. Who was about to write one of them is refused.
    ///
    /// # Errors
    /// When the store fails, or others write the same inbox all the time: erase the same again.
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
        let mut rounds = Rounds::new();
        loop {
            let inbox = self.notifications.inbox(recipient).await?;
            let entries = self.notifications.entries(&places).await?;
            let parts: Vec<Part> = entries.into_values().map(|entry| EntryChange::erasing(entry).into()).collect();
            if self.erase_parts(inbox, &parts, now).await? {
                return Ok(());
            }
            rounds.pause().await?;
        }
    }

    /// Erases acts that concern one recipient, each by its own writes, together with the notifications that stand for
    /// them: what leads to a notification goes with it. Who was about to write one of them is refused.
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
        let mut rounds = Rounds::new();
        loop {
            let inbox = self.notifications.inbox(recipient).await?;
            let places = self.notifications.notified(&all).await?;
            let entries = self.notifications.entries(&places.values().copied().collect::<Vec<_>>()).await?;
            let part = |(act, erasure): &(Act, Writes)| {
                let place = places.get(act);
                let change = place.and_then(|place| entries.get(place)).map(|entry| EntryChange::erasing(*entry));
                // Of an expired notification only this may be left.
                let pointer = place.filter(|_| change.is_none()).map(|_| Notifications::pointer_to_nothing(act));
                Part { change, beside: erasure.clone().and(pointer.unwrap_or_default()) }
            };
            if self.erase_parts(inbox, &acts.iter().map(part).collect::<Vec<_>>(), now).await? {
                return Ok(());
            }
            rounds.pause().await?;
        }
    }

    /// Writes parts that erase; apart from an inbox that was erased with its owner: what is left counts nowhere. False
    /// when someone else wrote the inbox since it was read.
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
