//! Erases an account: every item that carries the user's id. The deletion itself has already removed the credentials
//! and cleared the user id from the handle's claim.
//!
//! The order matters:
//! 1. pictures, which are served without a look at the account; then sessions;
//! 2. the user's acts towards others, so that no later read of the current state finds them;
//! 3. the notifications of these acts in others' inboxes, which can no longer be created again;
//! 4. the user's inbox, then its notifications: without an inbox none are added;
//! 5. posts, feed with its rules, idempotency keys and counts;
//! 6. the profile, which marks everything else as deleted.
//!
//! Refresh tokens can be found only by their own value. Without their session they are useless, and they expire before
//! the last pass.

use std::collections::HashMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    media::MediaEraser,
    post::PostEraser,
    step::{Budget, ENTRIES_PER_PAGE, Stopped, erase_all, refuse},
};
use crate::inbox::InboxWriter;
use data::{
    Comments, Counted, Counts, Db, DeliveryModes, Feeds, Follows, IdempotencyRecords, Likes, MediaItems, Notifications,
    Posts, Readers, SessionRef, Sessions, Users, Writes,
};
use domain::{Erasable, NotificationId, Timestamp, UserId};

/// Other users' inboxes, and posts, erased concurrently.
const IN_FLIGHT: usize = 8;

/// Erases accounts.
#[derive(Debug, Clone)]
pub(super) struct UserEraser {
    db: Db,
    users: Users,
    media: MediaItems,
    media_eraser: MediaEraser,
    sessions: Sessions,
    likes: Likes,
    comments: Comments,
    follows: Follows,
    notifications: Notifications,
    inboxes: InboxWriter,
    posts: Posts,
    post_eraser: PostEraser,
    feeds: Feeds,
    readers: Readers,
    idempotency: IdempotencyRecords,
}

/// Runs a step on each page of a list, from start to end.
macro_rules! each_page {
    ($budget:expr, |$after:ident| $read:expr, |$items:ident| $erase:expr) => {{
        let mut $after = None;
        loop {
            $budget.spend()?;
            let page = $read.await?;
            let $items = page.items;
            if !$items.is_empty() {
                $erase.await?;
            }
            $after = page.next;
            if $after.is_none() {
                break;
            }
        }
    }};
}

impl UserEraser {
    pub fn new(db: Db, post_eraser: PostEraser, media_eraser: MediaEraser) -> Self {
        Self {
            users: Users::new(db.clone()),
            media: MediaItems::new(db.clone()),
            media_eraser,
            sessions: Sessions::new(db.clone()),
            likes: Likes::new(db.clone()),
            comments: Comments::new(db.clone()),
            follows: Follows::new(db.clone()),
            notifications: Notifications::new(db.clone()),
            inboxes: InboxWriter::new(db.clone()),
            posts: Posts::new(db.clone()),
            post_eraser,
            feeds: Feeds::new(db.clone()),
            readers: Readers::new(db.clone()),
            idempotency: IdempotencyRecords::new(db.clone()),
            db,
        }
    }

    pub fn with_media(self, media_eraser: MediaEraser) -> Self {
        Self { media_eraser, ..self }
    }

    /// Runs one pass over all data of a user.
    pub async fn erase(&self, user: UserId, now: Timestamp, budget: Budget) -> Result<(), Stopped> {
        if self.users.is_deleted(user).await? == Some(false) {
            refuse(Erasable::User(user));
            return Ok(());
        }
        self.erase_media(user, now, budget).await?;
        self.erase_sessions(user, budget).await?;
        self.erase_acts(user, budget).await?;
        self.erase_caused_notifications(user, now, budget).await?;
        self.erase_inbox(user, budget).await?;
        self.erase_posts(user, budget).await?;
        self.erase_own_lists(user, budget).await?;
        let last = [Counts::erasure(Counted::User(user)), DeliveryModes::erasure(user), Users::erasure(user)];
        self.erase_all(last.into()).await
    }

    async fn erase_media(&self, user: UserId, now: Timestamp, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.media.page_of_owner(user, after, ENTRIES_PER_PAGE), |ids| self
            .media_eraser
            .erase_of_deleted(user, &ids, now));
        Ok(())
    }

    async fn erase_sessions(&self, user: UserId, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.sessions.page_of_user(user, after, ENTRIES_PER_PAGE), |sessions| {
            let erasure = |session| Sessions::erasure(SessionRef { user, session });
            self.erase_all(sessions.into_iter().map(|stored| erasure(stored.session)).collect())
        });
        Ok(())
    }

    /// Likes, comments and follows on both sides, including follows by others.
    async fn erase_acts(&self, user: UserId, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.likes.page_of_user(user, after, ENTRIES_PER_PAGE), |likes| self
            .erase_all(likes.iter().map(|(post, _)| Likes::erasure(user, *post)).collect()));
        each_page!(budget, |after| self.comments.page_of_author(user, after, ENTRIES_PER_PAGE), |comments| {
            let erasures = comments.iter().map(|(comment, post)| Comments::erasure(user, *post, *comment));
            self.erase_all(erasures.collect())
        });
        each_page!(budget, |after| self.follows.page_of_following(user, after, ENTRIES_PER_PAGE), |edges| self
            .erase_all(edges.iter().map(|edge| Follows::erasure(user, edge.user_id)).collect()));
        each_page!(budget, |after| self.follows.page_of_followers(user, after, ENTRIES_PER_PAGE), |edges| self
            .erase_all(edges.iter().map(|edge| Follows::erasure(edge.user_id, user)).collect()));
        Ok(())
    }

    async fn erase_caused_notifications(&self, user: UserId, now: Timestamp, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.notifications.page_of_actor(user, after, ENTRIES_PER_PAGE), |notified| async {
            let mut of_recipient: HashMap<UserId, Vec<NotificationId>> = HashMap::new();
            for (_, place) in &notified {
                of_recipient.entry(place.recipient_id).or_default().push(place.notification_id);
            }
            stream::iter(of_recipient)
                .map(|(recipient, ids)| async move { self.inboxes.erase(recipient, &ids, now).await })
                .buffer_unordered(IN_FLIGHT)
                .try_for_each(|()| std::future::ready(Ok(())))
                .await?;
            // An expired notification leaves only its pointer.
            let pointers = notified.into_iter().map(|(act, _)| Notifications::pointer_erasure(user, act));
            self.erase_all(pointers.collect()).await
        });
        Ok(())
    }

    async fn erase_inbox(&self, user: UserId, budget: Budget) -> Result<(), Stopped> {
        self.notifications.erase_inbox(user).await?;
        each_page!(budget, |after| self.notifications.page_of_recipient(user, after, ENTRIES_PER_PAGE), |entries| {
            let erasures = entries.iter().map(|entry| Notifications::erasure(&entry.notification));
            self.erase_all(erasures.collect())
        });
        Ok(())
    }

    async fn erase_posts(&self, user: UserId, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.posts.page_of_author(user, after, ENTRIES_PER_PAGE), |posts| {
            stream::iter(posts)
                .map(|post| self.post_eraser.erase_of_deleted(user, post, budget))
                .buffer_unordered(IN_FLIGHT)
                .try_for_each(|()| std::future::ready(Ok(())))
        });
        Ok(())
    }

    /// The feed, what it hides, and the `Idempotency-Key`s.
    async fn erase_own_lists(&self, user: UserId, budget: Budget) -> Result<(), Stopped> {
        each_page!(budget, |after| self.feeds.page_of_reader(user, after, ENTRIES_PER_PAGE), |posts| self
            .feeds
            .remove_of_reader(user, &posts));
        each_page!(budget, |after| self.readers.page_of_rules(user, after, ENTRIES_PER_PAGE), |rules| self
            .erase_all(rules.iter().map(|(author, _)| Readers::rule_erasure(user, *author)).collect()));
        self.erase_all(vec![Readers::activity_erasure(user)]).await?;
        each_page!(budget, |after| self.idempotency.page_of_user(user, after, ENTRIES_PER_PAGE), |used| {
            let erasures = used.iter().map(|used| IdempotencyRecords::erasure(user, &used.key));
            self.erase_all(erasures.collect())
        });
        Ok(())
    }

    async fn erase_all(&self, things: Vec<Writes>) -> Result<(), Stopped> {
        Ok(erase_all(&self.db, things).await?)
    }
}
