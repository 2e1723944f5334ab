//! `tweeter verify` on both stores: finds nothing in feeds that were delivered, and finds and repairs each kind of damage.

use std::{path::Path, process::Output, sync::Arc, time::Duration};

use crate::support::{
    in_time,
    process::{Server, tweeter},
};
use data::{Feeds, Readers, keys};
use domain::{Clock, PageLimit, PostId, Rule, UserId, limits};
use ports::{
    queue::{QueueName, QueueSettings},
    store::{BatchWrite, Changes, Condition, Item, Key, Segment, Store, Table, TableScan, Write},
};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use rstest::rstest;
use serde_json::Value;
use service_testkit::{
    Embedded,
    pipeline::{Pipeline, START},
};
use testkit::{
    engines::{self, DynamoEngine},
    faults::{FaultyQueue, QueueFaults},
};
use tokio::sync::watch;
use tweeter::{
    Config,
    data_dir::open_database,
    verify::{Kind, Reason, Scope, Settling, Stride, Verified, Verify},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    Embedded,
    Aws,
}

/// The stores of a place, which live as long as it.
enum Home {
    Embedded(Embedded),
    Aws(DynamoEngine),
}

/// A service on one of the stores, and the check of its feeds.
struct Place {
    pipeline: Pipeline,
    verify: Verify,
    home: Home,
}

const SETTLING: Settling = Settling { pause: Duration::ZERO, rounds: 3 };

impl Place {
    async fn new(on: On) -> Self {
        match on {
            On::Embedded => {
                let home = Embedded::open();
                let pipeline = home.pipeline(100);
                let (queue, clock) = (home.queue.clone(), home.clock.clone());
                let verify = Verify::on(home.expiring.clone(), queue, clock, (1, None), SETTLING);
                Self { pipeline, verify, home: Home::Embedded(home) }
            }
            On::Aws => {
                let engine = engines::dynamo().await;
                let queue = Arc::new(engines::sqs(|_| QueueSettings::default()).await.queue());
                let clock = Clock::manual(START);
                let pipeline = Pipeline::on(Arc::new(engine.store()), queue.clone(), clock.clone(), 100);
                let verify = Verify::on(engine.store(), queue, clock, (3, None), SETTLING);
                Self { pipeline, verify, home: Home::Aws(engine) }
            }
        }
    }

    async fn check(&self, scope: Scope, repair: bool) -> Verified {
        self.verify.run(scope, repair, &watch::channel(None).0).await.unwrap()
    }

    /// Asserts that no feed differs and nothing is on its way.
    async fn assert_right(&self, when: &str) {
        let found = self.check(Scope::All, false).await;
        assert_eq!((&found.findings[..], found.in_progress), (&[][..], 0), "{when}");
    }

    async fn write(&self, write: Write) {
        assert!(self.pipeline.store.write(Table::Social, write).await.unwrap().is_applied());
    }

    async fn set(&self, key: Key, name: &'static str, value: impl Into<ports::store::Value>) {
        let changes = Changes { set: [(name.into(), value.into())].into(), ..Changes::default() };
        self.write(Write::Update { key, changes, condition: Condition::Always }).await;
    }

    async fn remove_entries(&self, reader: UserId, posts: &[PostId]) {
        Feeds::new(self.pipeline.store.clone()).remove_of_reader(reader, posts).await.unwrap();
    }

    /// Loses the whole Feed table, as a restore of the other tables alone would.
    async fn lose_feeds(&self) {
        match &self.home {
            Home::Embedded(home) => {
                let whole = Segment { index: 0, total: 1 };
                let entries = home.expiring.scan_segment(Table::Feed, whole, None, 10_000).await.unwrap().items;
                let deletes: Vec<BatchWrite> = entries.into_iter().map(|item| BatchWrite::Delete(item.key)).collect();
                for some in deletes.chunks(limits::MAX_BATCH_WRITE) {
                    assert_eq!(home.store.batch_write(Table::Feed, some).await.unwrap(), []);
                }
            }
            Home::Aws(engine) => {
                engine.client.delete_table().table_name(Table::Feed.name()).send().await.unwrap();
                aws::setup::create_tables(&engine.client, &engine.tables).await.unwrap();
            }
        }
    }
}

/// The kind, the reason, the reader and the post of each finding, in order.
fn found(verified: &Verified) -> Vec<(Kind, Reason, String, String)> {
    let finding = |it: &tweeter::verify::Finding| (it.kind, it.reason, it.reader.clone(), it.post.clone());
    let mut found: Vec<_> = verified.findings.iter().map(finding).collect();
    found.sort_by(|a, b| (&a.2, &a.3).cmp(&(&b.2, &b.3)));
    found
}

fn expected(of: &[(Kind, Reason, UserId, PostId)]) -> Vec<(Kind, Reason, String, String)> {
    let text = |it: &(Kind, Reason, UserId, PostId)| (it.0, it.1, it.2.to_string(), it.3.to_string());
    let mut all: Vec<_> = of.iter().map(text).collect();
    all.sort_by(|a, b| (&a.2, &a.3).cmp(&(&b.2, &b.3)));
    all
}

/// People who follow, unfollow, post and delete at random, with the pipeline running in between.
async fn live(place: &Place, seed: u64) -> Vec<UserId> {
    let (mut rng, pipeline) = (StdRng::seed_from_u64(seed), &place.pipeline);
    let (mut people, mut posts) = (Vec::new(), Vec::new());
    for _ in 0..6 {
        people.push(pipeline.user("person").await);
    }
    for _ in 0..120 {
        let now = pipeline.clock.now();
        let [one, other] = [(); 2].map(|()| people[rng.random_range(0..people.len())]);
        match rng.random_range(0..10) {
            0..4 => posts.push((one, pipeline.post(one, "hello").await)),
            4..7 if one != other => pipeline.graph.follow(one, other, now).await.unwrap(),
            7 if one != other => pipeline.graph.unfollow(one, other, now).await.unwrap(),
            8 if !posts.is_empty() => {
                let (author, post) = posts.swap_remove(rng.random_range(0..posts.len()));
                pipeline.posts.delete(author, post, now).await.unwrap();
            }
            _ => {
                let _handled = pipeline.turn(QueueName::PostQ).await + pipeline.turn(QueueName::JobQ).await;
            }
        }
        pipeline.clock.advance(Duration::from_millis(rng.random_range(0..3)));
    }
    people
}

#[rstest]
#[tokio::test]
async fn delivered_feeds_yield_no_finding(#[values(On::Embedded, On::Aws)] on: On, #[values(1, 2, 3)] seed: u64) {
    let place = Place::new(on).await;
    let people = live(&place, seed).await;
    let during = place.check(Scope::All, false).await;
    assert_eq!(during.findings, [], "deliveries under way are not differences");
    place.pipeline.drain().await;
    place.assert_right("all is delivered").await;
    assert_eq!(place.check(Scope::All, false).await.readers, people.len() as u64);
    place.lose_feeds().await;
    let lost = place.check(Scope::All, true).await;
    assert!(!lost.findings.is_empty() && lost.is_right(), "{lost:?}");
    place.pipeline.drain().await;
    place.assert_right("the lost table is restored").await;
}

#[rstest]
#[tokio::test]
async fn slices_of_a_feed_leave_no_gap(#[values(On::Embedded, On::Aws)] on: On, #[values(1, 5)] slice: usize) {
    let place = Place::new(on).await;
    let reader = place.pipeline.user("reader").await;
    let mut posts = Vec::new();
    for _ in 0..3 {
        let author = place.pipeline.user("author").await;
        place.pipeline.graph.follow(reader, author, place.pipeline.clock.now()).await.unwrap();
        for _ in 0..5 {
            posts.push(place.pipeline.post(author, "hello").await);
        }
    }
    place.pipeline.drain().await;
    let stride = Stride { page: PageLimit::new(2).unwrap(), slice };
    let place = Place { verify: place.verify.clone().in_strides(stride), ..place };
    place.assert_right("all is delivered").await;
    for lost in [&posts[..], &posts[2..3], &posts[14..], &posts[..1]] {
        place.remove_entries(reader, lost).await;
        let missing: Vec<_> = lost.iter().map(|post| (Kind::Missing, Reason::NoEntry, reader, *post)).collect();
        assert_eq!(found(&place.check(Scope::All, true).await), expected(&missing));
        place.pipeline.drain().await;
    }
    place.assert_right("repaired").await;
}

#[tokio::test]
async fn posts_before_the_follow_are_extra() {
    let place = Place::new(On::Embedded).await;
    let (author, follower) = (place.pipeline.user("author").await, place.pipeline.user("follower").await);
    let oldest = place.pipeline.post(author, "oldest").await;
    for _ in 0..limits::BACKFILLED_POSTS {
        place.pipeline.post(author, "newer").await;
    }
    place.pipeline.drain().await;
    place.pipeline.graph.follow(follower, author, place.pipeline.clock.now()).await.unwrap();
    place.pipeline.drain().await;
    place.assert_right("before").await;
    Feeds::new(place.pipeline.store.clone()).put_for_reader(follower, &[oldest], START).await.unwrap();
    place.write(Write::delete(keys::reader_rule(follower, author))).await;
    let extra = expected(&[(Kind::Extra, Reason::BeforeFollow, follower, oldest)]);
    assert_eq!(found(&place.check(Scope::All, false).await), extra);
    assert!(place.check(Scope::All, true).await.is_right());
    place.assert_right("removed").await;
}

#[tokio::test(start_paused = true)]
async fn a_failed_repair_reports_nothing_as_repaired() {
    let place = Place::new(On::Embedded).await;
    let Home::Embedded(home) = &place.home else { unreachable!("it is embedded") };
    let (author, followers) = place.pipeline.author_with_followers(1).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    place.remove_entries(followers[0], &[post]).await;
    let faults = QueueFaults { undone: 1.0, ..QueueFaults::default() };
    let broken = Arc::new(FaultyQueue::new(home.queue.clone(), faults, 1));
    let verify = Verify::on(home.expiring.clone(), broken, home.clock.clone(), (1, None), SETTLING);
    assert!(verify.run(Scope::Post(post), true, &watch::channel(None).0).await.is_err());
    assert_eq!(place.check(Scope::All, false).await.findings.len(), 1);
}

#[rstest]
#[tokio::test]
async fn each_damage_is_reported_and_repaired(#[values(On::Embedded, On::Aws)] on: On) {
    let place = Place::new(on).await;
    let (author, followers) = place.pipeline.author_with_followers(30).await;
    let [first, second] = [place.pipeline.post(author, "one").await, place.pipeline.post(author, "two").await];
    place.pipeline.drain().await;
    place.assert_right("before").await;
    let [robbed, left, hiding] = [followers[0], followers[1], followers[2]];
    // A deleted entry, the author's own among them.
    place.remove_entries(robbed, &[first]).await;
    place.remove_entries(author, &[second]).await;
    // Entries of an author who is not followed, without the rule that hides them.
    place.pipeline.graph.unfollow(left, author, place.pipeline.clock.now()).await.unwrap();
    place.write(Write::delete(keys::reader_rule(left, author))).await;
    // A rule that hides an author who is followed.
    let rule = Readers::rule_item(hiding, author, &Rule::LEFT, START);
    place.write(Write::put(rule)).await;

    let missing = |reader, post| (Kind::Missing, Reason::NoEntry, reader, post);
    let hidden = |post| (Kind::Missing, Reason::Hidden, hiding, post);
    let extra = |post| (Kind::Extra, Reason::NotFollowed, left, post);
    let of_first = [missing(robbed, first), hidden(first)];
    let all = [&of_first[..], &[missing(author, second), hidden(second), extra(first), extra(second)]].concat();
    assert_eq!(found(&place.check(Scope::Post(first), false).await), expected(&of_first));
    let checked = place.check(Scope::All, false).await;
    assert_eq!((found(&checked), checked.is_right()), (expected(&all), false));

    let repaired = place.check(Scope::All, true).await;
    assert_eq!(found(&repaired), expected(&all));
    assert!(repaired.findings.iter().all(|it| it.repaired == (it.reason != Reason::Hidden)), "{repaired:?}");
    place.pipeline.drain().await;
    let hidden = [hidden(first), hidden(second)];
    assert_eq!(found(&place.check(Scope::All, true).await), expected(&hidden), "a rule is left to people");
    place.write(Write::delete(keys::reader_rule(hiding, author))).await;
    place.assert_right("repaired").await;
    assert_eq!(place.pipeline.feed(left).await, []);
    assert_eq!(place.pipeline.feed(robbed).await, [second, first]);
}

#[rstest]
#[tokio::test]
async fn one_post_is_repaired_in_full_jobs(#[values(On::Embedded, On::Aws)] on: On) {
    let place = Place::new(on).await;
    let (author, followers) = place.pipeline.author_with_followers(110).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    for follower in &followers[..60] {
        place.remove_entries(*follower, &[post]).await;
    }
    let repaired = place.check(Scope::Post(post), true).await;
    assert_eq!((repaired.findings.len(), repaired.readers, repaired.is_right()), (60, 111, true));
    assert_eq!(place.pipeline.messages_in(QueueName::JobQ).await, 3, "25 followers a job");
    let waiting = place.check(Scope::Post(post), true).await;
    assert_eq!((&waiting.findings[..], waiting.in_progress), (&[][..], 60), "nothing is sent twice");
    place.pipeline.drain().await;
    place.assert_right("repaired").await;
}

#[rstest]
#[tokio::test]
async fn an_unfinished_fan_out_is_in_progress(#[values(On::Embedded, On::Aws)] on: On) {
    let place = Place::new(on).await;
    let (author, _) = place.pipeline.author_with_followers(3).await;
    let post = place.pipeline.post(author, "hello").await;
    for scope in [Scope::Post(post), Scope::All] {
        let found = place.check(scope, true).await;
        assert_eq!((&found.findings[..], found.in_progress), (&[][..], 3), "its outbox entry is there");
    }
    place.pipeline.turn(QueueName::PostQ).await;
    let found = place.check(Scope::Post(post), true).await;
    assert_eq!((&found.findings[..], found.in_progress), (&[][..], 3), "its job is on JobQ");
    // The job is lost.
    let messages = place.pipeline.receive(QueueName::JobQ).await;
    let receipts = messages.into_iter().map(|message| message.receipt).collect();
    let lost = ports::queue::delete_all(place.pipeline.queue.as_ref(), QueueName::JobQ, receipts).await;
    assert!(lost.is_ok());
    assert_eq!(place.check(Scope::Post(post), false).await.findings.len(), 3);
}

#[tokio::test]
async fn old_posts_do_not_wait_for_the_queue() {
    let place = Place::new(On::Embedded).await;
    let (author, followers) = place.pipeline.author_with_followers(1).await;
    let post = place.pipeline.post(author, "old").await;
    place.pipeline.drain().await;
    place.remove_entries(followers[0], &[post]).await;
    place.pipeline.clock.advance(limits::IN_DELIVERY + Duration::from_millis(1));
    place.pipeline.post(author, "being delivered").await;
    let found = place.check(Scope::All, false).await;
    assert_eq!((found.findings.len(), found.in_progress), (1, 1), "{found:?}");
}

#[rstest]
#[tokio::test]
async fn dormant_readers_are_counted_not_reported(#[values(On::Embedded, On::Aws)] on: On) {
    let place = Place::new(on).await;
    let (author, followers) = place.pipeline.author_with_followers(2).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    place.remove_entries(followers[0], &[post]).await;
    place.pipeline.clock.advance(limits::DORMANT_AFTER + Duration::from_hours(1));
    let active_at = place.pipeline.clock.now().as_millis().cast_signed();
    for awake in [author, followers[1]] {
        place.set(keys::activity(awake), "active_at", active_at).await;
    }
    for scope in [Scope::Post(post), Scope::All] {
        let found = place.check(scope, false).await;
        assert_eq!((&found.findings[..], found.readers, found.dormant), (&[][..], 2, 1));
    }
}

#[tokio::test]
async fn a_pulled_post_needs_a_rule_that_merges() {
    let place = Place::new(On::Embedded).await;
    let (author, followers) = place.pipeline.author_with_followers(2).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    place.set(keys::story_entry(author, post), "pulled", true).await;
    for follower in &followers {
        place.remove_entries(*follower, &[post]).await;
    }
    Readers::new(place.pipeline.store.clone()).merge_from(followers[0], author, post).await.unwrap();
    let checked = place.check(Scope::Post(post), false).await;
    assert_eq!(found(&checked), expected(&[(Kind::Missing, Reason::NoEntry, followers[1], post)]));
}

#[rstest]
#[tokio::test]
async fn a_sample_has_the_size_asked_for(#[values(On::Embedded, On::Aws)] on: On) {
    let place = Place::new(on).await;
    let (author, followers) = place.pipeline.author_with_followers(4).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    for follower in &followers {
        place.remove_entries(*follower, &[post]).await;
    }
    for (size, readers) in [(1, 1), (3, 3), (5, 5), (100, 5)] {
        let found = place.check(Scope::Sample(size), false).await;
        assert_eq!(found.readers, readers, "{size}");
        assert!(found.findings.len() as u64 + 1 >= readers, "all but the author lack the post: {found:?}");
    }
}

#[tokio::test]
async fn a_check_writes_nothing() {
    let place = Place::new(On::Embedded).await;
    let (author, followers) = place.pipeline.author_with_followers(1).await;
    let post = place.pipeline.post(author, "hello").await;
    place.pipeline.drain().await;
    place.pipeline.graph.unfollow(followers[0], author, place.pipeline.clock.now()).await.unwrap();
    // Read by its owner, the feed would begin rules and lose the hidden entry.
    place.write(Write::delete(keys::activity(followers[0]))).await;
    place.assert_right("the entry is hidden").await;
    let store = &place.pipeline.store;
    let stored =
        |table, key: Key| async move { store.get(table, &key, ports::store::Consistency::Strong).await.unwrap() };
    assert!(stored(Table::Feed, keys::feed_entry(followers[0], post)).await.is_some());
    assert_eq!(stored(Table::Social, keys::activity(followers[0])).await, None::<Item>);
}

fn run(args: &[&str], data: &Path) -> (Output, Value) {
    let output = tweeter(args).args(["--json", "--data-dir"]).arg(data).output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    (output, json)
}

/// A data directory in which one follower lacks one post.
async fn damaged(data: &Path) -> PostId {
    std::fs::create_dir_all(data).unwrap();
    let (engine, store, queue) = open_database(data, &Config::default(), Clock::System).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let pipeline = Pipeline::on(store.clone(), Arc::new(queue), Clock::System, 100);
    let (author, followers) = pipeline.author_with_followers(1).await;
    let post = pipeline.post(author, "hello").await;
    pipeline.drain().await;
    Feeds::new(store).remove_of_reader(followers[0], &[post]).await.unwrap();
    drop(pipeline);
    engine.close();
    post
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reports_and_repairs() {
    for running in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let post = damaged(dir.path()).await.to_string();
        let server = running.then(|| Server::start(dir.path(), &[]));
        let (output, found) = run(&["verify", "--post", &post], dir.path());
        assert_eq!((output.status.code(), &found["findings"][0]["kind"]), (Some(1), &"missing".into()));
        let text = tweeter(&["verify", "--sample", "2", "--data-dir"]).arg(dir.path()).output().unwrap();
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.ends_with("1 difference in the feeds of 2 readers; 0 dormant ones skipped\n"), "{text}");
        let (output, repaired) = run(&["verify", "--repair"], dir.path());
        assert_eq!((output.status.code(), &repaired["findings"][0]["repaired"]), (Some(0), &true.into()));
        // The running process delivers the job; otherwise the next one does.
        let in_progress = u64::from(!running);
        in_time(async {
            while run(&["verify"], dir.path()).1["in_progress"] != in_progress {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let (output, none) = run(&["verify"], dir.path());
        assert_eq!((output.status.code(), &none["findings"]), (Some(0), &Value::Array(Vec::new())));
        drop(server);
    }
    let dir = tempfile::tempdir().unwrap();
    damaged(dir.path()).await;
    let unknown = PostId::first_of(START).to_string();
    let output = tweeter(&["verify", "--post", &unknown, "--data-dir"]).arg(dir.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no post"));
}
