//! Notification work that is too large for one step, and its cursor.

use std::{fmt, str::FromStr};

use super::{CommentId, InvalidId, PostId, UserId};

/// Work done in steps, each triggered by a change of the stream, so that other changes are applied in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Hides or shows the notifications about a deleted or restored post.
    Post(PostId),
    /// Corrects the number of a user's unread notifications.
    Inbox(UserId),
}

/// A cursor through the reactions to a post: likes first, then comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReactionCursor {
    /// The beginning.
    #[default]
    Start,
    /// After the like of this user.
    Like(UserId),
    /// After all likes.
    Likes,
    /// After all likes and, in descending order, this comment.
    Comment(CommentId),
}

impl fmt::Display for ReactionCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("START"),
            Self::Like(user) => write!(f, "LIKE#{user}"),
            Self::Likes => f.write_str("LIKES"),
            Self::Comment(comment) => write!(f, "COMMENT#{comment}"),
        }
    }
}

impl FromStr for ReactionCursor {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        match text.split_once('#') {
            None if text == "START" => Ok(Self::Start),
            None if text == "LIKES" => Ok(Self::Likes),
            Some(("LIKE", user)) => Ok(Self::Like(user.parse()?)),
            Some(("COMMENT", comment)) => Ok(Self::Comment(comment.parse()?)),
            _ => Err(InvalidId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    #[test]
    fn cursors_round_trip_through_text() {
        let comment = CommentId::first_of(Timestamp::from_millis(5));
        for cursor in [
            ReactionCursor::Start,
            ReactionCursor::Like(UserId::random()),
            ReactionCursor::Likes,
            ReactionCursor::Comment(comment),
        ] {
            assert_eq!(cursor.to_string().parse(), Ok(cursor));
        }
        for text in ["", "LIKE", "LIKE#x", "COMMENT#", "START#x"] {
            assert_eq!(text.parse::<ReactionCursor>(), Err(InvalidId), "{text}");
        }
    }
}
