//! Erasing a post: likes and comments both ways, what its author was told of them, its places in story and own feed,
//! its counts, and itself, last.

use std::sync::Arc;

use super::{Budget, ENTRIES_PER_PAGE, Stopped, erase_all, refuse};
use crate::{
    dao::{Comments, Counted, Counts, Feeds, Likes, Notifications, Outbox, Posts},
    domain::{Erasable, InboxEntry, NotificationId, PostId, Timestamp, UserId},
    service::inbox::InboxWriter,
    store::Store,
};

/// Erases posts.
#[derive(Debug, Clone)]
pub(super) struct PostEraser {
    store: Arc<dyn Store>,
    posts: Posts,
    likes: Likes,
    comments: Comments,
    notifications: Notifications,
    inboxes: InboxWriter,
}

impl PostEraser {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            posts: Posts::new(store.clone()),
            likes: Likes::new(store.clone()),
            comments: Comments::new(store.clone()),
            notifications: Notifications::new(store.clone()),
            inboxes: InboxWriter::new(store.clone()),
            store,
        }
    }

    /// Erases a post that its author deleted.
    pub async fn erase_deleted(&self, post: PostId, now: Timestamp, budget: Budget) -> Result<(), Stopped> {
        let Some(stored) = self.posts.get_all_strongly(&[post]).await?.remove(&post) else { return Ok(()) };
        if stored.live().is_some() {
            refuse(Erasable::Post(post));
            return Ok(());
        }
        self.erase_reactions(post, budget).await?;
        self.erase_notifications(stored.post.author_id, post, now, budget).await?;
        self.erase_itself(stored.post.author_id, post).await
    }

    /// Erases a post of an account whose inbox is erased already.
    pub async fn erase_of_deleted(&self, author: UserId, post: PostId, budget: Budget) -> Result<(), Stopped> {
        self.erase_reactions(post, budget).await?;
        self.erase_itself(author, post).await
    }

    async fn erase_reactions(&self, post: PostId, budget: Budget) -> Result<(), Stopped> {
        let mut after = None;
        loop {
            budget.spend()?;
            let page = self.likes.page_of_likers(post, after, ENTRIES_PER_PAGE).await?;
            let likes = page.items.iter().map(|like| Likes::erasure(like.user_id, post));
            erase_all(self.store.as_ref(), likes.collect()).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.erase_comments(post, budget).await
    }

    async fn erase_comments(&self, post: PostId, budget: Budget) -> Result<(), Stopped> {
        let mut after = None;
        loop {
            budget.spend()?;
            let page = self.comments.page_of_post(post, after, ENTRIES_PER_PAGE).await?;
            let comments = page.items.iter().map(|stored| &stored.comment);
            let comments = comments.map(|comment| Comments::erasure(comment.author_id, post, comment.comment_id));
            erase_all(self.store.as_ref(), comments.collect()).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Erases what the author was told about the post. The acts are gone by now, and the post is dead: nobody is told
    /// again.
    async fn erase_notifications(
        &self,
        author: UserId,
        post: PostId,
        now: Timestamp,
        budget: Budget,
    ) -> Result<(), Stopped> {
        let is_about = |entry: &&InboxEntry| entry.notification.act.kind.post_id() == Some(post);
        let mut after = None;
        loop {
            budget.spend()?;
            let page = self.notifications.page_of_recipient(author, after, ENTRIES_PER_PAGE).await?;
            let about: Vec<NotificationId> =
                page.items.iter().filter(is_about).map(|entry| entry.notification.notification_id).collect();
            if !about.is_empty() {
                self.inboxes.erase(author, &about, now).await?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// With its counts in one transaction: counts of a post that is not there are not made anew.
    async fn erase_itself(&self, author: UserId, post: PostId) -> Result<(), Stopped> {
        let mut writes = Posts::erasure(author, post);
        writes.extend([Counts::erasure(Counted::Post(post)), Outbox::erasure(post), Feeds::removal(author, post)]);
        Ok(erase_all(self.store.as_ref(), vec![writes]).await?)
    }
}
