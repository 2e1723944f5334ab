//! Every limit in one place, each with its source.

use std::{ops::RangeInclusive, time::Duration};

// --- What the contract promises (API: Conventions). Characters are Unicode scalar values.

/// Characters of a handle.
pub const HANDLE_CHARS: RangeInclusive<usize> = 3..=30;
/// Characters of an e-mail address: RFC 5321 allows a path of 256 octets, two of which are its brackets.
pub const MAX_EMAIL_CHARS: usize = 254;
/// Characters of a password.
pub const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;
/// Characters of a display name.
pub const MAX_DISPLAY_NAME_CHARS: usize = 50;
/// Characters of a post.
pub const MAX_POST_CHARS: usize = 500;
/// Items of a page when the caller names no number.
pub const DEFAULT_PAGE_LIMIT: u32 = 20;
/// Items of a page at the most.
pub const MAX_PAGE_LIMIT: u32 = 100;
/// Dead entries skipped while a page is filled; past that the page may be short, with a cursor.
pub const MAX_DEAD_ENTRIES_PER_PAGE: usize = 1_000;
/// Bytes of a request body.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Characters of an `Idempotency-Key`, each visible ASCII.
pub const IDEMPOTENCY_KEY_CHARS: RangeInclusive<usize> = 1..=255;
/// How long an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_hours(24);
/// Life of an access token.
pub const ACCESS_TOKEN_TTL: Duration = Duration::from_mins(15);
/// Life of a refresh token.
pub const REFRESH_TOKEN_TTL: Duration = Duration::from_hours(7 * 24);
/// For how long a spent refresh token still yields a pair (a lost answer, two tabs).
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);

// --- Fan-out.

/// Followers per job on JobQ: one BatchWriteItem's worth.
pub const FOLLOWERS_PER_JOB: usize = MAX_BATCH_WRITE;
/// First lease of an outbox entry; doubles with each time the sweeper takes it, so that a queue stalled for ten
/// minutes costs 3 extra messages a post (after 1, 3 and 7 minutes).
pub const OUTBOX_LEASE: Duration = Duration::from_mins(1);
/// The lease grows no further than this.
pub const MAX_OUTBOX_LEASE: Duration = Duration::from_hours(1);
/// Partitions that the outbox is spread over, so that it takes 16 times a partition's writes.
pub const OUTBOX_SHARDS: u8 = 16;
/// How often the sweeper looks for expired leases.
pub const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// Receives after which a message goes to the dead-letter queue.
pub const MAX_RECEIVES: u32 = 5;

// --- DynamoDB (Developer Guide: Service, account, and table quotas; API reference of each operation).

/// Requests in one BatchWriteItem.
pub const MAX_BATCH_WRITE: usize = 25;
/// Keys in one BatchGetItem.
pub const MAX_BATCH_GET: usize = 100;
/// Actions in one TransactWriteItems.
pub const MAX_TRANSACT: usize = 100;
/// Bytes of a partition key.
pub const MAX_PARTITION_BYTES: usize = 2_048;
/// Bytes of a sort key.
pub const MAX_SORT_BYTES: usize = 1_024;
/// Bytes of an item, names and values together.
pub const MAX_ITEM_BYTES: usize = 400 * 1024;
/// Bytes that one Query reads at the most.
pub const MAX_QUERY_BYTES: usize = 1024 * 1024;

// --- SQS (Developer Guide: Amazon SQS message quotas).

/// Entries in one SendMessageBatch, DeleteMessageBatch or ChangeMessageVisibilityBatch, and messages of one receive.
pub const MAX_QUEUE_BATCH: usize = 10;
/// Bytes of a message, and of all messages of one SendMessageBatch together.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Longest wait of a receive.
pub const MAX_RECEIVE_WAIT: Duration = Duration::from_secs(20);
/// Longest delay of a message.
pub const MAX_MESSAGE_DELAY: Duration = Duration::from_mins(15);
/// Longest visibility timeout.
pub const MAX_VISIBILITY: Duration = Duration::from_hours(12);
