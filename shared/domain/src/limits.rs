//! All limits in one place, each with its source.

use std::{ops::RangeInclusive, time::Duration};

// --- Promises of the API (docs/api.md: Limits). Characters are Unicode scalar values.

/// Length of a handle, in characters.
pub const HANDLE_CHARS: RangeInclusive<usize> = 3..=30;
/// Maximum length of an e-mail address, in characters: RFC 5321 allows a path of 256 octets, two of which are its
/// brackets.
pub const MAX_EMAIL_CHARS: usize = 254;
/// Length of a password, in characters.
pub const PASSWORD_CHARS: RangeInclusive<usize> = 8..=128;
/// Maximum length of a display name, in characters.
pub const MAX_DISPLAY_NAME_CHARS: usize = 50;
/// Maximum length of a profile text, in characters.
pub const MAX_BIO_CHARS: usize = 160;
/// Maximum length of a comment, in characters.
pub const MAX_COMMENT_CHARS: usize = 500;
/// Maximum length of a post, in characters.
pub const MAX_POST_CHARS: usize = 500;
/// Maximum length of a picture's description, in characters.
pub const MAX_MEDIA_DESCRIPTION_CHARS: usize = 1_500;
/// Maximum number of pictures of a post.
pub const MAX_MEDIA_PER_POST: usize = 4;
/// Maximum size of an uploaded picture, in bytes.
pub const MAX_UPLOAD_BYTES: u64 = 10 * 1024 * 1024;
/// Time for which the permission to upload a picture lasts.
pub const UPLOAD_TTL: Duration = Duration::from_mins(5);
/// Time after which a picture is erased that is in no post and no profile.
pub const UNATTACHED_MEDIA_TTL: Duration = Duration::from_hours(24);
/// Default number of items on a page.
pub const DEFAULT_PAGE_LIMIT: u32 = 20;
/// Maximum number of items on a page.
pub const MAX_PAGE_LIMIT: u32 = 100;
/// Dead entries skipped while filling a page. Beyond that the page may be short, with a cursor.
pub const MAX_DEAD_ENTRIES_PER_PAGE: usize = 1_000;
/// Maximum size of a request body, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Length of an `Idempotency-Key`, in visible ASCII characters.
pub const IDEMPOTENCY_KEY_CHARS: RangeInclusive<usize> = 1..=255;
/// Time for which an `Idempotency-Key` is remembered.
pub const IDEMPOTENCY_TTL: Duration = Duration::from_hours(24);
/// Lifetime of an access token.
pub const ACCESS_TOKEN_TTL: Duration = Duration::from_mins(15);
/// Lifetime of a refresh token.
pub const REFRESH_TOKEN_TTL: Duration = Duration::from_hours(7 * 24);
/// Grace period during which a spent refresh token still yields a pair (a lost answer, two tabs).
pub const REFRESH_GRACE: Duration = Duration::from_mins(1);
/// Refresh tokens stored as successors of one token: a few lost answers or concurrent tabs get their own. Further
/// refreshes with it, within [`REFRESH_GRACE`], share the last one.
pub const MAX_SUCCESSORS: u32 = 3;
/// Steps of one refresh from a token to an unspent one, each of at most four store calls. Concurrent refreshes of one
/// token take at most four; the others follow successors that are already spent.
pub const MAX_REFRESH_STEPS: usize = 8;
/// Live sessions of one account: more than a person has devices. A further login ends the oldest session.
pub const MAX_SESSIONS: usize = 100;
/// Maximum number of sessions that one login ends. Usually it ends one; it ends more if the account has more than
/// [`MAX_SESSIONS`] from before the limit existed.
pub const SESSIONS_ENDED_PER_LOGIN: usize = 10;
/// Characters stored of the `User-Agent` that began a session: browsers send 80 to 200.
pub const MAX_USER_AGENT_CHARS: usize = 256;

/// Time for which a process caches that a user has an account. Tokens of a deleted account must stop working within 5
/// seconds; this leaves one second for the request that checks.
pub const LIVENESS_TTL: Duration = Duration::from_secs(4);
/// Maximum number of users in that cache: about 100 bytes each, so at most 10 MB.
pub const LIVENESS_ENTRIES: u64 = 100_000;

// --- Time (ADR 0019).

/// Maximum advance of the wall clock over elapsed time that removal follows at once: a small part of the 30 days in
/// which a post can be restored, and more than any correction by a time server.
pub const MAX_CLOCK_STEP: Duration = Duration::from_hours(1);
/// The same limit across a restart, since a process may be stopped for a while.
pub const MAX_TRUSTED_DOWNTIME: Duration = Duration::from_hours(24);
/// Time for which removal ignores a clock that advanced further: an operator can see the warning and set the clock.
pub const CLOCK_HOLD: Duration = Duration::from_hours(24);
/// Interval at which a process that owns its store records the time.
pub const CLOCK_MARK_INTERVAL: Duration = Duration::from_secs(1);
/// Time for which ids are reserved in advance: three intervals, so that a late reservation blocks nothing. After a
/// crash the first ids are at most this far ahead of the clock.
pub const RESERVED_IDS: Duration = Duration::from_secs(3);

// --- Fetched signing keys.

/// Assumed maximum difference between the clocks of two processes. AWS keeps its clocks within a millisecond of each
/// other; this leaves room for a machine that does not.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(2);
/// Minimum time between two key fetches for tokens with an unknown key. It caps the cost of random key ids at two calls
/// of Secrets Manager per minute and instance.
pub const KEY_FETCH_INTERVAL: Duration = Duration::from_mins(1);
/// The same after a failed fetch: shorter, because holders of a token with a new key are waiting.
pub const KEY_FETCH_RETRY: Duration = Duration::from_secs(5);
/// Maximum age of fetched keys. Secrets are rotated much more rarely, so no process signs with a key that others no
/// longer accept.
pub const MAX_KEYS_AGE: Duration = Duration::from_hours(1);

/// Number of newest posts that a new follow backfills into the follower's feed.
pub const BACKFILLED_POSTS: usize = 100;
/// Lease of the call that created a follow for its backfill: longer than API Gateway lets a call take (30 s). When it
/// expires, the sweeper takes over.
pub const BACKFILL_LEASE: Duration = Duration::from_mins(1);
/// Time for which a notification is shown.
pub const NOTIFICATION_TTL: Duration = Duration::from_hours(90 * 24);
/// Time for which a deleted post can be restored, and for which a repeated deletion of a post or a comment succeeds.
pub const DELETED_TTL: Duration = Duration::from_hours(30 * 24);
/// Expiry of a feed entry, counted from its post's creation; but see [`FEED_ENTRY_SLACK`].
pub const FEED_ENTRY_TTL: Duration = Duration::from_hours(90 * 24);
/// Minimum time from the writing of a feed entry to its expiry, however old its post is.
pub const FEED_ENTRY_SLACK: Duration = Duration::from_hours(7 * 24);
/// Age of the posts, rounded up to whole days, down to which delivered entries make up the feed. The entries outlive the
/// window by the slack, so that the rebuilt part of a feed joins the delivered one as long as it is valid (ADR 28).
pub const FEED_WINDOW: Duration = FEED_ENTRY_TTL.saturating_sub(FEED_ENTRY_SLACK);
/// Time for which the rebuilt part of a feed is valid, from the begin of the day on which it was built. A day less than
/// its entries live: for clocks that differ, and for a removal that follows the clock late.
pub const REBUILT_TTL: Duration = FEED_ENTRY_SLACK.saturating_sub(Duration::from_hours(24));
/// Posts that one rebuild adds to a feed: 25 default pages, and 20 batches written at once.
pub const REBUILT_POSTS: usize = 500;
/// Followees whose edges a rebuild reads at once: about 150 KB.
pub const REBUILT_STORIES_PER_PAGE: u32 = 1_000;
/// Stories that one request reads for a rebuild: one to two seconds of either store. A reader who follows more people is
/// asked to retry ([`REBUILD_RETRY`]), and the next request continues.
pub const MAX_REBUILT_STORIES: usize = 20_000;
/// Queries of stories that one rebuild runs at once.
pub const REBUILD_QUERIES_AT_ONCE: usize = 64;
/// Unfinished backfills that one request finishes before it rebuilds a feed. There are none but of follows in progress,
/// and those left by a crash until the sweeper finds them.
pub const BACKFILLS_PER_REBUILD: usize = 10;
/// Time within which a rebuild is recorded, from the begin of its request: twice as long as API Gateway lets a call take.
/// Pages that begin earlier after it read their entries again, in case they read them before the rebuild's were written.
pub const LONGEST_REBUILD: Duration = Duration::from_mins(1);
/// The `Retry-After` of a request that read [`MAX_REBUILT_STORIES`] and did not finish.
pub const REBUILD_RETRY: Duration = Duration::from_secs(1);
/// Time within which a request continues the rebuild that an earlier one began.
pub const REBUILD_PROGRESS_TTL: Duration = Duration::from_mins(10);
/// Tries of one rebuild while other requests of the same reader change the coverage. A page needs at most three rebuilds:
/// the third exceeds [`MAX_DEAD_ENTRIES_PER_PAGE`].
pub const MAX_REBUILD_TRIES: usize = 3;
/// Age of the stored activity from which a page waits until the new one is stored. Younger ones are updated after the
/// answer, and each of the days between gives another chance before the reader counts as dormant.
pub const ACTIVITY_AWAITED_AFTER: Duration = Duration::from_hours(25 * 24);
/// Time for which a rule of a reader's feed is kept: it outlives every entry that it hides by a month, because an entry
/// delivered by a message still in flight expires [`FEED_ENTRY_TTL`] after its post all the same.
pub const RULE_TTL: Duration = Duration::from_hours((90 + 30) * 24);
/// Rules that a page of the feed reads with the reader's activity: about 110 bytes each, so at most 14 read units.
/// Readers with more pay one read unit for each author on the page instead.
pub const RULES_READ_WHOLE: u32 = 512;
/// Time for which the follow still decides about new entries, after a reader's first read by a version with rules: an
/// unfollow by an earlier version, in a deployment under way, leaves no rule.
pub const RULES_MIGRATION: Duration = Duration::from_hours(1);
/// Time for which a process caches other users' profiles for lists. The edit or deletion of an account must be seen
/// within 5 seconds; this leaves one second for the request.
pub const PROFILE_TTL: Duration = Duration::from_secs(4);
/// Maximum number of profiles in that cache: about 400 bytes each, so at most 20 MB.
pub const PROFILE_ENTRIES: u64 = 50_000;
/// Time for which a process caches other users' posts and the counts of posts. Deletions must be seen, and counts may
/// lag, within 5 seconds; this leaves three for the replicas, the change stream and the request.
pub const POST_TTL: Duration = Duration::from_secs(2);
/// Maximum number of posts in that cache: 0.3 to [`POST_ENTRY_BYTES`] each, so at most 25 MB.
pub const POST_ENTRIES: u64 = 10_000;
/// Size in bytes of a post in that cache; one with longer descriptions of its pictures takes the place of several.
pub const POST_ENTRY_BYTES: usize = 2_500;
/// Clean-ups of feeds that one process runs at a time; pages that find more to remove leave it to the next read.
pub const CLEAN_UPS_AT_ONCE: u32 = 16;
/// Time for which the handle of a deleted account stays reserved.
pub const HANDLE_RESERVED: Duration = Duration::from_hours(90 * 24);

// --- Erasure.

/// Times of an account's erasure passes, counted from its deletion: at once; after requests under way have ended; after
/// the stream's records (24 hours) are delivered; and after the last dead letter (14 days) and refresh token (7 days)
/// have expired.
pub const ERASURE_PASSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_mins(10), Duration::from_hours(25), Duration::from_hours(30 * 24)];
/// Lease of an erasure: longer than the budgets below with the retries of the last call.
pub const ERASURE_LEASE: Duration = Duration::from_mins(1);
/// Time that a sweep spends on abandoned backfills. With [`SWEEP_ERASURE_BUDGET`] well within outbox-sweeper's timeout
/// (50 s).
pub const SWEEP_BACKFILL_BUDGET: Duration = Duration::from_secs(10);
/// Time that a sweep spends on erasures.
pub const SWEEP_ERASURE_BUDGET: Duration = Duration::from_secs(20);
/// Time spent on one erasure before the next one of its shard gets its turn. A tenth of [`SWEEP_ERASURE_BUDGET`], so
/// that a sweep reaches about ten per shard, however large each is.
pub const ERASURE_SLICE: Duration = Duration::from_secs(2);
/// Time that stream-handler spends on an erasure while later changes wait.
pub const STREAM_ERASURE_BUDGET: Duration = Duration::from_secs(3);

// --- Pictures.

/// Time after its announcement at which the sweeper looks for an upload whose event was lost: twice [`UPLOAD_TTL`], so that
/// slow uploads have arrived.
pub const LOST_UPLOAD_AFTER: Duration = Duration::from_mins(10);
/// Time after which the files of an erased picture are removed once more, with the last trace of it: longer than any
/// handler in flight at the erasure can still write a file.
pub const MEDIA_ERASED_AGAIN_AFTER: Duration = Duration::from_hours(1);
/// Posts whose pictures one batch of changes moves concurrently: each copies and removes up to twelve files.
pub const MEDIA_MOVES_IN_FLIGHT: usize = 8;

// --- Live events.

/// Silence after which a stream sends a comment: proxies often close connections that are silent for a minute.
pub const EVENT_HEARTBEAT: Duration = Duration::from_secs(15);
/// Maximum number of events queued for one stream, about 80 bytes each. When the queue overflows, the client gets a
/// reload event: at that point reading three pages of the default size is the cheaper way to catch up.
pub const MAX_WAITING_EVENTS: usize = 64;
/// Concurrent streams of one user: a few devices and tabs. A further stream closes the oldest.
pub const MAX_STREAMS_PER_USER: usize = 8;
/// Interval at which streams are checked for expired tokens and deleted users: together with the time a check takes,
/// well within the 5 s after which a deleted account must be unusable.
pub const STREAM_CHECK_INTERVAL: Duration = Duration::from_secs(2);

// --- Rate limits (docs/api.md: Rate limits).

/// A number of uses per window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Uses allowed in one window.
    pub uses: u32,
    /// The length of a window. Windows are consecutive from the epoch on and the same for all subjects.
    pub window: Duration,
}

impl Rate {
    /// The limit for undoing what this limits: ten times as many uses. Undoing everything done in a window is not
    /// abuse; an endless loop of writes is.
    const fn of_undoing(self) -> Self {
        Self { uses: 10 * self.uses, window: self.window }
    }
}

/// Posts by one user.
pub const POST_RATE: Rate = Rate { uses: 60, window: Duration::from_hours(1) };
/// Deletions of posts by one user.
pub const POST_DELETION_RATE: Rate = POST_RATE.of_undoing();
/// Likes by one user.
pub const LIKE_RATE: Rate = Rate { uses: 600, window: Duration::from_hours(1) };
/// Withdrawn likes by one user.
pub const UNLIKE_RATE: Rate = LIKE_RATE.of_undoing();
/// Follows by one user.
pub const FOLLOW_RATE: Rate = Rate { uses: 600, window: Duration::from_hours(1) };
/// Unfollows by one user.
pub const UNFOLLOW_RATE: Rate = FOLLOW_RATE.of_undoing();
/// Comments by one user.
pub const COMMENT_RATE: Rate = Rate { uses: 120, window: Duration::from_hours(1) };
/// Deletions of comments by one user.
pub const COMMENT_DELETION_RATE: Rate = COMMENT_RATE.of_undoing();
/// Profile edits by one user. They undo nothing, but as texts of the user they are derived from the rate of posts: ten
/// times as many, an edit every six seconds.
pub const PROFILE_EDIT_RATE: Rate = POST_RATE.of_undoing();
/// Pictures announced by one user.
pub const MEDIA_RATE: Rate = Rate { uses: 60, window: Duration::from_hours(1) };
/// Edits of pictures' descriptions by one user: an edit every six seconds, as [`PROFILE_EDIT_RATE`].
pub const MEDIA_EDIT_RATE: Rate = MEDIA_RATE.of_undoing();
/// Registration attempts from one network.
pub const REGISTER_RATE: Rate = Rate { uses: 5, window: Duration::from_mins(1) };
/// Failed logins to one account, from one network.
pub const FAILED_LOGIN_RATE: Rate = Rate { uses: 10, window: Duration::from_mins(1) };
/// Failed password checks from one network (an IPv4 address, an IPv6 /64), across all accounts: logins, also under
/// unknown names, registration, password changes, account deletion. Six accounts' worth of [`FAILED_LOGIN_RATE`], so
/// that one person's mistakes do not lock out a household or office.
pub const FAILED_PASSWORD_RATE: Rate = Rate { uses: 60, window: Duration::from_mins(1) };
/// Refreshes of one session. A client needs one per [`ACCESS_TOKEN_TTL`]; this leaves room for reloads and tabs.
pub const REFRESH_RATE: Rate = Rate { uses: 30, window: Duration::from_mins(1) };
/// Maximum number of subjects whose uses one process counts in memory: about 10 MB. An evicted count restarts at zero; the
/// store has them all.
pub const MAX_RATE_TALLIES: u64 = 50_000;
/// Maximum time that a request waits for the store call of a rate limit. After that the process decides by its own count.
pub const RATE_PATIENCE: Duration = Duration::from_millis(500);
/// How long a process remembers that the store refused a use, and refuses without asking: short, so that a use given back
/// by another process counts soon; long enough that a flood costs each process one write a second.
pub const RATE_REFUSAL_MEMORY: Duration = Duration::from_secs(1);

// --- HTTP.

/// Size in bytes up to which a response is not compressed: it fits into one packet as it is.
pub const UNCOMPRESSED_BYTES: u64 = 1_024;

// --- Password hashes.

/// Queued hashes per running one: at 15 to 30 ms per hash the last one waits about a second.
pub const HASHES_WAITING_PER_RUNNING: usize = 32;
/// Queued hashes of one network per running one: half of all, so that no network can fill the queue alone.
pub const NETWORK_HASHES_WAITING_PER_RUNNING: usize = HASHES_WAITING_PER_RUNNING / 2;

// --- The change stream.

/// Maximum batch of changes: the batch size of the stream's mapping to stream-handler.
pub const MAX_CHANGES: usize = 100;
/// Minimum interval between the starts of batches in one-process mode, unless a batch is full: changes that arrive
/// together share transactions. A lone change is handled at once; those after it wait at most this long. In the cloud
/// the stream's mapping has a window of a second.
pub const CHANGES_WINDOW: Duration = Duration::from_millis(20);
/// Time limit for a batch of several changes before it is halved. Longer than a throttled store takes to report it
/// ([`RETRY_BUDGET`] and [`CALL_TIMEOUT`]), as throttling is no reason to halve.
pub const CHANGES_TIMEOUT: Duration = Duration::from_secs(8);
/// Time limit for a single change before it goes to ChangeDLQ. Three consecutive store calls that each use up their
/// retries take less; if one of them fails for a transient reason, the attempt ends without a dead letter.
pub const CHANGE_TIMEOUT: Duration = Duration::from_secs(20);
/// Time that stream-handler spends on one batch: three halvings and one single change ([`CHANGES_TIMEOUT`],
/// [`CHANGE_TIMEOUT`]). The function's timeout leaves room for the last dead letter after that.
pub const CHANGES_BATCH_BUDGET: Duration = Duration::from_secs(45);
/// Age of the oldest waiting change beyond which `GET /healthz` says `degraded`. The API allows counts to lag 5 s; a
/// minute is longer than any single retry and still early enough that few users notice.
pub const MAX_CHANGES_AGE: Duration = Duration::from_mins(1);
/// Maximum size of a batch of changes, in bytes: what Lambda passes to a function at most.
pub const MAX_CHANGES_BYTES: usize = 6 * 1024 * 1024;
/// Time for which an applied change is remembered, so that it is not counted twice. Twice the lifetime of a record in
/// DynamoDB Streams (24 hours).
pub const LEDGER_TTL: Duration = Duration::from_hours(48);
/// Partitions over which the likers of one post are spread, each with a capacity of 1,000 writes a second.
pub const LIKER_SHARDS: u8 = 4;
/// Partitions over which backfills and erasures are spread.
pub const TASK_SHARDS: u8 = 4;

// --- Notification tasks. A later change of the stream continues unfinished steps.

/// Reactions to deleted or restored posts of one author that one step reads and updates: five transactions of up to
/// [`MAX_TRANSACT`], about 1,000 write units, the capacity of a DynamoDB partition for one second.
pub const REACTIONS_PER_STEP: usize = 490;
/// Notifications counted with one query and held in memory: about 200 KB in DynamoDB, where a query reads up to
/// [`MAX_QUERY_BYTES`].
pub const NOTIFICATIONS_PER_PAGE: u32 = 1_000;
/// Pages of notifications that one batch of changes counts, shared by its inboxes: about 1.3 s on DynamoDB (25 ms per
/// page with its write), well below stream-handler's timeout. Each of up to [`MAX_CHANGES`] inboxes gets at least one
/// page.
pub const COUNTED_PAGES_PER_BATCH: usize = 50;

// --- Fan-out.

/// Followers per job on JobQ: those of one BatchWriteItem.
pub const FOLLOWERS_PER_JOB: usize = MAX_BATCH_WRITE;
/// Age of a post from which its fan-out leaves out users who followed that much later than it was made: their backfill
/// has judged the post already, and may have left it out. Longer than a request and a difference of clocks together.
/// Younger posts are among the [`BACKFILLED_POSTS`] newest of their author, by [`POST_RATE`].
pub const LATE_FAN_OUT: Duration = Duration::from_mins(15);
/// Disjoint ranges of user ids in which the followers of one author are read in parallel. A DynamoDB partition gives
/// 3,000 strong read units a second, which are 12 pages of 1 MB (10,000 followers): few readers take all of it.
pub const FAN_OUT_RANGES: u32 = 4;
/// Followers read before the held ones of a chunk are sent, 16 bytes each: 4 MB, and at most one page per range more.
pub const FAN_OUT_CHUNK: usize = 250_000;
/// Time after which a chunk ends although it is smaller, so that its first followers do not wait for its last.
pub const FAN_OUT_CHUNK_TIME: Duration = Duration::from_secs(5);
/// Inactivity after which a reader is dormant: their next page rebuilds the feed.
pub const DORMANT_AFTER: Duration = Duration::from_hours(30 * 24);
/// Inactivity after which a fan-out skips a reader. Two days more, so that a reader whom it skips is dormant for every
/// page: the stored activity is the first read of a day, and page and fan-out may run by different clocks.
pub const SKIPPED_AFTER: Duration = DORMANT_AFTER.saturating_add(Duration::from_hours(2 * 24));
/// Slots of the cache of followers' activity, 8 bytes each: 8 MB. Nine of ten of 100,000 followers have a slot alone.
pub const ACTIVITY_SLOTS: usize = 1 << 20;
/// First lease of an outbox entry. It doubles each time the sweeper takes the entry, so that a queue stalled for ten
/// minutes costs 3 extra messages per post (after 1, 3 and 7 minutes).
pub const OUTBOX_LEASE: Duration = Duration::from_mins(1);
/// Maximum lease: a fan-out that can never succeed costs one dead letter a day.
pub const MAX_OUTBOX_LEASE: Duration = Duration::from_hours(24);
/// Partitions over which the outbox is spread, for 16 times the write capacity of one.
pub const OUTBOX_SHARDS: u8 = 16;
/// Interval at which the sweeper looks for expired leases.
pub const SWEEP_INTERVAL: Duration = Duration::from_mins(1);
/// Receives after which a message moves to the dead-letter queue.
pub const MAX_RECEIVES: u32 = 5;

// --- Hybrid delivery (ADR 27).

/// Number of followers from which an author's posts are pulled by default: merged into feeds when these are read, instead
/// of being written to each. A push costs a write unit a follower, a pull half a read unit a feed read, so pulling is
/// cheaper below about ten feed reads per follower and post; a user with 10,000 followers is fanned out all the same,
/// because a pushed post needs no merge.
pub const PULL_THRESHOLD: u64 = 100_000;
/// Share of the threshold, in percent, below which pulled authors are pushed again. The gap to 100 keeps an author at the
/// threshold from changing back and forth, since each promotion writes to all followers.
pub const DEMOTION_PERCENT: u64 = 80;
/// Followers whose rules a promotion writes between two moves of its cursor: about half a second on DynamoDB.
pub const PROMOTION_PAGE: u32 = 1_000;
/// Rules that a promotion writes concurrently: at 5 ms a write 10,000 followers take about a second.
pub const RULES_IN_FLIGHT: usize = 64;
/// Longest time between the creation of a post's id and its commit, as a follow assumes it when it decides from which post
/// on a pulled author is merged: API Gateway ends a request after 30 s, and clocks may differ by [`MAX_CLOCK_SKEW`].
pub const MAX_COMMIT_DELAY: Duration = Duration::from_mins(1);
/// Time after a demotion until which pulled posts are assumed: more than requests in flight and clocks that differ.
pub const PULLED_MARGIN: Duration = Duration::from_hours(1);
/// Time for which a process caches the newest posts of a pulled author. A new post of theirs is shown after this time at
/// the latest, and the author's partition is read once in it by each process, however many readers there are.
pub const NEWEST_TTL: Duration = Duration::from_secs(1);
/// Posts of one author in that cache: a page of the largest size, and one to know that it continues.
pub const NEWEST_POSTS: u32 = MAX_PAGE_LIMIT + 1;
/// Maximum size of that cache in bytes, at 16 bytes a post and about 200 an author.
pub const NEWEST_BYTES: u64 = 32 * 1024 * 1024;
/// Rules that a page reads at most to find those that merge authors: about 50 read units. A reader has more only with as
/// many unfollows within [`RULE_TTL`] and follows of pulled authors, whose rules do not expire, together.
pub const RULES_READ: usize = 2_000;
/// Stories that one request reads concurrently.
pub const STORIES_IN_FLIGHT: usize = 32;

// --- Retries.

/// Time after which a call that fails for a transient reason is no longer retried. With the last attempt and the
/// release of a message ([`LONGEST_CALL`], [`GIVE_BACK_LIMIT`]) it fits into the shortest function timeout (10 s), so
/// that a handler can still log why it failed.
pub const RETRY_BUDGET: Duration = Duration::from_secs(4);
/// Timeout of one call to the store or to a queue, not counting the wait of a long poll.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout of one call to object storage, which transfers up to [`MAX_UPLOAD_BYTES`].
pub const BLOB_CALL_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest pause before a retry: 640 ms and as much jitter.
pub const LONGEST_RETRY_PAUSE: Duration = Duration::from_millis(2 * 640);
/// Longest duration of a call with its retries: the budget, a pause begun within it, and a last attempt.
pub const LONGEST_CALL: Duration = RETRY_BUDGET.saturating_add(LONGEST_RETRY_PAUSE).saturating_add(CALL_TIMEOUT);
/// Time limit for releasing a failed message to its queue: one call, and half a second for another that fails fast.
/// After that the queue's visibility timeout releases it.
pub const GIVE_BACK_LIMIT: Duration = CALL_TIMEOUT.saturating_add(Duration::from_millis(500));

/// Time that a function waits, before its first event, for the answers that open its connections. Connections that take
/// longer are opened by the first event.
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
/// Maximum number of bytes that one Query reads.
pub const MAX_QUERY_BYTES: usize = 1024 * 1024;

// --- SQS (Developer Guide: Amazon SQS message quotas).

/// Entries in one SendMessageBatch, DeleteMessageBatch or ChangeMessageVisibilityBatch, and messages in one receive.
pub const MAX_QUEUE_BATCH: usize = 10;
/// Size of a message, and of all messages in one SendMessageBatch together, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// Longest wait of a receive.
pub const MAX_RECEIVE_WAIT: Duration = Duration::from_secs(20);
/// Longest delay of a message.
pub const MAX_MESSAGE_DELAY: Duration = Duration::from_mins(15);
/// Longest visibility timeout.
pub const MAX_VISIBILITY: Duration = Duration::from_hours(12);

// --- Checks of feeds (`tweeter verify`).

/// Age of a post from which a missing entry is reported although JobQ has messages: a first delivery takes seconds, the
/// retries of a message ([`MAX_RECEIVES`]) minutes, and JobQ is never empty on a busy system.
pub const IN_DELIVERY: Duration = Duration::from_hours(1);
