//! Periodic work: the single process's counterpart of an `EventBridge` schedule.

use std::{future::Future, time::Duration};

use domain::Clock;
use tokio_util::sync::CancellationToken;

/// How often a manually moved clock is polled.
const MANUAL_CLOCK_LOOK: Duration = Duration::from_millis(10);

/// Runs `work` at once and then whenever `interval` has passed on `clock` since the last start, until `stop`. Work in
/// progress at the stop is dropped at its next await. Intervals are measured by uptime: steps of the wall clock have no
/// effect.
pub async fn every<F>(interval: Duration, clock: Clock, stop: CancellationToken, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    let rounds = async {
        loop {
            let began = clock.uptime();
            work().await;
            pass(&clock, began, interval).await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

/// Waits until `interval` has passed since `began`.
async fn pass(clock: &Clock, began: Duration, interval: Duration) {
    loop {
        let left = interval.saturating_sub(clock.uptime().saturating_sub(began));
        if left.is_zero() {
            return;
        }
        let wait = match clock {
            Clock::System => left,
            Clock::Manual(_) => MANUAL_CLOCK_LOOK,
        };
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };

    use domain::Timestamp;
    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_runs_at_once_and_after_each_interval() {
        let clock = Clock::manual(Timestamp::from_millis(1_000));
        let stop = CancellationToken::new();
        let (sender, mut rounds) = mpsc::unbounded_channel();
        let done = Arc::new(AtomicU32::new(0));
        let task = tokio::spawn(every(Duration::from_mins(1), clock.clone(), stop.clone(), {
            let done = Arc::clone(&done);
            move || {
                done.fetch_add(1, Ordering::SeqCst);
                sender.send(()).unwrap();
                async {}
            }
        }));
        rounds.recv().await.unwrap();
        clock.advance(Duration::from_secs(59));
        clock.advance(Duration::from_secs(1));
        rounds.recv().await.unwrap();
        assert_eq!(done.load(Ordering::SeqCst), 2);
        stop.cancel();
        task.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn clock_steps_do_not_change_the_interval() {
        let start = Timestamp::from_millis(1_763_700_000_000);
        let (minute, hour) = (Duration::from_mins(1), Duration::from_hours(1));
        for to in [start.minus(hour), start.plus(hour)] {
            let (clock, stop) = (Clock::manual(start), CancellationToken::new());
            let (sender, mut rounds) = mpsc::unbounded_channel();
            let seen = clock.clone();
            let task = tokio::spawn(every(minute, clock.clone(), stop.clone(), move || {
                sender.send(seen.uptime()).unwrap();
                async {}
            }));
            assert_eq!(rounds.recv().await, Some(Duration::ZERO));
            clock.step_to(to);
            clock.advance(minute / 2);
            // Paused time passes at once, while the clock is polled.
            tokio::time::advance(MANUAL_CLOCK_LOOK * 10).await;
            clock.advance(minute / 2);
            let next = tokio::time::timeout(hour, rounds.recv()).await;
            assert_eq!(next, Ok(Some(minute)), "stepped to {to}");
            stop.cancel();
            task.await.unwrap();
        }
    }
}
