//! Erases a post in this order: likes and comments (both sides, each with its notification to the author), the post's
//! story and feed entries, then its counts and the post itself. Its pictures follow by erasures of their own.
//!
//! Notifications are found through the like or comment, so the cost depends on the post's reactions and not on the size
//! of the author's inbox. The notification of a like that was taken back can no longer be found; it is hidden, names an
//! erased post, and expires 90 days after it was made.

use super::step::{Budget, ENTRIES_PER_PAGE, Stopped, erase_all, refuse};
use crate::inbox::InboxWriter;
use data::{Comments, Counted, Counts, Db, Erasures, Feeds, Likes, Outbox, Posts, Writes};
use domain::{Act, ActKind, Erasable, PostId, Timestamp, UserId};

/// Reactions to a post, each with the writes that erase it.
type Reactions = Vec<(Act, Writes)>;

/// The inbox to remove the erased notifications from, and the time of the erasure.
type NotifiedInbox = Option<(UserId, Timestamp)>;

/// Erases posts.
#[derive(Debug, Clone)]
pub(super) struct PostEraser {
    db: Db,
    posts: Posts,
    likes: Likes,
    comments: Comments,
    inboxes: InboxWriter,
}

impl PostEraser {
    pub fn new(db: Db) -> Self {
        Self {
            posts: Posts::new(db.clone()),
            likes: Likes::new(db.clone()),
            comments: Comments::new(db.clone()),
            inboxes: InboxWriter::new(db.clone()),
            db,
        }
    }

    /// Erases a post that its author deleted.
    pub async fn erase_deleted(&self, post: PostId, now: Timestamp, budget: Budget) -> Result<(), Stopped> {
        let Some(stored) = self.posts.get_all_strongly(&[post]).await?.remove(&post) else { return Ok(()) };
        if stored.live().is_some() {
            refuse(Erasable::Post(post));
            return Ok(());
        }
        let author = stored.post.author_id;
        self.erase_reactions(post, Some((author, now)), budget).await?;
        let media = stored.post.media.iter().map(|media| Erasures::schedule_media(media.media_id, now)).collect();
        self.erase_itself(author, post, media).await
    }

    /// Erases a post of an account whose inbox and pictures are already erased.
    pub async fn erase_of_deleted(&self, author: UserId, post: PostId, budget: Budget) -> Result<(), Stopped> {
        self.erase_reactions(post, None, budget).await?;
        self.erase_itself(author, post, Writes::default()).await
    }

    async fn erase_reactions(&self, post: PostId, inbox: NotifiedInbox, budget: Budget) -> Result<(), Stopped> {
        let mut after = None;
        loop {
            budget.spend()?;
            let page = self.likes.page_of_likers(post, after, ENTRIES_PER_PAGE).await?;
            let likes = page.items.iter().map(|like| {
                let act = Act { actor_id: like.user_id, kind: ActKind::Like(post) };
                (act, Likes::erasure(like.user_id, post))
            });
            self.erase(likes.collect(), inbox).await?;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        self.erase_comments(post, inbox, budget).await
    }

    async fn erase_comments(&self, post: PostId, inbox: NotifiedInbox, budget: Budget) -> Result<(), Stopped> {
        let mut after = None;
        loop {
            budget.spend()?;
            let page = self.comments.page_of_post(post, after, ENTRIES_PER_PAGE).await?;
            let comments = page.items.iter().map(|stored| &stored.comment).map(|comment| {
                let kind = ActKind::Comment(post, comment.comment_id);
                let erasure = Comments::erasure(comment.author_id, post, comment.comment_id);
                (Act { actor_id: comment.author_id, kind }, erasure)
            });
            self.erase(comments.collect(), inbox).await?;
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Erases reactions together with the author's notifications of them. The post is deleted, so no new notifications
    /// are made.
    async fn erase(&self, reactions: Reactions, inbox: NotifiedInbox) -> Result<(), Stopped> {
        if reactions.is_empty() {
            return Ok(());
        }
        if let Some((author, now)) = inbox {
            self.inboxes.erase_acts(author, &reactions, now).await?;
        } else {
            let erasures = reactions.into_iter().map(|(_, erasure)| erasure);
            erase_all(&self.db, erasures.collect()).await?;
        }
        Ok(())
    }

    /// In one transaction with the counts, because counts are never created for a missing post, and with `more` writes.
    async fn erase_itself(&self, author: UserId, post: PostId, more: Writes) -> Result<(), Stopped> {
        let itself = [
            Posts::erasure(author, post),
            Counts::erasure(Counted::Post(post)),
            Outbox::erasure(post),
            Feeds::removal(author, post),
            more,
        ];
        Ok(erase_all(&self.db, vec![itself.into_iter().collect()]).await?)
    }
}
