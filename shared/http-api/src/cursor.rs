//! Cursors: opaque texts that encode a position in one kind of list.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use domain::{
    CommentId, ExportKind, ExportPlace, ExportPosition, NotificationId, NotifiedAct, PostId, SessionId, UserId,
};

/// A kind of list. A cursor of one kind does not decode for another.
pub trait Listing: Send + Sync + 'static {
    /// The first byte of its cursors, unique to the list and to the format of its position.
    const TAG: u8;
    /// The position of an item in this list.
    type Position: Position;
}

/// A position that a cursor can hold. Its encoding is unique: equal positions have equal bytes.
pub trait Position: Sized + Send {
    /// Encodes the position.
    fn to_bytes(&self) -> Vec<u8>;
    /// Decodes the output of [`Self::to_bytes`]; `None` for any other bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

macro_rules! id_position {
    ($($id:ident),*) => {$(
        impl Position for $id {
            fn to_bytes(&self) -> Vec<u8> {
                self.as_uuid().as_bytes().to_vec()
            }

            fn from_bytes(bytes: &[u8]) -> Option<Self> {
                Uuid::from_slice(bytes).ok().map(Self::from_uuid)
            }
        }
    )*};
}

id_position!(UserId, PostId, CommentId, NotificationId, SessionId);

impl Position for ExportPosition {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.kind.number()];
        match &self.last {
            None => {}
            Some(ExportPlace::Id(id)) => bytes.extend(id.as_bytes()),
            Some(ExportPlace::Act(act)) => {
                let (number, id) = match act {
                    NotifiedAct::Like(post) => (0, post.as_uuid()),
                    NotifiedAct::Comment(comment) => (1, comment.as_uuid()),
                    NotifiedAct::Follow(user) => (2, user.as_uuid()),
                };
                bytes.push(number);
                bytes.extend(id.as_bytes());
            }
            Some(ExportPlace::Key(key)) => bytes.extend(key.bytes()),
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, last) = bytes.split_first()?;
        let kind = ExportKind::from_number(*kind)?;
        if last.is_empty() {
            return Some(Self::beginning_of(kind));
        }
        let place = match kind {
            ExportKind::IdempotencyKey => ExportPlace::Key(std::str::from_utf8(last).ok()?.to_owned()),
            ExportKind::Notified => ExportPlace::Act(act_from(last)?),
            _ => ExportPlace::Id(Uuid::from_slice(last).ok()?),
        };
        kind.has_position(&place).then_some(Self { kind, last: Some(place) })
    }
}

fn act_from(bytes: &[u8]) -> Option<NotifiedAct> {
    let (number, id) = bytes.split_first()?;
    let id = Uuid::from_slice(id).ok()?;
    match number {
        0 => Some(NotifiedAct::Like(PostId::from_uuid(id))),
        1 => Some(NotifiedAct::Comment(CommentId::from_uuid(id))),
        2 => Some(NotifiedAct::Follow(UserId::from_uuid(id))),
        _ => None,
    }
}

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
    /// A user's followers.
    Followers = 1, UserId;
    /// A user's followees.
    Following = 2, UserId;
    /// An author's posts.
    Story = 3, PostId;
    /// A reader's feed.
    Feed = 4, PostId;
    /// The users who like a post.
    Likers = 5, UserId;
    /// The comments on a post.
    Comments = 6, CommentId;
    /// A user's notifications.
    Notifications = 7, NotificationId;
    // 8 was an earlier format of `Export`; a number is never reused.
    /// A user's stored data.
    Export = 10, ExportPosition;
    /// A user's sessions.
    Sessions = 9, SessionId;
}

/// Encodes a position.
pub fn encode<L: Listing>(position: &L::Position) -> String {
    let mut bytes = vec![L::TAG];
    bytes.extend(position.to_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes a cursor; `None` if it is not a cursor of this kind of list.
pub fn decode<L: Listing>(text: &str) -> Option<L::Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (tag, position) = bytes.split_first()?;
    if *tag == L::TAG { L::Position::from_bytes(position) } else { None }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_decodes_only_in_its_own_list(id: u128) {
            let user = UserId::from_uuid(Uuid::from_u128(id));
            let cursor = encode::<Followers>(&user);
            prop_assert_eq!(decode::<Followers>(&cursor), Some(user));
            prop_assert_eq!(decode::<Following>(&cursor), None);
            prop_assert_eq!(decode::<Story>(&cursor), None);
            prop_assert_eq!(decode::<Feed>(&cursor), None);
            prop_assert_eq!(decode::<Likers>(&cursor), None);
            prop_assert_eq!(decode::<Comments>(&cursor), None);
        }

        #[test]
        fn decoding_never_panics_and_encodings_are_unique(text in "\\PC*|[A-Za-z0-9_=-]{0,40}|A[A-Za-z0-9_-]{22}") {
            if let Some(position) = decode::<Feed>(&text) {
                prop_assert_eq!(encode::<Feed>(&position), text);
            }
        }

        #[test]
        fn an_export_cursor_keeps_its_kind(kind in prop::sample::select(&ExportKind::ALL), id: u128, key in "[!-~]{1,255}") {
            let id = Uuid::from_u128(id);
            // A new act does not compile until it has its place in the list.
            let next = |act: &NotifiedAct| match act {
                NotifiedAct::Like(_) => Some(NotifiedAct::Comment(CommentId::from_uuid(id))),
                NotifiedAct::Comment(_) => Some(NotifiedAct::Follow(UserId::from_uuid(id))),
                NotifiedAct::Follow(_) => None,
            };
            let acts = std::iter::successors(Some(NotifiedAct::Like(PostId::from_uuid(id))), next);
            let places = acts.map(ExportPlace::Act).chain([ExportPlace::Id(id), ExportPlace::Key(key)]);
            let places = places.filter(|place| kind.has_position(place)).map(Some).chain([None]);
            for position in places.map(|last| ExportPosition { kind, last }) {
                prop_assert_eq!(decode::<Export>(&encode::<Export>(&position)), Some(position));
            }
        }

        #[test]
        fn any_bytes_are_a_place_in_an_export_or_not(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(position) = ExportPosition::from_bytes(&bytes) {
                prop_assert_eq!(position.to_bytes(), bytes);
            }
        }
    }
}
