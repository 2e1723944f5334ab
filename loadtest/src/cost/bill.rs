//! Prices the usage.

use std::ops::AddAssign;

use ports::{queue::QueueName, store::Table};
use serde::Serialize;

use super::{meter::Usage, prices};

const MILLION: f64 = 1e6;
const GB: f64 = 1e9;
/// Lambda's GB is 1,024 MB.
const LAMBDA_GB_IN_MB: f64 = 1_024.0;

/// The billed work.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Work {
    /// Posts answered.
    pub posts: u64,
    /// Followers of their author.
    pub followers: u64,
    /// Feed reads answered.
    pub reads: u64,
    /// Likes and comments answered.
    pub reactions: u64,
    /// Follows answered.
    pub follows: u64,
    /// Bytes of all answers' bodies.
    pub answer_bytes: u64,
    /// The usage counted at the ports.
    pub usage: Usage,
}

impl Work {
    /// Requests answered.
    pub const fn requests(&self) -> u64 {
        self.posts + self.reads + self.reactions + self.follows
    }
}

/// The billed amounts of some work. Fractional: the plan computes with averages.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Amounts {
    /// Posts answered.
    pub posts: f64,
    /// Feed reads answered.
    pub reads: f64,
    /// Likes and comments answered.
    pub reactions: f64,
    /// Follows answered.
    pub follows: f64,
    /// Followers read by follow-fetcher.
    pub fanned_out: f64,
    /// DynamoDB's write request units on Feed.
    pub feed_writes: f64,
    /// DynamoDB's write request units on the other tables.
    pub other_writes: f64,
    /// DynamoDB's read request units on Feed.
    pub feed_reads: f64,
    /// DynamoDB's read request units on the other tables.
    pub other_reads: f64,
    /// Requests to SQS.
    pub sqs_requests: f64,
    /// Batches of PostQ: invocations of follow-fetcher.
    pub post_batches: f64,
    /// Batches of JobQ: invocations of job-handler.
    pub job_batches: f64,
    /// Duration of job-handler's invocations, in units of [`prices::JOB_HANDLER_MS`].
    pub job_turns: f64,
    /// Batches of changes: invocations of stream-handler.
    pub change_batches: f64,
    /// Bytes of all answers' bodies.
    pub answer_bytes: f64,
}

impl From<&Work> for Amounts {
    fn from(work: &Work) -> Self {
        let feed = work.usage.tables.get(&Table::Feed).copied().unwrap_or_default();
        let all = work.usage.units();
        let job_batches = float(work.usage.batches_of(QueueName::JobQ));
        Self {
            posts: float(work.posts),
            reads: float(work.reads),
            reactions: float(work.reactions),
            follows: float(work.follows),
            fanned_out: float(work.posts) * float(work.followers),
            feed_writes: float(feed.writes),
            other_writes: float(all.writes - feed.writes),
            feed_reads: feed.reads(),
            other_reads: all.reads() - feed.reads(),
            sqs_requests: float(work.usage.sqs_requests),
            post_batches: float(work.usage.batches_of(QueueName::PostQ)),
            job_batches,
            job_turns: job_batches,
            change_batches: float(work.usage.change_batches),
            answer_bytes: float(work.answer_bytes),
        }
    }
}

impl AddAssign for Amounts {
    fn add_assign(&mut self, other: Self) {
        self.posts += other.posts;
        self.reads += other.reads;
        self.reactions += other.reactions;
        self.follows += other.follows;
        self.fanned_out += other.fanned_out;
        self.feed_writes += other.feed_writes;
        self.other_writes += other.other_writes;
        self.feed_reads += other.feed_reads;
        self.other_reads += other.other_reads;
        self.sqs_requests += other.sqs_requests;
        self.post_batches += other.post_batches;
        self.job_batches += other.job_batches;
        self.job_turns += other.job_turns;
        self.change_batches += other.change_batches;
        self.answer_bytes += other.answer_bytes;
    }
}

impl Amounts {
    /// The amounts of this many times the work.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            posts: self.posts * factor,
            reads: self.reads * factor,
            reactions: self.reactions * factor,
            follows: self.follows * factor,
            fanned_out: self.fanned_out * factor,
            feed_writes: self.feed_writes * factor,
            other_writes: self.other_writes * factor,
            feed_reads: self.feed_reads * factor,
            other_reads: self.other_reads * factor,
            sqs_requests: self.sqs_requests * factor,
            post_batches: self.post_batches * factor,
            job_batches: self.job_batches * factor,
            job_turns: self.job_turns * factor,
            change_batches: self.change_batches * factor,
            answer_bytes: self.answer_bytes * factor,
        }
    }

    /// Requests answered.
    pub fn requests(&self) -> f64 {
        self.posts + self.reads + self.reactions + self.follows
    }

    /// Write request units of all tables.
    pub fn writes(&self) -> f64 {
        self.feed_writes + self.other_writes
    }

    /// Read request units of all tables.
    pub fn units_read(&self) -> f64 {
        self.feed_reads + self.other_reads
    }

    /// Invocations of all functions.
    pub fn invocations(&self) -> f64 {
        self.requests() + self.post_batches + self.job_batches + self.change_batches
    }

    /// Seconds that functions run, by their assumed durations, each with its function's memory in MB.
    pub fn busy_seconds(&self) -> [(f64, u32); 7] {
        let seconds = |times: f64, millis: f64| times * millis / 1_000.0;
        let fetching = seconds(self.post_batches, prices::FOLLOW_FETCHER_MS)
            + seconds(self.fanned_out / 1_000.0, prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS);
        [
            (seconds(self.posts, prices::POST_HANDLER_MS), prices::POST_HANDLER_MB),
            (seconds(self.reads, prices::STATUS_API_MS), prices::STATUS_API_MB),
            (seconds(self.reactions, prices::STATUS_API_ACT_MS), prices::STATUS_API_MB),
            (seconds(self.follows, prices::STATUS_API_FOLLOW_MS), prices::STATUS_API_MB),
            (seconds(self.change_batches, prices::STREAM_HANDLER_MS), prices::STREAM_HANDLER_MB),
            (fetching, prices::FOLLOW_FETCHER_MB),
            (seconds(self.job_turns, prices::JOB_HANDLER_MS), prices::JOB_HANDLER_MB),
        ]
    }

    /// GB-seconds of all functions, by their assumed durations.
    pub fn gb_seconds(&self) -> f64 {
        self.busy_seconds().iter().map(|(seconds, megabytes)| seconds * f64::from(*megabytes) / LAMBDA_GB_IN_MB).sum()
    }

    fn log_bytes(&self) -> f64 {
        self.invocations() * prices::LOG_BYTES_PER_INVOCATION + self.requests() * prices::LOG_BYTES_PER_REQUEST
    }
}

/// Costs in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Bill {
    /// DynamoDB's write request units.
    pub dynamodb_writes: f64,
    /// DynamoDB's read request units.
    pub dynamodb_reads: f64,
    /// SQS's requests.
    pub sqs: f64,
    /// Lambda's invocations and GB-seconds; durations are assumed.
    pub lambda: f64,
    /// The HTTP API's requests.
    pub http_api: f64,
    /// Data transfer to the internet.
    pub transfer: f64,
    /// CloudWatch's logs with the metrics in them, and X-Ray's traces; assumed.
    pub logs_and_traces: f64,
}

/// Numbers of requests are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "numbers of requests and bytes")]
const fn float(number: u64) -> f64 {
    number as f64
}

impl Bill {
    /// Prices the work.
    pub fn of(work: &Work) -> Self {
        Self::for_amounts(&work.into())
    }

    /// Prices the amounts.
    pub fn for_amounts(amounts: &Amounts) -> Self {
        let (requests, invocations) = (amounts.requests(), amounts.invocations());
        Self {
            dynamodb_writes: amounts.writes() * prices::DYNAMODB_WRITES_PER_MILLION / MILLION,
            dynamodb_reads: amounts.units_read() * prices::DYNAMODB_READS_PER_MILLION / MILLION,
            sqs: amounts.sqs_requests * prices::SQS_PER_MILLION / MILLION,
            lambda: invocations * prices::LAMBDA_PER_MILLION / MILLION
                + amounts.gb_seconds() * prices::LAMBDA_PER_GB_SECOND,
            http_api: requests * prices::HTTP_API_PER_MILLION / MILLION,
            transfer: (amounts.answer_bytes + requests * prices::HEADER_BYTES_PER_ANSWER) / GB
                * prices::TRANSFER_OUT_PER_GB,
            logs_and_traces: amounts.log_bytes() / GB * prices::LOGS_PER_GB
                + invocations * prices::TRACED_SHARE * prices::TRACES_PER_MILLION / MILLION,
        }
    }

    /// Its lines, in the order of the table.
    pub const fn lines(&self) -> [(&'static str, f64); 7] {
        [
            ("DynamoDB writes", self.dynamodb_writes),
            ("DynamoDB reads", self.dynamodb_reads),
            ("SQS", self.sqs),
            ("Lambda", self.lambda),
            ("HTTP API", self.http_api),
            ("data sent out", self.transfer),
            ("logs, metrics, traces", self.logs_and_traces),
        ]
    }

    /// The total of all lines.
    pub fn total(&self) -> f64 {
        self.lines().iter().map(|(_, usd)| usd).sum()
    }

    /// The bill for this many times the work.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            dynamodb_writes: self.dynamodb_writes * factor,
            dynamodb_reads: self.dynamodb_reads * factor,
            sqs: self.sqs * factor,
            lambda: self.lambda * factor,
            http_api: self.http_api * factor,
            transfer: self.transfer * factor,
            logs_and_traces: self.logs_and_traces * factor,
        }
    }
}

/// Invocations of all functions.
pub fn invocations(work: &Work) -> f64 {
    Amounts::from(work).invocations()
}

/// GB-seconds of all functions, by their assumed durations.
pub fn gb_seconds(work: &Work) -> f64 {
    Amounts::from(work).gb_seconds()
}

/// The cost of keeping the written items for a month, recovery included.
pub fn kept_a_month(usage: &Usage) -> f64 {
    bytes_kept_a_month(float(usage.stored_bytes.max(0).cast_unsigned()))
}

/// The cost of keeping this many billed bytes for a month, recovery included.
pub fn bytes_kept_a_month(bytes: f64) -> f64 {
    bytes / GB * (prices::DYNAMODB_STORAGE_PER_GB_MONTH + prices::DYNAMODB_RECOVERY_PER_GB_MONTH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cost::units::Units;

    fn assert_near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }

    #[test]
    fn a_million_of_each_costs_the_list_price() {
        let usage = Usage {
            tables: [
                (Table::Feed, Units { writes: 600_000, read_halves: 2_000_000 }),
                (Table::Social, Units::written(400_000)),
            ]
            .into(),
            sqs_requests: 1_000_000,
            ..Usage::default()
        };
        let bill = Bill::of(&Work { reads: 1_000_000, usage, ..Work::default() });
        assert_near(bill.dynamodb_writes, 0.625);
        assert_near(bill.dynamodb_reads, 0.125);
        assert_near(bill.sqs, 0.4);
        assert_near(bill.http_api, 1.0);
        // 40 ms of 1 GB each.
        assert_near(bill.lambda, 0.2 + 40_000.0 * 0.000_013_333_4);
        assert_near(bill.total(), bill.lines().iter().map(|(_, usd)| usd).sum());
        assert_near(bill.times(3.0).total(), 3.0 * bill.total());
    }

    #[test]
    fn follow_fetcher_is_billed_by_messages_and_followers() {
        let usage = Usage { batches: [(QueueName::PostQ, 2)].into(), ..Usage::default() };
        let with = |followers| gb_seconds(&Work { posts: 1, followers, usage: usage.clone(), ..Work::default() });
        assert_near(with(10_000) - with(0), 0.5);
        assert_near(with(0), 0.060 * 0.25 + 2.0 * 0.050 * 0.5);
    }

    #[test]
    fn a_like_is_billed_with_its_changes() {
        let usage = Usage { change_batches: 3, ..Usage::default() };
        let work = Work { reactions: 10, usage, ..Work::default() };
        assert_near(invocations(&work), 13.0);
        assert_near(gb_seconds(&work), 10.0 * 0.040 + 3.0 * 0.100 * 0.25);
        assert_near(Bill::of(&work).http_api, 10.0 * prices::HTTP_API_PER_MILLION / MILLION);
    }

    #[test]
    fn keeping_a_gigabyte_costs_storage_and_recovery() {
        let usage = Usage { stored_bytes: 1_000_000_000, ..Usage::default() };
        assert_near(kept_a_month(&usage), 0.45);
    }
}
