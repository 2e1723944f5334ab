//! Every writer of feed entries sets their expiry, after which posts are shown all the same.

use std::time::Duration;

use domain::{PostId, UserId, limits};
use ports::store::{EXPIRES_AT, Query, Table};
use service_testkit::Embedded;

const DAY: Duration = Duration::from_hours(24);

/// The posts in a reader's feed with their entries' expiry, newest first.
async fn entries(embedded: &Embedded, reader: UserId) -> Vec<(PostId, u64)> {
    let query = Query::all_of(Table::Feed, data::keys::feed_partition(reader));
    let page = embedded.store.query(&query).await.unwrap();
    let entry =
        |item: &ports::store::Item| (item.key.sort.parse().unwrap(), item.number(EXPIRES_AT).unwrap().cast_unsigned());
    page.items.iter().rev().map(entry).collect()
}

#[tokio::test]
async fn every_writer_expires_entries_after_90_days() {
    let embedded = Embedded::open();
    let pipeline = embedded.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(30).await;
    let posts = [pipeline.post(author, "first").await, pipeline.post(author, "second").await];
    embedded.clock.advance(DAY);
    pipeline.drain().await;
    let late = pipeline.user("late").await;
    pipeline.graph.follow(late, author, embedded.clock.now()).await.unwrap();

    let expected: Vec<_> =
        posts.iter().rev().map(|post| (*post, post.created_at().plus(limits::FEED_ENTRY_TTL).as_secs())).collect();
    for (writer, reader) in [("publishing", author), ("delivery", followers[29]), ("backfill", late)] {
        assert_eq!(entries(&embedded, reader).await, expected, "{writer}");
    }
}

#[tokio::test]
async fn an_entry_of_an_old_post_lives_a_week() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let author = pipeline.user("author").await;
    let post = pipeline.post(author, "long ago").await;
    home.clock.advance(limits::FEED_ENTRY_TTL + DAY);
    let week = home.clock.now().plus(limits::FEED_ENTRY_SLACK).as_secs();
    let late = pipeline.user("late").await;
    pipeline.graph.follow(late, author, home.clock.now()).await.unwrap();
    assert_eq!(entries(&home, late).await, [(post, week)], "backfill");
    assert_eq!(pipeline.feed(author).await, [post]);
    assert_eq!(entries(&home, author).await, [(post, week)], "rebuild");
}

#[tokio::test]
async fn a_post_outlives_its_entries() {
    let home = Embedded::open();
    let pipeline = home.pipeline(20);
    let (author, followers) = pipeline.author_with_followers(1).await;
    let post = pipeline.post(author, "long ago").await;
    pipeline.drain().await;
    home.clock.advance(limits::FEED_ENTRY_TTL + DAY);
    home.expiring.sweep_expired(home.clock.now()).await.unwrap();
    home.expiring.compact(Table::Feed).await.unwrap();
    for reader in [author, followers[0]] {
        assert_eq!(entries(&home, reader).await, []);
        assert_eq!(pipeline.feed(reader).await, [post]);
    }
}
