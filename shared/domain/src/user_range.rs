//! Ranges of user ids, by which a list of followers is read in parallel.

use std::{fmt, str::FromStr};

use uuid::Uuid;

use super::ids::{InvalidId, UserId};

/// The user ids from a first to a last one, inclusive: never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRange {
    first: UserId,
    last: UserId,
}

impl UserRange {
    /// All user ids.
    pub const ALL: Self = Self { first: UserId::from_uuid(Uuid::nil()), last: UserId::from_uuid(Uuid::max()) };

    /// The least id of the range.
    pub const fn first(self) -> UserId {
        self.first
    }

    /// The greatest id of the range.
    pub const fn last(self) -> UserId {
        self.last
    }

    /// The part of the range with ids greater than `user`; `None` if it is empty.
    pub fn after(self, user: UserId) -> Option<Self> {
        let next = number(user).checked_add(1)?;
        Self::between(next.max(number(self.first)), number(self.last))
    }

    /// The range as `parts` disjoint ranges of nearly the same size; fewer if it has fewer ids, and one for 0 parts.
    /// User ids are random, so each part contains nearly the same number of users.
    pub fn split(self, parts: u32) -> Vec<Self> {
        if parts <= 1 {
            return vec![self];
        }
        let (first, last) = (number(self.first), number(self.last));
        let size = (last - first) / u128::from(parts) + 1;
        let starts = (0..u128::from(parts)).map_while(|part| first.checked_add(size.checked_mul(part)?));
        starts.map_while(|start| Self::between(start, start.saturating_add(size - 1).min(last))).collect()
    }

    fn between(first: u128, last: u128) -> Option<Self> {
        (first <= last).then(|| Self { first: user(first), last: user(last) })
    }
}

fn number(user: UserId) -> u128 {
    user.as_uuid().as_u128()
}

const fn user(number: u128) -> UserId {
    UserId::from_uuid(Uuid::from_u128(number))
}

/// Between the ends of a range in its text form.
const DOTS: &str = "..";

impl fmt::Display for UserRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{DOTS}{}", self.first, self.last)
    }
}

impl FromStr for UserRange {
    type Err = InvalidId;

    /// Parses the form that [`fmt::Display`] writes.
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (first, last) = text.split_once(DOTS).ok_or(InvalidId)?;
        let (first, last): (UserId, UserId) = (first.parse()?, last.parse()?);
        if first <= last { Ok(Self { first, last }) } else { Err(InvalidId) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    impl UserRange {
        fn contains(self, user: UserId) -> bool {
            (self.first..=self.last).contains(&user)
        }
    }

    /// Any ids, and often the least, the greatest and neighbouring ones.
    fn ids() -> impl Strategy<Value = UserId> {
        prop_oneof![0..20_u128, (0..20_u128).prop_map(|back| u128::MAX - back), any::<u128>()].prop_map(user)
    }

    fn ranges() -> impl Strategy<Value = UserRange> {
        (ids(), ids()).prop_map(|(one, other)| UserRange { first: one.min(other), last: one.max(other) })
    }

    fn holders(ranges: &[UserRange], user: UserId) -> usize {
        ranges.iter().filter(|range| range.contains(user)).count()
    }

    proptest! {
        #[test]
        fn each_id_is_in_one_part(range in ranges(), parts in 0..9_u32, user in ids()) {
            let split = range.split(parts);
            prop_assert!((1..=parts.max(1) as usize).contains(&split.len()));
            prop_assert_eq!(split.iter().map(|part| part.first).min(), Some(range.first));
            prop_assert_eq!(split.iter().map(|part| part.last).max(), Some(range.last));
            for edge in split.iter().flat_map(|part| [part.first, part.last]).chain([user]) {
                prop_assert_eq!(holders(&split, edge), usize::from(range.contains(edge)));
            }
        }

        #[test]
        fn a_continued_range_leaves_out_earlier_ids(range in ranges(), cursor in ids(), user in ids()) {
            let rest = range.after(cursor);
            prop_assert_eq!(holders(rest.as_slice(), user) == 1, range.contains(user) && user > cursor);
        }

        #[test]
        fn interrupted_reading_meets_each_id_once(
            users in proptest::collection::btree_set(ids(), 0..60),
            page in 1..7_usize,
            parts in 1..6_u32,
        ) {
            let (mut unread, mut left) = (users.clone(), UserRange::ALL.split(parts));
            while !left.is_empty() {
                let mut rest = Vec::new();
                // Each step reads one page of each range, and stores and parses what is left of it.
                for range in left {
                    let read: Vec<_> = users.iter().copied().filter(|user| range.contains(*user)).take(page).collect();
                    for user in &read {
                        prop_assert!(unread.remove(user), "{user} is read again");
                    }
                    let after = read.last().filter(|_| read.len() == page).and_then(|last| range.after(*last));
                    rest.extend(after.map(|after| after.to_string().parse::<UserRange>().unwrap()));
                }
                left = rest;
            }
            prop_assert_eq!(unread.len(), 0);
        }

        #[test]
        fn a_range_reads_back_from_its_text(range in ranges()) {
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }

    #[test]
    fn a_malformed_range_is_rejected() {
        let (low, high) = (user(1), user(2));
        for text in [String::new(), low.to_string(), format!("{high}..{low}"), format!("{low}..{high}..{high}")] {
            assert_eq!(text.parse::<UserRange>(), Err(InvalidId), "{text}");
        }
    }
}
