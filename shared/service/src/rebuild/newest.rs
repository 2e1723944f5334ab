//! The newest posts below a position, of any number of stories.

use std::collections::BTreeSet;

use domain::PostId;

/// The newest of the posts added so far, up to a limit.
#[derive(Debug, Clone)]
pub(super) struct Newest {
    before: PostId,
    limit: usize,
    posts: BTreeSet<PostId>,
}

impl Newest {
    /// At most `limit` posts, which must be more than none, below `before`.
    pub const fn below(before: PostId, limit: usize) -> Self {
        Self { before, limit, posts: BTreeSet::new() }
    }

    /// The maximum number of posts.
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Adds posts, in any order and repeatedly, and drops those that are too old.
    pub fn extend(&mut self, posts: impl IntoIterator<Item = PostId>) {
        self.posts.extend(posts.into_iter().filter(|post| *post < self.before));
        while self.posts.len() > self.limit {
            self.posts.pop_first();
        }
    }

    /// The position below which a post is not among the newest: the oldest one once the limit is reached.
    pub fn floor(&self) -> PostId {
        let is_full = self.posts.len() >= self.limit;
        self.posts.first().copied().filter(|_| is_full).unwrap_or(PostId::MIN)
    }

    /// The posts, newest first.
    pub fn posts(&self) -> Vec<PostId> {
        self.posts.iter().rev().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn only_the_newest_posts_below_remain(
            groups in prop::collection::vec(prop::collection::vec(0_u128..200, 0..20), 0..10),
            before in 1_u128..250,
            limit in 1_usize..30,
        ) {
            let post = |number| PostId::from_uuid(Uuid::from_u128(number));
            let mut newest = Newest::below(post(before), limit);
            for group in &groups {
                newest.extend(group.iter().copied().map(post));
            }
            let all: BTreeSet<u128> = groups.into_iter().flatten().filter(|number| *number < before).collect();
            let expected: Vec<PostId> = all.iter().rev().take(limit).copied().map(post).collect();
            let floor = if expected.len() == limit { expected[limit - 1] } else { PostId::MIN };
            prop_assert_eq!(newest.floor(), floor);
            prop_assert_eq!(newest.posts(), expected);
        }
    }
}
