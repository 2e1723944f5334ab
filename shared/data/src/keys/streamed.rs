//! The identity of a streamed item, parsed from its key.

use super::COMMENT_PREFIX;
use domain::{CommentId, InvalidId, PostId, Task, UserId};
use ports::store::Key;

/// An item whose changes are streamed: see [`ports::changes::STREAMED_PREFIXES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streamed {
    /// A follow, on the followee's side.
    Follower {
        /// The followee.
        followee: UserId,
        /// The follower.
        follower: UserId,
    },
    /// A post.
    Post(PostId),
    /// A comment on a post.
    Comment(PostId, CommentId),
    /// A like, on the post's side.
    Liker(PostId, UserId),
    /// A scheduled erasure.
    Erasure,
    /// A task with a step due.
    Task(Task),
}

impl Streamed {
    /// Parses a key.
    ///
    /// # Errors
    /// When the key is not that of a streamed item.
    pub fn parse(key: &Key) -> Result<Self, InvalidId> {
        let (kind, owner) = key.partition.split_once('#').ok_or(InvalidId)?;
        match kind {
            "FOLLOWERS" => Ok(Self::Follower { followee: owner.parse()?, follower: key.sort.parse()? }),
            "LIKERS" => {
                let (post, _shard) = owner.split_once('#').ok_or(InvalidId)?;
                Ok(Self::Liker(post.parse()?, key.sort.parse()?))
            }
            "POST" if key.sort == "POST" => Ok(Self::Post(owner.parse()?)),
            "POST" => {
                let comment = key.sort.strip_prefix(COMMENT_PREFIX).ok_or(InvalidId)?;
                Ok(Self::Comment(owner.parse()?, comment.parse()?))
            }
            "ERASURES" => Ok(Self::Erasure),
            "TASKS" if key.sort == "POST" => Ok(Self::Task(Task::Post(owner.parse()?))),
            "TASKS" if key.sort == "INBOX" => Ok(Self::Task(Task::Inbox(owner.parse()?))),
            _ => Err(InvalidId),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::keys;
    use domain::Timestamp;
    use ports::{changes::is_streamed, store::Table};

    proptest! {
        #[test]
        fn streamed_keys_parse_back(a: u128, b: u128) {
            let (user, other) = (UserId::from_uuid(Uuid::from_u128(a)), UserId::from_uuid(Uuid::from_u128(b)));
            let (post, comment) = (PostId::from_uuid(Uuid::from_u128(a)), CommentId::from_uuid(Uuid::from_u128(b)));
            for (key, streamed) in [
                (keys::follower_edge(user, other), Streamed::Follower { followee: user, follower: other }),
                (keys::post(post), Streamed::Post(post)),
                (keys::comment(post, comment), Streamed::Comment(post, comment)),
                (keys::liker(post, other), Streamed::Liker(post, other)),
                (keys::user_erasure(user, Timestamp::from_millis(5)), Streamed::Erasure),
                (keys::post_erasure(post, Timestamp::from_millis(5)), Streamed::Erasure),
                (keys::task(Task::Post(post)), Streamed::Task(Task::Post(post))),
                (keys::task(Task::Inbox(user)), Streamed::Task(Task::Inbox(user))),
            ] {
                prop_assert!(is_streamed(Table::Social, &key.partition));
                prop_assert_eq!(Streamed::parse(&key), Ok(streamed));
            }
        }
    }

    #[test]
    fn another_key_is_none() {
        for (partition, sort) in [("POST", "POST"), ("POST#x", "POST"), ("USER#x", "PROFILE"), ("LIKERS#x", "x")] {
            let key = Key { partition: partition.to_owned(), sort: sort.to_owned() };
            assert_eq!(Streamed::parse(&key), Err(InvalidId), "{key:?}");
        }
        let mut of_no_kind = keys::post(PostId::first_of(Timestamp::from_millis(1)));
        "LIKE".clone_into(&mut of_no_kind.sort);
        assert_eq!(Streamed::parse(&of_no_kind), Err(InvalidId));
    }
}
