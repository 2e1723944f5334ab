//! Reads a feed as its reader scrolls through it, in slices of bounded memory.

use std::collections::HashMap;

use domain::{PageLimit, PostId, UserId, limits};
use service::{ServiceError, feeds::FeedService};
use uuid::Uuid;

/// How much of a feed is read at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stride {
    /// Posts per page.
    pub page: PageLimit,
    /// Posts of one slice, which are held in memory. Each slice costs a query of every story.
    pub slice: usize,
}

impl Default for Stride {
    /// The largest pages, and slices of about 1 MB.
    fn default() -> Self {
        Self { page: PageLimit::new(limits::MAX_PAGE_LIMIT).expect("the largest page is allowed"), slice: 10_000 }
    }
}

/// A part of a feed: all shown posts from `first` to `last`.
#[derive(Debug)]
pub(super) struct Slice {
    /// The posts shown, with their authors.
    pub(super) shown: HashMap<PostId, UserId>,
    /// The posts that were shown again, with their authors.
    pub(super) doubled: Vec<(PostId, UserId)>,
    /// The oldest and the newest post that the slice covers.
    pub(super) range: [PostId; 2],
}

/// A walk through a feed, from the newest post to the oldest that is checked.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    feeds: &'a FeedService,
    reader: UserId,
    stride: Stride,
    oldest: PostId,
    order: Descending,
    after: Option<PostId>,
    is_over: bool,
}

impl<'a> Walk<'a> {
    /// A walk through a reader's feed down to `oldest`.
    pub(super) fn new(feeds: &'a FeedService, reader: UserId, stride: Stride, oldest: PostId) -> Self {
        Self { feeds, reader, stride, oldest, order: Descending::default(), after: None, is_over: false }
    }

    /// The next part of the feed; `None` at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Slice>, ServiceError> {
        if self.is_over {
            return Ok(None);
        }
        let last = self.after.map_or(PostId::MAX, before);
        let (mut shown, mut doubled) = (HashMap::new(), Vec::new());
        while !self.is_over && shown.len() < self.stride.slice {
            let page = self.feeds.page(self.reader, self.after, self.stride.page).await?;
            for post in page.items.into_iter().map(|view| view.post).filter(|post| post.post_id >= self.oldest) {
                if self.order.continues_with(post.post_id) {
                    shown.insert(post.post_id, post.author_id);
                } else {
                    doubled.push((post.post_id, post.author_id));
                }
            }
            self.is_over = page.next.is_none_or(|next| next <= self.oldest);
            self.after = page.next;
        }
        let first = self.after.map_or(self.oldest, |after| after.max(self.oldest));
        Ok(Some(Slice { shown, doubled, range: [first, last] }))
    }
}

/// The order of a feed: each post is older than the one before it. One that is not was shown before, or passed over.
#[derive(Debug, Default)]
struct Descending(Option<PostId>);

impl Descending {
    fn continues_with(&mut self, post: PostId) -> bool {
        let is_older = self.0.is_none_or(|last| post < last);
        if is_older {
            self.0 = Some(post);
        }
        is_older
    }
}

/// The greatest id before this one.
fn before(post: PostId) -> PostId {
    PostId::from_uuid(Uuid::from_u128(post.as_uuid().as_u128().saturating_sub(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_post_breaks_the_order() {
        let post = |number| PostId::from_uuid(Uuid::from_u128(number));
        let mut order = Descending::default();
        let places = [9, 7, 7, 9, 3, 5, 2];
        let is_older = places.map(|number| order.continues_with(post(number)));
        assert_eq!(is_older, [true, true, false, false, true, false, true]);
    }
}
