//! The result of `loadtest dsb`.

use std::fmt;

use serde::Serialize;

use crate::{
    chart::Chart,
    highest::{ACHIEVED, READ_P99_MS},
    report::{P50P99, P50P99P999, Report, Row, cells, incomplete, memory, write_table},
};

/// The result of `loadtest dsb`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DsbReport {
    /// Users.
    pub users: usize,
    /// Follows: two per friendship.
    pub follows: u64,
    /// The highest rate that held, in requests per second; 0 if none did.
    pub rate_held: u32,
    /// Requests per second of the same server and client for a constant page of the same size.
    pub constant_requests_per_second: f64,
    /// The ratio of [`Self::rate_held`] to [`Self::constant_requests_per_second`].
    pub rate_ratio: f64,
    /// Bytes of a page of a home timeline.
    pub page_bytes: usize,
    /// All rates tried, in order.
    pub steps: Vec<Step>,
    /// Entries of answered posts missing in followers' feeds.
    pub lost: u64,
    /// Duplicate entries in followers' feeds.
    pub duplicates: u64,
    /// As in [`crate::report::FanoutReport::peak_rss_mb`].
    pub peak_rss_mb: Option<f64>,
    /// Latencies by rate, distributions and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

/// One rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// The requested rate, per second.
    pub rate: u32,
    /// The achieved rate of successful requests, per second.
    pub achieved: f64,
    /// Failed requests.
    pub errors: u64,
    /// Pages of both kinds of timelines, from the intended start to the end of the answer.
    pub read_ms: P50P99P999,
    /// Posts, from the intended start to the end of the answer.
    pub compose_ms: P50P99P999,
    /// From a post's intended start to the commit of its last follower's entry.
    pub delivery_ms: P50P99,
    /// Whether no request failed, the rate was achieved and reads were fast enough.
    pub holds: bool,
}

impl Step {
    /// The step with its verdict.
    #[must_use]
    pub fn judged(self) -> Self {
        let achieved = self.achieved >= ACHIEVED * f64::from(self.rate);
        Self { holds: self.errors == 0 && achieved && self.read_ms.p99 < READ_P99_MS, ..self }
    }
}

impl DsbReport {
    fn rows(&self) -> [Row; 8] {
        [
            ("graph", format!("{} users", self.users), "as many as in Reed98, unless --users is given"),
            ("follows", self.follows.to_string(), ""),
            ("highest rate", format!("{} /s", self.rate_held), "with a read p99 under 50 ms"),
            (
                "constant answer",
                format!("{:.0} /s", self.constant_requests_per_second),
                "same server and client, a page of the same size",
            ),
            ("rate ratio", format!("{:.3}", self.rate_ratio), "relative to the constant answer"),
            ("lost", self.lost.to_string(), ""),
            ("duplicates", self.duplicates.to_string(), ""),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl fmt::Display for DsbReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { rate, achieved, errors, read_ms, compose_ms, delivery_ms, holds } in &self.steps {
            let word = if *holds { "holds" } else { "does not hold" };
            writeln!(
                f,
                "{rate:>7} /s  {achieved:>9.1} achieved  {errors:>5} errors  p99: read {:>7.1} ms  compose {:>7.1} ms  \
                 delivery {:>7.1} ms  {word}",
                read_ms.p99, compose_ms.p99, delivery_ms.p99
            )?;
        }
        writeln!(f)?;
        write_table(f, &self.rows())
    }
}

impl Report for DsbReport {
    fn table(&self) -> Vec<Vec<String>> {
        cells(&self.rows())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        incomplete(self.lost == 0 && self.duplicates == 0)
    }
}
