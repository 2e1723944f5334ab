//! The order and the reach of a fan-out: in ranges that continue from their cursors, active readers first, dormant ones
//! not at all.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use data::{
    Activity, Follows, Outbox, Readers, keys,
    messages::{FanOutMessage, FanOutTag, FeedJob, FeedJobTag, V1},
};
use domain::{PostId, Timestamp, UserId, limits};
use ports::{
    queue::QueueName,
    store::{BatchWrite, Item, Store, Table, batch_write_all},
};
use service::{
    activity::ActivityCache,
    delivery::DeliveryService,
    fan_out::{FanOutOptions, FanOutService},
    live::{Hub, HubOptions},
    safe_time::SafeTime,
};
use service_testkit::{Embedded, pipeline::START};
use testkit::faults::{CountingStore, HookedStore, StaleStore, StoreCall};
use tokio::time::Instant;
use uuid::Uuid;

const DAY: Duration = Duration::from_hours(24);
/// Small pages: a few hundred followers are many pages of each range.
const PAGE: u32 = 7;

/// A database with one author, without the followers' accounts.
struct Town {
    home: Embedded,
    author: UserId,
    followers: BTreeSet<UserId>,
}

impl Town {
    async fn with_followers(followers: impl IntoIterator<Item = UserId>) -> Self {
        let (home, author) = (Embedded::open(), UserId::random());
        let town = Self { home, author, followers: followers.into_iter().collect() };
        let edges = town.followers.iter().flat_map(|follower| Follows::both_sides(*follower, author, START));
        town.put(edges.collect()).await;
        town
    }

    async fn of(followers: usize) -> Self {
        Self::with_followers((0..followers).map(|_| UserId::random())).await
    }

    async fn put(&self, items: Vec<Item>) {
        for items in items.chunks(limits::MAX_BATCH_WRITE) {
            let puts = items.iter().cloned().map(BatchWrite::Put).collect();
            assert_eq!(batch_write_all(self.home.store.as_ref(), Table::Social, puts).await.unwrap(), []);
        }
    }

    /// An unfinished fan-out of a new post, and its message.
    async fn post(&self) -> FanOutMessage {
        let post_id = PostId::first_of(self.home.clock.now());
        self.home.clock.advance(Duration::from_millis(1));
        let creation = Outbox::creation(post_id, self.author, self.home.clock.now());
        assert!(self.home.store.transact(creation.into_iter().collect()).await.unwrap().is_applied());
        FanOutMessage { tag: FanOutTag::FanOut, v: V1, post_id, author_id: self.author, generation: 0, hop: 0 }
    }

    /// These readers were active so long ago.
    async fn were_active(&self, readers: impl IntoIterator<Item = UserId>, ago: Duration) {
        let activity = Activity { active_at: Some(self.home.clock.now().minus(ago)), ..Activity::default() };
        for reader in readers {
            let readers = Readers::new(self.home.store.clone());
            assert!(readers.put_active(reader, &Activity::default(), &activity).await.unwrap().is_applied());
        }
    }

    fn fan_out_on(&self, store: Arc<dyn Store>) -> FanOutService {
        let options = FanOutOptions { follower_page: Some(PAGE), ..FanOutOptions::default() };
        FanOutService::new(store, self.home.queue.clone(), self.home.clock.clone(), options)
    }

    fn fan_out(&self) -> FanOutService {
        self.fan_out_on(self.home.store.clone())
    }

    /// Takes the jobs from JobQ, in the order of sending.
    async fn jobs(&self) -> Vec<FeedJob> {
        let mut jobs = Vec::new();
        loop {
            let received = self.home.queue.receive(QueueName::JobQ, 10, Duration::ZERO, None).await.unwrap();
            if received.is_empty() {
                return jobs;
            }
            jobs.extend(received.iter().map(|message| FeedJob::decode(&message.body).unwrap()));
            let receipts = received.into_iter().map(|message| message.receipt).collect();
            self.home.queue.delete(QueueName::JobQ, receipts).await.unwrap();
        }
    }

    async fn entry(&self, message: &FanOutMessage) -> Option<data::OutboxEntry> {
        Outbox::new(self.home.store.clone()).get(message.post_id).await.unwrap()
    }
}

/// How often each follower is in a job.
fn reached(jobs: &[FeedJob]) -> HashMap<UserId, usize> {
    let mut reached = HashMap::new();
    jobs.iter().flat_map(|job| &job.followers).for_each(|follower| *reached.entry(*follower).or_default() += 1);
    reached
}

fn once(followers: impl IntoIterator<Item = UserId>) -> HashMap<UserId, usize> {
    followers.into_iter().map(|follower| (follower, 1)).collect()
}

#[tokio::test]
async fn each_follower_is_in_one_full_job() {
    let town = Town::of(300).await;
    let message = town.post().await;
    town.fan_out().fan_out(&message, None).await.unwrap();
    let jobs = town.jobs().await;
    assert_eq!(reached(&jobs), once(town.followers.clone()));
    assert_eq!(jobs.len(), 300 / limits::FOLLOWERS_PER_JOB, "no page of a range ends with a short job");
    assert_eq!(town.entry(&message).await, None);
}

#[tokio::test]
async fn each_range_continues_from_its_own_cursor() {
    let town = Town::of(300).await;
    let message = town.post().await;
    let (mut jobs, mut hops, mut most_ranges) = (Vec::new(), 0, 0);
    while let Some(entry) = town.entry(&message).await {
        most_ranges = most_ranges.max(entry.remaining.ranges().len());
        // The deadline is near: each invocation sends what it has read, and hands over.
        town.fan_out().fan_out(&message, Some(Instant::now())).await.unwrap();
        jobs.extend(town.jobs().await);
        hops += 1;
    }
    assert_eq!(reached(&jobs), once(town.followers.clone()));
    assert_eq!(most_ranges, limits::FAN_OUT_RANGES as usize);
    assert!(hops > 1, "the fan-out was never handed over");
    let continuations = town.home.queue.depth(QueueName::PostQ).await.unwrap().visible;
    assert_eq!(continuations, hops - 1, "each invocation but the last sends a continuation");
}

#[tokio::test]
async fn an_earlier_versions_cursor_is_continued() {
    for is_handed_over in [false, true] {
        let town = Town::of(60).await;
        let message = town.post().await;
        let cursor = *town.followers.iter().nth(19).unwrap();
        let entry = Item::new(keys::outbox_entry(message.post_id))
            .with("author_id", town.author.to_string())
            .with("generation", 0)
            .with("lease_until", town.home.clock.now().plus(limits::OUTBOX_LEASE).as_millis().cast_signed())
            .with("followers_cursor", cursor.to_string())
            .with("worker", "of an earlier version");
        town.put(vec![entry]).await;
        let mut jobs = Vec::new();
        while town.entry(&message).await.is_some() {
            let deadline = is_handed_over.then(Instant::now);
            town.fan_out().fan_out(&message, deadline).await.unwrap();
            jobs.extend(town.jobs().await);
        }
        assert_eq!(reached(&jobs), once(town.followers.iter().copied().filter(|follower| *follower > cursor)));
    }
}

#[tokio::test]
async fn a_duplicate_message_stops_before_its_jobs() {
    let town = Town::of(300).await;
    let message = town.post().await;
    let (first, is_done) = (town.fan_out(), Arc::new(AtomicBool::new(false)));
    // The whole fan-out runs when the second worker has read the entry.
    let overtaken = HookedStore::before(town.home.store.clone(), {
        let message = message.clone();
        move |call| {
            let is_due = matches!(call, StoreCall::Query(_)) && !is_done.swap(true, Ordering::SeqCst);
            let (first, message) = (first.clone(), message.clone());
            Box::pin(async move {
                if is_due {
                    first.fan_out(&message, None).await.expect("the first worker fans out");
                }
                Ok(())
            })
        }
    });
    town.fan_out_on(Arc::new(overtaken)).fan_out(&message, None).await.unwrap();
    assert_eq!(reached(&town.jobs().await), once(town.followers.clone()));
}

#[tokio::test]
async fn jobs_of_active_readers_precede_all_others() {
    let town = Town::of(300).await;
    let followers: Vec<UserId> = town.followers.iter().copied().collect();
    // Spread over all ranges, and too few to fill a job in each page.
    let connected: Vec<UserId> = followers.iter().copied().skip(3).step_by(11).collect();
    let today: Vec<UserId> = followers.iter().copied().skip(5).step_by(11).collect();
    let older: Vec<UserId> = followers.iter().copied().skip(7).step_by(11).collect();
    town.were_active(today.clone(), Duration::ZERO).await;
    town.were_active(older, 2 * DAY).await;
    let hub = Hub::new(town.home.clock.clone(), HubOptions::default());
    let until = town.home.clock.now().plus(limits::ACCESS_TOKEN_TTL);
    let _streams: Vec<_> = connected.iter().map(|reader| hub.open(*reader, until)).collect();

    let message = town.post().await;
    town.fan_out().with_streams(Some(hub)).fan_out(&message, None).await.unwrap();
    let jobs = town.jobs().await;
    assert_eq!(reached(&jobs), once(followers));
    let active: BTreeSet<UserId> = connected.into_iter().chain(today).collect();
    let order: Vec<UserId> = jobs.into_iter().flat_map(|job| job.followers).collect();
    // The last job with active readers is filled up with others.
    assert_eq!(order[..active.len()].iter().copied().collect::<BTreeSet<_>>(), active);
}

#[tokio::test]
async fn held_followers_are_sent_before_cursors_advance() {
    let town = Town::of(100).await;
    let message = town.post().await;
    let mut sent = HashMap::new();
    while town.entry(&message).await.is_some() {
        town.fan_out().fan_out(&message, Some(Instant::now())).await.unwrap();
        sent.extend(reached(&town.jobs().await));
        let left = town.entry(&message).await.map(|entry| entry.remaining.ranges()).unwrap_or_default();
        let is_left = |id: &UserId| left.iter().any(|range| (range.first()..=range.last()).contains(id));
        let lost: Vec<_> = town.followers.iter().filter(|id| !is_left(id) && !sent.contains_key(*id)).collect();
        assert_eq!(lost, Vec::<&UserId>::new(), "the cursors are past them");
    }
}

#[tokio::test]
async fn dormant_followers_get_no_job() {
    let town = Town::of(100).await;
    let followers: Vec<UserId> = town.followers.iter().copied().collect();
    let (dormant, nearly) = (followers[..40].to_vec(), followers[40..60].to_vec());
    town.were_active(dormant.clone(), limits::SKIPPED_AFTER + DAY).await;
    town.were_active(nearly, limits::DORMANT_AFTER).await;
    let due = || once(followers[40..].iter().copied());
    let fan_out = town.fan_out();
    for answers in ["read", "partly remembered"] {
        let message = town.post().await;
        fan_out.fan_out(&message, None).await.unwrap();
        assert_eq!(reached(&town.jobs().await), due(), "{answers}");
    }
    // One returns, and is marked active before the stories are read.
    let readers = Readers::new(town.home.store.clone());
    let stored = readers.get(dormant[0]).await.unwrap().activity;
    let returned = Activity { active_at: Some(town.home.clock.now()), ..stored };
    assert!(readers.put_active(dormant[0], &stored, &returned).await.unwrap().is_applied());
    let message = town.post().await;
    fan_out.fan_out(&message, None).await.unwrap();
    assert_eq!(reached(&town.jobs().await), once(followers[40..].iter().copied().chain([dormant[0]])));
}

#[tokio::test]
async fn a_stale_read_does_not_skip_a_returned_reader() {
    let town = Town::of(1).await;
    let reader = *town.followers.first().unwrap();
    town.were_active([reader], 2 * limits::SKIPPED_AFTER).await;
    let stale: Arc<dyn Store> = Arc::new(StaleStore::new(town.home.store.clone(), 10));
    let readers = Readers::new(stale.clone());
    let stored = readers.get(reader).await.unwrap().activity;
    let returned = Activity { active_at: Some(town.home.clock.now()), ..stored };
    assert!(readers.put_active(reader, &stored, &returned).await.unwrap().is_applied());
    let missed = readers.active_times(&[reader], ports::store::Consistency::Eventual).await.unwrap();
    assert_ne!(missed.get(&reader).copied(), returned.active_at, "the replica lags");
    let message = town.post().await;
    town.fan_out_on(stale).fan_out(&message, None).await.unwrap();
    assert_eq!(reached(&town.jobs().await), once([reader]));
}

#[tokio::test]
async fn a_clock_jump_makes_nobody_dormant() {
    let town = Town::of(5).await;
    town.were_active(town.followers.clone(), 2 * DAY).await;
    let safe_time = SafeTime::new(town.home.clock.clone());
    town.home.clock.step_to(town.home.clock.now().plus(2 * limits::SKIPPED_AFTER));
    let message = town.post().await;
    let fan_out = town.fan_out().with_activity(ActivityCache::default(), safe_time.clone());
    fan_out.fan_out(&message, None).await.unwrap();
    assert_eq!(reached(&town.jobs().await), once(town.followers.clone()));
}

#[tokio::test]
async fn a_mistaken_follower_is_not_skipped() {
    // Ids that differ only in the middle share a slot of the cache and its fingerprint.
    let [active, dormant] = [1_u128, 2].map(|middle| UserId::from_uuid(Uuid::from_u128(middle << 64)));
    let town = Town::with_followers([active, dormant]).await;
    town.were_active([active], Duration::ZERO).await;
    town.were_active([dormant], 2 * limits::SKIPPED_AFTER).await;
    let fan_out = town.fan_out();
    for _ in 0..3 {
        let message = town.post().await;
        fan_out.fan_out(&message, None).await.unwrap();
        assert_eq!(reached(&town.jobs().await).get(&active), Some(&1));
    }
}

#[tokio::test]
async fn activity_is_read_once_a_day() {
    let town = Town::of(50).await;
    town.were_active(town.followers.clone(), 5 * DAY).await;
    let counting = Arc::new(CountingStore::new(town.home.store.clone()));
    let fan_out = town.fan_out_on(counting.clone());
    for (keys, after) in [(50, Duration::ZERO), (0, Duration::ZERO), (50, DAY), (0, Duration::ZERO)] {
        town.home.clock.advance(after);
        let message = town.post().await;
        counting.take_counts();
        fan_out.fan_out(&message, None).await.unwrap();
        assert_eq!(counting.take_counts().batch_get_keys, keys);
        assert_eq!(town.jobs().await.len(), 2);
    }
}

#[tokio::test]
async fn a_late_fan_out_skips_later_follows() {
    let town = Town::of(30).await;
    let message = town.post().await;
    town.home.clock.advance(limits::LATE_FAN_OUT + DAY);
    let follow = |after| {
        let follower = UserId::random();
        (follower, Follows::both_sides(follower, town.author, message.post_id.created_at().plus(after)))
    };
    let (soon, soon_edges) = follow(limits::LATE_FAN_OUT);
    let (_later, later_edges) = follow(limits::LATE_FAN_OUT + Duration::from_millis(1));
    town.put([soon_edges, later_edges].concat()).await;
    town.fan_out().fan_out(&message, None).await.unwrap();
    assert_eq!(reached(&town.jobs().await), once(town.followers.iter().copied().chain([soon])));
}

#[tokio::test]
async fn a_job_90_days_late_writes_nothing() {
    let home = Embedded::open();
    let delivery = DeliveryService::new(home.store.clone(), home.clock.clone());
    let reader = UserId::random();
    let job = |post_id| FeedJob {
        tag: FeedJobTag::Deliver,
        v: V1,
        post_id,
        author_id: UserId::random(),
        followers: vec![reader],
    };
    let edge = home.clock.now().minus(limits::FEED_ENTRY_TTL);
    let [late, in_time] = [edge, edge.plus(Duration::from_millis(1))].map(PostId::first_of);
    for post in [late, in_time] {
        delivery.deliver(&job(post)).await.unwrap();
    }
    let entries = data::Feeds::new(home.store.clone()).page_of_reader(reader, None, 10).await.unwrap();
    assert_eq!(entries.items, [in_time]);
}

#[tokio::test]
async fn a_clock_jump_loses_no_delivery() {
    let home = Embedded::open();
    let (reader, post_id) = (UserId::random(), PostId::first_of(home.clock.now()));
    let delivery = DeliveryService::new(home.store.clone(), home.clock.clone());
    home.clock.step_to(Timestamp::from_millis(2 * START.as_millis()));
    let job =
        FeedJob { tag: FeedJobTag::Deliver, v: V1, post_id, author_id: UserId::random(), followers: vec![reader] };
    delivery.deliver(&job).await.unwrap();
    let entries = data::Feeds::new(home.store.clone()).page_of_reader(reader, None, 10).await.unwrap();
    assert_eq!(entries.items, [post_id]);
}
