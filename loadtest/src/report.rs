//! The results of a run, as JSON and as a table.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::chart::Chart;

/// Latencies, recorded in microseconds with three digits, up to an hour.
#[derive(Debug, Clone, PartialEq)]
pub struct Latencies(Histogram<u64>);

const LONGEST_MICROS: u64 = 3_600_000_000;
/// Points of a distribution for each halving of the remaining share.
const PERCENTILES_PER_HALVING: u32 = 8;

impl Latencies {
    /// No latencies.
    ///
    /// # Panics
    /// Never: the bounds are valid constants.
    pub fn new() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_MICROS, 3).expect("1 < an hour, three digits"))
    }

    /// Records a latency. More than an hour counts as an hour.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    }

    /// The number of latencies.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The quantile for this share, in milliseconds; 0 if there are none.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        millis(self.0.value_at_quantile(share).min(self.0.max()))
    }

    /// The latency in milliseconds that each share of the requests does not exceed, for shares below 1 in ascending
    /// order, closer together near 1.
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    pub fn percentiles(&self) -> Vec<(f64, f64)> {
        let all = self.0.iter_quantiles(PERCENTILES_PER_HALVING).map(|it| (it.quantile(), it.value_iterated_to()));
        // The share below the slowest one, which a distribution reaches only at infinity.
        let slowest = 1.0 - 1.0 / (self.count() as f64 + 1.0);
        all.map(|(share, micros)| (share.min(slowest), millis(micros.min(self.0.max())))).collect()
    }

    /// The maximum, in milliseconds.
    pub fn max_ms(&self) -> f64 {
        millis(self.0.max())
    }
}

impl Default for Latencies {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(clippy::cast_precision_loss, reason = "an hour in microseconds is far below 2^52")]
fn millis(micros: u64) -> f64 {
    micros as f64 / 1_000.0
}

/// Percentiles in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct P50P99 {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// Percentiles and maximum in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct P50P99Max {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The maximum.
    pub max: f64,
}

/// Percentiles in milliseconds, up to the 99.9th.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct P50P99P999 {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
}

impl From<&Latencies> for P50P99 {
    fn from(latencies: &Latencies) -> Self {
        Self { p50: latencies.quantile_ms(0.5), p99: latencies.quantile_ms(0.99) }
    }
}

impl From<&Latencies> for P50P99Max {
    fn from(latencies: &Latencies) -> Self {
        Self { p50: latencies.quantile_ms(0.5), p99: latencies.quantile_ms(0.99), max: latencies.max_ms() }
    }
}

impl From<&Latencies> for P50P99P999 {
    fn from(latencies: &Latencies) -> Self {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| latencies.quantile_ms(share));
        Self { p50, p99, p999 }
    }
}

/// The result of a scenario. Its JSON has the figures, its display the table.
pub trait Report: Serialize + fmt::Display {
    /// The cells of the table, row by row.
    fn table(&self) -> Vec<Vec<String>>;

    /// Charts, none if the scenario has no measurements over time.
    fn charts(&self) -> &[Chart] {
        &[]
    }

    /// Descriptions of the faults for which the run fails. Slowness is not a fault.
    fn faults(&self) -> Vec<String>;
}

/// The fault of a run whose feeds are not complete.
pub fn incomplete(is_complete: bool) -> Vec<String> {
    if is_complete { Vec::new() } else { vec!["feed entries are missing or duplicated".to_owned()] }
}

/// The cells of these lines.
pub fn cells(rows: &[Row]) -> Vec<Vec<String>> {
    rows.iter().map(|(name, value, note)| vec![(*name).to_owned(), value.clone(), (*note).to_owned()]).collect()
}

/// The result of `loadtest fanout`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FanoutReport {
    /// Followers of the author.
    pub followers: u64,
    /// Posts published.
    pub posts: u64,
    /// Per post, from the 201's arrival at the client to the commit of the last follower's entry; 0 if the entry was
    /// first.
    pub fanout_ms: P50P99Max,
    /// Followers times posts.
    pub entries_expected: u64,
    /// Expected entries found in the feeds.
    pub entries_found: u64,
    /// Duplicate entries in the feeds.
    pub duplicates: u64,
    /// Messages sent to JobQ.
    pub jobs_sent: u64,
    /// Messages received from it.
    pub jobs_received: u64,
    /// Messages deleted from it.
    pub jobs_deleted: u64,
    /// Entries per second over the sum of the posts' times, each from sending the request (not from its answer) to the
    /// commit of the last entry: the more conservative definition, as it includes the request and its sync.
    pub entries_per_second: f64,
    /// Entries per second written to the store alone, in the same number and size: see [`crate::baseline`].
    pub floor_entries_per_second: f64,
    /// A description of the baseline, for the table.
    #[serde(skip)]
    pub baseline_is: &'static str,
    /// The ratio of [`Self::entries_per_second`] to [`Self::floor_entries_per_second`].
    pub floor_ratio: f64,
    /// Requests per second of the same server and client for a constant page from memory: see [`crate::yardstick`].
    pub constant_requests_per_second: f64,
    /// `GET /v1/feed` by followers, from sending the request to the end of its answer.
    pub feed_read_ms: P50P99,
    /// Duration of creating users and edges.
    pub seed_seconds: f64,
    /// The peak resident memory of the process, client included, from the end of seeding to the end of the reads, in
    /// 10^6 bytes. `None` (null) if the system does not report it.
    pub peak_rss_mb: Option<f64>,
    /// Distributions and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

/// The result of `loadtest mixed`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MixedReport {
    /// The requested rate, per second.
    pub rate_asked: f64,
    /// Successful requests per second, from the first arrival to the last answer or the end of the schedule, whichever
    /// is later.
    pub rate_achieved: f64,
    /// Failed requests: another status, a broken connection, a timeout, or too many concurrent requests.
    pub errors: u64,
    /// `GET /v1/feed`, from the intended start to the end of the answer.
    pub read_ms: P50P99P999,
    /// `POST /v1/posts`, from the intended start to the end of the answer.
    pub post_ms: P50P99P999,
    /// From a post's intended start to the commit of its last follower's entry.
    pub delivery_ms: P50P99,
    /// Entries of answered posts missing in followers' feeds.
    pub lost: u64,
    /// Duplicate entries in followers' feeds.
    pub duplicates: u64,
    /// As in [`FanoutReport::peak_rss_mb`], up to the end of the last fan-out.
    pub peak_rss_mb: Option<f64>,
    /// Latency of sequential `GET /v1/feed` requests after the run, on an idle service.
    pub idle_read_ms: P50P99,
    /// The 99th percentile of reads in the run, relative to that of an idle service.
    pub read_p99_over_idle: f64,
    /// As in [`FanoutReport::constant_requests_per_second`].
    pub constant_requests_per_second: f64,
    /// As in [`FanoutReport::floor_entries_per_second`].
    pub floor_entries_per_second: f64,
    /// With `--social`: the results for likes, comments and counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub social: Option<SocialReport>,
    /// Distributions and progress.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

/// The additional results of `loadtest mixed --social`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SocialReport {
    /// Answered likes, including repeated ones.
    pub likes: u64,
    /// Answered likes of the one post that many like.
    pub hot_likes: u64,
    /// Answered comments.
    pub comments: u64,
    /// `PUT /v1/posts/{id}/like`, from the intended start to the end of the answer.
    pub like_ms: P50P99P999,
    /// `POST /v1/posts/{id}/comments`, from the intended start to the end of the answer.
    pub comment_ms: P50P99P999,
    /// Answered likes and comments missing in their post's list.
    pub lost: u64,
    /// Duplicates in the lists of likes and comments.
    pub duplicates: u64,
    /// Counts compared with their lists: likes and comments of posts; followers, followees and posts of users.
    pub counts_checked: u64,
    /// Counts that were wrong.
    pub counts_off: u64,
    /// From the last answer until all changes were counted.
    pub counted_after_ms: f64,
    /// With `--compare`: `GET /v1/feed` in the preceding run without likes and comments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_ms_without: Option<P50P99P999>,
    /// With `--compare`: the ratio of the 99th percentiles, with likes and comments to without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_p99_ratio: Option<f64>,
}

impl SocialReport {
    /// Whether every answered like and comment exists exactly once and every count is exact.
    pub const fn is_exact(&self) -> bool {
        self.lost == 0 && self.duplicates == 0 && self.counts_off == 0
    }

    fn rows(&self) -> Vec<Row> {
        let mut rows: Vec<Row> = vec![
            ("likes", self.likes.to_string(), "answered"),
            ("of one post", self.hot_likes.to_string(), "of these"),
            ("like", three(self.like_ms), "p50 / p99 / p99.9, from the intended start"),
            ("comments", self.comments.to_string(), "answered"),
            ("comment", three(self.comment_ms), "p50 / p99 / p99.9, from the intended start"),
            ("lost", self.lost.to_string(), "likes and comments"),
            ("duplicates", self.duplicates.to_string(), "likes and comments"),
            ("counts off", format!("{} of {}", self.counts_off, self.counts_checked), "through HTTP"),
            ("counted after", format!("{:.0} ms", self.counted_after_ms), "after the last answer"),
        ];
        if let Some(without) = self.read_ms_without {
            rows.push(("read without", three(without), "in the preceding run, without likes and comments"));
        }
        if let Some(ratio) = self.read_p99_ratio {
            rows.push(("read p99 ratio", format!("{ratio:.2}"), "with likes and comments, relative to without"));
        }
        rows
    }
}

impl FanoutReport {
    /// Whether every follower's feed holds every post exactly once.
    pub const fn is_complete(&self) -> bool {
        self.entries_found == self.entries_expected && self.duplicates == 0
    }
}

impl MixedReport {
    /// Whether every follower's feed holds every answered post exactly once.
    pub const fn is_complete(&self) -> bool {
        self.lost == 0 && self.duplicates == 0
    }
}

/// A line of the table: name, value and note.
pub type Row = (&'static str, String, &'static str);

/// Writes lines with aligned columns.
pub fn write_table(f: &mut fmt::Formatter<'_>, rows: &[Row]) -> fmt::Result {
    let width = |column: fn(&Row) -> usize| rows.iter().map(column).max().unwrap_or(0);
    let (names, values) = (width(|row| row.0.len()), width(|row| row.1.chars().count()));
    for (name, value, note) in rows {
        writeln!(f, "{}", format!("{name:<names$}  {value:>values$}  {note}").trim_end())?;
    }
    Ok(())
}

impl FanoutReport {
    fn rows(&self) -> [Row; 13] {
        let (ms, read) = (self.fanout_ms, self.feed_read_ms);
        [
            ("followers", self.followers.to_string(), ""),
            ("posts", self.posts.to_string(), ""),
            (
                "fan-out",
                format!("{:.1} / {:.1} / {:.1} ms", ms.p50, ms.p99, ms.max),
                "p50 / p99 / max, 201 to last entry",
            ),
            ("entries", format!("{} of {}", self.entries_found, self.entries_expected), "found in the feeds"),
            ("duplicates", self.duplicates.to_string(), ""),
            (
                "jobs",
                format!("{} / {} / {}", self.jobs_sent, self.jobs_received, self.jobs_deleted),
                "sent / received / deleted",
            ),
            ("entries a second", format!("{:.0}", self.entries_per_second), "request to last entry"),
            ("floor", format!("{:.0}", self.floor_entries_per_second), self.baseline_is),
            ("floor ratio", format!("{:.2}", self.floor_ratio), ""),
            (
                "constant answer",
                format!("{:.0}", self.constant_requests_per_second),
                "a second, same server and client",
            ),
            ("feed read", format!("{:.2} / {:.2} ms", read.p50, read.p99), "p50 / p99"),
            ("seeding", format!("{:.1} s", self.seed_seconds), ""),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl fmt::Display for FanoutReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())
    }
}

impl Report for FanoutReport {
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

impl MixedReport {
    fn rows(&self) -> [Row; 12] {
        let delivery = self.delivery_ms;
        [
            ("rate", format!("{:.1} of {:.0} /s", self.rate_achieved, self.rate_asked), "achieved of requested"),
            ("errors", self.errors.to_string(), ""),
            ("read", three(self.read_ms), "p50 / p99 / p99.9, from the intended start"),
            ("post", three(self.post_ms), "p50 / p99 / p99.9, from the intended start"),
            ("delivery", format!("{:.1} / {:.1} ms", delivery.p50, delivery.p99), "p50 / p99, to the last follower"),
            ("lost", self.lost.to_string(), ""),
            ("duplicates", self.duplicates.to_string(), ""),
            (
                "idle read",
                format!("{:.2} / {:.2} ms", self.idle_read_ms.p50, self.idle_read_ms.p99),
                "p50 / p99, sequential",
            ),
            ("read over idle", format!("{:.1}", self.read_p99_over_idle), "p99 in the run relative to idle"),
            (
                "constant answer",
                format!("{:.0}", self.constant_requests_per_second),
                "a second, same server and client",
            ),
            ("floor", format!("{:.0}", self.floor_entries_per_second), "entries a second to the store alone"),
            ("peak memory", memory(self.peak_rss_mb), "resident, after seeding, client included"),
        ]
    }
}

impl fmt::Display for MixedReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())?;
        self.social.iter().try_for_each(|social| {
            writeln!(f)?;
            write_table(f, &social.rows())
        })
    }
}

impl Report for MixedReport {
    fn table(&self) -> Vec<Vec<String>> {
        let social = self.social.iter().flat_map(SocialReport::rows);
        cells(&self.rows().into_iter().chain(social).collect::<Vec<_>>())
    }

    fn charts(&self) -> &[Chart] {
        &self.charts
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = incomplete(self.is_complete());
        if self.social.is_some_and(|social| !social.is_exact()) {
            faults.push("likes or comments are missing or duplicated, or counts are wrong".to_owned());
        }
        faults
    }
}

/// Formats the three percentiles.
pub fn three(of: P50P99P999) -> String {
    format!("{:.1} / {:.1} / {:.1} ms", of.p50, of.p99, of.p999)
}

/// Formats megabytes.
pub fn memory(megabytes: Option<f64>) -> String {
    megabytes.map_or_else(|| "unknown".to_owned(), |megabytes| format!("{megabytes:.0} MB"))
}

/// Rounds to three decimals, as reported.
pub fn rounded(number: f64) -> f64 {
    (number * 1_000.0).round() / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(report: impl Serialize) -> String {
        serde_json::to_string(&report).unwrap()
    }

    fn of_millis(all: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::new();
        all.into_iter().for_each(|millis| latencies.record(Duration::from_millis(millis)));
        latencies
    }

    fn fanout_report() -> FanoutReport {
        FanoutReport {
            followers: 60,
            posts: 2,
            fanout_ms: P50P99Max { p50: 1.5, p99: 2.0, max: 2.5 },
            entries_expected: 120,
            entries_found: 120,
            duplicates: 0,
            jobs_sent: 6,
            jobs_received: 6,
            jobs_deleted: 6,
            entries_per_second: 10.5,
            floor_entries_per_second: 21.0,
            baseline_is: "the description of the baseline",
            floor_ratio: 0.5,
            constant_requests_per_second: 1_000.0,
            feed_read_ms: P50P99 { p50: 0.5, p99: 0.75 },
            seed_seconds: 0.25,
            peak_rss_mb: Some(33.5),
            charts: Vec::new(),
        }
    }

    fn mixed_report() -> MixedReport {
        let three = P50P99P999 { p50: 1.0, p99: 2.0, p999: 3.5 };
        MixedReport {
            rate_asked: 500.0,
            rate_achieved: 499.5,
            errors: 0,
            read_ms: three,
            post_ms: three,
            delivery_ms: P50P99 { p50: 4.5, p99: 5.5 },
            lost: 0,
            duplicates: 0,
            peak_rss_mb: None,
            idle_read_ms: P50P99 { p50: 0.25, p99: 0.5 },
            read_p99_over_idle: 4.0,
            constant_requests_per_second: 1_000.0,
            floor_entries_per_second: 21.0,
            social: None,
            charts: Vec::new(),
        }
    }

    fn social_report() -> SocialReport {
        let three = P50P99P999 { p50: 1.0, p99: 2.0, p999: 3.5 };
        SocialReport {
            likes: 50,
            hot_likes: 10,
            comments: 10,
            like_ms: three,
            comment_ms: three,
            lost: 0,
            duplicates: 0,
            counts_checked: 400,
            counts_off: 0,
            counted_after_ms: 12.5,
            read_ms_without: None,
            read_p99_ratio: None,
        }
    }

    #[test]
    fn the_json_of_social_runs_has_their_figures() {
        let json = members(MixedReport { social: Some(social_report()), ..mixed_report() });
        let social = r#""social":{"likes":50,"hot_likes":10,"comments":10,"like_ms":{"p50":1.0,"p99":2.0,"p999":3.5},"comment_ms":{"p50":1.0,"p99":2.0,"p999":3.5},"lost":0,"duplicates":0,"counts_checked":400,"counts_off":0,"counted_after_ms":12.5}}"#;
        assert!(json.ends_with(social), "{json}");
    }

    #[test]
    fn lost_or_duplicate_likes_are_inexact() {
        assert!(social_report().is_exact());
        assert!(!SocialReport { lost: 1, ..social_report() }.is_exact());
        assert!(!SocialReport { duplicates: 1, ..social_report() }.is_exact());
        assert!(!SocialReport { counts_off: 1, ..social_report() }.is_exact());
    }

    #[test]
    fn a_comparison_is_reported() {
        let three = P50P99P999 { p50: 1.0, p99: 1.6, p999: 3.5 };
        let social = SocialReport { read_ms_without: Some(three), read_p99_ratio: Some(1.25), ..social_report() };
        let table = MixedReport { social: Some(social), ..mixed_report() }.to_string();
        assert!(table.contains("1.25  with likes and comments, relative to without"), "{table}");
    }

    #[test]
    fn the_json_of_a_fanout_has_agreed_members() {
        assert_eq!(
            members(fanout_report()),
            r#"{"followers":60,"posts":2,"fanout_ms":{"p50":1.5,"p99":2.0,"max":2.5},"entries_expected":120,"entries_found":120,"duplicates":0,"jobs_sent":6,"jobs_received":6,"jobs_deleted":6,"entries_per_second":10.5,"floor_entries_per_second":21.0,"floor_ratio":0.5,"constant_requests_per_second":1000.0,"feed_read_ms":{"p50":0.5,"p99":0.75},"seed_seconds":0.25,"peak_rss_mb":33.5}"#
        );
    }

    #[test]
    fn the_json_of_mixed_runs_has_agreed_members() {
        assert_eq!(
            members(mixed_report()),
            r#"{"rate_asked":500.0,"rate_achieved":499.5,"errors":0,"read_ms":{"p50":1.0,"p99":2.0,"p999":3.5},"post_ms":{"p50":1.0,"p99":2.0,"p999":3.5},"delivery_ms":{"p50":4.5,"p99":5.5},"lost":0,"duplicates":0,"peak_rss_mb":null,"idle_read_ms":{"p50":0.25,"p99":0.5},"read_p99_over_idle":4.0,"constant_requests_per_second":1000.0,"floor_entries_per_second":21.0}"#
        );
    }

    #[test]
    fn missing_or_duplicate_entries_are_incomplete() {
        assert!(fanout_report().is_complete());
        assert!(!FanoutReport { entries_found: 119, ..fanout_report() }.is_complete());
        assert!(!FanoutReport { duplicates: 1, ..fanout_report() }.is_complete());
        assert!(mixed_report().is_complete());
        assert!(!MixedReport { lost: 1, ..mixed_report() }.is_complete());
        assert!(!MixedReport { duplicates: 1, ..mixed_report() }.is_complete());
    }

    #[test]
    fn percentiles_are_accurate_and_bounded_by_the_maximum() {
        let latencies = of_millis(1..=1_000);
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let reported = latencies.quantile_ms(share);
            assert!((reported / exact - 1.0).abs() < 0.001, "{share}: {reported}");
        }
        let few = of_millis([7, 12_345]);
        assert!(few.quantile_ms(0.99) <= few.max_ms());
        assert!(of_millis([]).quantile_ms(0.99) == 0.0);
    }

    #[test]
    fn the_table_has_a_line_for_each_figure() {
        let table = fanout_report().to_string();
        assert!(table.contains("120 of 120") && table.contains("the description of the baseline"), "{table}");
        assert!(mixed_report().to_string().contains("unknown"));
    }
}
