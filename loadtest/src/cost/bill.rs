//! Prices the usage.

use ports::queue::QueueName;
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
        let units = work.usage.units();
        let requests = float(work.requests());
        Self {
            dynamodb_writes: float(units.writes) * prices::DYNAMODB_WRITES_PER_MILLION / MILLION,
            dynamodb_reads: units.reads() * prices::DYNAMODB_READS_PER_MILLION / MILLION,
            sqs: float(work.usage.sqs_requests) * prices::SQS_PER_MILLION / MILLION,
            lambda: invocations(work) * prices::LAMBDA_PER_MILLION / MILLION
                + gb_seconds(work) * prices::LAMBDA_PER_GB_SECOND,
            http_api: requests * prices::HTTP_API_PER_MILLION / MILLION,
            transfer: (float(work.answer_bytes) + requests * prices::HEADER_BYTES_PER_ANSWER) / GB
                * prices::TRANSFER_OUT_PER_GB,
            logs_and_traces: log_bytes(work) / GB * prices::LOGS_PER_GB
                + invocations(work) * prices::TRACED_SHARE * prices::TRACES_PER_MILLION / MILLION,
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
    let batches = work.usage.batches_of(QueueName::PostQ) + work.usage.batches_of(QueueName::JobQ);
    float(work.requests() + batches + work.usage.change_batches)
}

/// GB-seconds of all functions, by their assumed durations.
pub fn gb_seconds(work: &Work) -> f64 {
    let of = |times: u64, millis: f64, megabytes: u32| {
        float(times) * millis / 1_000.0 * f64::from(megabytes) / LAMBDA_GB_IN_MB
    };
    let page_millis = float(work.followers) / 1_000.0 * prices::FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS;
    of(work.posts, prices::POST_HANDLER_MS, prices::POST_HANDLER_MB)
        + of(work.reads, prices::STATUS_API_MS, prices::STATUS_API_MB)
        + of(work.reactions, prices::STATUS_API_ACT_MS, prices::STATUS_API_MB)
        + of(work.follows, prices::STATUS_API_FOLLOW_MS, prices::STATUS_API_MB)
        + of(work.usage.change_batches, prices::STREAM_HANDLER_MS, prices::STREAM_HANDLER_MB)
        + of(work.usage.batches_of(QueueName::PostQ), prices::FOLLOW_FETCHER_MS, prices::FOLLOW_FETCHER_MB)
        + of(work.posts, page_millis, prices::FOLLOW_FETCHER_MB)
        + of(work.usage.batches_of(QueueName::JobQ), prices::JOB_HANDLER_MS, prices::JOB_HANDLER_MB)
}

fn log_bytes(work: &Work) -> f64 {
    invocations(work) * prices::LOG_BYTES_PER_INVOCATION + float(work.requests()) * prices::LOG_BYTES_PER_REQUEST
}

/// The cost of keeping the written items for a month, recovery included.
pub fn kept_a_month(usage: &Usage) -> f64 {
    let gb = float(usage.stored_bytes.max(0).cast_unsigned()) / GB;
    gb * (prices::DYNAMODB_STORAGE_PER_GB_MONTH + prices::DYNAMODB_RECOVERY_PER_GB_MONTH)
}

#[cfg(test)]
mod tests {
    use ports::store::Table;

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
