//! What a run against a deployed stack found, held against what such a system must do.

use std::fmt;

use serde::Serialize;

use super::{api::Requests, plan::Plan};
use crate::{
    cost::{self, bill::Bill, bill::Work, meter::Usage, prices, units::Units},
    error::LoadtestError,
    report::{P50P99, P50P99Max, Row, rounded, write_table},
};

/// A post is answered within this many ms; the slowest of a run counts, cold starts included.
pub const POST_TARGET_MS: f64 = 1_000.0;
/// Every feed shows a post within this many ms of its answer; the slowest post of a run counts.
pub const FANOUT_TARGET_MS: f64 = 120_000.0;
/// A page of a feed is read within this many ms; the 99th percentile counts, the way from here to the API included.
pub const FEED_READ_TARGET_MS: f64 = 200.0;

/// What a run cost, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// What the stack did for the posts: a post to as many followers in one process, counted there, times the posts.
    pub posts: f64,
    /// What it did for the reads, each as if it showed all posts: the same way.
    pub reads: f64,
    /// The units of seeding and cleaning.
    pub rows: f64,
}

impl Cost {
    /// Of the requests of a run and of the units that it took itself. Runs one process for a moment.
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

    /// All of it.
    pub fn total(&self) -> f64 {
        self.posts + self.reads + self.rows
    }
}

/// What `loadtest fanout --url --stack` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackReport {
    /// Followers of the author.
    pub followers: u64,
    /// Posts that were to be made.
    pub posts: u64,
    /// `POST /v1/posts`, from sending the request to the end of its answer.
    pub post_ms: P50P99Max,
    /// Per post, from its answer to the moment in which the last follower's feed was *seen* to show it, through HTTP:
    /// not below what one look at every feed takes.
    pub fanout_ms: P50P99Max,
    /// `GET /v1/feed`, by each follower, after the last fan-out.
    pub feed_read_ms: P50P99,
    /// Followers times posts.
    pub entries_expected: u64,
    /// How many of these the feeds showed.
    pub entries_found: u64,
    /// How many they showed more than once.
    pub duplicates: u64,
    /// Feed reads that were answered.
    pub feed_reads: u64,
    /// Feed reads that were throttled or failed, and were repeated.
    pub feed_reads_repeated: u64,
    /// Rows written before the first post.
    pub rows_seeded: u64,
    /// How long that took.
    pub seed_seconds: f64,
    /// Rows removed in the end, or found absent.
    pub rows_removed: u64,
    /// How long that took.
    pub clean_seconds: f64,
    /// What could not be removed.
    pub not_removed: Vec<String>,
    /// What all of it cost.
    pub cost: Cost,
}

impl StackReport {
    /// Whether every feed showed every post once.
    pub const fn is_complete(&self) -> bool {
        self.entries_found == self.entries_expected && self.duplicates == 0
    }

    /// The targets that were missed, in words.
    pub fn missed(&self) -> Vec<String> {
        let times = [
            ("a post was answered", self.post_ms.max, POST_TARGET_MS),
            ("all feeds showed a post", self.fanout_ms.max, FANOUT_TARGET_MS),
            ("99 of 100 feeds were read", self.feed_read_ms.p99, FEED_READ_TARGET_MS),
        ];
        let late = times.into_iter().filter(|(_, took, target)| took >= target);
        late.map(|(what, took, target)| format!("{what} within {took:.0} ms; the target is {target:.0} ms")).collect()
    }
}

impl fmt::Display for StackReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (post, fanout, read) = (self.post_ms, self.fanout_ms, self.feed_read_ms);
        let three = |ms: P50P99Max| format!("{:.0} / {:.0} / {:.0} ms", ms.p50, ms.p99, ms.max);
        let of = |found: u64, expected: u64| format!("{found} of {expected}");
        let rows: [Row; 13] = [
            ("followers", self.followers.to_string(), ""),
            ("posts", self.posts.to_string(), ""),
            ("post", three(post), "p50 / p99 / max; target: max under 1 s"),
            (
                "fan-out",
                three(fanout),
                "p50 / p99 / max, answer to the last feed seen; target: max under 120 s, aim 60",
            ),
            ("feed read", format!("{:.0} / {:.0} ms", read.p50, read.p99), "p50 / p99; target: p99 under 200 ms"),
            ("entries", of(self.entries_found, self.entries_expected), "shown by the followers' feeds"),
            ("duplicates", self.duplicates.to_string(), ""),
            ("feed reads", self.feed_reads.to_string(), "while waiting and in the check"),
            ("repeated", self.feed_reads_repeated.to_string(), "reads that were throttled or failed"),
            ("seeding", format!("{:.1} s", rounded(self.seed_seconds)), "users and edges"),
            ("removed", format!("{} rows", self.rows_removed), "of seeding and of the posts"),
            ("not removed", self.not_removed.len().to_string(), "kinds of rows, told above"),
            ("cost", format!("${:.4}", self.cost.total()), prices::VALIDITY),
        ];
        write_table(f, &rows)?;
        let Cost { posts, reads, rows } = self.cost;
        writeln!(f, "of which posts ${posts:.4}, reads ${reads:.4}, seeding and removing ${rows:.4}")
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
        }
    }

    #[test]
    fn a_run_within_all_targets_misses_none() {
        assert!(report().is_complete());
        assert!(report().missed().is_empty());
    }

    #[test]
    fn the_slowest_post_the_slowest_fan_out_and_the_99th_percentile_of_reads_count() {
        let ms = |max| P50P99Max { p50: 1.0, p99: 1.0, max };
        let missed = |report: StackReport| report.missed().join("; ");
        assert!(
            missed(StackReport { post_ms: ms(1_000.0), ..report() }).starts_with("a post was answered within 1000 ms")
        );
        assert!(missed(StackReport { fanout_ms: ms(120_000.0), ..report() }).starts_with("all feeds showed a post"));
        let feed_read_ms = P50P99 { p50: 1.0, p99: 200.0 };
        assert!(missed(StackReport { feed_read_ms, ..report() }).starts_with("99 of 100 feeds"));
    }

    #[test]
    fn a_missing_or_doubled_entry_is_not_complete() {
        assert!(!StackReport { entries_found: 19_999, ..report() }.is_complete());
        assert!(!StackReport { duplicates: 1, ..report() }.is_complete());
    }

    #[test]
    fn the_table_says_what_fan_out_means_here() {
        let table = report().to_string();
        assert!(table.contains("answer to the last feed seen"), "{table}");
        assert!(table.contains("$0.3250"), "{table}");
    }
}
