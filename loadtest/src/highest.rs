//! `loadtest mixed --find-rate`: finds the highest sustainable rate by short runs on one service.

use std::fmt;

use serde::Serialize;

use crate::{
    arrivals::Load,
    chart::{Chart, Series},
    error::LoadtestError,
    memory::PeakMemory,
    mixed::{self, Run},
    options::MixedOptions,
    report::{P50P99, P50P99P999, Report, Row, cells, incomplete, memory, rounded, write_table},
};

/// The first rate tried.
const FIRST_RATE: u32 = 500;
/// The lowest rate tried.
const LEAST_RATE: u32 = 10;
/// The highest rate tried.
const MOST_RATE: u32 = 1_000_000;
/// Duration of a step in seconds.
const STEP_SECONDS: u32 = 10;
/// The search ends when the highest rate that holds and the lowest that does not are within this share of each other.
const PRECISION: f64 = 0.1;
/// Failures after which a rate does not hold, so that one hiccup of the machine decides nothing.
const TRIES: u32 = 2;

/// The 99th percentile of reads must be below this, in milliseconds.
pub const READ_P99_MS: f64 = 50.0;
/// The 99th percentile of deliveries must be below this, in milliseconds.
pub const DELIVERY_P99_MS: f64 = 2_000.0;
/// The minimum share of the requested rate to achieve.
pub const ACHIEVED: f64 = 0.99;

/// The result of `loadtest mixed --find-rate`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HighestReport {
    /// The highest rate that held, in requests per second; 0 if none did.
    pub rate_held: u32,
    /// The ratio of [`Self::rate_held`] to [`Self::constant_requests_per_second`].
    pub rate_ratio: f64,
    /// Requests per second of the same server and client for a constant page from memory.
    pub constant_requests_per_second: f64,
    /// Entries per second written to the store alone.
    pub floor_entries_per_second: f64,
    /// Latency of sequential `GET /v1/feed` requests on an idle service.
    pub idle_read_ms: P50P99,
    /// The 99th percentile of reads at the highest rate that held, relative to that of an idle service.
    pub read_p99_over_idle: f64,
    /// All steps, in order.
    pub steps: Vec<Step>,
    /// Entries of answered posts missing in followers' feeds.
    pub lost: u64,
    /// Duplicate entries in followers' feeds.
    pub duplicates: u64,
    /// As in [`crate::report::FanoutReport::peak_rss_mb`].
    pub peak_rss_mb: Option<f64>,
    /// Latencies by rate, and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

/// One short run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// The requested rate, per second.
    pub rate: u32,
    /// The achieved rate of successful requests, per second.
    pub achieved: f64,
    /// Failed requests, in total.
    pub errors: u64,
    /// `GET /v1/feed`, from the intended start.
    pub read_ms: P50P99P999,
    /// From a post's intended start to the commit of its last follower's entry.
    pub delivery_ms: P50P99,
    /// Whether all targets were met.
    pub holds: bool,
}

impl Step {
    fn judged(self) -> Self {
        let holds = self.errors == 0
            && self.achieved >= ACHIEVED * f64::from(self.rate)
            && self.read_ms.p99 < READ_P99_MS
            && self.delivery_ms.p99 < DELIVERY_P99_MS;
        Self { holds, ..self }
    }
}

impl HighestReport {
    /// Whether every follower's feed holds every answered post exactly once.
    pub const fn is_complete(&self) -> bool {
        self.lost == 0 && self.duplicates == 0
    }
}

/// Chooses the next rate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Search {
    held: u32,
    failed: Option<u32>,
    failures: u32,
}

impl Search {
    /// The next rate; `None` when the search is done.
    pub fn next(&self) -> Option<u32> {
        match self.failed {
            None if self.held == 0 => Some(FIRST_RATE),
            None => Some(self.held.saturating_mul(2)).filter(|rate| *rate <= MOST_RATE),
            Some(failed) if self.held == 0 => Some(failed / 2).filter(|rate| *rate >= LEAST_RATE),
            Some(failed) => {
                let middle = self.held.midpoint(failed);
                let is_near = f64::from(failed - self.held) <= f64::from(failed) * PRECISION;
                (!is_near && middle > self.held).then_some(middle)
            }
        }
    }

    /// Records whether a rate held.
    pub fn note(&mut self, rate: u32, holds: bool) {
        self.failures = if holds { 0 } else { self.failures + 1 };
        if holds {
            self.held = rate;
        } else if self.failures == TRIES {
            (self.failed, self.failures) = (Some(rate), 0);
        }
    }
}

/// Runs the search.
///
/// # Errors
/// As those of [`mixed::run`].
pub async fn run(options: &MixedOptions) -> Result<HighestReport, LoadtestError> {
    Box::pin(find(options)).await
}

async fn find(options: &MixedOptions) -> Result<HighestReport, LoadtestError> {
    let run = Run::prepare(options).await?;
    let yardstick = run.yardstick().await?;
    let (memory, recorder) = (PeakMemory::from_now(), run.record());
    let (mut search, mut steps, mut answers) = (Search::default(), Vec::new(), Vec::new());
    while let Some(rate) = search.next() {
        let load = Load { rate, seconds: STEP_SECONDS, ..mixed::load_of(options) };
        let answered = run.send(load).await?;
        run.drained().await;
        let step = Step {
            rate,
            achieved: rounded(mixed::rate_achieved(&answered, STEP_SECONDS)),
            errors: answered.errors,
            read_ms: P50P99P999::from(&answered.reads),
            delivery_ms: P50P99::from(&run.deliveries(&answered)),
            holds: false,
        }
        .judged();
        search.note(rate, step.holds);
        steps.push(step);
        answers.push(answered);
    }
    let idle = P50P99::from(&run.idle_reads().await?);
    let (timeline, peak_rss_mb) = (recorder.finish(), memory.megabytes());
    let verdict = run.check(&answers).await?;
    run.stop().await?;
    let best = steps.iter().filter(|step| step.holds).max_by_key(|step| step.rate);
    Ok(HighestReport {
        rate_held: search.held,
        rate_ratio: rounded(f64::from(search.held) / yardstick.constant_requests_per_second),
        constant_requests_per_second: yardstick.constant_requests_per_second,
        floor_entries_per_second: yardstick.floor_entries_per_second,
        idle_read_ms: idle,
        read_p99_over_idle: best.map_or(0.0, |best| rounded(best.read_ms.p99 / idle.p99)),
        charts: std::iter::once(by_rate(&steps)).chain(timeline.charts()).collect(),
        steps,
        lost: verdict.missing,
        duplicates: verdict.duplicates,
        peak_rss_mb: peak_rss_mb.map(rounded),
    })
}

impl fmt::Display for HighestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { rate, achieved, errors, read_ms, delivery_ms, holds } in &self.steps {
            let word = if *holds { "holds" } else { "does not hold" };
            let (read, delivery) = (read_ms.p99, delivery_ms.p99);
            writeln!(
                f,
                "{rate:>7} /s  {achieved:>9.1} achieved  {errors:>5} errors  read p99 {read:>7.1} ms  delivery p99 \
                 {delivery:>7.1} ms  {word}"
            )?;
        }
        writeln!(f)?;
        write_table(f, &self.rows())
    }
}

impl HighestReport {
    fn rows(&self) -> [Row; 9] {
        let idle = self.idle_read_ms;
        [
            ("highest rate", format!("{} /s", self.rate_held), "that held"),
            ("rate ratio", format!("{:.3}", self.rate_ratio), "relative to the constant answer"),
            ("read over idle", format!("{:.1}", self.read_p99_over_idle), "p99 at that rate relative to idle"),
            ("constant answer", format!("{:.0} /s", self.constant_requests_per_second), "same server and client"),
            ("floor", format!("{:.0}", self.floor_entries_per_second), "entries a second to the store alone"),
            ("idle read", format!("{:.2} / {:.2} ms", idle.p50, idle.p99), "p50 / p99, sequential"),
            ("lost", self.lost.to_string(), ""),
            ("duplicates", self.duplicates.to_string(), ""),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl Report for HighestReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        incomplete(self.is_complete())
    }
}

fn by_rate(steps: &[Step]) -> Chart {
    let line = |name, of: fn(&Step) -> f64| {
        let mut points: Vec<(f64, f64)> = steps.iter().map(|step| (f64::from(step.rate), of(step))).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Series { name, points }
    };
    let lines = [line("read p99", |step| step.read_ms.p99), line("delivery p99", |step| step.delivery_ms.p99)];
    Chart::by_rate("Latency by rate", "99th percentile, ms", lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the search where all rates up to `most` hold: the rates tried and the result.
    fn search(most: u32) -> (Vec<u32>, u32) {
        let (mut search, mut tried) = (Search::default(), Vec::new());
        while let Some(rate) = search.next() {
            search.note(rate, rate <= most);
            tried.push(rate);
        }
        (tried, search.held)
    }

    #[test]
    fn the_search_doubles_then_halves_the_gap() {
        let (tried, held) = search(3_100);
        assert_eq!(tried, [500, 1_000, 2_000, 4_000, 4_000, 3_000, 3_500, 3_500, 3_250, 3_250]);
        assert_eq!(held, 3_000);
    }

    #[test]
    fn the_search_descends_and_terminates() {
        assert_eq!(search(100).1, 93);
        assert_eq!(search(0), (vec![500, 500, 250, 250, 125, 125, 62, 62, 31, 31, 15, 15], 0));
        assert_eq!(search(u32::MAX).1, 512_000);
    }

    #[test]
    fn one_hiccup_does_not_fail_a_rate() {
        let mut search = Search::default();
        search.note(500, false);
        assert_eq!(search.next(), Some(500));
        search.note(500, true);
        assert_eq!(search.next(), Some(1_000));
    }

    #[test]
    fn a_rate_holds_when_every_target_is_met() {
        let three = P50P99P999 { p50: 1.0, p99: 49.9, p999: 900.0 };
        let delivery_ms = P50P99 { p50: 1.0, p99: 1_999.0 };
        let good = Step { rate: 100, achieved: 99.0, errors: 0, read_ms: three, delivery_ms, holds: false };
        assert!(good.judged().holds);
        for bad in [
            Step { achieved: 98.9, ..good },
            Step { errors: 1, ..good },
            Step { read_ms: P50P99P999 { p99: 50.0, ..three }, ..good },
            Step { delivery_ms: P50P99 { p99: 2_000.0, ..delivery_ms }, ..good },
        ] {
            assert!(!bad.judged().holds, "{bad:?}");
        }
    }
}
