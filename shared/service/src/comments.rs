//! Comments on posts.

use std::{collections::HashSet, sync::Arc};

use super::{
    ServiceError,
    pages::{self, Candidate},
    posts::PostService,
    rates::{Limit, RateLimiter},
};
use data::{Comments, Db, StoredComment, Users};
use domain::{
    Comment, CommentId, CommentText, CommentView, IdGenerator, Page, PageLimit, Post, PostId, Timestamp, UserId,
};
use ports::store::StoreError;

/// Creates, lists and deletes comments.
#[derive(Debug, Clone)]
pub struct CommentService {
    posts: PostService,
    comments: Comments,
    users: Users,
    ids: Arc<IdGenerator>,
    rates: RateLimiter,
}

impl CommentService {
    /// Comments in `store`, limited by `rates`; `ids` makes their ids.
    pub fn new(db: impl Into<Db>, ids: Arc<IdGenerator>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            posts: PostService::new(db.clone(), rates.clone()),
            comments: Comments::new(db.clone()),
            users: Users::new(db),
            ids,
            rates,
        }
    }

    /// Creates a comment on a post; not idempotent. [`ServiceError::NotFound`] for a post that is not shown,
    /// [`ServiceError::Unauthenticated`] for an author without an account.
    ///
    /// As with likes, the post is read but not locked: a comment written while its post is being deleted is never
    /// shown, and is erased with the post.
    pub async fn create(
        &self,
        author: UserId,
        post: impl Into<Option<PostId>>,
        text: CommentText,
        now: Timestamp,
    ) -> Result<CommentView, ServiceError> {
        let profile = async { self.users.get_own(author).await?.ok_or(ServiceError::Unauthenticated) };
        let reads = async { futures::try_join!(profile, self.posts.live(post)) };
        let (profile, post) = self.rates.admit_beside(Limit::Comments, author, now, reads).await?;
        let comment_id = self.ids.next_comment_id(now);
        let comment = Comment { comment_id, post_id: post.post_id, author_id: author, text };
        self.comments.create(&comment).await?;
        Ok(CommentView { comment, author: profile.user })
    }

    /// The comments on a post as `reader` sees them, newest first, without deleted comments and those of deleted
    /// accounts.
    pub async fn of_post(
        &self,
        reader: UserId,
        post: PostId,
        after: Option<CommentId>,
        limit: PageLimit,
    ) -> Result<Page<CommentView, CommentId>, ServiceError> {
        let comments = pages::fill(after, limit, |after, count| async move {
            self.with_authors(reader, self.comments.page_of_post(post, after, count).await?).await
        });
        let (_live, comments) = futures::try_join!(self.posts.live(post), comments)?;
        Ok(comments)
    }

    async fn with_authors(
        &self,
        reader: UserId,
        page: Page<StoredComment, CommentId>,
    ) -> Result<Page<Candidate<CommentView, CommentId>, CommentId>, ServiceError> {
        let live = page.items.iter().filter(|stored| stored.deleted_at.is_none());
        let authors: HashSet<UserId> = live.map(|stored| stored.comment.author_id).collect();
        let authors: Vec<UserId> = authors.into_iter().collect();
        let profiles = self.users.get_all_for(reader, &authors).await?;
        Ok(page.map(|stored| Candidate {
            position: stored.comment.comment_id,
            shown: stored.live().and_then(|comment| {
                let author = profiles.get(&comment.author_id)?.user.clone();
                Some(CommentView { comment, author })
            }),
        }))
    }

    /// Deletes a comment, for its author or the post's author; forbidden for others. Idempotent for
    /// [`domain::limits::DELETED_TTL`], then not found, as is a comment not shown to the caller or of another post.
    pub async fn delete(
        &self,
        caller: UserId,
        post: impl Into<Option<PostId>>,
        comment: impl Into<Option<CommentId>>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let stored = self.stored(post.into(), comment.into(), now);
        let stored = self.rates.admit_beside(Limit::CommentDeletions, caller, now, stored).await?;
        if stored.comment.author_id == caller && stored.deleted_at.is_some() {
            // Succeeds even if the post is deleted by now.
            return Ok(());
        }
        let post = self.posts.live(stored.comment.post_id).await?;
        self.may_delete(caller, &post, &stored).await?;
        match stored.live() {
            Some(comment) => self.mark_deleted(&comment, now).await,
            None => Ok(()),
        }
    }

    async fn stored(
        &self,
        post: Option<PostId>,
        comment: Option<CommentId>,
        now: Timestamp,
    ) -> Result<StoredComment, ServiceError> {
        let (post, comment) = post.zip(comment).ok_or(ServiceError::NotFound)?;
        self.comments.get(post, comment, now).await?.ok_or(ServiceError::NotFound)
    }

    async fn may_delete(&self, caller: UserId, post: &Post, stored: &StoredComment) -> Result<(), ServiceError> {
        let author = stored.comment.author_id;
        let is_theirs = [author, post.author_id].contains(&caller);
        if stored.deleted_at.is_some() {
            return if is_theirs { Ok(()) } else { Err(ServiceError::NotFound) };
        }
        self.users.get_for(caller, author).await?.ok_or(ServiceError::NotFound)?;
        if is_theirs { Ok(()) } else { Err(ServiceError::Forbidden) }
    }

    async fn mark_deleted(&self, comment: &Comment, now: Timestamp) -> Result<(), ServiceError> {
        if self.comments.delete(comment, now).await?.is_applied() {
            return Ok(());
        }
        match self.comments.get(comment.post_id, comment.comment_id, now).await? {
            None => Err(ServiceError::NotFound),
            // A concurrent call deleted it, or an earlier try whose answer was lost.
            Some(StoredComment { deleted_at: Some(_), .. }) => Ok(()),
            // One side without the other: an erasure is under way; a retry finds it done.
            Some(_) => Err(StoreError::Conflict.into()),
        }
    }
}
