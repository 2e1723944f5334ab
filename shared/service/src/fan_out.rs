//! Fans posts out from PostQ to JobQ.
//!
//! Followers are read in chunks: up to [`limits::FAN_OUT_RANGES`] disjoint ranges of user ids at once, page by page.
//! Jobs of active followers are sent while a chunk is read, all others at its end, none for dormant ones; then the outbox
//! entry, which records the ranges still to be read, is advanced. After a redelivered message, a crash or a resend by the sweeper, the
//! fan-out resumes there and repeats at most one chunk, whose entries are the same rows.

mod chunk;
mod options;

pub use options::{FOLLOWERS_PER_JOB, FanOutOptions, InvalidFollowersPerJob};

use std::{collections::HashSet, sync::Arc, time::Duration};

use futures::{StreamExt as _, TryStreamExt as _, future::try_join_all};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    ServiceError,
    activity::{ActivityCache, FollowerActivity},
    live::Hub,
    posts::send_fan_out,
    promotion::{PromotionService, Ran},
    safe_time::SafeTime,
};
use chunk::{Chunk, HANDOVER};
use data::{
    Db, Follows, Outbox, OutboxEntry, Remaining,
    messages::{FanOutMessage, FeedJob, FeedJobTag, V1},
};
use domain::{Clock, Page, PostId, UserId, UserRange, limits, random};
use ports::{
    queue::{OutgoingMessage, Queue, QueueName, send_all},
    store::StoreError,
};
use telemetry::names;

/// Interval at which a full JobQ is polled.
const BACKLOG_LOOK: Duration = Duration::from_millis(2);

/// Concurrent calls that send jobs: hides the latency of SQS (about 10 ms per call) without flooding it.
const SENDS_IN_FLIGHT: usize = 8;

/// Maximum continuations of one generation, after which the sweeper resumes the fan-out. With at least 10,000 followers
/// per continuation, this exceeds any account.
const MAX_HOPS: u32 = 10_000;

/// Fans posts out.
#[derive(Debug, Clone)]
pub struct FanOutService {
    follows: Follows,
    outbox: Outbox,
    promotion: PromotionService,
    queue: Arc<dyn Queue>,
    clock: Clock,
    options: FanOutOptions,
    activity: FollowerActivity,
    safe_time: SafeTime,
    streams: Option<Hub>,
}

/// One invocation's part of a fan-out.
struct Run {
    /// The entry as this worker last read or advanced it.
    entry: OutboxEntry,
    /// Names this invocation in the entry.
    worker: String,
    /// Whether the entry names this worker, so that no other one continues it.
    is_claimed: bool,
    deadline: Option<Instant>,
}

/// Whether this worker continues the fan-out.
enum Step {
    Next,
    Done,
}

impl FanOutService {
    /// Fans out from `store` to `queue`.
    pub fn new(db: impl Into<Db>, queue: Arc<dyn Queue>, clock: Clock, options: FanOutOptions) -> Self {
        let db = db.into();
        Self {
            follows: Follows::new(db.clone()),
            outbox: Outbox::new(db.clone()),
            promotion: PromotionService::new(db.clone(), clock.clone(), options.follower_page),
            queue,
            activity: FollowerActivity::new(db, ActivityCache::default()),
            safe_time: SafeTime::new(clock.clone()),
            clock,
            options,
            streams: None,
        }
    }

    /// The same, sharing `cache` with the reads of feeds, and telling dormant readers by `safe_time`: a clock that jumps
    /// forward must not make readers dormant.
    #[must_use]
    pub fn with_activity(self, cache: ActivityCache, safe_time: SafeTime) -> Self {
        Self { activity: self.activity.with_cache(cache), safe_time, ..self }
    }

    /// The same, treating readers with an open event stream of this process as active.
    #[must_use]
    pub fn with_streams(self, streams: Option<Hub>) -> Self {
        Self { streams, ..self }
    }

    /// Continues the fan-out until every follower is in a job on JobQ, or hands over with a continuation message near
    /// `deadline`.
    ///
    /// Returns at once for a message of a finished fan-out or of an earlier generation.
    pub async fn fan_out(&self, message: &FanOutMessage, deadline: Option<Instant>) -> Result<(), ServiceError> {
        let Some(entry) = self.outbox.get(message.post_id).await? else {
            return Ok(());
        };
        if entry.generation != message.generation {
            return Ok(());
        }
        if entry.promotes {
            return match self.promotion.run(entry, deadline).await? {
                Ran::ToItsEnd => Ok(()),
                Ran::UntilTheDeadline => self.hand_over(message).await,
            };
        }
        let _running = Running::start();
        let mut run = Run { entry, worker: random::uuid().to_string(), is_claimed: false, deadline };
        loop {
            match self.step(&mut run).await? {
                Step::Done => return Ok(()),
                Step::Next if is_near(deadline) => return self.hand_over(message).await,
                Step::Next => {}
            }
        }
    }

    /// Sends the jobs of one chunk, then advances the outbox entry, or removes it after the last chunk.
    async fn step(&self, run: &mut Run) -> Result<Step, ServiceError> {
        let connected = self.streams.as_ref().map(Hub::users).unwrap_or_default();
        let chunk = Chunk::new(self.per_job(), run.deadline, HashSet::from_iter(connected));
        let ranges = self.begin(run, &chunk).await?;
        if !ranges.is_empty() && !run.is_claimed {
            // Before the bulk of the jobs: the worker of a duplicate message stops here.
            let as_they_are = run.entry.remaining.ranges();
            if !self.advance(run, as_they_are).await? {
                return Ok(Step::Done);
            }
        }
        let left = try_join_all(ranges.into_iter().map(|range| self.read(run, range, &chunk))).await?;
        let left: Vec<UserRange> = left.into_iter().flatten().collect();
        let (first, others) = chunk.into_held().into_jobs(self.per_job());
        self.send_jobs(run, &first).await?;
        self.send_jobs(run, &others).await?;
        if left.is_empty() {
            // Refused: the sweeper has taken the entry over, and its message finishes the fan-out.
            let _either_way = self.outbox.finish(&run.entry).await?;
            return Ok(Step::Done);
        }
        Ok(if self.advance(run, left).await? { Step::Next } else { Step::Done })
    }

    /// The ranges that this chunk reads in parallel. A single range is divided only if it has more than one page, which
    /// is added to the chunk: most authors have no more.
    async fn begin(&self, run: &Run, chunk: &Chunk) -> Result<Vec<UserRange>, ServiceError> {
        let ranges = run.entry.remaining.ranges();
        let &[range] = ranges.as_slice() else { return Ok(ranges) };
        let rest = self.read_page(run, range, chunk).await?;
        Ok(rest.map(|rest| rest.split(limits::FAN_OUT_RANGES)).unwrap_or_default())
    }

    /// Reads pages of a range while the chunk has room. Returns the part still to be read.
    async fn read(&self, run: &Run, range: UserRange, chunk: &Chunk) -> Result<Option<UserRange>, ServiceError> {
        let mut left = Some(range);
        while let Some(range) = left.filter(|_| chunk.has_room()) {
            left = self.read_page(run, range, chunk).await?;
        }
        Ok(left)
    }

    /// Reads one page into the chunk, without dormant followers, and sends the jobs that active ones fill.
    async fn read_page(&self, run: &Run, range: UserRange, chunk: &Chunk) -> Result<Option<UserRange>, ServiceError> {
        let page = self.followers(run, range).await?;
        let read = page.items.len();
        let (mut active, followers): (Vec<_>, Vec<_>) =
            page.items.into_iter().partition(|follower| chunk.is_connected(*follower));
        let sorted = self.activity.sort(followers, self.safe_time.now()).await?;
        active.extend(sorted.active);
        metrics::counter!(names::FOLLOWERS_SKIPPED).increment(sorted.dormant as u64);
        self.send_jobs(run, &chunk.add(read, active, sorted.others)).await?;
        Ok(page.next)
    }

    /// A page of those who followed before the post, or so soon after it that their backfill includes it.
    async fn followers(&self, run: &Run, range: UserRange) -> Result<Page<UserId, UserRange>, StoreError> {
        let OutboxEntry { post_id, author_id, .. } = run.entry;
        let followed_by = post_id.created_at().plus(limits::LATE_FAN_OUT);
        if self.clock.now() <= followed_by {
            return self.follows.page_of_follower_ids(author_id, range, self.options.follower_page).await;
        }
        let Page { items, next } =
            self.follows.page_of_followers_in(author_id, range, self.options.follower_page).await?;
        let in_time = items.into_iter().filter(|edge| edge.followed_at <= followed_by);
        Ok(Page { items: in_time.map(|edge| edge.user_id).collect(), next })
    }

    /// Records that only the followers in `ranges` remain. False when another worker holds the entry now.
    async fn advance(&self, run: &mut Run, ranges: Vec<UserRange>) -> Result<bool, ServiceError> {
        let Run { entry, worker, .. } = &*run;
        let is_applied = self.outbox.advance(entry, &ranges, worker, self.clock.now()).await?.is_applied();
        // An earlier try whose answer was lost is refused as well; the entry names its worker.
        if !is_applied && !self.is_advanced(run, &ranges).await? {
            info!(post.id = %entry.post_id, "Another worker took over the fan-out of {}; stopped here", entry.post_id);
            return Ok(false);
        }
        run.entry.worker = Some(run.worker.clone());
        run.entry.remaining = Remaining::In(ranges);
        run.is_claimed = true;
        Ok(true)
    }

    async fn is_advanced(&self, run: &Run, ranges: &[UserRange]) -> Result<bool, ServiceError> {
        let stored = self.outbox.get(run.entry.post_id).await?;
        Ok(stored.is_some_and(|stored| {
            stored.generation == run.entry.generation
                && stored.worker.as_deref() == Some(run.worker.as_str())
                && matches!(stored.remaining, Remaining::In(stored) if stored == ranges)
        }))
    }

    /// Puts these followers on JobQ, several calls at once, each when JobQ has room.
    async fn send_jobs(&self, run: &Run, followers: &[UserId]) -> Result<(), ServiceError> {
        let batches = followers.chunks(self.per_job() * limits::MAX_QUEUE_BATCH);
        let sends: Vec<_> = batches.map(|batch| self.send_batch(run, batch)).collect();
        futures::stream::iter(sends).buffer_unordered(SENDS_IN_FLIGHT).try_collect().await
    }

    async fn send_batch(&self, run: &Run, followers: &[UserId]) -> Result<(), ServiceError> {
        self.room_on_job_queue(run.deadline).await?;
        let OutboxEntry { post_id, author_id, .. } = run.entry;
        let jobs = plan_jobs(post_id, author_id, followers, self.per_job());
        let group = author_id.to_string();
        let sent = jobs.len() as u64;
        let messages = jobs
            .iter()
            .map(|job| OutgoingMessage { body: job.encode(), group: group.clone(), delay: Duration::ZERO })
            .collect();
        send_all(self.queue.as_ref(), QueueName::JobQ, messages).await?;
        metrics::counter!(names::JOBS_SENT).increment(sent);
        Ok(())
    }

    /// Waits until the backlog is below its limit, or the deadline is near.
    async fn room_on_job_queue(&self, deadline: Option<Instant>) -> Result<(), ServiceError> {
        let Some(max_backlog) = self.options.max_backlog else { return Ok(()) };
        while !is_near(deadline) && self.queue.depth(QueueName::JobQ).await?.visible > max_backlog {
            tokio::time::sleep(BACKLOG_LOOK).await;
        }
        Ok(())
    }

    async fn hand_over(&self, message: &FanOutMessage) -> Result<(), ServiceError> {
        if message.hop >= MAX_HOPS {
            warn!(post.id = %message.post_id, "Fan-out of {} reached {MAX_HOPS} continuations; the sweeper will resume it", message.post_id);
            return Ok(());
        }
        Ok(send_fan_out(self.queue.as_ref(), &FanOutMessage { hop: message.hop + 1, ..message.clone() }).await?)
    }

    fn per_job(&self) -> usize {
        per_job(self.options.followers_per_job)
    }
}

pub(super) fn is_near(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| Instant::now() + HANDOVER >= at)
}

fn per_job(followers_per_job: usize) -> usize {
    followers_per_job.clamp(1, limits::FOLLOWERS_PER_JOB)
}

/// Cuts followers into jobs of at most `followers_per_job`. No followers give no jobs.
pub fn plan_jobs(post_id: PostId, author_id: UserId, followers: &[UserId], followers_per_job: usize) -> Vec<FeedJob> {
    followers
        .chunks(per_job(followers_per_job))
        .map(|chunk| FeedJob { tag: FeedJobTag::Deliver, v: V1, post_id, author_id, followers: chunk.to_vec() })
        .collect()
}

/// Counts a fan-out as running while it is held.
struct Running;

impl Running {
    fn start() -> Self {
        metrics::gauge!(names::FAN_OUTS_RUNNING).increment(1);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!(names::FAN_OUTS_RUNNING).decrement(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use uuid::Uuid;

    use super::*;

    fn follower(n: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n))
    }

    proptest! {
        #[test]
        fn each_follower_is_in_one_bounded_job(count in 0_usize..300, per_job in 0_usize..60) {
            let followers: Vec<UserId> = (0..count as u128).map(follower).collect();
            let (post, author) = (PostId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
            let jobs = plan_jobs(post, author, &followers, per_job);
            prop_assert!(jobs.iter().all(|job| (1..=25).contains(&job.followers.len())));
            let reached: Vec<UserId> = jobs.into_iter().flat_map(|job| job.followers).collect();
            prop_assert_eq!(reached, followers);
        }
    }

    #[test]
    fn all_jobs_but_the_last_are_full() {
        let (post, author) = (PostId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
        for (followers, jobs) in [(0, 0), (1, 1), (25, 1), (26, 2), (50, 2), (60, 3)] {
            let ids: Vec<UserId> = (0..followers).map(follower).collect();
            assert_eq!(plan_jobs(post, author, &ids, 25).len(), jobs, "{followers} followers");
        }
    }
}
