//! The units of each act: the one place with units per post, delivery, page, like, comment, follow and return. Tests
//! compare these amounts with those that `loadtest cost` counts in a run.

use domain::limits;

use crate::cost::{bill::Amounts, units};

/// Write units on Social of a post that is pushed: post, story entry and outbox entry in a transaction, the removal of
/// the outbox entry, and the ledger's entry and the author's count in a transaction.
const PUSHED_POST_WRITES: f64 = 3.0 * 2.0 + 1.0 + 2.0 * 2.0;
/// The same of a post that is pulled: without the outbox entry, but with a check of the delivery mode.
const PULLED_POST_WRITES: f64 = 3.0 * 2.0 + 2.0 * 2.0;
/// Write units on Feed of a post: the author's own entry, in the transaction.
const OWN_ENTRY_WRITES: f64 = 2.0;
/// Read units of a post without its followers: the author's account, profile, delivery mode and number of followers, the
/// ledger and the author's count.
const POST_READS: f64 = 5.0 + EVENTUAL;
/// Read units of a fan-out without the followers: the outbox entry.
const FAN_OUT_READS: f64 = 1.0;
/// Bytes of a follow edge.
const EDGE_BYTES: f64 = 105.0;
/// Bytes of a story entry.
const STORY_BYTES: f64 = 92.0;
/// Bytes that one unit reads strongly.
const READ_UNIT_BYTES: f64 = 4_096.0;
/// Read units of an eventually consistent read of a small item.
pub const EVENTUAL: f64 = 0.5;
/// Write units of a pushed post on its outbox entry: in the transaction, and its removal.
pub const OUTBOX_WRITES: f64 = 3.0;
/// Write units of a follow on its backfill row: in two transactions.
pub const BACKFILL_WRITES: f64 = 4.0;
/// Read units of a strongly consistent read of a small item.
const STRONG: f64 = 1.0;
/// SQS requests of a message alone in its batches: sent, received, deleted.
const LONE_MESSAGE: f64 = 3.0;
/// Bytes of a feed job without its followers, and bytes per follower.
const JOB_BYTES: (u64, u64) = (138, 39);
/// Bytes of a page's answer besides its posts, and bytes per post with a text of 240 characters, compressed.
const PAGE_BYTES: (f64, f64) = (95.0, 185.0);
/// Bytes of the answer to a post, and to a like, comment or follow on average.
const ACT_BYTES: f64 = 360.0;

/// Billed bytes of a feed entry: key, expiry and DynamoDB's overhead per item.
pub const ENTRY_BYTES: f64 = 192.0;
/// Billed bytes of a post with its story entry and count, for a text of 280 characters.
pub const POST_BYTES: f64 = 626.0;
/// Posts on a page: the default of the API.
pub const PAGE_POSTS: f64 = limits::DEFAULT_PAGE_LIMIT as f64;

/// The share of lookups that caches in the process answer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hits {
    /// Of profiles.
    pub profiles: f64,
    /// Of posts, and of their counts.
    pub posts: f64,
    /// Of the newest posts of pulled authors.
    pub stories: f64,
    /// Of whether the caller still has an account.
    pub callers: f64,
    /// Of the activity of followers.
    pub activity: f64,
}

/// A fan-out: the followers read, those skipped, and the size of a message.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FanOut {
    /// Followers of the author.
    pub followers: f64,
    /// The share of them that is dormant and gets no entry.
    pub dormant: f64,
    /// Followers in a message of JobQ.
    pub per_message: f64,
}

/// Whole units of work: rounded up, or the probability of one if it is less.
fn whole(number: f64) -> f64 {
    if number < 1.0 { number } else { number.ceil() }
}

impl FanOut {
    /// Entries written.
    pub fn entries(&self) -> f64 {
        self.followers * (1.0 - self.dormant)
    }

    /// Messages on JobQ. An average of less than one follower is the probability of a message.
    fn jobs(&self) -> f64 {
        if self.entries() < 1.0 { self.entries() } else { (self.entries() / self.per_message).ceil() }
    }
}

/// A post that is pushed to the followers of its author.
pub fn pushed_post(fan_out: &FanOut, hits: &Hits) -> Amounts {
    let jobs = fan_out.jobs();
    let batches = if jobs < 1.0 { jobs } else { (jobs / limits::MAX_QUEUE_BATCH as f64).ceil() };
    Amounts {
        posts: 1.0,
        fanned_out: fan_out.followers,
        feed_writes: OWN_ENTRY_WRITES + fan_out.entries(),
        other_writes: PUSHED_POST_WRITES,
        other_reads: POST_READS + FAN_OUT_READS + follower_reads(fan_out, hits),
        // Each call sends, receives or deletes ten jobs.
        sqs_requests: LONE_MESSAGE + batches * (2.0 * requests_of_ten(fan_out.per_message) + 1.0),
        post_batches: 1.0,
        job_batches: batches,
        job_turns: batches * (fan_out.per_message / limits::FOLLOWERS_PER_JOB as f64).max(1.0),
        change_batches: 1.0,
        answer_bytes: ACT_BYTES,
        ..Amounts::default()
    }
}

/// Read units of the followers: their edges, strongly, and whether they are dormant.
fn follower_reads(fan_out: &FanOut, hits: &Hits) -> f64 {
    // Dormancy is confirmed strongly.
    let asked = fan_out.followers * (EVENTUAL + fan_out.dormant * STRONG);
    whole(fan_out.followers * EDGE_BYTES / READ_UNIT_BYTES) + asked * (1.0 - hits.activity)
}

/// SQS requests of ten messages: one for each 64 KB.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bytes of ten messages")]
fn requests_of_ten(per_message: f64) -> f64 {
    units::sqs_requests(limits::MAX_QUEUE_BATCH as u64 * (JOB_BYTES.0 + JOB_BYTES.1 * per_message as u64)) as f64
}

/// A post that readers pull.
pub fn pulled_post() -> Amounts {
    Amounts {
        posts: 1.0,
        feed_writes: OWN_ENTRY_WRITES,
        other_writes: PULLED_POST_WRITES,
        other_reads: POST_READS,
        change_batches: 1.0,
        answer_bytes: ACT_BYTES,
        ..Amounts::default()
    }
}

/// A first page of `posts` posts by as many authors, for a reader who follows this many pulled authors.
pub fn page(posts: f64, pulled_authors: f64, hits: &Hits) -> Amounts {
    // Each post with its counts, and its author's profile; and those of the next one, which tells whether the page is
    // the last.
    let misses =
        (posts + 1.0) * (2.0 * (1.0 - hits.posts) + (1.0 - hits.profiles)) + pulled_authors * (1.0 - hits.stories);
    // The reader's activity and rules, and the own likes between the page's ends, strongly.
    let reader = STRONG + STRONG + STRONG * (1.0 - hits.callers);
    Amounts {
        reads: 1.0,
        feed_reads: STRONG,
        other_reads: reader + EVENTUAL * misses,
        answer_bytes: PAGE_BYTES.0 + PAGE_BYTES.1 * posts,
        ..Amounts::default()
    }
}

/// A like: both sides in a transaction, a new notification, its place, the inbox, the ledger's entry and the count.
pub fn like() -> Amounts {
    Amounts { reactions: 1.0, other_writes: 14.0, other_reads: 9.5, change_batches: 1.0, ..Amounts::default() }
}

/// A comment: like a like, with the author's own profile.
pub fn comment() -> Amounts {
    Amounts { other_reads: 10.5, answer_bytes: ACT_BYTES, ..like() }
}

/// A follow of an author, of whose posts this many are backfilled.
pub fn follow(backfilled: f64) -> Amounts {
    Amounts {
        follows: 1.0,
        feed_writes: backfilled,
        other_writes: 26.0,
        other_reads: 7.5 + (backfilled * STORY_BYTES / READ_UNIT_BYTES).ceil() + backfilled * STRONG,
        change_batches: 1.0,
        ..Amounts::default()
    }
}

/// A day of a reader who reads: the activity is recorded once.
pub fn active_day() -> Amounts {
    Amounts { other_writes: 1.0, ..Amounts::default() }
}

/// The return of a dormant reader who follows this many authors: their stories are read, strongly, and `entries` are
/// written.
pub fn rebuilt_return(followees: f64, entries: f64) -> Amounts {
    Amounts {
        feed_writes: entries,
        // The coverage, and the activity before the stories are read.
        other_writes: 2.0,
        other_reads: whole(followees * EDGE_BYTES / READ_UNIT_BYTES) + followees * STRONG,
        ..Amounts::default()
    }
}

#[cfg(test)]
mod tests {
    use data::messages::{FeedJob, FeedJobTag, V1};
    use domain::{Clock, IdGenerator, UserId};
    use proptest::prelude::*;

    use super::*;

    fn fan_out(followers: f64, dormant: f64) -> FanOut {
        FanOut { followers, dormant, per_message: 25.0 }
    }

    #[test]
    fn a_job_has_the_assumed_size() {
        let bytes = |followers: u64| {
            let job = FeedJob {
                tag: FeedJobTag::Deliver,
                v: V1,
                post_id: IdGenerator::new().next_post_id(Clock::System.now()),
                author_id: UserId::random(),
                followers: (0..followers).map(|_| UserId::random()).collect(),
            };
            job.encode().len() as u64
        };
        assert_eq!([1, 25].map(bytes), [1, 25].map(|followers| JOB_BYTES.0 + JOB_BYTES.1 * followers));
    }

    #[test]
    fn large_messages_take_several_requests() {
        let requests = [25.0, 150.0, 500.0].map(|per_message| requests_of_ten(per_message).to_string());
        assert_eq!(requests, ["1", "1", "3"]);
    }

    #[test]
    fn dormant_followers_cost_no_write() {
        let writes = |dormant| pushed_post(&fan_out(1_000.0, dormant), &Hits::default()).feed_writes;
        assert!((writes(0.0) - writes(0.9) - 900.0).abs() < 1e-9);
        // A tenth of the followers is active: at least four times fewer units.
        let units = |dormant| pushed_post(&fan_out(100.0, dormant), &Hits::default()).writes();
        assert!(units(0.0) >= 4.0 * units(0.9));
    }

    proptest! {
        #[test]
        fn more_followers_cost_more(followers in 0.0..1e6, more in 0.0..1e5, dormant in 0.0..1.0) {
            let post = |followers| pushed_post(&fan_out(followers, dormant), &Hits::default());
            let (few, many) = (post(followers), post(followers + more));
            prop_assert!(many.writes() >= few.writes());
            prop_assert!(many.units_read() >= few.units_read());
            prop_assert!(many.sqs_requests >= few.sqs_requests);
        }

        #[test]
        fn hits_save_reads(hits in 0.0..1.0, pulled in 0.0..100.0) {
            let some = Hits { profiles: hits, posts: hits, stories: hits, ..Hits::default() };
            let reads = |hits| page(PAGE_POSTS, pulled, hits).units_read();
            prop_assert!(reads(&some) <= reads(&Hits::default()));
        }
    }
}
