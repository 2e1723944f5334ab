//! A user's notifications: pages, the unread count, and the read watermark.

use std::collections::{HashMap, HashSet};

use tracing::debug;

use super::{
    ServiceError,
    conflict_retry::ConflictRetry,
    pages::{self, Candidate},
    steps::StepSize,
};
use data::{Acts, Committed, Db, Notifications, Posts, Tasks, Users};
use domain::{
    Act, Inbox, InboxEntry, NotificationId, NotificationView, Page, PageLimit, PostId, ReactionCursor, Task, Timestamp,
    UserId,
};
use ports::store::StoreError;

/// A page of notifications, and the total number of unread ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationPage {
    /// The page, newest first.
    pub page: Page<NotificationView, NotificationId>,
    /// The number of unread notifications, on all pages.
    pub unread: u64,
}

/// Reads notifications.
#[derive(Debug, Clone)]
pub struct NotificationService {
    notifications: Notifications,
    acts: Acts,
    posts: Posts,
    users: Users,
    size: StepSize,
}

impl NotificationService {
    /// Notifications in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        let db = db.into();
        Self {
            notifications: Notifications::new(db.clone()),
            acts: Acts::new(db.clone()),
            posts: Posts::new(db.clone()),
            users: Users::new(db),
            size: StepSize::default(),
        }
    }

    /// The same with steps of this size.
    #[must_use]
    pub fn in_steps(self, size: StepSize) -> Self {
        Self { size, ..self }
    }

    /// A page of a user's notifications.
    pub async fn page(
        &self,
        user: UserId,
        after: Option<NotificationId>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<NotificationPage, ServiceError> {
        // Not concurrently: entries marked as read between the two reads would be counted but not shown as read.
        let inbox = self.notifications.inbox(user).await?;
        let page = pages::fill(after, limit, |after, count| async move {
            let entries = self.notifications.page_of_recipient(user, after, count).await?;
            self.resolved(&inbox, entries, now).await
        });
        let (page, unread) = futures::try_join!(page, self.unread_of(inbox, now))?;
        Ok(NotificationPage { page, unread })
    }

    /// How many of a user's notifications are unread.
    pub async fn unread_count(&self, user: UserId, now: Timestamp) -> Result<u64, ServiceError> {
        let inbox = self.notifications.inbox(user).await?;
        self.unread_of(inbox, now).await
    }

    /// One query's entries with their content, which is `None` when the act is undone, its post or actor is deleted, or
    /// the entry has expired. Deletions are visible here before they reach the entry.
    async fn resolved(
        &self,
        inbox: &Inbox,
        entries: Page<InboxEntry, NotificationId>,
        now: Timestamp,
    ) -> Result<Page<Candidate<NotificationView, NotificationId>, NotificationId>, ServiceError> {
        let seen = entries.items.iter().filter(|entry| entry.is_visible() && !entry.is_expired(now));
        let acts: HashSet<Act> = seen.map(|entry| entry.notification.act).collect();
        let posts: HashSet<PostId> = acts.iter().filter_map(|act| act.kind.post_id()).collect();
        let actors: HashSet<UserId> = acts.iter().map(|act| act.actor_id).collect();
        let acts: Vec<Act> = acts.into_iter().collect();
        let (posts, actors): (Vec<_>, Vec<_>) = (posts.into_iter().collect(), actors.into_iter().collect());
        let (standing, posts, mut actors) = futures::try_join!(
            self.acts.standing(&acts),
            self.posts.get_all_strongly(&posts),
            self.users.get_all(&actors),
        )?;
        let is_live = |post: PostId| posts.get(&post).is_some_and(|stored| stored.live().is_some());
        let actors: HashMap<UserId, _> = actors.drain().map(|(id, profile)| (id, profile.user)).collect();
        let view = |entry: InboxEntry| {
            let notification = entry.notification;
            let stands = entry.is_visible()
                && standing.contains(&notification.act)
                && notification.act.kind.post_id().is_none_or(is_live);
            let actor = actors.get(&notification.act.actor_id).filter(|_| stands && !entry.is_expired(now))?.clone();
            Some(NotificationView { notification, actor, read: inbox.is_read(notification.notification_id) })
        };
        Ok(entries.map(|entry| Candidate { position: entry.notification.notification_id, shown: view(entry) }))
    }

    /// The number of unread entries. Where entries may have expired, one page is counted here, and the inbox's task
    /// counts the rest; until then the number includes expired ones.
    async fn unread_of(&self, inbox: Inbox, now: Timestamp) -> Result<u64, ServiceError> {
        if !inbox.must_recount(now) || inbox.recount.is_some() {
            return Ok(u64::try_from(inbox.unread).unwrap_or(0));
        }
        let recounted = self.notifications.scanned(inbox.recounting(now), self.size.notifications).await?;
        match self.keep(&recounted).await {
            Ok(Committed::Applied) => {}
            // The answer is correct anyway; the next read stores it.
            Ok(Committed::Refused(_)) => {
                debug!(user.id = %inbox.recipient_id, "Could not store the new unread count: the inbox changed; the next read retries");
            }
            Err(error) => {
                debug!(user.id = %inbox.recipient_id, %error, "Could not store the new unread count; the next read retries");
            }
        }
        Ok(u64::try_from(recounted.unread).unwrap_or(0))
    }

    /// Stores an inbox, and schedules its task if the count is inexact.
    async fn keep(&self, inbox: &Inbox) -> Result<Committed, StoreError> {
        let task = Task::Inbox(inbox.recipient_id);
        let step = inbox.is_pending().then(|| Tasks::next_step(task, ReactionCursor::Start));
        self.notifications.keep(inbox, step).await
    }

    /// Marks as read all entries up to `up_to`, but at most up to the newest entry; idempotent.
    ///
    /// The unread count is exact at once if at most [`domain::limits::NOTIFICATIONS_PER_PAGE`] of the unread entries
    /// are on one side of `up_to` and no concurrent call writes the inbox; otherwise when the inbox's task has
    /// finished.
    pub async fn mark_read(&self, user: UserId, up_to: NotificationId, now: Timestamp) -> Result<(), ServiceError> {
        // Limited to the newest entry: an id from the future must not mark later entries as read.
        let Some(last) = self.notifications.newest_up_to(user, up_to).await? else { return Ok(()) };
        let (mut retry, mut is_contended) = (ConflictRetry::new(), false);
        loop {
            let inbox = self.notifications.inbox(user).await?;
            if inbox.version == 0 {
                // A notification without an inbox: the account is being erased.
                return Ok(());
            }
            let Some(read) = inbox.read_to(last) else { return Ok(()) };
            // In a contended inbox, the watermark is written first and quickly, and the task counts.
            let read = if is_contended { read } else { self.counted(read, now).await? };
            match self.keep(&read).await {
                Ok(Committed::Applied) => return Ok(()),
                // An earlier try may have been applied as well: the next round finds it read.
                Ok(Committed::Refused(_)) | Err(StoreError::Conflict) => retry.pause().await?,
                Err(error) => return Err(error.into()),
            }
            is_contended = true;
        }
    }

    /// The inbox after moving the watermark, with the unread count as far as one page on either side yields it.
    async fn counted(&self, read: Inbox, now: Timestamp) -> Result<Inbox, StoreError> {
        if !read.is_pending() {
            return Ok(read);
        }
        let newer = self.notifications.scanned(read.recounting(now), self.size.notifications).await?;
        if newer.recount.is_none() {
            return Ok(newer);
        }
        match read.scan(now) {
            // A recount is running and continues where it was.
            _ if read.recount.is_some() => Ok(read),
            Some(scan) if scan.subtracts() => self.notifications.scanned(scan, self.size.notifications).await,
            // Entries may have expired: a recount has started with this page.
            _ => Ok(newer),
        }
    }
}
