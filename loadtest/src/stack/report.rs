//! The result of a run against a deployed stack, compared with its targets.

use std::fmt;

use serde::Serialize;

use super::{api::Requests, plan::Plan};
use crate::{
    chart::Chart,
    cost::{self, bill::Bill, bill::Work, meter::Usage, prices, units::Units},
    error::LoadtestError,
    report::{P50P99, P50P99Max, Report, Row, cells, incomplete, rounded, write_table},
};

/// Target for the slowest answer to a post, in ms, cold starts included.
pub const POST_TARGET_MS: f64 = 1_000.0;
/// Target for the time from a post's answer until every feed shows it, in ms; the slowest post counts.
pub const FANOUT_TARGET_MS: f64 = 120_000.0;
/// Target for the 99th percentile of reading a feed page, in ms, the network to the API included.
pub const FEED_READ_TARGET_MS: f64 = 200.0;

/// The cost of a run, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// The stack's cost of the posts: counted for a post to as many followers in one process, times the number of
    /// posts.
    pub posts: f64,
    /// The stack's cost of the reads, counted the same way as if each showed all posts.
    pub reads: f64,
    /// The cost of seeding and cleaning.
    pub rows: f64,
}

impl Cost {
    /// Prices the requests of a run and its own units. Briefly runs one process.
    pub async fn of_run(plan: Plan, requests: &Requests, own: Units) -> Result<Self, LoadtestError> {
        let post = cost::measure::post(plan.followers, 1).await?;
        let read = cost::measure::reads(1, u32::try_from(plan.posts).unwrap_or(u32::MAX).min(20), 1).await?;
        let usage = Usage { tables: [(super::people::SEEDED, own)].into(), ..Usage::default() };
        #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
        let [posts, reads] = [requests.posts, requests.reads + requests.repeated].map(|number| number as f64);
        Ok(Self {
            posts: Bill::of(&post).times(posts).total(),
            reads: Bill::of(&read).times(reads).total(),
            rows: Bill::of(&Work { usage, ..Work::default() }).total(),
        })
    }

    /// The total.
    pub fn total(&self) -> f64 {
        self.posts + self.reads + self.rows
    }
}

/// The result of `loadtest fanout --url --stack`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackReport {
    /// Followers of the author.
    pub followers: u64,
    /// Posts to publish.
    pub posts: u64,
    /// `POST /v1/posts`, from sending the request to the end of its answer.
    pub post_ms: P50P99Max,
    /// Per post, from its answer to the moment when the last follower's feed was *seen* to show it, through HTTP: at
    /// least the time to poll every feed once.
    pub fanout_ms: P50P99Max,
    /// `GET /v1/feed`, by each follower, after the last fan-out.
    pub feed_read_ms: P50P99,
    /// Followers times posts.
    pub entries_expected: u64,
    /// Expected entries shown by the feeds.
    pub entries_found: u64,
    /// Duplicate entries shown by the feeds.
    pub duplicates: u64,
    /// Feed reads that were answered.
    pub feed_reads: u64,
    /// Feed reads that were throttled or failed, and were retried.
    pub feed_reads_repeated: u64,
    /// Rows written before the first post.
    pub rows_seeded: u64,
    /// Duration of seeding.
    pub seed_seconds: f64,
    /// Rows removed at the end, or found absent.
    pub rows_removed: u64,
    /// Duration of the cleanup.
    pub clean_seconds: f64,
    /// Descriptions of rows that could not be removed.
    pub not_removed: Vec<String>,
    /// The cost of the run.
    pub cost: Cost,
    /// Distributions of latencies.
    #[serde(skip)]
    pub charts: Vec<Chart>,
}

impl StackReport {
    /// Whether every feed showed every post exactly once.
    pub const fn is_complete(&self) -> bool {
        self.entries_found == self.entries_expected && self.duplicates == 0
    }

    /// Descriptions of the missed targets.
    pub fn missed(&self) -> Vec<String> {
        let times = [
            ("posts were answered", self.post_ms.max, POST_TARGET_MS),
            ("all feeds showed the post", self.fanout_ms.max, FANOUT_TARGET_MS),
            ("99% of feeds were read", self.feed_read_ms.p99, FEED_READ_TARGET_MS),
        ];
        let late = times.into_iter().filter(|(_, took, target)| took >= target);
        late.map(|(what, took, target)| format!("{what} within {took:.0} ms; the target is {target:.0} ms")).collect()
    }
}

impl StackReport {
    fn rows(&self) -> [Row; 13] {
        let (post, fanout, read) = (self.post_ms, self.fanout_ms, self.feed_read_ms);
        let three = |ms: P50P99Max| format!("{:.0} / {:.0} / {:.0} ms", ms.p50, ms.p99, ms.max);
        let of = |found: u64, expected: u64| format!("{found} of {expected}");
        [
            ("followers", self.followers.to_string(), ""),
            ("posts", self.posts.to_string(), ""),
            ("post", three(post), "p50 / p99 / max; target: max under 1 s"),
            (
                "fan-out",
                three(fanout),
                "p50 / p99 / max, answer to the last feed seen; target: max under 120 s, aim 60",
            ),
            ("feed read", format!("{:.0} / {:.0} ms", read.p50, read.p99), "p50 / p99; target: p99 under 200 ms"),
            ("entries", of(self.entries_found, self.entries_expected), "in the followers' feeds"),
            ("duplicates", self.duplicates.to_string(), ""),
            ("feed reads", self.feed_reads.to_string(), "while waiting and in the final check"),
            ("repeated", self.feed_reads_repeated.to_string(), "reads that were throttled or failed, and retried"),
            ("seeding", format!("{:.1} s", rounded(self.seed_seconds)), "users and edges"),
            ("removed", format!("{} rows", self.rows_removed), "of seeding and of the posts"),
            ("not removed", self.not_removed.len().to_string(), "kinds of rows, listed above"),
            ("cost", format!("${:.4}", self.cost.total()), prices::VALIDITY),
        ]
    }
}

impl fmt::Display for StackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_table(f, &self.rows())?;
        let Cost { posts, reads, rows } = self.cost;
        writeln!(f, "of which posts ${posts:.4}, reads ${reads:.4}, seeding and removing ${rows:.4}")
    }
}

impl Report for StackReport {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> StackReport {
        StackReport {
            followers: 10_000,
            posts: 2,
            post_ms: P50P99Max { p50: 90.0, p99: 900.0, max: 900.0 },
            fanout_ms: P50P99Max { p50: 15_000.0, p99: 20_000.0, max: 20_000.0 },
            feed_read_ms: P50P99 { p50: 30.0, p99: 120.0 },
            entries_expected: 20_000,
            entries_found: 20_000,
            duplicates: 0,
            feed_reads: 35_000,
            feed_reads_repeated: 3,
            rows_seeded: 30_001,
            seed_seconds: 12.0,
            rows_removed: 50_009,
            clean_seconds: 20.0,
            not_removed: Vec::new(),
            cost: Cost { posts: 0.0125, reads: 0.25, rows: 0.0625 },
            charts: Vec::new(),
        }
    }

    #[test]
    fn a_run_within_all_targets_misses_none() {
        assert!(report().is_complete());
        assert!(report().missed().is_empty());
    }

    #[test]
    fn slowest_posts_and_99th_percentile_of_reads_count() {
        let ms = |max| P50P99Max { p50: 1.0, p99: 1.0, max };
        let missed = |report: StackReport| report.missed().join("; ");
        assert!(
            missed(StackReport { post_ms: ms(1_000.0), ..report() }).starts_with("posts were answered within 1000 ms")
        );
        assert!(missed(StackReport { fanout_ms: ms(120_000.0), ..report() }).starts_with("all feeds showed the post"));
        let feed_read_ms = P50P99 { p50: 1.0, p99: 200.0 };
        assert!(missed(StackReport { feed_read_ms, ..report() }).starts_with("99% of feeds"));
    }

    #[test]
    fn missing_or_duplicate_entries_are_incomplete() {
        assert!(!StackReport { entries_found: 19_999, ..report() }.is_complete());
        assert!(!StackReport { duplicates: 1, ..report() }.is_complete());
    }

    #[test]
    fn the_table_defines_fan_out() {
        let table = report().to_string();
        assert!(table.contains("answer to the last feed seen"), "{table}");
        assert!(table.contains("$0.3250"), "{table}");
    }
}
