//! The readers' activity, as this process remembers it.

use std::{
    fmt,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::{Timestamp, UserId, limits};

const A_DAY: Duration = Duration::from_hours(24);

/// A UTC day, counted from the epoch; 16 bits last until 2149.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Day(u16);

impl Day {
    pub(super) fn of(at: Timestamp) -> Self {
        let day = at.as_secs() / A_DAY.as_secs();
        // 0 stands for no day.
        Self(u16::try_from(day).unwrap_or(u16::MAX).max(1))
    }

    /// Whether this is the day `today`, the one before, or a later one.
    pub(super) const fn is_recent(self, today: Self) -> bool {
        self.0.saturating_add(1) >= today.0
    }

    const fn is_old(self, today: Self) -> bool {
        today.0.saturating_sub(self.0) as u64 >= limits::DORMANT_AFTER.as_secs() / A_DAY.as_secs()
    }
}

/// The remembered activity of a follower. It decides only in favour of a delivery: never that a follower is dormant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Active today or yesterday.
    Active,
    /// Not active when last asked, today.
    Other,
    /// Not remembered, or not asked today.
    Nothing,
    /// Not active for so long that only a strong read can tell.
    Old,
}

/// A lossy direct-mapped cache of readers' last active days. Clones share it.
///
/// A reader has one slot of 8 bytes, shared with all readers of the same index: a fingerprint of the reader (32 bits),
/// the day of their last activity, 0 if none is stored, and the day on which it was read (16 bits each). A reader
/// mistaken for another one with the same index and fingerprint counts as more active at best; [`Known::Old`] is
/// verified by key.
#[derive(Clone, Default)]
pub struct ActivityCache(Arc<OnceLock<Box<[AtomicU64]>>>);

#[derive(Debug, Clone, Copy)]
struct Slot {
    fingerprint: u32,
    active: u16,
    asked: u16,
}

impl ActivityCache {
    /// Remembers that a reader read their feed at `now`.
    pub fn has_read(&self, reader: UserId, now: Timestamp) {
        self.remember(reader, Some(Day::of(now)), Day::of(now));
    }

    /// Remembers a reader's last active day, as read on the day `asked`. A later day is never replaced by an earlier
    /// one, which comes from a read that began before.
    pub(super) fn remember(&self, reader: UserId, active: Option<Day>, asked: Day) {
        let fresh = Slot { fingerprint: fingerprint(reader), active: active.map_or(0, |day| day.0), asked: asked.0 };
        let slots = self.0.get_or_init(|| (0..limits::ACTIVITY_SLOTS).map(|_| AtomicU64::new(0)).collect());
        let updated = |packed| Some(Slot::unpack(packed).updated(fresh).pack());
        // Always succeeds, as the closure always gives a value.
        let _before = slots[index(reader, slots.len())].fetch_update(Ordering::Relaxed, Ordering::Relaxed, updated);
    }

    /// The remembered activity of a follower on the day `today`.
    pub(super) fn look_up(&self, follower: UserId, today: Day) -> Known {
        let Some(slots) = self.0.get() else { return Known::Nothing };
        let slot = Slot::unpack(slots[index(follower, slots.len())].load(Ordering::Relaxed));
        if slot.asked == 0 || slot.fingerprint != fingerprint(follower) {
            return Known::Nothing;
        }
        match slot.active {
            1.. if Day(slot.active).is_recent(today) => Known::Active,
            1.. if Day(slot.active).is_old(today) => Known::Old,
            _ if slot.asked == today.0 => Known::Other,
            _ => Known::Nothing,
        }
    }
}

impl fmt::Debug for ActivityCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ActivityCache").field("is_used", &self.0.get().is_some()).finish()
    }
}

impl Slot {
    fn unpack(packed: u64) -> Self {
        let [f0, f1, f2, f3, a0, a1, d0, d1] = packed.to_be_bytes();
        Self {
            fingerprint: u32::from_be_bytes([f0, f1, f2, f3]),
            active: u16::from_be_bytes([a0, a1]),
            asked: u16::from_be_bytes([d0, d1]),
        }
    }

    fn pack(self) -> u64 {
        u64::from(self.fingerprint) << 32 | u64::from(self.active) << 16 | u64::from(self.asked)
    }

    fn updated(self, fresh: Self) -> Self {
        if self.fingerprint != fresh.fingerprint {
            return fresh;
        }
        Self { active: self.active.max(fresh.active), asked: self.asked.max(fresh.asked), ..fresh }
    }
}

/// The last bits of a user's id, which is random.
fn index(user: UserId, slots: usize) -> usize {
    let [.., a, b, c, d] = *user.as_uuid().as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize % slots
}

/// The first bits of a user's id, which is random.
fn fingerprint(user: UserId) -> u32 {
    let [a, b, c, d, ..] = *user.as_uuid().as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    /// Some user; users of one index and different fingerprints compete for a slot.
    fn user(index: u8, fingerprint: u8) -> UserId {
        UserId::from_uuid(Uuid::from_u128(u128::from(fingerprint) << 96 | u128::from(index)))
    }

    /// The remembered form of an activity read on this day.
    fn expected(active: Option<Day>, asked: Day, today: Day) -> Known {
        match active {
            Some(day) if day.is_recent(today) => Known::Active,
            Some(day) if day.is_old(today) => Known::Old,
            _ if asked == today => Known::Other,
            _ => Known::Nothing,
        }
    }

    proptest! {
        #[test]
        fn the_cache_forgets_but_never_invents(
            reads in proptest::collection::vec((0..3_u8, 0..3_u8, proptest::option::of(0..60_u16), 0..20_u16), 0..60),
        ) {
            let cache = ActivityCache::default();
            let (mut stored, mut today) = (HashMap::new(), 100);
            for (index, fingerprint, days_ago, step) in reads {
                let user = user(index, fingerprint);
                today += step;
                let (active, asked) = stored.entry(user).or_insert((None, Day(today)));
                (*active, *asked) = ((*active).max(days_ago.map(|ago| Day(today - ago))), Day(today));
                cache.remember(user, *active, *asked);
                for (user, (active, asked)) in &stored {
                    let known = cache.look_up(*user, Day(today));
                    let is_forgotten = known == Known::Nothing;
                    prop_assert!(is_forgotten || known == expected(*active, *asked, Day(today)), "{user}: {known:?}");
                }
            }
        }

        #[test]
        fn a_mistaken_reader_is_no_less_active(active in 1..60_u16, others in 1..60_u16, today in 60..90_u16) {
            // The same index and fingerprint: the cache cannot tell them apart.
            let [reader, other] = [1_u128, 2].map(|middle| UserId::from_uuid(Uuid::from_u128(middle << 64)));
            let cache = ActivityCache::default();
            let alone = ActivityCache::default();
            cache.remember(reader, Some(Day(active)), Day(today));
            alone.remember(reader, Some(Day(active)), Day(today));
            cache.remember(other, Some(Day(others)), Day(today));
            let rank = |known| [Known::Old, Known::Other, Known::Active].iter().position(|rank| *rank == known);
            let [mistaken, known] = [&cache, &alone].map(|cache| rank(cache.look_up(reader, Day(today))));
            prop_assert!(mistaken >= known);
        }
    }

    #[test]
    fn an_earlier_read_does_not_undo_a_page_read() {
        let (cache, reader, today) = (ActivityCache::default(), user(1, 1), Day(20_000));
        assert_eq!(cache.look_up(reader, today), Known::Nothing);
        cache.has_read(reader, Timestamp::from_millis(0).plus(A_DAY * 20_000));
        cache.remember(reader, Some(Day(19_000)), today);
        assert_eq!(cache.look_up(reader, today), Known::Active);
        assert_eq!(cache.look_up(reader, Day(20_029)), Known::Nothing, "asked again on another day");
        assert_eq!(cache.look_up(reader, Day(20_030)), Known::Old);
    }
}
