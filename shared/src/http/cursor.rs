//! Cursors: opaque text that names a position in one kind of list.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::domain::{CommentId, NotificationId, PostId, UserId};

/// A kind of list. A cursor of one kind does not decode for another.
pub trait Listing: Send + Sync + 'static {
    /// What its cursors begin with; another number for each kind and for each new form of position.
    const TAG: u8;
    /// The position of an item.
    type Position: Position;
}

/// A position that a cursor can hold: an id.
pub trait Position: Copy + Send {
    /// The id.
    fn into_uuid(self) -> Uuid;
    /// The position of an id.
    fn from_uuid(id: Uuid) -> Self;
}

macro_rules! id_position {
    ($($id:ident),*) => {$(
        impl Position for $id {
            fn into_uuid(self) -> Uuid {
                *self.as_uuid()
            }

            fn from_uuid(id: Uuid) -> Self {
                Self::from_uuid(id)
            }
        }
    )*};
}

id_position!(UserId, PostId, CommentId, NotificationId);

macro_rules! listings {
    ($($(#[$doc:meta])* $listing:ident = $tag:literal, $position:ty;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $listing;

        impl Listing for $listing {
            const TAG: u8 = $tag;
            type Position = $position;
        }
    )*};
}

listings! {
    /// Who follows a user.
    Followers = 1, UserId;
    /// Whom a user follows.
    Following = 2, UserId;
    /// An author's posts.
    Story = 3, PostId;
    /// A reader's feed.
    Feed = 4, PostId;
    /// Who likes a post.
    Likers = 5, UserId;
    /// The comments on a post.
    Comments = 6, CommentId;
    /// A user's notifications.
    Notifications = 7, NotificationId;
}

/// Tag and id.
const CURSOR_BYTES: usize = 17;

/// The text of a position.
pub fn encode<L: Listing>(position: L::Position) -> String {
    let mut bytes = [L::TAG; CURSOR_BYTES];
    bytes[1..].copy_from_slice(position.into_uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position of a text, if it is a cursor of this kind of list.
pub fn decode<L: Listing>(text: &str) -> Option<L::Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (tag, id) = bytes.split_first()?;
    if *tag != L::TAG {
        return None;
    }
    Uuid::from_slice(id).ok().map(L::Position::from_uuid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_in_its_own_kind_of_list_alone(id: u128) {
            let user = UserId::from_uuid(Uuid::from_u128(id));
            let cursor = encode::<Followers>(user);
            prop_assert_eq!(decode::<Followers>(&cursor), Some(user));
            prop_assert_eq!(decode::<Following>(&cursor), None);
            prop_assert_eq!(decode::<Story>(&cursor), None);
            prop_assert_eq!(decode::<Feed>(&cursor), None);
            prop_assert_eq!(decode::<Likers>(&cursor), None);
            prop_assert_eq!(decode::<Comments>(&cursor), None);
        }

        #[test]
        fn any_text_decodes_or_not_and_each_position_has_one_text(text in "\\PC*|[A-Za-z0-9_=-]{0,40}|A[A-Za-z0-9_-]{22}") {
            if let Some(position) = decode::<Feed>(&text) {
                prop_assert_eq!(encode::<Feed>(position), text);
            }
        }
    }
}
