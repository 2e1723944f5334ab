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
/// Characters of what a user says about themselves.
pub const MAX_BIO_CHARS: usize = 160;
/// Characters of a comment.
pub const MAX_COMMENT_CHARS: usize = 500;
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
pub const REFRESH_GRACE: Duration = Duration::from_mins(1);
/// Refresh tokens stored as successors of one token. Further refreshes with it, within [`REFRESH_GRACE`], share the last
/// one. A few lost answers or tabs at once have tokens of their own.
pub const MAX_SUCCESSORS: u32 = 3;
/// Steps of one refresh from a token to one that is not spent, each of at most four store calls. Concurrent refreshes of
/// one token take four at the most; the rest follows successors that are spent already.
pub const MAX_REFRESH_STEPS: usize = 8;
/// Live sessions of one account: more than a person has devices. When one more begins, the oldest ends.
pub const MAX_SESSIONS: usize = 100;
/// Sessions that one login ends at the most: one in general, more where an account has more than [`MAX_SESSIONS`] from
/// before there was a limit.
pub const SESSIONS_ENDED_PER_LOGIN: usize = 10;
/// Characters kept of the `User-Agent` that a session was begun with: browsers send 80 to 200.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// For how long a process believes that a user who had an account still has it. The tokens of a deleted account must be
/// dead within 5 seconds; this leaves one for the request that asks.
pub const LIVENESS_TTL: Duration = Duration::from_secs(4);
/// Users of whom a process remembers that: some 100 bytes each, so 10 MB at the most.
pub const LIVENESS_ENTRIES: u64 = 100_000;

// --- Time (ADR 0019).

/// How much further the wall clock may go than time has passed, for removal to follow it at once: a small part of the 30
/// days in which a post can be restored, and more than any time server corrects.
pub const MAX_CLOCK_STEP: Duration = Duration::from_hours(1);
/// The same between the end of a process and the start of the next one, which may be stopped for a while.
pub const MAX_TRUSTED_DOWNTIME: Duration = Duration::from_hours(24);
/// For how long removal does not follow a clock that went further: time for an operator to see the warning and set the clock.
pub const CLOCK_HOLD: Duration = Duration::from_hours(24);
/// How often a process that is alone on its store remembers the time.
pub const CLOCK_MARK_INTERVAL: Duration = Duration::from_secs(1);
/// For how long ids are reserved in advance: three intervals, so that one that comes late holds nothing up. After a crash the
/// first ids lie at most so far ahead of the clock.
pub const RESERVED_IDS: Duration = Duration::from_secs(3);

// --- Signing keys, where they are fetched.

/// How far the clocks of two processes are trusted to be apart. AWS keeps its clocks within a millisecond of each
/// other; this leaves room for a machine that does not.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);
/// After a fetch for a token of an unknown key no other such token has the keys fetched for this long: what random
/// keys can cost is two calls of Secrets Manager a minute for each instance.
pub const KEY_FETCH_INTERVAL: Duration = Duration::from_mins(1);
/// The same after a fetch that failed. Shorter, because those who hold a token of a new key wait for it.
pub const KEY_FETCH_RETRY: Duration = Duration::from_secs(5);
/// Keys older than this are fetched again. A secret is rotated much more rarely, so nobody signs with a key that is no
/// longer accepted elsewhere.
pub const MAX_KEYS_AGE: Duration = Duration::from_hours(1);

/// Posts from before a follow that it brings into the follower's feed: the newest so many.
pub const BACKFILLED_POSTS: usize = 100;
/// Until when the call that made a follow is trusted to bring those in: longer than API Gateway lets a call take (30 s).
/// Then the sweeper does.
pub const BACKFILL_LEASE: Duration = Duration::from_mins(1);
/// For how long a notification is shown.
pub const NOTIFICATION_TTL: Duration = Duration::from_hours(90 * 24);
/// For how long a deleted post can be restored, and deleting it (or a comment) again answers as the first time.
pub const DELETED_TTL: Duration = Duration::from_hours(30 * 24);
/// How long a feed entry lives, counted from its post. A reader who scrolls further back is served from stories.
pub const FEED_ENTRY_TTL: Duration = Duration::from_hours(90 * 24);
/// For how long the handle of a deleted account stays reserved.
pub const HANDLE_RESERVED: Duration = Duration::from_hours(90 * 24);

// --- Erasure.

/// When an account is erased, counted from its deletion: at once, after what was under way has ended, after the stream's
/// records (24 hours) are delivered, and after the last dead letter (14 days) and refresh token (7 days) is gone.
pub const ERASURE_PASSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_mins(10), Duration::from_hours(25), Duration::from_hours(30 * 24)];
/// Until when whoever erases is trusted to be at it: longer than the budgets below with the last call's retries.
pub const ERASURE_LEASE: Duration = Duration::from_mins(1);
/// For how long a sweep finishes backfills that were left. With [`SWEEP_ERASURE_BUDGET`] well inside outbox-sweeper's
/// timeout (50 s).
pub const SWEEP_BACKFILL_BUDGET: Duration = Duration::from_secs(10);
/// For how long a sweep erases.
pub const SWEEP_ERASURE_BUDGET: Duration = Duration::from_secs(20);
/// For how long one erasure is worked on before the next one of its shard has its turn. A tenth of
/// [`SWEEP_ERASURE_BUDGET`], so that a sweep reaches some ten of a shard, however large each is.
pub const ERASURE_SLICE: Duration = Duration::from_secs(2);
/// For how long stream-handler erases, while the changes behind wait.
pub const STREAM_ERASURE_BUDGET: Duration = Duration::from_secs(3);

// --- Live events.

/// After this long without an event a stream sends a comment: proxies often cut what is silent for a minute.
pub const EVENT_HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that wait for one stream at the most, about 80 bytes each. One more, and its client is told to read the first
/// page: three of the default size, so that reading is the cheaper way to catch up.
pub const MAX_WAITING_EVENTS: usize = 64;
/// Streams of one user at once: a few devices and tabs. With one more the oldest ends.
pub const MAX_STREAMS_PER_USER: usize = 8;
/// How often it is looked whether streams must end, for their tokens or for their users: with the time that a look takes
/// well inside the 5 s after which nobody uses a deleted account.
pub const STREAM_CHECK_INTERVAL: Duration = Duration::from_secs(2);

// --- How often (API: Rate limits).

/// So many in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Uses in one window.
    pub uses: u32,
    /// The length of a window. Windows follow each other from the epoch on, the same for everybody.
    pub window: Duration,
}

impl Rate {
    /// Ten times as often: the limit of undoing what this limits. A client that undoes all that it ever did in a window
    /// is no abuse; a loop of writes without end is.
    const fn of_undoing(self) -> Self {
        Self { uses: 10 * self.uses, window: self.window }
    }
}

/// Posts of one user.
pub const POST_RATE: Rate = Rate { uses: 60, window: Duration::from_hours(1) };
/// Posts that one user deletes.
pub const POST_DELETION_RATE: Rate = POST_RATE.of_undoing();
/// Likes of one user.
pub const LIKE_RATE: Rate = Rate { uses: 600, window: Duration::from_hours(1) };
/// Likes that one user takes back.
pub const UNLIKE_RATE: Rate = LIKE_RATE.of_undoing();
/// Follows of one user.
pub const FOLLOW_RATE: Rate = Rate { uses: 600, window: Duration::from_hours(1) };
/// Follows that one user ends.
pub const UNFOLLOW_RATE: Rate = FOLLOW_RATE.of_undoing();
/// Comments of one user.
pub const COMMENT_RATE: Rate = Rate { uses: 120, window: Duration::from_hours(1) };
/// Comments that one user deletes.
pub const COMMENT_DELETION_RATE: Rate = COMMENT_RATE.of_undoing();
/// Edits of one user's profile. There is no doing that they undo; as a text of one's own they are measured by posts: ten
/// times as often, an edit each six seconds.
pub const PROFILE_EDIT_RATE: Rate = POST_RATE.of_undoing();
/// Tries to register, from one network.
pub const REGISTER_RATE: Rate = Rate { uses: 5, window: Duration::from_mins(1) };
/// Failed logins to one account, from one network.
pub const FAILED_LOGIN_RATE: Rate = Rate { uses: 10, window: Duration::from_mins(1) };
/// Failed uses of a password from one network (an IPv4 address, an IPv6 /64), whichever accounts they are for: logins, also
/// under unknown names, registering, changing the password, deleting the account. Six accounts' worth of
/// [`FAILED_LOGIN_RATE`], so that one person's mistakes do not lock out a household or office.
pub const FAILED_PASSWORD_RATE: Rate = Rate { uses: 60, window: Duration::from_mins(1) };
/// Refreshes of one session. A client needs one in [`ACCESS_TOKEN_TTL`]; this leaves room for reloads and tabs.
pub const REFRESH_RATE: Rate = Rate { uses: 30, window: Duration::from_mins(1) };
/// Subjects whose uses one process counts in memory: 10 MB or so. An evicted count begins from nothing; the store has all.
pub const MAX_RATE_TALLIES: u64 = 50_000;
/// The longest that a request waits for a rate limit's store call. Then the process decides by its own count.
pub const RATE_PATIENCE: Duration = Duration::from_millis(500);

// --- Password hashes.

/// Hashes that may wait for each one that runs: at 15 to 30 ms a hash the last one waits about a second.
pub const HASHES_WAITING_PER_RUNNING: usize = 32;
/// Hashes of one network that may wait for each one that runs: half of all, so that no network fills the queue alone.
pub const NETWORK_HASHES_WAITING_PER_RUNNING: usize = HASHES_WAITING_PER_RUNNING / 2;

// --- The change stream.

/// Changes read at once: the batch of the stream's mapping to stream-handler.
pub const MAX_CHANGES: usize = 100;
/// In one process, batches that are not full begin at least this far apart, so that changes of one moment share
/// transactions: a lone change is handled at once, those that follow wait this long at the most. In the cloud the stream's
/// mapping has a window of a second.
pub const CHANGES_WINDOW: Duration = Duration::from_millis(20);
/// How long several changes may take together before they are halved. Longer than a store that throttles takes to say
/// so ([`RETRY_BUDGET`] and [`CALL_TIMEOUT`]): that is no reason to halve.
pub const CHANGES_TIMEOUT: Duration = Duration::from_secs(8);
/// How long one change may take before it goes to ChangeDLQ. Three store calls in a row that each use up their retries
/// take less; one of them that fails for a passing reason ends the try without a dead letter.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long stream-handler works on one batch: three halvings and one change alone ([`CHANGES_TIMEOUT`],
/// [`CHANGE_TIMEOUT`]). Its function's timeout leaves room for the last dead letter after that.
pub const CHANGES_BATCH_BUDGET: Duration = Duration::from_secs(45);
/// Beyond this age of the oldest change that waits, `GET /healthz` says `degraded`. Counts may lag 5 s by the contract;
/// a minute is past any single retry, and before anybody notices much.
pub const MAX_CHANGES_AGE: Duration = Duration::from_mins(1);
/// Bytes of changes read at once: what Lambda hands to a function at the most.
pub const MAX_CHANGES_BYTES: usize = 6 * 1024 * 1024;
/// For how long an applied change is remembered, so that it is not counted again. Twice as long as a record lives in
/// DynamoDB Streams (24 hours).
pub const LEDGER_TTL: Duration = Duration::from_hours(48);
/// Partitions that the likers of one post are spread over: so many times a partition's 1,000 writes a second.
pub const LIKER_SHARDS: u8 = 4;
/// Partitions that backfills and erasures are spread over.
pub const TASK_SHARDS: u8 = 4;

// --- Work about notifications. What a step leaves undone, a later change of the stream continues.

/// Reactions to deleted or restored posts of one author that one step reads and settles: five transactions of up to
/// [`MAX_TRANSACT`], some 1,000 write units, which is what a partition of DynamoDB takes in a second.
pub const REACTIONS_PER_STEP: usize = 490;
/// Notifications that are counted with one query, and held in memory: some 200 KB in DynamoDB, where a query reads up to
/// [`MAX_QUERY_BYTES`].
pub const NOTIFICATIONS_PER_PAGE: u32 = 1_000;
/// Such pages that one batch of changes counts, shared by the inboxes that it is about: some 1.3 s on DynamoDB (25 ms a
/// page with its write), well below stream-handler's timeout. Each of up to [`MAX_CHANGES`] inboxes gets at least one.
pub const COUNTED_PAGES_PER_BATCH: usize = 50;

// --- Fan-out.

/// Followers per job on JobQ: one BatchWriteItem's worth.
pub const FOLLOWERS_PER_JOB: usize = MAX_BATCH_WRITE;
/// First lease of an outbox entry; doubles with each time the sweeper takes it, so that a queue stalled for ten
/// minutes costs 3 extra messages a post (after 1, 3 and 7 minutes).
pub const OUTBOX_LEASE: Duration = Duration::from_mins(1);
/// The lease grows no further than this: a fan-out that can never pass costs a dead letter a day.
pub const MAX_OUTBOX_LEASE: Duration = Duration::from_hours(24);
/// Partitions that the outbox is spread over, so that it takes 16 times a partition's writes.
pub const OUTBOX_SHARDS: u8 = 16;
/// How often the sweeper looks for expired leases.
pub const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// Receives after which a message goes to the dead-letter queue.
pub const MAX_RECEIVES: u32 = 5;

// --- Calling again.

/// After this much time a call that fails for a passing reason is not made again. With the last try and the giving back
/// of a message ([`LONGEST_CALL`], [`GIVE_BACK_LIMIT`]) that is inside the shortest function's timeout (10 s), so a
/// handler still says why it failed.
pub const RETRY_BUDGET: Duration = Duration::from_secs(4);
/// The longest that one call to the store or to a queue may take, a long poll's wait apart.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest pause before a call is made again: 640 ms and as much jitter.
pub const LONGEST_RETRY_PAUSE: Duration = Duration::from_millis(2 * 640);
/// The longest that a call takes with its retries: the budget, the pause that began within it, and one more try.
pub const LONGEST_CALL: Duration = RETRY_BUDGET.saturating_add(LONGEST_RETRY_PAUSE).saturating_add(CALL_TIMEOUT);
/// The longest that giving a failed message back to its queue takes: one call, and half a second for another that failed
/// fast. Later the queue's visibility timeout does it.
pub const GIVE_BACK_LIMIT: Duration = CALL_TIMEOUT.saturating_add(Duration::from_millis(500));

/// How long a function waits, before its first event, for the answers that open its connections. What takes longer is
/// opened by the first event.
pub const WARM_UP_LIMIT: Duration = Duration::from_millis(200);

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
