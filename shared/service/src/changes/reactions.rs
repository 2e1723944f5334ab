//! The reactions to a post, found by the post: the acts that its author may have been notified of.

use data::{Comments, Db, Like, Likes, StoredComment};
use domain::{Act, ActKind, PostId, ReactionCursor, UserId};
use ports::store::StoreError;

/// Reads reactions.
#[derive(Debug, Clone)]
pub struct Reactions {
    likes: Likes,
    comments: Comments,
}

/// A page of reactions to a post.
#[derive(Debug)]
pub struct ReactionPage {
    /// The acts that are in effect.
    pub acts: Vec<Act>,
    /// Number of reactions read, deleted comments included.
    pub read: usize,
    /// Where to continue; `None` at the end.
    pub next: Option<ReactionCursor>,
}

impl Reactions {
    /// Reactions in `store`.
    pub fn new(db: Db) -> Self {
        Self { likes: Likes::new(db.clone()), comments: Comments::new(db) }
    }

    /// At most `limit` reactions in effect, likes first. Read consistently. Omits undone acts: their notifications stay
    /// hidden whatever happens to the post, and redoing an act is a change of its own.
    pub async fn page(&self, post: PostId, from: ReactionCursor, limit: usize) -> Result<ReactionPage, StoreError> {
        let mut page = match from {
            ReactionCursor::Start => self.likes(post, None, limit).await?,
            ReactionCursor::Like(user) => self.likes(post, Some(user), limit).await?,
            from => ReactionPage { acts: Vec::new(), read: 0, next: Some(from) },
        };
        let left = limit.saturating_sub(page.read);
        let after = match page.next {
            Some(ReactionCursor::Likes) => None,
            Some(ReactionCursor::Comment(comment)) => Some(comment),
            _ => return Ok(page),
        };
        if left > 0 {
            let comments = self.comments.page_of_post(post, after, as_limit(left)).await?;
            page.read += comments.items.len();
            let live = comments.items.into_iter().filter_map(StoredComment::live);
            page.acts.extend(
                live.map(|comment| Act {
                    actor_id: comment.author_id,
                    kind: ActKind::Comment(post, comment.comment_id),
                }),
            );
            page.next = comments.next.map(ReactionCursor::Comment);
        }
        Ok(page)
    }

    async fn likes(&self, post: PostId, after: Option<UserId>, limit: usize) -> Result<ReactionPage, StoreError> {
        let page = self.likes.page_of_likers(post, after, as_limit(limit)).await?;
        let act = |like: &Like| Act { actor_id: like.user_id, kind: ActKind::Like(post) };
        Ok(ReactionPage {
            acts: page.items.iter().map(act).collect(),
            read: page.items.len(),
            next: Some(page.next.map_or(ReactionCursor::Likes, ReactionCursor::Like)),
        })
    }
}

fn as_limit(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
