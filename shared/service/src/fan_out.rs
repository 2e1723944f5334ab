//! Fans posts out from PostQ to JobQ, page by page of followers.
//!
//! The outbox entry holds the cursor, advanced after each page. After a redelivered message, a crash or a resend by the
//! sweeper, the fan-out resumes there and repeats at most one page, whose entries are the same rows.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    ServiceError,
    posts::send_fan_out,
    promotion::{PromotionService, Ran},
};
use data::{
    Db, Follows, Outbox, OutboxEntry,
    messages::{FanOutMessage, FeedJob, FeedJobTag, V1},
};
use domain::{Clock, Page, PostId, UserId, limits, random};
use ports::queue::{OutgoingMessage, Queue, QueueName, send_all};
use telemetry::names;

/// Time reserved before a deadline for the handover: one page's sends and the continuation message.
const HANDOVER: Duration = Duration::from_secs(5);

/// Interval at which a full JobQ is polled.
const BACKLOG_LOOK: Duration = Duration::from_millis(2);

/// Maximum continuations of one generation, after which the sweeper resumes the fan-out. With at least 10,000 followers
/// per continuation, this exceeds any account.
const MAX_HOPS: u32 = 10_000;

/// How a fan-out is divided; set by the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FanOutOptions {
    /// Followers per job: 1 to [`limits::FOLLOWERS_PER_JOB`].
    pub followers_per_job: usize,
    /// Followers read per page; `None` reads as many as the store returns (about 10,000 on DynamoDB).
    pub follower_page: Option<u32>,
    /// Maximum backlog of JobQ before the next page is sent; `None` sends without checking. Where the queue and the
    /// feeds share a disk, a long backlog costs twice: jobs are written out of memory and read back.
    pub max_backlog: Option<u64>,
}

/// The variable that sets [`FanOutOptions::followers_per_job`].
pub const FOLLOWERS_PER_JOB: &str = "TWEETER_FOLLOWERS_PER_JOB";

/// A value that is no number or exceeds the capacity of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{FOLLOWERS_PER_JOB} must be a number from 1 to {}", limits::FOLLOWERS_PER_JOB)]
pub struct InvalidFollowersPerJob;

impl FanOutOptions {
    /// The options from a configuration: [`FOLLOWERS_PER_JOB`], or the capacity of a job where it is unset or empty.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidFollowersPerJob> {
        let Some(text) = find(FOLLOWERS_PER_JOB).filter(|text| !text.is_empty()) else { return Ok(Self::default()) };
        let number = text.parse().ok().filter(|number| (1..=limits::FOLLOWERS_PER_JOB).contains(number));
        Ok(Self { followers_per_job: number.ok_or(InvalidFollowersPerJob)?, ..Self::default() })
    }
}

impl Default for FanOutOptions {
    fn default() -> Self {
        Self { followers_per_job: limits::FOLLOWERS_PER_JOB, follower_page: None, max_backlog: None }
    }
}

/// Fans posts out.
#[derive(Debug, Clone)]
pub struct FanOutService {
    follows: Follows,
    outbox: Outbox,
    promotion: PromotionService,
    queue: Arc<dyn Queue>,
    clock: Clock,
    options: FanOutOptions,
}

/// Whether this worker continues the fan-out.
enum Step {
    Next(Page<UserId, UserId>),
    Done,
}

impl FanOutService {
    /// Fans out from `store` to `queue`.
    pub fn new(db: impl Into<Db>, queue: Arc<dyn Queue>, clock: Clock, options: FanOutOptions) -> Self {
        let db = db.into();
        let promotion = PromotionService::new(db.clone(), clock.clone(), options.follower_page);
        Self { follows: Follows::new(db.clone()), outbox: Outbox::new(db), promotion, queue, clock, options }
    }

    /// Continues the fan-out until every page is on JobQ, or hands over with a continuation message near `deadline`.
    ///
    /// Returns at once for a message of a finished fan-out or of an earlier generation.
    pub async fn fan_out(&self, message: &FanOutMessage, deadline: Option<Instant>) -> Result<(), ServiceError> {
        let Some(mut entry) = self.outbox.get(message.post_id).await? else {
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
        let worker = random::uuid().to_string();
        let mut page = self.page_after(&entry).await?;
        loop {
            match self.step(&mut entry, &worker, page).await? {
                Step::Done => return Ok(()),
                Step::Next(_) if is_near(deadline) => {
                    return self.hand_over(message).await;
                }
                Step::Next(next) => page = next,
            }
            self.room_on_job_queue(deadline).await?;
        }
    }

    /// Waits until the backlog is below its limit, or the deadline is near.
    async fn room_on_job_queue(&self, deadline: Option<Instant>) -> Result<(), ServiceError> {
        let Some(max_backlog) = self.options.max_backlog else { return Ok(()) };
        while !is_near(deadline) && self.queue.depth(QueueName::JobQ).await?.visible > max_backlog {
            tokio::time::sleep(BACKLOG_LOOK).await;
        }
        Ok(())
    }

    async fn page_after(&self, entry: &OutboxEntry) -> Result<Page<UserId, UserId>, ServiceError> {
        self.page(entry.author_id, entry.cursor).await
    }

    async fn page(&self, author: UserId, after: Option<UserId>) -> Result<Page<UserId, UserId>, ServiceError> {
        let page = self.follows.page_of_follower_ids(author, after, self.options.follower_page).await?;
        Ok(cut_to_full_jobs(page, self.options.followers_per_job))
    }

    /// Puts one page on JobQ while reading the next, then advances the outbox entry, or removes it after the last page.
    async fn step(
        &self,
        entry: &mut OutboxEntry,
        worker: &str,
        page: Page<UserId, UserId>,
    ) -> Result<Step, ServiceError> {
        let Some(cursor) = page.next else {
            self.send_jobs(entry, &page.items).await?;
            // Refused: the sweeper has taken the entry over, and its message finishes the fan-out.
            let _either_way = self.outbox.finish(entry).await?;
            return Ok(Step::Done);
        };
        let next = self.page(entry.author_id, Some(cursor));
        let (_sent, next) = tokio::try_join!(self.send_jobs(entry, &page.items), next)?;
        if !self.moved_on(entry, cursor, worker).await? {
            info!(post.id = %entry.post_id, "Another worker took over the fan-out of {}; stopped here", entry.post_id);
            return Ok(Step::Done);
        }
        entry.cursor = Some(cursor);
        Ok(Step::Next(next))
    }

    /// Advances the entry. False when another worker holds it now.
    async fn moved_on(&self, entry: &OutboxEntry, cursor: UserId, worker: &str) -> Result<bool, ServiceError> {
        if self.outbox.advance(entry, cursor, worker, self.clock.now()).await?.is_applied() {
            return Ok(true);
        }
        // An earlier try whose answer was lost is refused as well; the entry names its worker.
        let stored = self.outbox.get(entry.post_id).await?;
        Ok(stored.is_some_and(|stored| {
            stored.generation == entry.generation
                && stored.cursor == Some(cursor)
                && stored.worker.as_deref() == Some(worker)
        }))
    }

    async fn send_jobs(&self, entry: &OutboxEntry, followers: &[UserId]) -> Result<(), ServiceError> {
        let jobs = plan_jobs(entry.post_id, entry.author_id, followers, self.options.followers_per_job);
        let group = entry.author_id.to_string();
        let sent = jobs.len() as u64;
        let messages = jobs
            .iter()
            .map(|job| OutgoingMessage { body: job.encode(), group: group.clone(), delay: Duration::ZERO })
            .collect();
        send_all(self.queue.as_ref(), QueueName::JobQ, messages).await?;
        metrics::counter!(names::JOBS_SENT).increment(sent);
        Ok(())
    }

    async fn hand_over(&self, message: &FanOutMessage) -> Result<(), ServiceError> {
        if message.hop >= MAX_HOPS {
            warn!(post.id = %message.post_id, "Fan-out of {} reached {MAX_HOPS} continuations; the sweeper will resume it", message.post_id);
            return Ok(());
        }
        Ok(send_fan_out(self.queue.as_ref(), &FanOutMessage { hop: message.hop + 1, ..message.clone() }).await?)
    }
}

pub(super) fn is_near(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|at| Instant::now() + HANDOVER >= at)
}

/// Leaves an incomplete job's followers to the next page, so that only a fan-out's last job is short. Reading up to 24
/// edges again per page is cheaper than one more job per page.
fn cut_to_full_jobs(mut page: Page<UserId, UserId>, followers_per_job: usize) -> Page<UserId, UserId> {
    let whole = page.items.len() - page.items.len() % per_job(followers_per_job);
    // A page too small for a full job must be sent as it is, or the fan-out would make no progress.
    if page.next.is_some() && whole > 0 {
        page.items.truncate(whole);
        page.next = page.items.last().copied();
    }
    page
}

fn per_job(followers_per_job: usize) -> usize {
    followers_per_job.clamp(1, limits::FOLLOWERS_PER_JOB)
}

/// Cuts a page of followers into jobs of at most `followers_per_job`. No followers give no jobs.
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

    proptest! {
        #[test]
        fn page_size_does_not_add_jobs(count in 0_usize..300, page_size in 1_usize..90) {
            let followers: Vec<UserId> = (0..count as u128).map(follower).collect();
            let (post, author) = (PostId::from_uuid(Uuid::nil()), UserId::from_uuid(Uuid::nil()));
            let (mut jobs, mut start) = (Vec::new(), 0);
            loop {
                let end = count.min(start + page_size);
                let next = (end < count).then(|| followers[end - 1]);
                let page = cut_to_full_jobs(Page { items: followers[start..end].to_vec(), next }, 25);
                jobs.extend(plan_jobs(post, author, &page.items, 25));
                start += page.items.len();
                if page.next.is_none() {
                    break;
                }
                prop_assert_eq!(page.next, Some(followers[start - 1]));
            }
            let reached: Vec<UserId> = jobs.iter().flat_map(|job| job.followers.clone()).collect();
            prop_assert_eq!(reached, followers);
            prop_assert!(page_size < 25 || jobs.len() == count.div_ceil(25));
        }
    }

    #[test]
    fn followers_per_job_accepts_1_to_25() {
        let read = |text: Option<&str>| FanOutOptions::from_lookup(|_| text.map(str::to_owned));
        assert_eq!(read(None), Ok(FanOutOptions::default()));
        assert_eq!(read(Some("")), Ok(FanOutOptions::default()));
        assert_eq!(read(Some("1")).unwrap().followers_per_job, 1);
        assert_eq!(read(Some("25")).unwrap().followers_per_job, 25);
        for bad in ["0", "26", "-1", "ten"] {
            assert_eq!(read(Some(bad)), Err(InvalidFollowersPerJob), "{bad}");
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
