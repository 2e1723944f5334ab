//! The counts and costs as a table, as Markdown and as JSON.

use std::fmt;

use ports::store::Table;
use serde::Serialize;

use crate::report::Report;

use super::{
    bill::{self, Bill, Work},
    prices,
};
use crate::table::{self, number, thousands};

/// The result of `loadtest cost`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CostReport {
    /// Validity of the prices.
    pub prices: &'static str,
    /// The share of followers who are not dormant.
    pub active: f64,
    /// One post, by the number of its author's followers.
    pub posts: Vec<PostCost>,
    /// A million reads of a feed's first page.
    pub million_reads: RequestCost,
    /// A million likes, each alone.
    pub million_likes: RequestCost,
    /// A million comments, each alone.
    pub million_comments: RequestCost,
    /// A million follows, each alone.
    pub million_follows: RequestCost,
}

/// The counts of each kind of request but posts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Requests {
    /// Feed reads.
    pub reads: Work,
    /// Likes.
    pub likes: Work,
    /// Comments.
    pub comments: Work,
    /// Follows.
    pub follows: Work,
}

/// The cost of one post.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PostCost {
    /// Followers of its author.
    pub followers: u64,
    /// The counts.
    pub counted: Counted,
    /// The cost, in US dollars.
    pub bill: Bill,
    /// The total.
    pub usd: f64,
    /// The cost of keeping the post and its entries for a month, in US dollars. Not part of the total.
    pub kept_a_month_usd: f64,
}

/// The cost of requests of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RequestCost {
    /// The counts of one request.
    pub counted: Counted,
    /// The cost of a million, in US dollars.
    pub bill: Bill,
    /// The total.
    pub usd: f64,
}

/// Units and requests of one request; averages, so they may be fractional.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Counted {
    /// DynamoDB's write request units on Feed.
    pub feed_writes: f64,
    /// DynamoDB's write request units on the other tables.
    pub other_writes: f64,
    /// DynamoDB's read request units.
    pub reads: f64,
    /// Requests to SQS.
    pub sqs_requests: f64,
    /// Invocations of all functions.
    pub invocations: f64,
    /// GB-seconds of all functions, by the assumed times.
    pub gb_seconds: f64,
    /// Bytes of the answer's body.
    pub answer_bytes: f64,
}

impl Counted {
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    fn of_one(work: &Work) -> Self {
        let times = work.requests().max(1) as f64;
        let feed = work.usage.tables.get(&Table::Feed).copied().unwrap_or_default();
        let all = work.usage.units();
        Self {
            feed_writes: feed.writes as f64 / times,
            other_writes: (all.writes - feed.writes) as f64 / times,
            reads: all.reads() / times,
            sqs_requests: work.usage.sqs_requests as f64 / times,
            invocations: bill::invocations(work) / times,
            gb_seconds: bill::gb_seconds(work) / times,
            answer_bytes: work.answer_bytes as f64 / times,
        }
    }
}

impl CostReport {
    /// Prices the counts of posts and of each other kind of request.
    #[expect(clippy::cast_precision_loss, reason = "numbers of requests")]
    pub fn new(posts: &[Work], requests: &Requests) -> Self {
        let post = |work: &Work| {
            let one = 1.0 / work.posts.max(1) as f64;
            let bill = Bill::of(work).times(one);
            PostCost {
                followers: work.followers,
                counted: Counted::of_one(work),
                bill,
                usd: bill.total(),
                kept_a_month_usd: bill::kept_a_month(&work.usage) * one,
            }
        };
        let million = |work: &Work| {
            let bill = Bill::of(work).times(1e6 / work.requests().max(1) as f64);
            RequestCost { counted: Counted::of_one(work), bill, usd: bill.total() }
        };
        Self {
            prices: prices::VALIDITY,
            active: 1.0,
            posts: posts.iter().map(post).collect(),
            million_reads: million(&requests.reads),
            million_likes: million(&requests.likes),
            million_comments: million(&requests.comments),
            million_follows: million(&requests.follows),
        }
    }

    /// The same with this share of active followers in the posts.
    #[must_use]
    pub fn with_active(self, active: f64) -> Self {
        Self { active, ..self }
    }

    /// Markdown for the README.
    pub fn markdown(&self) -> String {
        format!("{}\n{}\n", table::markdown(&self.cells()), self.notes().join(" "))
    }

    /// The kinds of requests priced by the million.
    const fn millions(&self) -> [(&'static str, &RequestCost); 4] {
        [
            ("a million feed reads", &self.million_reads),
            ("a million likes", &self.million_likes),
            ("a million comments", &self.million_comments),
            ("a million follows", &self.million_follows),
        ]
    }

    /// The table's cells, the header first.
    fn cells(&self) -> Vec<Vec<String>> {
        let millions = self.millions();
        let row = |name: &str, of_post: &dyn Fn(&PostCost) -> String, of_million: &dyn Fn(&RequestCost) -> String| {
            let posts = self.posts.iter().map(of_post);
            let millions = millions.iter().map(|(_, cost)| of_million(cost));
            std::iter::once(name.to_owned()).chain(posts).chain(millions).collect()
        };
        let counted = |name: &str, of: fn(&Counted) -> f64| {
            row(name, &|post| number(of(&post.counted)), &|cost| number(of(&cost.counted) * 1e6))
        };
        let active = if self.active < 1.0 { format!(", {:.0}% active", self.active * 100.0) } else { String::new() };
        let posts = self.posts.iter().map(|post| format!("a post, {} followers{active}", thousands(post.followers)));
        let names = millions.iter().map(|(name, _)| (*name).to_owned());
        let mut rows: Vec<Vec<String>> = vec![std::iter::once(String::new()).chain(posts).chain(names).collect()];
        rows.extend([
            counted("write units on Feed", |counted| counted.feed_writes),
            counted("write units on Social", |counted| counted.other_writes),
            counted("read units", |counted| counted.reads),
            counted("SQS requests", |counted| counted.sqs_requests),
            counted("function invocations", |counted| counted.invocations),
            counted("GB-seconds (assumed times)", |counted| counted.gb_seconds),
        ]);
        rows.extend(self.million_reads.bill.lines().iter().enumerate().map(|(place, (name, _))| {
            row(name, &|post| dollars(post.bill.lines()[place].1), &|cost| dollars(cost.bill.lines()[place].1))
        }));
        rows.push(row("**total**", &|post| format!("**{}**", dollars(post.usd)), &|cost| {
            format!("**{}**", dollars(cost.usd))
        }));
        rows.push(row("storage for a month", &|post| dollars(post.kept_a_month_usd), &|_| "-".to_owned()));
        rows
    }

    fn notes(&self) -> [String; 5] {
        [
            format!("Prices: {} (`loadtest/src/cost/prices.rs`).", self.prices),
            "Units, requests and bytes are counted in a run of the single process; a read is a first page of 20 posts by \
             20 authors."
                .to_owned(),
            format!(
                "Counts and notifications are included. Each like, comment and follow is priced as an isolated one, the \
                 most expensive case: up to 98 of one post within a second share one invocation of stream-handler and \
                 the {} write units for the count. A follow backfills {} posts. stream-handler's stream reads are free. \
                 Rate limits are off in this run; with them, each post, like, comment and follow costs one more write \
                 unit.",
                super::units::COUNT_UNITS,
                super::measure::FOLLOWED_POSTS
            ),
            format!(
                "Durations are assumed, not measured on AWS: {} ms per post in post-handler; {} ms per read, {} ms per \
                 like or comment and {} ms per follow in status-api; {} ms per batch of changes in stream-handler; {} ms \
                 plus {} ms per 1,000 followers in follow-fetcher; {} ms per batch of up to ten jobs in job-handler. Also \
                 assumed: {} bytes of logs per invocation, {:.0}% of requests traced.",
                prices::POST_HANDLER_MS,
                prices::STATUS_API_MS,
                prices::STATUS_API_ACT_MS,
                prices::STATUS_API_FOLLOW_MS,
                prices::STREAM_HANDLER_MS,
                prices::FOLLOW_FETCHER_MS,
                prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS,
                prices::JOB_HANDLER_MS,
                prices::LOG_BYTES_PER_INVOCATION,
                prices::TRACED_SHARE * 100.0
            ),
            "Not included: the cost of an idle stack (queue polling, the sweeper, alarms, the secret), and storage, \
             which is in the last row."
                .to_owned(),
        ]
    }
}

impl Report for CostReport {
    fn table(&self) -> Vec<Vec<String>> {
        self.cells().into_iter().map(|row| row.iter().map(|cell| cell.replace("**", "")).collect()).collect()
    }

    fn faults(&self) -> Vec<String> {
        Vec::new()
    }
}

impl fmt::Display for CostReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&table::plain(&self.cells()))?;
        self.notes().iter().try_for_each(|note| writeln!(f, "{note}"))
    }
}

/// Formats dollars with three significant digits and at least two decimals.
fn dollars(usd: f64) -> String {
    if usd <= 0.0 {
        return "$0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 2 to 12")]
    let places = (2.0 - usd.log10().floor()).clamp(2.0, 12.0) as usize;
    format!("${usd:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_have_three_significant_digits() {
        let texts = [0.0, 0.000_012_34, 0.006_251, 0.625, 1.0, 12.345].map(dollars);
        assert_eq!(texts, ["$0", "$0.0000123", "$0.00625", "$0.625", "$1.00", "$12.35"]);
    }

    #[test]
    fn markdown_has_a_column_per_request() {
        let work = Work { posts: 1, followers: 100, ..Work::default() };
        let requests = Requests { reads: Work { reads: 10, ..Work::default() }, ..Requests::default() };
        let markdown = CostReport::new(&[work.clone(), Work { followers: 10_000, ..work }], &requests).markdown();
        let table: Vec<&str> = markdown.lines().take_while(|line| line.starts_with('|')).collect();
        assert!(table[0].contains("a post, 10,000 followers"), "{markdown}");
        assert!(table.iter().all(|line| line.matches('|').count() == 8), "{markdown}");
    }
}
