//! Ids of users, posts, comments, notifications, pictures and sessions.

use std::{fmt, str::FromStr, time::Duration};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{random, time::Timestamp};

/// The text is not an id of the requested kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a valid id")]
pub struct InvalidId;

/// A user's id: a random UUID (version 4), so that users spread evenly over partitions and over ranges of a follower
/// list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Uuid);

impl UserId {
    /// A new random id.
    pub fn random() -> Self {
        Self(random::uuid())
    }

    /// Wraps any UUID.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }
}

macro_rules! id_text {
    ($id:ident) => {
        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl FromStr for $id {
            type Err = InvalidId;

            /// Parses the hyphenated form, in either case.
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if text.len() != uuid::fmt::Hyphenated::LENGTH {
                    return Err(InvalidId);
                }
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId)
            }
        }

        impl From<Uuid> for $id {
            fn from(id: Uuid) -> Self {
                Self::from_uuid(id)
            }
        }

        impl From<$id> for Uuid {
            fn from(id: $id) -> Self {
                *id.as_uuid()
            }
        }
    };
}

macro_rules! timed_id {
    ($($(#[$doc:meta])* $id:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A UUIDv7 (RFC 9562, section 5.7): its first 48 bits are the creation time in milliseconds. Ids are therefore
        /// ordered by time, and one id serves as sort key and cursor.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $id(Uuid);

        impl $id {
            /// Wraps any UUID.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The id as a UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }

            /// The position below every id.
            pub const MIN: Self = Self(Uuid::nil());
            /// The position above every id.
            pub const MAX: Self = Self(Uuid::max());

            /// The least id of this millisecond.
            pub fn first_of(millisecond: Timestamp) -> Self {
                Self(v7_from(u128::from(millisecond.as_millis()) << V7_RANDOM_BITS))
            }

            /// The time of creation, taken from the id.
            pub fn created_at(&self) -> Timestamp {
                created_at(&self.0)
            }
        }

        id_text!($id);
    )*};
}

id_text!(UserId);

timed_id! {
    /// A post's id.
    PostId;
    /// A comment's id.
    CommentId;
    /// A notification's id.
    NotificationId;
    /// A picture's id.
    MediaId;
}

/// A session's id, which identifies the family of its refresh tokens. A UUIDv7, so that sessions are ordered by their
/// start; sessions from before that have a random UUID (version 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

impl SessionId {
    /// An id for a session that begins at `now`. Ids of the same millisecond are in random order.
    pub fn beginning_at(now: Timestamp) -> Self {
        Self(v7_from((u128::from(now.as_millis()) << V7_RANDOM_BITS) | random_tail()))
    }

    /// Wraps any UUID.
    pub const fn from_uuid(id: Uuid) -> Self {
        Self(id)
    }

    /// The id as a UUID.
    pub const fn as_uuid(&self) -> &Uuid {
        &self.0
    }

    /// The start of the session, in milliseconds; `None` for a random id.
    pub fn created_at(&self) -> Option<Timestamp> {
        (self.0.get_version_num() == 7).then(|| created_at(&self.0))
    }
}

id_text!(SessionId);

fn created_at(id: &Uuid) -> Timestamp {
    let mut millis = [0_u8; 8];
    millis[2..].copy_from_slice(&id.as_bytes()[..6]);
    Timestamp::from_millis(u64::from_be_bytes(millis))
}

/// Generates ids of posts, comments, notifications and pictures that strictly increase within this process, even within one
/// millisecond and when the clock steps back.
///
/// The 74 bits after the timestamp are seeded randomly in each millisecond and incremented within it (RFC 9562, section
/// 6.2, method 2), so ids do not collide with those of other processes.
///
/// A generator made by [`Self::above`] never issues ids beyond the reserved millisecond. While the clock is beyond it,
/// ids keep the reserved millisecond until more is reserved: they still increase, and no caller waits.
#[derive(Debug, Default)]
pub struct IdGenerator {
    state: Mutex<Generated>,
}

#[derive(Debug, Default)]
struct Generated {
    /// The last id: its milliseconds, followed by [`V7_RANDOM_BITS`].
    last: u128,
    /// The last millisecond that may be issued; `None` if unlimited.
    reserved: Option<Timestamp>,
}

impl Generated {
    fn last_millisecond(&self) -> Timestamp {
        Timestamp::from_millis(u64::try_from(self.last >> V7_RANDOM_BITS).unwrap_or(u64::MAX))
    }
}

/// The bits of a UUIDv7 that are neither timestamp nor version nor variant.
const V7_RANDOM_BITS: u32 = 74;

impl IdGenerator {
    /// A generator that has issued no id yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A generator whose ids are greater than all ids up to and including the millisecond `mark`. Needs a first
    /// reservation by [`Self::allow_up_to`].
    pub fn above(mark: Timestamp) -> Self {
        let last = ((u128::from(mark.as_millis()) + 1) << V7_RANDOM_BITS) - 1;
        Self { state: Mutex::new(Generated { last, reserved: Some(mark) }) }
    }

    /// The millisecond up to which to reserve ids so that they last for `ahead` from `now`, even if the last id is
    /// ahead of the clock. Never decreases. The caller persists it, then calls [`Self::allow_up_to`].
    pub fn to_reserve(&self, now: Timestamp, ahead: Duration) -> Timestamp {
        let state = self.state.lock();
        let wanted = now.max(state.last_millisecond()).plus(ahead);
        state.reserved.map_or(wanted, |reserved| reserved.max(wanted))
    }

    /// Permits ids up to and including this millisecond.
    pub fn allow_up_to(&self, reserved: Timestamp) {
        self.state.lock().reserved = Some(reserved);
    }

    /// Stops reserving, and returns the last millisecond of an issued id.
    pub fn stop_at_last(&self) -> Timestamp {
        let mut state = self.state.lock();
        let last = state.last_millisecond();
        state.reserved = Some(last);
        last
    }

    /// The next post id: greater than all ids before it, with the timestamp `now` unless the clock stepped back.
    pub fn next_post_id(&self, now: Timestamp) -> PostId {
        PostId(self.next(now))
    }

    /// The next comment id, as [`Self::next_post_id`].
    pub fn next_comment_id(&self, now: Timestamp) -> CommentId {
        CommentId(self.next(now))
    }

    /// The next notification id, as [`Self::next_post_id`].
    pub fn next_notification_id(&self, now: Timestamp) -> NotificationId {
        NotificationId(self.next(now))
    }

    /// The next picture id, as [`Self::next_post_id`].
    pub fn next_media_id(&self, now: Timestamp) -> MediaId {
        MediaId(self.next(now))
    }

    fn next(&self, now: Timestamp) -> Uuid {
        let mut state = self.state.lock();
        let millisecond = state.reserved.map_or(now, |reserved| reserved.min(now));
        let fresh = (u128::from(millisecond.as_millis()) << V7_RANDOM_BITS) | random_tail();
        state.last = fresh.max(state.last + 1);
        v7_from(state.last)
    }
}

/// 74 random bits, the highest 8 of them zero: room to increment within one millisecond.
fn random_tail() -> u128 {
    u128::from_ne_bytes(random::bytes()) & ((1 << (V7_RANDOM_BITS - 8)) - 1)
}

/// Lays out a 48-bit timestamp and 74 bits as a UUIDv7.
fn v7_from(value: u128) -> Uuid {
    let millis = value >> V7_RANDOM_BITS;
    let rand_a = (value >> 62) & 0xfff;
    let rand_b = value & ((1 << 62) - 1);
    Uuid::from_u128((millis << 80) | (0x7 << 76) | (rand_a << 64) | (0b10 << 62) | rand_b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_ids_grow_although_the_clock_steps_back() {
        let ids = IdGenerator::new();
        let mut previous = ids.next_post_id(Timestamp::from_millis(1_000));
        for step in 0..10_000_u64 {
            let next = ids.next_post_id(Timestamp::from_millis(1_000 - step % 2));
            assert!(next > previous);
            previous = next;
        }
        assert_eq!(previous.created_at(), Timestamp::from_millis(1_000));
    }

    #[test]
    fn post_ids_are_uuidv7_with_their_millisecond() {
        let now = Timestamp::from_millis(1_763_700_000_123);
        let id = IdGenerator::new().next_post_id(now);
        assert_eq!(id.as_uuid().get_version_num(), 7);
        assert_eq!(id.as_uuid().get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.created_at(), now);
        assert!(PostId::first_of(now) <= id);
        assert!(id < PostId::first_of(Timestamp::from_millis(now.as_millis() + 1)));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn a_session_id_contains_its_start_unless_random() {
        let now = Timestamp::from_millis(1_763_700_000_123);
        assert_eq!(SessionId::beginning_at(now).created_at(), Some(now));
        assert_eq!(SessionId::from_uuid(random::uuid()).created_at(), None);
    }

    #[test]
    fn ids_continue_above_a_mark_despite_clock_lag() {
        let mark = Timestamp::from_millis(1_763_700_000_000);
        let before = IdGenerator::new().next_post_id(mark);
        let ids = IdGenerator::above(mark);
        let behind = mark.minus(Duration::from_hours(1));
        let reserved = ids.to_reserve(behind, Duration::from_secs(3));
        assert_eq!(reserved, mark.plus(Duration::from_secs(3)));
        ids.allow_up_to(reserved);
        let first = ids.next_post_id(behind);
        assert!(first > before);
        assert_eq!(first.created_at(), mark.plus(Duration::from_millis(1)));
        assert!(ids.next_post_id(behind) > first);
    }

    #[test]
    fn no_id_exceeds_the_reservation() {
        let mark = Timestamp::from_millis(1_763_700_000_000);
        let ids = IdGenerator::above(mark);
        ids.allow_up_to(mark.plus(Duration::from_secs(3)));
        let far = mark.plus(Duration::from_hours(1));
        let mut previous = ids.next_post_id(mark);
        for _ in 0..1_000 {
            let next = ids.next_post_id(far);
            assert!(next > previous);
            assert!(next.created_at() <= mark.plus(Duration::from_secs(3)));
            previous = next;
        }
        assert_eq!(ids.stop_at_last(), previous.created_at());
    }

    #[test]
    fn malformed_ids_are_rejected() {
        for text in ["", "me", "{018f6a6e-0000-7000-8000-000000000000}", "018f6a6e000070008000000000000000"] {
            assert_eq!(text.parse::<PostId>(), Err(InvalidId), "{text}");
        }
    }
}
