//! Authors with stories, and feeds read to the end.

use std::time::Duration;

use data::{Feeds, Posts, keys};
use domain::{IdGenerator, Post, PostId, PostText, UserId};
use futures::future::join_all;
use ports::store::{Changes, Condition, Table, Write};
use service_testkit::pipeline::Pipeline;

/// Posts made in the last hour that were fanned out long ago, oldest first.
pub async fn story(pipeline: &Pipeline, author: UserId, count: usize) -> Vec<PostId> {
    let (ids, start) = (IdGenerator::new(), pipeline.clock.now().minus(Duration::from_hours(1)));
    let made = (0_u64..).take(count).map(|number| Post {
        post_id: ids.next_post_id(start.plus(Duration::from_millis(number))),
        author_id: author,
        text: PostText::parse("old").expect("a test's text is valid"),
        media: Vec::new(),
    });
    let posts: Vec<Post> = made.collect();
    let stored = posts.iter().map(|post| {
        let writes = Posts::creation(post).and(Feeds::own_entry(author, post.post_id));
        pipeline.store.transact(writes.into_iter().collect())
    });
    assert!(join_all(stored).await.into_iter().all(|stored| stored.unwrap().is_applied()));
    posts.iter().map(|post| post.post_id).collect()
}

/// Marks a post as deleted.
pub async fn delete(pipeline: &Pipeline, post: PostId) {
    let mut changes = Changes::default();
    changes.set.insert("deleted_at".into(), pipeline.clock.now().as_millis().cast_signed().into());
    let write = Write::Update { key: keys::post(post), changes, condition: Condition::Present };
    assert!(pipeline.store.write(Table::Social, write).await.unwrap().is_applied());
}

/// Restores a deleted post.
pub async fn restore(pipeline: &Pipeline, post: PostId) {
    let changes = Changes { remove: vec!["deleted_at"], ..Changes::default() };
    let write = Write::Update { key: keys::post(post), changes, condition: Condition::Present };
    assert!(pipeline.store.write(Table::Social, write).await.unwrap().is_applied());
}

/// Erases a post, except for its feed entries.
pub async fn erase(pipeline: &Pipeline, author: UserId, post: PostId) {
    let writes = [keys::post(post), keys::story_entry(author, post)].map(|key| (Table::Social, Write::delete(key)));
    assert!(pipeline.store.transact(writes.into()).await.unwrap().is_applied());
}

/// The whole feed of a reader, newest first.
pub async fn feed(pipeline: &Pipeline, reader: UserId) -> Vec<PostId> {
    pipeline.feed_by(reader, 100).await
}
