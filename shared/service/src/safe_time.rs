//! The time that governs permanent removals: the wall clock, unless it jumped forward.
//!
//! An expired item and a deleted post past its 30 days cannot be brought back once removed. A clock set forward by a
//! month would remove both within a minute. So removals follow the wall clock only as far as time can have passed by
//! the monotonic clock. When the wall clock runs further ahead, removals keep their own time for
//! [`limits::CLOCK_HOLD`], in which an operator can correct the clock. Reads do not wait: items expired by the wall
//! clock are not shown.

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use tracing::{info, warn};

use domain::{Clock, Timestamp, limits};
use telemetry::names;

/// The time that governs permanent removals. Cheap to clone; clones share the time.
#[derive(Debug, Clone)]
pub struct SafeTime(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The time at the last check.
    time: Timestamp,
    /// The uptime at the last check.
    looked_at: Duration,
    /// The uptime at which the wall clock is followed again after it ran too far ahead.
    held_until: Option<Duration>,
}

impl SafeTime {
    /// Starts at the wall clock's time, without an earlier reference.
    pub fn new(clock: Clock) -> Self {
        let state = State { time: clock.now(), looked_at: clock.uptime(), held_until: None };
        Self(Arc::new(Inner { clock, state: Mutex::new(state) }))
    }

    /// Continues from the state of an earlier process. The wall clock may be ahead of it by
    /// [`limits::MAX_TRUSTED_DOWNTIME`], in which the process may have been stopped.
    pub fn resumed(clock: Clock, seen_at: Timestamp, held_for: Duration) -> Self {
        let looked_at = clock.uptime();
        let held_until = (!held_for.is_zero()).then(|| looked_at.saturating_add(held_for));
        let mut state = State { time: seen_at, looked_at, held_until };
        state.look(&clock, limits::MAX_TRUSTED_DOWNTIME);
        Self(Arc::new(Inner { clock, state: Mutex::new(state) }))
    }

    /// The current time. Never later than the wall clock.
    pub fn now(&self) -> Timestamp {
        self.0.state.lock().look(&self.0.clock, limits::MAX_CLOCK_STEP)
    }

    /// The current time, and the remaining duration for which it does not follow the wall clock.
    pub fn held(&self) -> (Timestamp, Duration) {
        let mut state = self.0.state.lock();
        let time = state.look(&self.0.clock, limits::MAX_CLOCK_STEP);
        (time, state.held_until.map(|until| until.saturating_sub(state.looked_at)).unwrap_or_default())
    }
}

impl State {
    /// Advances by the time since the last check, then follows the wall clock unless it is ahead of that by more than
    /// `most`.
    fn look(&mut self, clock: &Clock, most: Duration) -> Timestamp {
        let (wall, uptime) = (clock.now(), clock.uptime());
        let expected = self.time.plus(uptime.saturating_sub(self.looked_at));
        let ahead = wall.since(expected);
        self.looked_at = uptime;
        // Once held, it stays held until the clock agrees or the hold has ended.
        let most = if self.held_until.is_some() { limits::MAX_CLOCK_STEP } else { most };
        if ahead <= most {
            if self.held_until.take().is_some() {
                info!("The clock is correct again; expiry and erasure follow it");
            }
            self.time = wall;
        } else if uptime >= self.hold(uptime, ahead) {
            warn!(clock.ahead_seconds = ahead.as_secs(), "The clock stayed ahead; expiry and erasure now follow it");
            (self.time, self.held_until) = (wall, None);
        } else {
            self.time = expected;
        }
        metrics::gauge!(names::CLOCK_HELD_BACK_SECONDS).set(wall.since(self.time).as_secs_f64());
        self.time
    }

    /// The uptime until which the wall clock is not followed; starts a hold if there is none.
    fn hold(&mut self, uptime: Duration, ahead: Duration) -> Duration {
        *self.held_until.get_or_insert_with(|| {
            warn!(
                clock.ahead_seconds = ahead.as_secs(),
                "The clock jumped ahead by {} hours, or the process was stopped for as long; \
                 expiry and erasure will follow it in {} hours unless it is set back",
                ahead.as_secs() / 3_600,
                limits::CLOCK_HOLD.as_secs() / 3_600,
            );
            uptime.saturating_add(limits::CLOCK_HOLD)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);
    const MONTH: Duration = Duration::from_hours(31 * 24);
    const MINUTE: Duration = Duration::from_mins(1);

    #[test]
    fn removal_follows_a_clock_that_is_right() {
        let clock = Clock::manual(START);
        let safe = SafeTime::new(clock.clone());
        clock.advance(MONTH);
        assert_eq!(safe.held(), (START.plus(MONTH), Duration::ZERO));
        clock.step_to(clock.now().plus(limits::MAX_CLOCK_STEP));
        assert_eq!(safe.now(), clock.now());
        clock.step_to(START);
        assert_eq!(safe.now(), START);
    }

    #[test]
    fn removal_keeps_its_time_when_the_clock_jumps() {
        let clock = Clock::manual(START);
        let safe = SafeTime::new(clock.clone());
        clock.step_to(START.plus(MONTH));
        assert_eq!(safe.held(), (START, limits::CLOCK_HOLD));
        clock.advance(MINUTE);
        assert_eq!(safe.held(), (START.plus(MINUTE), limits::CLOCK_HOLD.saturating_sub(MINUTE)));
        clock.step_to(START.plus(MINUTE));
        assert_eq!(safe.held(), (clock.now(), Duration::ZERO));
    }

    #[test]
    fn removal_follows_a_clock_that_stays_ahead() {
        let clock = Clock::manual(START);
        let safe = SafeTime::new(clock.clone());
        clock.step_to(START.plus(MONTH));
        assert_eq!(safe.now(), START);
        clock.advance(limits::CLOCK_HOLD);
        assert_eq!(safe.held(), (clock.now(), Duration::ZERO));
    }

    #[test]
    fn a_hold_survives_restarts() {
        let clock = Clock::manual(START);
        let safe = SafeTime::resumed(clock.clone(), START.minus(MONTH), Duration::ZERO);
        clock.advance(MINUTE);
        let (time, left) = safe.held();
        assert_eq!((time, left), (START.minus(MONTH).plus(MINUTE), limits::CLOCK_HOLD.saturating_sub(MINUTE)));
        let safe = SafeTime::resumed(clock.clone(), time, left);
        clock.advance(left);
        assert_eq!(safe.held(), (clock.now(), Duration::ZERO));
    }

    #[test]
    fn a_short_stop_starts_no_hold() {
        let clock = Clock::manual(START);
        let safe = SafeTime::resumed(clock, START.minus(limits::MAX_TRUSTED_DOWNTIME), Duration::ZERO);
        assert_eq!(safe.held(), (START, Duration::ZERO));
    }
}
