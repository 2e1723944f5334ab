//! Work on notifications and erasures is bounded by its subject, whatever the user has accumulated: it reads one page
//! at a time, keeps a cursor for the rest, and lets other work in between.

use std::{sync::Arc, time::Duration};

use data::{Erasures, Notifications, Posts, keys};
use domain::{
    Act, ActKind, IdGenerator, InboxEntry, Notification, NotificationId, PageLimit, Post, PostId, PostText, Timestamp,
    UserId, limits,
};
use futures::future::join_all;
use ports::{
    changes::Change,
    store::{BatchWrite, Consistency, Item, Store, Table, Write, batch_write_all},
};
use service::{
    changes::{Applied, ChangeService},
    erasure::ErasureService,
    notifications::NotificationService,
    posts::PostService,
    rates::RateLimiter,
};
use service_testkit::Embedded;
use service_testkit::{
    pipeline::START,
    social_harness::{Deed, SocialHarness},
};
use testkit::{
    changing::ChangingStore,
    faults::{CountingStore, HookedStore},
};
use tokio::time::Instant;

/// Maximum number of inbox entries that one store call may return: the size of a page in memory.
const MOST_IN_MEMORY: u64 = 1_000;
/// Maximum number of transaction items that one step on a hot post may write.
const MOST_WRITES_PER_STEP: u64 = 600;

/// An author with recorded changes, and their posts.
struct Author {
    changing: Arc<ChangingStore>,
    counting: Arc<CountingStore>,
    id: UserId,
    posts: Vec<PostId>,
    // Last, so that the directory is dropped after the engine.
    embedded: Embedded,
}

impl Author {
    /// An author whose posts have the given numbers of likes, all with notifications.
    async fn with_likes<const N: usize>(likes: [usize; N]) -> Self {
        let embedded = Embedded::open();
        let mut social = SocialHarness::of(1, embedded.store.clone(), START).await;
        let author = social.people[0];
        for _ in likes {
            social.does(Deed::Post(0)).await;
        }
        let posts: Vec<PostId> = social.model.posts().map(|(post, ..)| post).collect();
        let counting = Arc::new(CountingStore::new(social.store.clone()));
        let this = Self { changing: Arc::clone(&social.store), counting, embedded, id: author, posts };
        for (post, likes) in this.posts.iter().zip(likes) {
            put_likers(this.embedded.store.as_ref(), *post, likes).await;
            let likers = all_likers(this.embedded.store.as_ref(), *post).await;
            let changes = likers.into_iter().map(|item| Change {
                id: item.key.sort.clone() + &post.to_string(),
                key: item.key,
                before: None,
                after: Some(item.attributes),
            });
            this.apply(&changes.collect::<Vec<_>>()).await;
        }
        this.apply_pending().await;
        this.counting.take_counts();
        this.counting.take_reads();
        this
    }

    fn service(&self) -> ChangeService {
        ChangeService::new(self.counting.clone(), Arc::new(IdGenerator::new()))
    }

    async fn apply(&self, changes: &[Change]) {
        for batch in changes.chunks(limits::MAX_CHANGES) {
            for outcome in self.service().apply(batch, START).await {
                assert!(matches!(outcome, Applied::Done), "{outcome:?}");
            }
        }
    }

    /// Applies changes until the stream is empty.
    async fn apply_pending(&self) {
        loop {
            let changes = self.changing.take_changes();
            if changes.is_empty() {
                return;
            }
            self.apply(&changes).await;
        }
    }

    async fn delete(&self, post: PostId) {
        let posts = PostService::new(self.changing.clone() as Arc<dyn Store>, RateLimiter::off());
        posts.delete(self.id, post, START).await.unwrap();
    }

    fn notifications(&self) -> NotificationService {
        NotificationService::new(self.counting.clone())
    }

    async fn unread(&self) -> u64 {
        self.notifications().unread_count(self.id, START).await.unwrap()
    }

    /// An author with `count` unread notifications, one per second from the start.
    async fn with_unread(count: usize) -> (Self, Vec<NotificationId>) {
        let this = Self::with_likes([]).await;
        let (store, ids) = (this.embedded.store.as_ref(), IdGenerator::new());
        let made: Vec<NotificationId> =
            (0..count).map(|second| ids.next_notification_id(after_seconds(second))).collect();
        let entry = |id: &NotificationId| {
            let act = Act { actor_id: UserId::random(), kind: ActKind::Follow(this.id) };
            let notification = Notification { notification_id: *id, recipient_id: this.id, act };
            let put = Notifications::put(&InboxEntry { notification, undone: false, post_gone: false });
            put.into_iter().map(|(_, write)| match write {
                Write::Put { item, .. } => BatchWrite::Put(item),
                other => panic!("{other:?}"),
            })
        };
        put_all(store, made.iter().flat_map(entry).collect()).await;
        let none = NotificationId::from_uuid(uuid::Uuid::nil()).to_string();
        let inbox = Item::new(keys::unread(this.id))
            .with("version", 1)
            .with("unread", i64::try_from(count).unwrap())
            .with("read_up_to", none.clone())
            .with("counted_after", none);
        assert!(store.write(Table::Social, Write::put(inbox)).await.unwrap().is_applied());
        (this, made)
    }
}

fn after_seconds(seconds: usize) -> Timestamp {
    START.plus(Duration::from_secs(seconds as u64))
}

async fn put_likers(store: &dyn Store, post: PostId, likes: usize) {
    let like = |_| BatchWrite::Put(Item::new(keys::liker(post, UserId::random())).with("liked_at", 1));
    put_all(store, (0..likes).map(like).collect()).await;
}

async fn put_all(store: &dyn Store, writes: Vec<BatchWrite>) {
    for chunk in writes.chunks(limits::MAX_BATCH_WRITE) {
        assert_eq!(batch_write_all(store, Table::Social, chunk.to_vec()).await.unwrap(), []);
    }
}

async fn all_likers(store: &dyn Store, post: PostId) -> Vec<Item> {
    let mut likers = Vec::new();
    for shard in 0..limits::LIKER_SHARDS {
        let query = ports::store::Query::all_of(Table::Social, keys::likers_partition(post, shard));
        likers.extend(store.query(&query).await.unwrap().items);
    }
    likers
}

#[tokio::test]
async fn deleting_a_post_reads_only_its_notifications() {
    let author = Author::with_likes([3, 2_000]).await;
    assert_eq!(author.unread().await, 2_003);
    author.counting.take_counts();
    author.delete(author.posts[0]).await;
    author.apply_pending().await;
    let (counts, reads) = (author.counting.take_counts(), author.counting.take_reads());
    assert_eq!(reads.get("query NOTIFICATIONS"), None, "{reads:?}");
    assert!(counts.items_queried + counts.batch_get_keys < 30, "{counts:?}");
    assert_eq!(author.unread().await, 2_000);
}

#[tokio::test]
async fn a_hot_post_is_reconciled_in_bounded_steps() {
    let author = Author::with_likes([2_000, 0]).await;
    author.delete(author.posts[0]).await;
    let (mut steps, mut was_notified_between) = (0, false);
    loop {
        let changes = author.changing.take_changes();
        if changes.is_empty() {
            break;
        }
        author.counting.take_counts();
        author.apply(&changes).await;
        let counts = author.counting.take_counts();
        assert!(counts.transact_entries <= MOST_WRITES_PER_STEP, "{counts:?}");
        steps += 1;
        if steps == 2 {
            put_likers(author.changing.as_ref(), author.posts[1], 1).await;
        }
        let dao = Notifications::new(author.embedded.store.clone());
        let entries = dao.page_of_recipient(author.id, None, 10_000).await.unwrap().items;
        let of_other = entries.iter().any(|entry| entry.notification.act.kind.post_id() == Some(author.posts[1]));
        was_notified_between |= of_other && author.unread().await > 1;
    }
    assert!(steps > 4 && was_notified_between, "{steps} {was_notified_between}");
    assert_eq!(author.unread().await, 1);
}

#[tokio::test]
async fn marking_read_holds_one_page_and_becomes_exact() {
    for (read, unread) in [(5_000, 0), (2_500, 2_500), (10, 4_990)] {
        let (author, ids) = Author::with_unread(5_000).await;
        author.counting.take_counts();
        author.notifications().mark_read(author.id, ids[read - 1], START).await.unwrap();
        let counts = author.counting.take_counts();
        assert!(counts.most_items_queried <= MOST_IN_MEMORY && counts.query <= 3, "{read}: {counts:?}");
        let page = author.notifications().page(author.id, None, PageLimit::default(), START).await.unwrap();
        assert!(page.unread >= unread, "{read}: {}", page.unread);
        author.apply_pending().await;
        assert_eq!(author.unread().await, unread, "{read}");
        let counts = author.counting.take_counts();
        assert!(counts.most_items_queried <= MOST_IN_MEMORY, "{read}: {counts:?}");
    }
}

#[tokio::test]
async fn conflicting_marks_repeat_no_scan() {
    let (author, ids) = Author::with_unread(8_000).await;
    let marks = (1..=40).map(|n| (author.notifications(), ids[n * 100]));
    author.counting.take_counts();
    let marked = join_all(marks.map(|(service, up_to)| {
        let author = author.id;
        async move { service.mark_read(author, up_to, START).await }
    }));
    for marked in marked.await {
        marked.unwrap();
    }
    author.apply_pending().await;
    let counts = author.counting.take_counts();
    assert!(counts.most_items_queried <= MOST_IN_MEMORY, "{counts:?}");
    // 40 calls of 13 rounds with a scan each would read millions.
    assert!(counts.items_queried < 40 * 4 * MOST_IN_MEMORY, "{counts:?}");
    assert_eq!(author.unread().await, 8_000 - 4_001);
}

#[tokio::test]
async fn expired_unread_are_recounted_page_by_page() {
    let (author, ids) = Author::with_unread(5_000).await;
    // The first 2,001 have expired and been removed by then.
    let later = after_seconds(2_000).plus(limits::NOTIFICATION_TTL);
    let gone = ids[..2_001].iter().map(|id| BatchWrite::Delete(keys::notification(author.id, *id)));
    put_all(author.embedded.store.as_ref(), gone.collect()).await;
    author.counting.take_counts();
    let service = author.notifications();
    assert!(service.unread_count(author.id, later).await.unwrap() >= 2_999);
    let counts = author.counting.take_counts();
    assert!(counts.most_items_queried <= MOST_IN_MEMORY && counts.query <= 1, "{counts:?}");
    author.apply_pending().await;
    assert_eq!(service.unread_count(author.id, later).await.unwrap(), 2_999);
}

/// Two posts of an author that were deleted long ago and share a shard of the erasures; the first has `likes` likes.
async fn deleted_posts(store: &dyn Store, likes: usize) -> [PostId; 2] {
    let (author, ids) = (UserId::random(), IdGenerator::new());
    let shard = |post: &PostId| keys::post_erasure(*post, START).partition;
    let first = ids.next_post_id(START);
    let second = std::iter::repeat_with(|| ids.next_post_id(START)).find(|post| shard(post) == shard(&first));
    let posts = [first, second.unwrap()];
    for (place, post_id) in posts.into_iter().enumerate() {
        let post = Post { post_id, author_id: author, text: PostText::parse("gone").unwrap(), media: Vec::new() };
        let due = Timestamp::from_millis(START.as_millis() - 1_000 + place as u64);
        let writes = Posts::creation(&post).and(Erasures::schedule_post(post_id, due));
        assert!(store.transact(writes.into_iter().collect()).await.unwrap().is_applied());
        let deletion = Posts::deletion(&post, START.minus(limits::DELETED_TTL)).into_iter().collect();
        assert!(store.transact(deletion).await.unwrap().is_applied());
    }
    put_likers(store, first, likes).await;
    posts
}

async fn is_stored(store: &dyn Store, post: PostId) -> bool {
    store.get(Table::Social, &keys::post(post), Consistency::Strong).await.unwrap().is_some()
}

#[tokio::test(start_paused = true)]
async fn a_large_erasure_does_not_starve_others() {
    let embedded = Embedded::open();
    let [large, small] = deleted_posts(embedded.store.as_ref(), 3_000).await;
    let slow = Arc::new(HookedStore::before(embedded.store.clone(), |_| {
        Box::pin(async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok(())
        })
    }));
    let service = ErasureService::new(slow);
    let mut runs = 0;
    // Each run has time for some 100 calls, and each slice for ten.
    while is_stored(embedded.store.as_ref(), small).await {
        let deadline = Instant::now() + limits::SWEEP_ERASURE_BUDGET;
        assert!(service.run_due(START, deadline).await.unwrap().is_cut_short);
        runs += 1;
        assert!(runs <= 2, "the second row must be reached");
    }
    assert!(is_stored(embedded.store.as_ref(), large).await, "the first row must outlast the second");
    while service.run_due(START, Instant::now() + limits::SWEEP_ERASURE_BUDGET).await.unwrap().is_cut_short {}
    assert!(!is_stored(embedded.store.as_ref(), large).await);
}
