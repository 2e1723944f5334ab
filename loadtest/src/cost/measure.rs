//! Runs requests in one process and counts their units.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use data::{Counted, Counter, Counts};
use domain::{Clock, PostId, Timestamp, UserId, limits};
use ports::store::StoreError;
use rand::RngExt as _;
use service::{fan_out::FanOutOptions, tokens::AccessTokens};
use tweeter::{Application, Config, DataDir, Handle, TestHooks};

use super::{
    bill::Work,
    meter::{Meter, MeteredChanges, MeteredQueue, MeteredStore},
};
use crate::{
    error::LoadtestError,
    graph::Graph,
    progress,
    seed::{ROWS_PER_EDGE, ROWS_PER_USER, Seeder},
    stack::api::ApiClient,
};

/// Posts of the followee of a follow: as many as a follow backfills at most.
pub const FOLLOWED_POSTS: u64 = 100;
/// Absence of dormant followers: well beyond the time after which a fan-out skips them.
const ABSENCE: Duration = Duration::from_hours(60 * 24);
/// Characters of a post, about half the maximum: the bytes stored and sent grow with it.
const TEXT_CHARACTERS: usize = 240;
/// The letters of a post, as frequent as in English, and a space after every fifth. Texts drawn from them share no words,
/// so that pages of them compress worse than pages that people write.
const LETTERS: &str =
    "eeeeeeeeeeeetttttttttaaaaaaaaooooooooiiiiiiinnnnnnnsssssshhhhhhrrrrrrddddllllcccuuummmwwffggyyppbvk";
/// A comment of typical length.
const COMMENT: &str = "A comment of about the length that people write, and that takes no more than a line or two.";
/// Page size.
const PAGE: u32 = 20;

/// A text that no other post has.
fn text() -> String {
    let (mut rng, letters) = (rand::rng(), LETTERS.as_bytes());
    let letter = |number| if number % 6 == 5 { ' ' } else { char::from(letters[rng.random_range(0..letters.len())]) };
    (0..TEXT_CHARACTERS).map(letter).collect()
}

/// A process with metered ports, split up as on AWS.
struct Metered {
    handle: Handle,
    meter: Arc<Meter>,
    /// Whether changes are applied.
    applies_changes: Arc<AtomicBool>,
    api: ApiClient,
}

/// `posts` posts to `followers` followers, each from its request until its last feed entry is written and the post
/// counted. The author has posted before.
pub async fn post(followers: u64, posts: u64) -> Result<Work, LoadtestError> {
    post_beside_dormant(followers, 0, posts).await
}

/// The same with further followers who have not read their feed for [`ABSENCE`].
pub async fn post_beside_dormant(active: u64, dormant: u64, posts: u64) -> Result<Work, LoadtestError> {
    let service = Metered::start().await?;
    let author = UserId::random();
    let readers = |count| -> Vec<UserId> { (0..count).map(|_| UserId::random()).collect() };
    service.seed(&[author], &readers(active)).await?;
    let (dormant, now) = (readers(dormant), service.handle.services().clock.now());
    let edges = dormant.iter().map(|reader| (*reader, author));
    service.seed_graph(dormant.iter().copied(), now.minus(ABSENCE), edges, dormant.len() as u64).await?;
    service.count_a_post_of(author).await?;
    let posting = async {
        for _ in 0..posts {
            service.publish(author).await?;
        }
        Ok(())
    };
    let work = service.measure(posting).await?;
    service.handle.stop().await?;
    Ok(Work { posts, followers: active + dormant.len() as u64, ..work })
}

/// `reads` reads of a feed's first page by a follower of `authors`, each with `posts_each` posts. No read finds anything
/// cached, as with many processes.
pub async fn reads(authors: u32, posts_each: u32, reads: u64) -> Result<Work, LoadtestError> {
    let clock = Clock::manual(Clock::System.now());
    let service = Metered::start_by(clock.clone()).await?;
    let authors: Vec<UserId> = (0..authors).map(|_| UserId::random()).collect();
    let reader = UserId::random();
    service.seed(&authors, &[reader]).await?;
    for author in authors.iter().flat_map(|author| (0..posts_each).map(move |_| *author)) {
        service.publish(author).await?;
    }
    let reading = async {
        for _ in 0..reads {
            // Longer than any cache lasts.
            clock.advance(limits::PROFILE_TTL);
            service.api.feed(|| service.token(reader), PAGE, None).await?;
        }
        Ok(())
    };
    let work = service.measure(reading).await?;
    service.handle.stop().await?;
    Ok(Work { reads, ..work })
}

/// `likes` likes of one post, each by another user and counted before the next, so that none shares writes. The post
/// has been liked before.
pub async fn likes(likes: u64) -> Result<Work, LoadtestError> {
    let (service, post, users) = Metered::with_a_post(likes).await?;
    let like = async |user: UserId| service.api.like(&service.token(user), post).await.map_err(LoadtestError::from);
    let work = service.measure_each(&users, like).await?;
    service.handle.stop().await?;
    Ok(Work { reactions: likes, ..work })
}

/// `comments` comments on one post, each by another user and counted before the next. The post has been commented on
/// before.
pub async fn comments(comments: u64) -> Result<Work, LoadtestError> {
    let (service, post, users) = Metered::with_a_post(comments).await?;
    let comment = async |user: UserId| {
        service.api.comment(&service.token(user), post, COMMENT).await.map_err(LoadtestError::from)
    };
    let work = service.measure_each(&users, comment).await?;
    service.handle.stop().await?;
    Ok(Work { reactions: comments, ..work })
}

/// `follows` follows of one author with `posts` posts, each by another user with other followees, and counted before
/// the next. The author has been followed before.
pub async fn follows(posts: u64, follows: u64) -> Result<Work, LoadtestError> {
    let service = Metered::start().await?;
    let [author, other] = [UserId::random(), UserId::random()];
    let followers: Vec<UserId> = (0..=follows).map(|_| UserId::random()).collect();
    service.seed(&[author, other], &[]).await?;
    service.seed(&[], &followers).await?;
    for _ in 0..posts {
        service.publish(author).await?;
    }
    for follower in &followers {
        service.api.follow(&service.token(*follower), other).await?;
    }
    service.handle.drain().await;
    let follow =
        async |user: UserId| service.api.follow(&service.token(user), author).await.map_err(LoadtestError::from);
    let work = service.measure_each(&followers, follow).await?;
    service.handle.stop().await?;
    Ok(Work { follows, ..work })
}

/// The work of a small population: every user posts once, then reads the first page of the feed.
#[derive(Debug)]
pub struct PopulationWork {
    /// All posts, with their fan-outs.
    pub posts: Work,
    /// All reads.
    pub reads: Work,
    /// The time that the reads took.
    pub reading: Duration,
}

/// The posts and reads of all users of a graph. Each has posted before.
pub async fn population(graph: &Graph) -> Result<PopulationWork, LoadtestError> {
    let service = Metered::start().await?;
    let users = || graph.users.iter().chain([&graph.famous]).copied();
    let now = service.handle.services().clock.now();
    service.seed_graph(users(), now, graph.edges(), graph.edge_count()).await?;
    for user in users() {
        service.count_a_post_of(user).await?;
    }
    let posting = async {
        for user in users() {
            service.publish(user).await?;
        }
        Ok(())
    };
    let posts = service.measure(posting).await?;
    let started = Instant::now();
    let reading = async {
        for user in users() {
            service.api.feed(|| service.token(user), PAGE, None).await?;
        }
        Ok(())
    };
    let reads = service.measure(reading).await?;
    let (reading, count) = (started.elapsed(), users().count() as u64);
    service.handle.stop().await?;
    Ok(PopulationWork { posts: Work { posts: count, ..posts }, reads: Work { reads: count, ..reads }, reading })
}

impl Metered {
    async fn start() -> Result<Self, LoadtestError> {
        Self::start_by(Clock::System).await
    }

    async fn start_by(clock: Clock) -> Result<Self, LoadtestError> {
        let (meter, applies_changes) = (Arc::new(Meter::default()), Arc::new(AtomicBool::new(true)));
        let (of_store, of_queue, of_changes) = (Arc::clone(&meter), Arc::clone(&meter), Arc::clone(&meter));
        let is_on = Arc::clone(&applies_changes);
        let hooks = TestHooks {
            wrap_store: Some(Box::new(move |store| Arc::new(MeteredStore::new(store, Arc::clone(&of_store))))),
            wrap_queue: Some(Box::new(move |queue| Arc::new(MeteredQueue::new(queue, Arc::clone(&of_queue))))),
            wrap_changes: Some(Box::new(move |log| {
                Arc::new(MeteredChanges::new(log, Arc::clone(&of_changes), Arc::clone(&is_on)))
            })),
            // Pages of maximum size and no check of the queue's length, as on AWS.
            fan_out: Some(FanOutOptions::default()),
            // The sweeper's cost does not depend on requests.
            sweep: false,
            clock,
            ..TestHooks::default()
        };
        let handle = Application::build(Config::on_free_port(DataDir::Ephemeral), hooks).await?.spawn();
        let url = format!("http://{}", handle.address()).parse().expect("an address of a socket is one of an API");
        Ok(Self { handle, meter, applies_changes, api: ApiClient::new(url)? })
    }

    /// A process with a post, and one more user than requested.
    async fn with_a_post(users: u64) -> Result<(Self, PostId, Vec<UserId>), LoadtestError> {
        let service = Self::start().await?;
        let author = UserId::random();
        let users: Vec<UserId> = (0..=users).map(|_| UserId::random()).collect();
        service.seed(&[author], &[]).await?;
        service.seed(&[], &users).await?;
        let post = service.publish(author).await?;
        Ok((service, post, users))
    }

    /// Creates users and edges from each reader to each author.
    async fn seed(&self, authors: &[UserId], readers: &[UserId]) -> Result<(), LoadtestError> {
        let edges = authors.iter().flat_map(|author| readers.iter().map(move |reader| (*reader, *author)));
        let count = (authors.len() * readers.len()) as u64;
        let now = self.handle.services().clock.now();
        self.seed_graph(authors.iter().chain(readers).copied(), now, edges, count).await
    }

    /// Creates users, who read their feeds at `seen` last, and edges as `(follower, followee)`. The service does not
    /// apply these changes.
    async fn seed_graph(
        &self,
        users: impl Iterator<Item = UserId> + Clone + Send,
        seen: Timestamp,
        edges: impl Iterator<Item = (UserId, UserId)> + Send,
        edge_count: u64,
    ) -> Result<(), LoadtestError> {
        self.applies_changes.store(false, Ordering::SeqCst);
        let services = self.handle.services();
        let rows = users.clone().count() as u64 * ROWS_PER_USER + edge_count * ROWS_PER_EDGE;
        let progress = progress::bar("seeding", rows);
        let seeder = Seeder::new(Arc::clone(&services.store), seen, progress);
        seeder.users(users).await.map_err(LoadtestError::Seed)?;
        seeder.edges(edges).await.map_err(LoadtestError::Seed)?;
        self.handle.drain().await;
        self.applies_changes.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Creates the author's first counts, which cost more than later ones.
    async fn count_a_post_of(&self, author: UserId) -> Result<(), LoadtestError> {
        let first = Counts::creation(Counted::User(author), vec![(Counter::Posts, 1)]);
        let outcome = self.handle.services().store.transact(first.into_iter().collect()).await;
        if outcome.map_err(LoadtestError::Seed)?.is_applied() {
            Ok(())
        } else {
            Err(LoadtestError::Seed(StoreError::Conflict))
        }
    }

    async fn publish(&self, author: UserId) -> Result<PostId, LoadtestError> {
        let post = self.api.publish(&self.token(author), &text()).await?.answer;
        self.handle.drain().await;
        Ok(post)
    }

    /// The units used by `doing`.
    async fn measure(&self, doing: impl Future<Output = Result<(), LoadtestError>>) -> Result<Work, LoadtestError> {
        let (before, bytes_before) = (self.meter.usage(), self.api.requests().answer_bytes);
        doing.await?;
        let usage = self.meter.usage() - &before;
        Ok(Work { answer_bytes: self.api.requests().answer_bytes - bytes_before, usage, ..Work::default() })
    }

    /// The units used by all of `users` but the first, who acts beforehand: the first counts and notification cost
    /// more.
    async fn measure_each<F>(&self, users: &[UserId], act: impl Fn(UserId) -> F) -> Result<Work, LoadtestError>
    where
        F: Future<Output = Result<(), LoadtestError>>,
    {
        let each = async |users: &[UserId]| {
            for user in users {
                act(*user).await?;
                self.handle.drain().await;
            }
            Ok(())
        };
        let (first, others) = users.split_at(1);
        each(first).await?;
        self.measure(each(others)).await
    }

    fn token(&self, user: UserId) -> String {
        let services = self.handle.services();
        let tokens: &AccessTokens = services.accounts.access_tokens();
        tokens.issue(user, services.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use ports::{queue::QueueName, store::Table};

    use super::*;
    use crate::cost::units::Units;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_post_takes_exactly_the_computed_units() {
        let work = post(60, 1).await.unwrap();
        let usage = work.usage;
        // The author's entry in the transaction, at twice the units; the followers' in batches.
        assert_eq!(usage.tables[&Table::Feed], Units { writes: 2 + 60, read_halves: 0 });
        // Writes: post, story and outbox entry in the transaction, and the removal of the outbox entry. Reads: the
        // author's profile, consistently, to check that the caller exists and then to show it; the delivery mode; the
        // number of followers, eventually; the outbox entry; 60 edges of 105 bytes: 6,300, twice 4 KB; and whether each
        // follower is dormant, eventually.
        let fan_out = Units { writes: 3 * 2 + 1, read_halves: 2 + 2 + 2 + 1 + 2 + 2 * 2 + 60 };
        // The change: reads the ledger and whether counts exist; writes a ledger entry and the count.
        let count = Units { writes: 2 * 2, read_halves: 2 * 2 };
        assert_eq!(usage.tables[&Table::Social], sum([fan_out, count]));
        assert_eq!(usage.tables.len(), 2);
        let batches = usage.batches_of(QueueName::JobQ);
        assert_eq!((usage.batches_of(QueueName::PostQ), usage.change_batches), (1, 1));
        assert!((1..=3).contains(&batches), "three jobs, in {batches} batches");
        // Sent, received and deleted; two full jobs sent at once, as all followers are active, and the third at the end.
        assert_eq!(usage.sqs_requests, 3 + 2 + 2 * batches);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_tenth_active_takes_a_quarter_of_the_writes() {
        let [all, tenth] = [post(100, 1).await.unwrap(), post_beside_dormant(10, 90, 1).await.unwrap()];
        assert!(all.usage.units().writes >= 4 * tenth.usage.units().writes, "{all:?} {tenth:?}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_feed_page_takes_exactly_the_computed_units() {
        let work = reads(3, 1, 2).await.unwrap();
        // Whether the reader exists. A query each of the entries, the reader and the likes; then for each of three: post,
        // counts and profile, eventually.
        let each = 2 + 3 * 2 + 3 * (1 + 1 + 1);
        assert_eq!(work.usage.units(), Units { writes: 0, read_halves: 2 * each });
        assert_eq!((work.reads, work.usage.sqs_requests, work.usage.change_batches), (2, 0, 0));
        // Compressed.
        assert!(work.answer_bytes > 2 * 3 * TEXT_CHARACTERS as u64 / 2);
        assert!(work.answer_bytes < 2 * 3 * TEXT_CHARACTERS as u64 * 2);
    }

    /// The units of stream-handler for a single act of another user. Writes, all in transactions: a new notification,
    /// its place, the inbox, the ledger's entry and the count. Reads, all consistent: the ledger, the post twice, the
    /// inbox, the act, whether it was notified of, whether there are counts.
    const NOTIFIED_AND_COUNTED: Units = Units { writes: 5 * 2, read_halves: 7 * 2 };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lone_like_takes_exactly_the_computed_units() {
        let work = likes(3).await.unwrap();
        // The caller and the post, strongly, and its author; both sides.
        let request = Units { writes: 2 * 2, read_halves: 2 + 2 + 1 };
        assert_eq!(work.usage.units(), three_times(sum([request, NOTIFIED_AND_COUNTED])));
        assert_eq!((work.reactions, work.usage.change_batches, work.usage.sqs_requests), (3, 3, 0));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_lone_comment_takes_exactly_the_computed_units() {
        let work = comments(3).await.unwrap();
        // The caller, the post and the own profile, strongly, and the post's author; both items.
        let request = Units { writes: 2 * 2, read_halves: 2 + 2 + 2 + 1 };
        assert_eq!(work.usage.units(), three_times(sum([request, NOTIFIED_AND_COUNTED])));
        assert_eq!((work.reactions, work.usage.change_batches), (3, 3));
        assert!(work.answer_bytes > 3 * COMMENT.len() as u64);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_follow_takes_two_units_per_post() {
        let [few, more] = [follows(1, 3).await.unwrap(), follows(11, 3).await.unwrap()].map(|work| work.usage.units());
        assert_eq!(more.writes - few.writes, 3 * 10);
        assert_eq!(more.read_halves - few.read_halves, 3 * 10 * 2);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn stored_bytes_grow_with_feed_entries() {
        let [few, more] = [post(0, 1).await.unwrap(), post(10, 1).await.unwrap()].map(|work| work.usage.stored_bytes);
        // An entry: 76 bytes of key, 10 of the expiry's name, up to 6 of its digits, and DynamoDB's overhead per item.
        let each = (more - few) / 10;
        assert!((76 + 10 + 2 + 100..=76 + 10 + 6 + 100).contains(&each), "{each}");
    }

    fn sum<const N: usize>(all: [Units; N]) -> Units {
        let mut sum = Units::default();
        for units in all {
            sum += units;
        }
        sum
    }

    fn three_times(units: Units) -> Units {
        sum([units; 3])
    }
}
