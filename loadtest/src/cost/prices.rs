//! AWS's prices, and assumptions in place of measurements that need AWS. The only file with prices.
//!
//! us-east-1, US dollars, list prices of 2025-11 without free tiers and without volume discounts. Each constant names
//! its source page; change the numbers here for another region.

/// Validity of the prices.
pub const VALIDITY: &str = "us-east-1, USD, list prices of 2025-11, without free tiers";

// --- DynamoDB, on demand, standard tables: aws.amazon.com/dynamodb/pricing/on-demand

/// A million write request units.
pub const DYNAMODB_WRITES_PER_MILLION: f64 = 0.625;
/// A million read request units.
pub const DYNAMODB_READS_PER_MILLION: f64 = 0.125;
/// A GB stored for a month.
pub const DYNAMODB_STORAGE_PER_GB_MONTH: f64 = 0.25;
/// A GB under point-in-time recovery for a month.
pub const DYNAMODB_RECOVERY_PER_GB_MONTH: f64 = 0.20;
/// Bytes that each item takes beyond its size where storage is billed (Developer Guide: DynamoDB item sizes and formats).
pub const DYNAMODB_STORED_ITEM_OVERHEAD: u64 = 100;

// --- SQS, standard queues: aws.amazon.com/sqs/pricing

/// A million requests.
pub const SQS_PER_MILLION: f64 = 0.40;

// --- Lambda: aws.amazon.com/lambda/pricing

/// A million invocations.
pub const LAMBDA_PER_MILLION: f64 = 0.20;
/// A GB for a second, arm64, the template's default. On x86-64 it is 0.0000166667.
pub const LAMBDA_PER_GB_SECOND: f64 = 0.000_013_333_4;

// --- API Gateway, HTTP APIs: aws.amazon.com/api-gateway/pricing

/// A million requests of up to 512 KB.
pub const HTTP_API_PER_MILLION: f64 = 1.00;

// --- Data transfer: aws.amazon.com/ec2/pricing/on-demand, data transfer

/// A GB out to the internet.
pub const TRANSFER_OUT_PER_GB: f64 = 0.09;

// --- CloudWatch and X-Ray: aws.amazon.com/cloudwatch/pricing, aws.amazon.com/xray/pricing

/// A GB of ingested logs, standard class; embedded metrics are billed as logs.
pub const LOGS_PER_GB: f64 = 0.50;
/// A million traces recorded.
pub const TRACES_PER_MILLION: f64 = 5.00;

// --- The functions' memory, as in template.yaml (a test compares), in MB.

/// post-handler.
pub const POST_HANDLER_MB: u32 = 256;
/// follow-fetcher.
pub const FOLLOW_FETCHER_MB: u32 = 512;
/// job-handler.
pub const JOB_HANDLER_MB: u32 = 256;
/// status-api.
pub const STATUS_API_MB: u32 = 1024;
/// stream-handler.
pub const STREAM_HANDLER_MB: u32 = 256;

// --- Assumptions that only a run on AWS could verify. Chosen above the expected values.

/// Duration of post-handler for a post, in ms: one read, one transaction and one send of about 10 ms each.
pub const POST_HANDLER_MS: f64 = 60.0;
/// Duration of status-api for a page of a feed, in ms: one query, then three parallel batch gets.
pub const STATUS_API_MS: f64 = 40.0;
/// Duration of status-api for a like or a comment, in ms: two reads and one transaction of about 10 ms each.
pub const STATUS_API_ACT_MS: f64 = 40.0;
/// Duration of status-api for a follow, in ms: a transaction, the story and its posts, the entries in parallel, and
/// another transaction.
pub const STATUS_API_FOLLOW_MS: f64 = 100.0;
/// Duration of stream-handler for a batch of changes, in ms: up to eight rounds of reads, two of transactions.
pub const STREAM_HANDLER_MS: f64 = 100.0;
/// Duration of follow-fetcher for a message without its pages, in ms.
pub const FOLLOW_FETCHER_MS: f64 = 50.0;
/// Additional duration per 1,000 followers, in ms: a seventh of a query's megabyte, and four batches of ten jobs.
pub const FOLLOW_FETCHER_MS_PER_1000_FOLLOWERS: f64 = 100.0;
/// Duration of job-handler for a batch, in ms: its jobs are written in parallel, each a batch of 25 items.
pub const JOB_HANDLER_MS: f64 = 100.0;
/// Bytes logged per invocation: up to 475 of ours, a line and embedded metrics, as `scripts/measure-functions` counts them;
/// about 600 in Lambda's start and report lines; 26 that CloudWatch adds to each of the four.
pub const LOG_BYTES_PER_INVOCATION: f64 = 1_200.0;
/// Bytes per request in the API's access log.
pub const LOG_BYTES_PER_REQUEST: f64 = 500.0;
/// Bytes of an answer without its body: status line, headers, TLS.
pub const HEADER_BYTES_PER_ANSWER: f64 = 600.0;
/// Share of requests that X-Ray records: by default one per second and 5% of the others.
pub const TRACED_SHARE: f64 = 0.05;

#[cfg(test)]
mod tests {
    use super::*;

    /// The memory of a function in the template, by its logical id.
    fn memory_of(function: &str) -> Option<u32> {
        let template = include_str!("../../../template.yaml");
        let (_, resource) = template.split_once(&format!("\n  {function}:\n"))?;
        let line = resource.lines().find_map(|line| line.trim().strip_prefix("MemorySize:"))?;
        line.trim().parse().ok()
    }

    #[test]
    fn memory_sizes_match_the_template() {
        for (function, megabytes) in [
            ("PostHandler", POST_HANDLER_MB),
            ("FollowFetcher", FOLLOW_FETCHER_MB),
            ("JobHandler", JOB_HANDLER_MB),
            ("StatusApi", STATUS_API_MB),
            ("StreamHandler", STREAM_HANDLER_MB),
        ] {
            assert_eq!(memory_of(function), Some(megabytes), "{function}");
        }
    }
}
