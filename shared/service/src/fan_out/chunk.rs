//! The followers of one chunk of a fan-out that have been read but not sent.

use std::{collections::HashSet, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

use domain::{UserId, limits};

/// Time reserved before a deadline for the advance of the entry and the continuation message.
pub const HANDOVER: Duration = Duration::from_secs(5);

/// Jobs per second that a queue takes at least, for the decision when to stop reading and start to send. SQS takes
/// eight times as many with calls of 10 ms, the embedded queue more.
const JOBS_PER_SECOND: f64 = 1_000.0;

/// A chunk: its followers are held in memory, 16 bytes each, so that active ones are sent first.
#[derive(Debug)]
pub struct Chunk {
    per_job: usize,
    deadline: Option<Instant>,
    /// The users with an open event stream.
    connected: HashSet<UserId>,
    began: Instant,
    held: Mutex<Held>,
}

/// The followers to be sent.
#[derive(Debug, Default)]
pub struct Held {
    /// Active followers: fewer than a job.
    pub active: Vec<UserId>,
    /// All others.
    pub others: Vec<UserId>,
    /// How many followers have been read, sent or not.
    read: usize,
}

impl Chunk {
    /// An empty chunk that begins now.
    pub fn new(per_job: usize, deadline: Option<Instant>, connected: HashSet<UserId>) -> Self {
        Self { per_job, deadline, connected, began: Instant::now(), held: Mutex::default() }
    }

    /// Whether the user has an open event stream.
    pub fn is_connected(&self, user: UserId) -> bool {
        self.connected.contains(&user)
    }

    /// Adds the followers of a page of `read`. Returns the active ones that fill whole jobs, to be sent now.
    pub fn add(&self, read: usize, active: Vec<UserId>, others: Vec<UserId>) -> Vec<UserId> {
        let mut held = self.held.lock();
        held.read += read;
        held.others.extend(others);
        held.active.extend(active);
        let whole = held.active.len() - held.active.len() % self.per_job;
        held.active.drain(..whole).collect()
    }

    /// Whether another page may be read before the held followers are sent. An empty chunk always has room, so that
    /// each one makes progress.
    pub fn has_room(&self) -> bool {
        let held = self.held.lock();
        if held.read == 0 {
            return true;
        }
        held.read < limits::FAN_OUT_CHUNK
            && self.began.elapsed() < limits::FAN_OUT_CHUNK_TIME
            && self.deadline.is_none_or(|at| at.duration_since(Instant::now()) > self.time_to_send(&held))
    }

    fn time_to_send(&self, held: &Held) -> Duration {
        let jobs = held.others.len().div_ceil(self.per_job);
        #[expect(clippy::cast_precision_loss, reason = "a few thousand jobs")]
        let seconds = jobs as f64 / JOBS_PER_SECOND;
        HANDOVER + Duration::from_secs_f64(seconds)
    }

    /// The followers to be sent in the end.
    pub fn into_held(self) -> Held {
        self.held.into_inner()
    }
}

impl Held {
    /// The followers of a first job, which contains all active ones and is filled up with others; then all others. The
    /// first job is empty when no active follower is left.
    pub fn into_jobs(self, per_job: usize) -> (Vec<UserId>, Vec<UserId>) {
        let Self { active: mut first, mut others, .. } = self;
        if !first.is_empty() {
            let kept = others.len().saturating_sub(per_job.saturating_sub(first.len()));
            first.extend(others.drain(kept..));
        }
        (first, others)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn user(n: usize) -> UserId {
        UserId::from_uuid(Uuid::from_u128(n as u128))
    }

    fn chunk(per_job: usize) -> Chunk {
        Chunk::new(per_job, None, HashSet::new())
    }

    proptest! {
        #[test]
        fn active_followers_are_sent_first_and_once(
            pages in proptest::collection::vec(proptest::collection::vec(any::<bool>(), 0..70), 0..9),
            per_job in 1..=limits::FOLLOWERS_PER_JOB,
        ) {
            let chunk = chunk(per_job);
            let (mut sent, mut actives, mut count) = (Vec::new(), 0, 0);
            for page in pages {
                let users = count..count + page.len();
                let (active, others): (Vec<_>, Vec<_>) = users.zip(&page).partition(|(_, is_active)| **is_active);
                let [active, others] = [active, others].map(|of| of.into_iter().map(|(n, _)| user(n)).collect::<Vec<_>>());
                (actives, count) = (actives + active.len(), count + page.len());
                let now = chunk.add(page.len(), active, others);
                prop_assert_eq!(now.len() % per_job, 0, "only whole jobs while reading");
                sent.extend(now);
            }
            let (first, others) = chunk.into_held().into_jobs(per_job);
            prop_assert!(first.len() <= per_job);
            prop_assert!(first.is_empty() || others.is_empty() || first.len() == per_job, "one short job at most");
            prop_assert!(sent.len() + first.len() >= actives && sent.len() <= actives);
            sent.extend(first.into_iter().chain(others));
            sent.sort_unstable();
            prop_assert_eq!(sent, (0..count).map(user).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_chunk_ends_by_size_time_or_deadline() {
        let full = chunk(25);
        full.add(limits::FAN_OUT_CHUNK - 1, vec![], vec![]);
        assert!(full.has_room());
        full.add(1, vec![], vec![]);
        assert!(!full.has_room());

        let slow = chunk(25);
        slow.add(1, vec![], vec![]);
        tokio::time::advance(limits::FAN_OUT_CHUNK_TIME).await;
        assert!(!slow.has_room());

        let near = |followers: usize| {
            let deadline = Instant::now() + HANDOVER + Duration::from_secs(2);
            let chunk = Chunk::new(25, Some(deadline), HashSet::new());
            chunk.add(followers, vec![], (0..followers).map(user).collect());
            chunk.has_room()
        };
        assert!(near(0), "each chunk makes progress");
        assert!(near(25 * 1_000), "a thousand jobs need a second");
        assert!(!near(25 * 2_000), "two thousand jobs need two");
    }
}
