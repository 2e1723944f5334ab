//! Feeds, follows and backfills stored by versions without rules: the follow decides about their entries.

use data::{Activity, Feeds, Readers, keys};
use domain::{PostId, UserId, limits};
use ports::{
    queue::QueueName,
    store::{Changes, Condition, Consistency, Table, Write},
};
use service_testkit::{Embedded, pipeline::Pipeline};
use std::sync::Arc;
use testkit::faults::CountingStore;

use super::{
    BROUGHT, follow, newest,
    town::{feed, story},
};

/// Leaves the reader, and their feed, as an earlier version would have.
pub async fn predate_rules(pipeline: &Pipeline, reader: UserId, author: UserId) {
    let writes =
        [keys::activity(reader), keys::reader_rule(reader, author)].map(|key| (Table::Social, Write::delete(key)));
    assert!(pipeline.store.transact(writes.into()).await.unwrap().is_applied());
}

async fn activity(pipeline: &Pipeline, reader: UserId) -> Activity {
    let readers = Readers::new(pipeline.store.clone());
    readers.activities(&[reader], Consistency::Strong).await.unwrap().remove(&reader).unwrap_or_default()
}

/// The posts whose entries are stored in a feed.
async fn stored(pipeline: &Pipeline, reader: UserId) -> Vec<PostId> {
    Feeds::new(pipeline.store.clone()).page_of_reader(reader, None, 1_000).await.unwrap().items
}

/// Marks a follow as one that shows posts from this one on.
async fn show_since(pipeline: &Pipeline, reader: UserId, author: UserId, since: PostId) {
    let set = [("shown_since".into(), since.to_string().into())].into();
    let (key, changes) = (keys::following_edge(reader, author), Changes { set, ..Changes::default() });
    let write = Write::Update { key, changes, condition: Condition::Present };
    assert!(pipeline.store.write(Table::Social, write).await.unwrap().is_applied());
}

#[tokio::test]
async fn entries_left_by_an_earlier_unfollow_stay_hidden() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 5).await;
    Feeds::new(home.store.clone()).put_for_reader(bob, &posts, home.clock.now()).await.unwrap();
    predate_rules(&pipeline, bob, alice).await;

    assert_eq!(feed(&pipeline, bob).await, []);
    pipeline.feeds.background().idle().await;
    assert_eq!(stored(&pipeline, bob).await, []);
    let since = activity(&pipeline, bob).await.rules_since;
    assert_eq!(since, Some(home.clock.now().plus(limits::RULES_MIGRATION)));
    // A late delivery of a post from before is judged alike.
    Feeds::new(home.store.clone()).put_for_reader(bob, &posts, home.clock.now()).await.unwrap();
    assert_eq!(feed(&pipeline, bob).await, []);
}

#[tokio::test]
async fn an_earlier_follow_shows_its_window() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 10).await;
    follow(&pipeline, bob, alice).await;
    predate_rules(&pipeline, bob, alice).await;
    show_since(&pipeline, bob, alice, posts[4]).await;

    for read in ["first", "second"] {
        assert_eq!(feed(&pipeline, bob).await, newest(&posts, 6), "{read} read");
        pipeline.feeds.background().idle().await;
        assert_eq!(stored(&pipeline, bob).await, newest(&posts, 6), "{read} read");
    }
}

#[tokio::test]
async fn rules_alone_decide_about_later_entries() {
    let home = Embedded::open();
    let counting = Arc::new(CountingStore::new(home.store.clone()));
    let pipeline = Pipeline::on(counting.clone(), home.queue.clone(), home.clock.clone(), 20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let before = pipeline.post(alice, "before").await;
    follow(&pipeline, bob, alice).await;
    predate_rules(&pipeline, bob, alice).await;
    // A read may lose its note on a slow store; the next one repeats it.
    while activity(&pipeline, bob).await.rules_since.is_none() {
        assert_eq!(feed(&pipeline, bob).await, [before]);
        pipeline.feeds.background().idle().await;
    }

    home.clock.advance(limits::RULES_MIGRATION);
    let after = pipeline.post(alice, "after").await;
    pipeline.drain().await;
    counting.take_reads();
    assert_eq!(feed(&pipeline, bob).await, [after, before]);
    assert_eq!(counting.take_reads().get("batch_get FOLLOWING"), Some(&1), "an entry from before is on the page");
    Feeds::new(home.store.clone()).remove_of_reader(bob, &[before]).await.unwrap();
    assert_eq!(feed(&pipeline, bob).await, [after]);
    assert_eq!(counting.take_reads().get("batch_get FOLLOWING"), None);
}

#[tokio::test]
async fn an_earlier_unfinished_backfill_is_finished() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let [alice, bob] = [pipeline.user("alice").await, pipeline.user("bob").await];
    let posts = story(&pipeline, alice, 130).await;
    let (marker, now) = (PostId::first_of(home.clock.now()), home.clock.now());
    let created = data::Follows::new(home.store.clone()).create(bob, alice, now, marker, now).await.unwrap();
    assert!(matches!(created, data::Created::Now(None)));
    predate_rules(&pipeline, bob, alice).await;
    // As fanned out during a still earlier follow.
    Feeds::new(home.store.clone()).put_for_reader(bob, &posts, home.clock.now()).await.unwrap();

    assert_eq!(feed(&pipeline, bob).await, [], "being backfilled");
    pipeline.sweep().await;
    assert_eq!(feed(&pipeline, bob).await, newest(&posts, BROUGHT));
    assert_eq!(pipeline.messages_in(QueueName::JobQ).await, 0);
}
