//! Instants and the clock that callers pass in.

use std::{
    fmt,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::limits;

/// An instant in whole milliseconds since the Unix epoch (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(u64);

const MILLIS_PER_DAY: u64 = 24 * 60 * 60 * 1_000;

impl Timestamp {
    /// The instant `millis` milliseconds after the epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, the unit of DynamoDB's time-to-live attributes and of JWTs.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// This instant plus `by`, in whole milliseconds (fractions are dropped).
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// This instant minus `by`, but not before the epoch.
    #[must_use]
    pub fn minus(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The begin of this instant's day in UTC.
    #[must_use]
    pub const fn day(self) -> Self {
        Self(self.0 - self.0 % MILLIS_PER_DAY)
    }

    /// The time elapsed since `earlier`; zero if that is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whether a lease of this `length` that expires at this instant has ended at `now`. It has if its expiry has
    /// passed, or lies further ahead than the lease is long: then the clock was set back after it was taken, and the
    /// lease would last longer by that step. [`limits::MAX_CLOCK_SKEW`] is allowed for, since other processes take
    /// leases too.
    #[must_use]
    pub fn is_ended_lease(self, length: Duration, now: Self) -> bool {
        self <= now || self.since(now) > length.saturating_add(limits::MAX_CLOCK_SKEW)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with exactly three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = i64::try_from(self.0).map_err(|_| fmt::Error)?;
        let instant = jiff::Timestamp::from_millisecond(millis).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

/// The source of time: the system, or a test.
///
/// It has two sides. [`Clock::now`] is the wall clock, for instants that are stored, shown or shared with other
/// processes; it may be set back or forward at any time. [`Clock::uptime`] is monotonic, for intervals.
#[derive(Debug, Clone, Default)]
pub enum Clock {
    /// The machine's clocks.
    #[default]
    System,
    /// Clocks that only tests move. Clones share the time.
    Manual(Arc<ManualTime>),
}

/// The two sides of a manual clock, in milliseconds.
#[derive(Debug)]
pub struct ManualTime {
    wall: AtomicU64,
    uptime: AtomicU64,
}

/// The origin of [`Clock::uptime`] on the machine's clock.
#[expect(clippy::disallowed_methods, reason = "the clock that others are sent to")]
static ORIGIN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock {
    /// A manual clock that starts at `start`.
    pub fn manual(start: Timestamp) -> Self {
        Self::Manual(Arc::new(ManualTime { wall: AtomicU64::new(start.as_millis()), uptime: AtomicU64::new(0) }))
    }

    /// The current wall-clock time.
    #[expect(clippy::disallowed_methods, reason = "the clock that others are sent to")]
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => {
                let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::default().plus(elapsed)
            }
            Self::Manual(time) => Timestamp::from_millis(time.wall.load(Ordering::SeqCst)),
        }
    }

    /// The time since an arbitrary moment of this process, by a monotonic clock. On Linux it stops while the machine is
    /// suspended.
    pub fn uptime(&self) -> Duration {
        match self {
            Self::System => ORIGIN.elapsed(),
            Self::Manual(time) => Duration::from_millis(time.uptime.load(Ordering::SeqCst)),
        }
    }

    /// Advances both sides of a manual clock; has no effect on the system clock.
    pub fn advance(&self, by: Duration) {
        if let Self::Manual(time) = self {
            let millis = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
            time.wall.fetch_add(millis, Ordering::SeqCst);
            time.uptime.fetch_add(millis, Ordering::SeqCst);
        }
    }

    /// Sets the wall side of a manual clock, back or forward, without letting time pass.
    pub fn step_to(&self, wall: Timestamp) {
        if let Self::Manual(time) = self {
            time.wall.store(wall.as_millis(), Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_reads_as_rfc_3339_with_milliseconds() {
        assert_eq!(Timestamp::from_millis(0).to_string(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp::from_millis(1_763_700_000_100).to_string(), "2025-11-21T04:40:00.100Z");
    }

    #[test]
    fn a_manual_clock_moves_only_on_request() {
        let clock = Clock::manual(Timestamp::from_millis(5));
        clock.clone().advance(Duration::from_millis(7));
        assert_eq!((clock.now(), clock.uptime()), (Timestamp::from_millis(12), Duration::from_millis(7)));
    }

    #[test]
    fn a_step_moves_only_the_wall_clock() {
        let clock = Clock::manual(Timestamp::from_millis(5_000));
        for wall in [1_000, 9_000] {
            clock.step_to(Timestamp::from_millis(wall));
            assert_eq!((clock.now(), clock.uptime()), (Timestamp::from_millis(wall), Duration::ZERO));
        }
    }

    #[test]
    fn a_lease_ends_although_the_clock_steps_back() {
        let minute = Duration::from_mins(1);
        let given = Timestamp::from_millis(1_763_700_000_000);
        let until = given.plus(minute);
        assert!(!until.is_ended_lease(minute, given));
        assert!(until.is_ended_lease(minute, until));
        assert!(!until.is_ended_lease(minute, given.minus(limits::MAX_CLOCK_SKEW)), "taken by a clock ahead of ours");
        assert!(until.is_ended_lease(minute, given.minus(Duration::from_hours(1))));
    }
}
