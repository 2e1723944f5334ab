//! The progress of a service over time: entries delivered, requests answered, and messages waiting in JobQ.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    chart::{Chart, Series},
    observe::Observer,
};

/// Sampling interval.
const INTERVAL: Duration = Duration::from_millis(100);

/// A sample: totals since the service started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at: Duration,
    entries: u64,
    requests: u64,
    waiting_jobs: u64,
}

/// Samples a service in a thread of its own, which a busy service does not delay.
#[derive(Debug)]
pub struct Recorder {
    thread: JoinHandle<Vec<Sample>>,
    stop: mpsc::Sender<()>,
}

impl Recorder {
    /// Starts sampling.
    pub fn start(observer: Arc<Observer>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let started = Instant::now();
        let thread = thread::spawn(move || {
            let mut samples = vec![sample(&observer, started)];
            while stopped.recv_timeout(INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
                samples.push(sample(&observer, started));
            }
            samples.push(sample(&observer, started));
            samples
        });
        Self { thread, stop }
    }

    /// Takes a last sample and stops.
    ///
    /// # Panics
    /// Never: the thread does not panic.
    pub fn finish(self) -> Timeline {
        drop(self.stop);
        Timeline(self.thread.join().expect("sampling does not panic"))
    }
}

fn sample(observer: &Observer, started: Instant) -> Sample {
    let jobs = observer.jobs();
    Sample {
        at: started.elapsed(),
        entries: observer.entries(),
        requests: observer.requests(),
        waiting_jobs: jobs.sent.saturating_sub(jobs.deleted),
    }
}

/// The samples of a run, at least two.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline(Vec<Sample>);

impl Timeline {
    /// Charts of throughput and queue depth.
    pub fn charts(&self) -> [Chart; 3] {
        #[expect(clippy::cast_precision_loss, reason = "numbers of messages")]
        let waiting = self.0.iter().map(|sample| (sample.at.as_secs_f64(), sample.waiting_jobs as f64)).collect();
        let of = |name, points| [Series { name, points }];
        [
            Chart::over_time("Deliveries", "feed entries per second", of("feed entries", self.rates(|it| it.entries))),
            Chart::over_time("Requests", "answers per second", of("answered requests", self.rates(|it| it.requests))),
            Chart::over_time("Queue depth", "messages in JobQ", of("waiting or in progress", waiting)),
        ]
    }

    /// Feed entries delivered per second between two times since the start.
    pub fn entries_per_second(&self, from: Duration, to: Duration) -> f64 {
        let at = |time: Duration| {
            let after = self.0.partition_point(|sample| sample.at < time).min(self.0.len() - 1);
            self.0[after]
        };
        per_second(at(from), at(to), |sample| sample.entries)
    }

    fn rates(&self, of: fn(&Sample) -> u64) -> Vec<(f64, f64)> {
        self.0.windows(2).map(|pair| (pair[1].at.as_secs_f64(), per_second(pair[0], pair[1], of))).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of entries and requests")]
fn per_second(before: Sample, after: Sample, of: fn(&Sample) -> u64) -> f64 {
    let seconds = (after.at.saturating_sub(before.at)).as_secs_f64();
    if seconds > 0.0 { (of(&after) - of(&before)) as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample_at(seconds: u64, entries: u64) -> Sample {
        Sample { at: Duration::from_secs(seconds), entries, requests: 2 * entries, waiting_jobs: 7 }
    }

    #[test]
    fn rates_are_differences_over_their_time() {
        let timeline = Timeline(vec![sample_at(0, 0), sample_at(1, 100), sample_at(3, 500)]);
        assert_eq!(timeline.rates(|sample| sample.entries), [(1.0, 100.0), (3.0, 200.0)]);
        let rate = |from, to| timeline.entries_per_second(Duration::from_secs(from), Duration::from_secs(to));
        assert!((rate(0, 1) - 100.0).abs() < 1e-9);
        assert!((rate(1, 9) - 200.0).abs() < 1e-9, "the last sample stands for later times");
        assert!(rate(9, 9).abs() < 1e-9);
    }

    #[test]
    fn a_recorder_samples_at_both_ends() {
        let timeline = Recorder::start(Arc::new(Observer::new())).finish();
        assert!(timeline.0.len() >= 2);
        assert!(timeline.charts().iter().all(Chart::is_empty));
    }
}
