//! Writing inboxes: entries and what is unread of them in the same transactions.

use std::{collections::HashSet, sync::Arc};

use super::{live::LiveService, rounds::Rounds};
use crate::{
    dao::{Notifications, Notified},
    domain::{Inbox, InboxEntry, Notification, NotificationId, Timestamp, UserId},
    limits,
    live::Topic,
    store::{Outcome, Store, StoreError, Table, Write, with_retries},
};

/// Entries changed in one transaction: each takes two places, the inbox two.
const ENTRIES_PER_TRANSACTION: usize = (limits::MAX_TRANSACT - 2) / 2;

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

    fn writes(&self) -> Vec<(Table, Write)> {
        match (self.before, self.after) {
            (Some(_), Some(after)) => vec![Notifications::put(&after)],
            (None, Some(after)) => vec![Notifications::put(&after), Notifications::point_to(&after.notification)],
            (Some(before), None) => Notifications::erasure(&before.notification).into(),
            (None, None) => Vec::new(),
        }
    }
}

/// Writes inboxes.
#[derive(Debug, Clone)]
pub struct InboxWriter {
    store: Arc<dyn Store>,
    notifications: Notifications,
    live: Option<LiveService>,
}

impl InboxWriter {
    /// Inboxes in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { notifications: Notifications::new(store.clone()), store, live: None }
    }

    /// The same, telling recipients who are connected.
    #[must_use]
    pub fn announced_by(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// Changes entries of an inbox that was read *before* what the changes follow from. False when someone else wrote it
    /// since: what is not done then must be worked out anew. The inbox is written also when nothing changes, so that
    /// who worked from an older state is refused from now on.
    pub(super) async fn write(
        &self,
        mut inbox: Inbox,
        changes: Vec<EntryChange>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let nothing: &[EntryChange] = &[];
        let chunks = if changes.is_empty() { vec![nothing] } else { changes.chunks(ENTRIES_PER_TRANSACTION).collect() };
        for chunk in chunks {
            for change in chunk {
                inbox.note(change.before.as_ref(), change.after.as_ref(), now);
            }
            let mut writes = Notifications::keeping(&inbox);
            writes.extend(chunk.iter().flat_map(EntryChange::writes));
            let mut tries = 0;
            let outcome = with_retries(|| {
                tries += 1;
                self.store.transact(writes.clone())
            })
            .await;
            self.announce(chunk, &outcome, tries, now).await;
            match outcome {
                Ok(Outcome::Applied) => inbox.version += 1,
                // Also when an earlier try was applied and its answer lost: then there is nothing left to do, which
                // the next round finds out.
                Ok(Outcome::Refused(_)) | Err(StoreError::Conflict) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Tells the recipient of what is to be seen now. Where an answer was lost it may be there too, and later rounds find
    /// nothing to do: then the recipient is told to read.
    async fn announce(
        &self,
        changes: &[EntryChange],
        outcome: &Result<Outcome, StoreError>,
        tries: u32,
        now: Timestamp,
    ) {
        let Some(live) = &self.live else { return };
        let mut appearing = changes.iter().filter_map(|change| change.appearing(now));
        match outcome {
            Ok(Outcome::Applied) => {
                for notification in appearing {
                    live.notification(notification).await;
                }
            }
            Ok(Outcome::Refused(_)) if tries == 1 => {}
            Ok(Outcome::Refused(_)) | Err(_) => {
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
            if inbox.version == 0 {
                // Erased with its owner; what is left of the entries counts nowhere.
                return self.erase_apart(entries.values().map(|entry| entry.notification).collect()).await;
            }
            let changes = entries.into_values().map(EntryChange::erasing).collect();
            if self.write(inbox, changes, now).await? {
                return Ok(());
            }
            rounds.pause().await?;
        }
    }

    async fn erase_apart(&self, notifications: Vec<Notification>) -> Result<(), StoreError> {
        for chunk in notifications.chunks(ENTRIES_PER_TRANSACTION) {
            let writes: Vec<_> = chunk.iter().flat_map(Notifications::erasure).collect();
            // Unconditional, hence never refused.
            let _applied: Outcome = with_retries(|| self.store.transact(writes.clone())).await?;
        }
        Ok(())
    }
}
